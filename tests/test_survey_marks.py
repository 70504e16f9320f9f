"""The survey says on which file systems a root cause was seen, and where it was not asked."""

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("marks", Path(__file__).parents[1] / "docs/examples/marks.py")
marks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(marks)

SURVEY = f"""# Survey

{marks.HEAD}
|---|---|---|---|
| zict | fsync missing at zict.py:1 | DUR-2 | `AAPL: null` |
| lmdb | fsync missing at lmdb.py:2 | DUR-2 (POSIX) | see below |

## More
"""


def report(*sightings, cause="fsync missing at zict.py:1"):
    """A report of one root cause of zict, looked for as told: (file system, seen, states) or with a reason."""
    told = [
        {"filesystem": name, "seen": seen, "states": states, "unasked": "".join(reason)}
        for name, seen, states, *reason in sightings
    ]
    row = {"counterexample": {"token": "t", "sightings": told}, "others": []}
    finding = {"told": f"{cause}: DUR-2 (loses an acknowledged update)", "consequences": [{"token": "t"}]}
    return {"stores": [{"name": "zict", "requirements": [row], "findings": [finding]}]}


def cell(text, store):
    return next(line for line in text.splitlines() if line.startswith(f"| {store}")).split(" | ")[-1].strip(" |")


def test_a_root_cause_carries_where_it_was_seen_and_where_not():
    text, rest = marks.marked(SURVEY, [report(("ext4", True, 32), ("xfs", False, 276))])

    assert cell(text, "zict") == "ext4; not in 276 states of xfs; btrfs not asked"
    assert not rest


def test_control_what_no_report_speaks_of_was_not_asked():
    text, _ = marks.marked(SURVEY, [])

    assert {cell(text, store) for store in ("zict", "lmdb")} == {"not asked"}


def test_what_could_not_be_asked_is_not_taken_for_not_seen():
    text, _ = marks.marked(SURVEY, [report(("ext4", False, 0, "names are exchanged"))])

    assert cell(text, "zict") == "not asked"


def test_what_was_asked_before_stays():
    first, _ = marks.marked(SURVEY, [report(("ext4", True, 32), ("xfs", False, 276))])
    text, _ = marks.marked(first, [report(("btrfs", True, 64))])

    assert cell(text, "zict") == "ext4 btrfs; not in 276 states of xfs"


def test_a_root_cause_without_a_row_is_told():
    _, rest = marks.marked(SURVEY, [report(("ext4", True, 1), cause="file written in place at zict.py:9")])

    assert rest == [("zict", "file written in place at zict.py:9")]


@pytest.mark.parametrize("times", [1, 2])
def test_the_rest_of_the_survey_is_left_as_it_is(times):
    text = SURVEY
    for _ in range(times):
        text, _ = marks.marked(text, [])

    assert text.startswith("# Survey\n\n| store") and text.endswith("\n\n## More\n")
    assert text.count("\n") == SURVEY.count("\n")
