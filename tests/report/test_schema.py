"""The published schema is of the reports that are written, member for member, and the page is of the schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_tradestore.baseline import load
from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.report.json_report import report_of
from pytest_tradestore.report.merging import merge
from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.report.schema import SCHEMA, schema
from pytest_tradestore.report.schema_page import page
from pytest_tradestore.report.surroundings import Surroundings
from pytest_tradestore.requirements import Profile
from pytest_tradestore.settings import Settings
from pytest_tradestore.verdict import (
    Change,
    Counterexample,
    PathSeen,
    Result,
    Sighting,
    Step,
    StepKind,
    StepStatus,
    Verdict,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "report-schema.md"


def strict(part: Any) -> Any:
    """The same schema, which allows no member that it does not describe."""
    if isinstance(part, list):
        return [strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {name: strict(one) for name, one in part.items()}
    return made | {"additionalProperties": False} if "properties" in part and part.get("type") == "object" else made


STRICT = jsonschema.Draft202012Validator(strict(schema()))


def wrong(report):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in STRICT.iter_errors(report)]


def everything():
    """A report in which nothing that can be there is empty."""
    example = Counterexample(
        "it is gone",
        "power loss",
        ("save(1)",),
        tuple(
            Step(number, fate, "write a", "store.py:1", "f.write(a)", "4 bytes", 0, kind)
            for number, (fate, kind) in enumerate((fate, kind) for fate in StepStatus for kind in StepKind)
        ),
        ("nothing",),
        ("1",),
        ("a  4 bytes",),
        ("ext4",),
        ("a note",),
        "t1",
        3,
        ("writer A",),
        "sync it",
        (Sighting("ext4", "6.1", True, 3, "kept", "no loop device"),),
        Cause(Culprit("fsync missing", ("store.py:1",)), Harm.LOST, "sync it"),
        "the last save",
        (Change("a", PathSeen("file", 4, "1"), None, True, 2, "00", "01"),),
    )
    results = [
        Result("ATOM-1", "documents", Verdict.HOLDS, checked={"crash_states": 3}, seconds=0.5),
        Result("ATOM-2", "documents", Verdict.VIOLATED, "r", counterexample=example, others=(example,), output="said"),
        Result("DUR-1", "documents", Verdict.WAIVED, "known", exhaustive=False, evidence="crashes"),
        Result("DUR-2", "documents", Verdict.UNDECIDED, "io_uring", portability=("on macos",)),
        Result("RACE-3", "documents", Verdict.NOT_APPLICABLE, "not claimed", unclaimed="processes"),
    ]
    checks = tuple(f"{result.requirement}[documents]" for result in results)
    facts = StoreFacts(
        "tradestore/acme",
        "acme",
        ("documents",),
        ("threads",),
        (*checks, "REC-1[documents]", "REC-2[documents]"),
        requirements=(("ACME-1", Profile.BASIC, "does it", "Why.", "Do it."),),
        troubles=(("journal", "it raised", "mend it", "Traceback"),),
    )
    record = StoreRecord(facts, dict(zip(checks, results, strict=True)), {"REC-1[documents]": "a mistake of ours"})
    around = Surroundings("2026-01-01T00:00:00+00:00", 1.5, "here", "Linux", "3.11", "9.0", "abc", True, 2)
    return json.loads(json.dumps(report_of(Settings(), "fake", [record], around)))


def test_every_member_that_is_written_is_described():
    jsonschema.Draft202012Validator.check_schema(schema())

    assert wrong(everything()) == []


def members(part, path=""):
    if isinstance(part, dict):
        for name, one in part.items():
            yield f"{path}/{name}"
            yield from members(one, f"{path}/{name}")
    elif isinstance(part, list) and part:
        yield from members(part[0], f"{path}/0")


@pytest.mark.parametrize("member", sorted(m for m in set(members(everything())) if "/checked/" not in m))
def test_control_a_report_without_a_member_is_not_of_the_schema(member):
    report = everything()
    *inner, last = member.strip("/").split("/")
    place = report
    for name in inner:
        place = place[0] if name == "0" else place[name]
    if not place:
        return
    del place[last]

    assert wrong(report)


def readers():
    return [load, lambda path: merge([path])]


@pytest.mark.parametrize("read", readers(), ids=["baseline", "merge"])
def test_a_newer_report_is_refused_with_one_sentence(tmp_path, read):
    path = tmp_path / "newer.json"
    path.write_text(json.dumps({"schema": SCHEMA + 1, "results": "of another shape"}))

    with pytest.raises(ConfigurationError, match=rf"newer\.json has schema {SCHEMA + 1}, and this version knows none"):
        read(path)


@pytest.mark.parametrize("read", readers(), ids=["baseline", "merge"])
@pytest.mark.parametrize("text", ["[]", "3", '{"schema": "1"}', '{"schema": true}', "{}"])
def test_what_is_no_report_is_refused_as_that(tmp_path, read, text):
    path = tmp_path / "other.json"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match="is not a report that this version wrote"):
        read(path)


@pytest.mark.parametrize("read", readers(), ids=["baseline", "merge"])
def test_control_a_member_that_is_not_known_is_no_matter(tmp_path, read):
    path = tmp_path / "more.json"
    path.write_text(json.dumps(everything() | {"schema_version": f"{SCHEMA}.99", "weather": "fine"}))

    read(path)


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "python -m pytest_tradestore.report.schema_page docs/reference/report-schema.md"
