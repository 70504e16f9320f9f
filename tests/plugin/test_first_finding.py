"""A finding is told as soon as it is made: first of all where the run ends with it, and in a line where it goes on."""

import pytest

STORE = """
import json
import os


class Usual:
    def __init__(self, root):
        self.file = root / "saved.json"

    def save(self, data):
        (staged := self.file.with_suffix(".tmp")).write_text(json.dumps(data))
        os.replace(staged, self.file)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
"""


@pytest.fixture
def run(pytester, monkeypatch):
    for name in ("PYTEST_ADDOPTS", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(usual=STORE)
    asked = ("--tradestore-conformance", "--tradestore-store=usual=usual:Usual", "--tradestore-recorder=fake")
    return lambda *more: pytester.runpytest_subprocess(*asked, "-k", "ATOM-1 or ATOM-2 or DUR-1 or DUR-2", *more)


def test_with_x_the_first_finding_is_told_before_anything_else_is_judged(run):
    result = run("-x")

    result.assert_outcomes(failed=1)
    assert "VIOLATED: the document" in result.stdout.str()


def test_without_it_a_line_says_so_and_all_are_judged_in_their_order(run):
    result = run("-v")

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["found: *[[]document[]] of usual, *", "*ATOM-1*PASSED*", "*ATOM-2*FAILED*"])


@pytest.mark.proof
def test_control_where_nothing_is_done_ahead_each_comes_in_its_turn(run):
    run("-x", "--tradestore-workers=0").assert_outcomes(passed=1, failed=1)


@pytest.mark.proof
def test_control_what_is_waived_ends_nothing(run, pytester):
    pytester.makefile(
        ".toml",
        waivers="\n".join(
            f'[[waiver]]\nstore = "usual"\nrequirement = "{one}"\nkind = "wont-fix"\nreason = "known"'
            for one in ("ATOM-2", "DUR-2")
        ),
    )

    result = run("-x", "--tradestore-waivers=waivers.toml")

    result.assert_outcomes(passed=2, xfailed=2)
