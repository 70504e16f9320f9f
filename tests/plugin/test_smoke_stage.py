"""A store that does not even work in the ordinary way: one error, and nothing else of it is run."""

import json

import pytest

WRONG = """
import threading

from acme import Acme


class Wrong(Acme):
    def put(self, key, document):
        self.wriet(key, document)


class Hangs(Acme):
    tradestore_deadline = 0.5

    def put(self, key, document):
        threading.Event().wait()


class Both(Acme):
    def save(self, data):
        (self.root / "saved").write_text("x")

    def load(self):
        raise AttributeError("no attribute 'laod'")
"""


@pytest.fixture
def wrong(project):
    project.pytester.makepyfile(wrong=WRONG)
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "HOLDS"), ("DUR-1", "VIOLATED"))
    return project


@pytest.mark.parametrize("more", [(), ("-p", "no:randomly")])
def test_it_is_one_error_with_the_stores_traceback_and_the_rest_is_not_run(wrong, more):
    result = wrong.run(*more, "-rs", store="wrong:Wrong")

    result.assert_outcomes(errors=1, skipped=2)
    assert result.ret == 1
    text = result.stdout.str()
    assert "Wrong does not work as documents: put('AAPL'" in text
    assert "self.wriet(key, document)" in text
    assert "pytest_tradestore/" not in text.partition("short test summary")[0].partition("does not work as")[2]
    assert "Wrong: INCOMPLETE: documents does not work: put('AAPL'" in text
    assert "NOT CONFORMANT" not in text
    assert "error of the suite" not in text


def test_control_a_store_that_works_is_judged(wrong):
    result = wrong.run()

    result.assert_outcomes(passed=2, failed=1)


def test_a_hang_costs_one_deadline_and_names_it(wrong):
    result = wrong.run(store="wrong:Hangs")

    result.assert_outcomes(errors=1, skipped=2)
    result.stdout.fnmatch_lines(["*took longer than 0.5 s*tradestore_deadline*", "*in put"])


def test_one_contract_that_does_not_work_does_not_keep_the_others_from_being_judged(wrong):
    wrong.checks(
        ("ATOM-1", "HOLDS"), ("ATOM-1", "HOLDS", {"case": "document"}), ("DUR-1", "HOLDS", {"case": "document"})
    )

    result = wrong.run("-v", store="wrong:Both")

    result.assert_outcomes(passed=1, errors=1, skipped=1)
    result.stdout.fnmatch_lines(["*ATOM-1[[]documents] PASSED*", "*ATOM-1[[]document] ERROR*"])


def test_whoever_is_run_first_tells_it(wrong):
    result = wrong.run("-k", "ATOM-2", store="wrong:Wrong")

    result.assert_outcomes(errors=1, deselected=2)


@pytest.mark.proof
def test_it_is_told_once_by_all_workers_together(wrong):
    result = wrong.run_apart("-n", "2", store="wrong:Wrong")

    result.assert_outcomes(errors=1, skipped=2)


def test_the_report_says_what_was_not_run(wrong):
    wrong.run("--tradestore-report=json:report.json", store="wrong:Wrong")

    (store,) = json.loads((wrong.pytester.path / "report.json").read_text())["stores"]

    assert store["verdict"].startswith("INCOMPLETE: documents does not work")
    assert store["not_run"] == ["ATOM-2[documents]", "DUR-1[documents]"]
    assert "AttributeError" in store["errors"][0]["error"]


def test_only_collecting_runs_nothing_of_it(wrong):
    assert len(wrong.collected(store="wrong:Hangs")) == 3
