"""Waivers: read strictly, applied visibly, and never kept longer than needed."""

from datetime import date

import pytest

from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.verdict import Counterexample, Result, Verdict
from pytest_tradestore.waivers import Waiver, load, stale, waived

DAY = date(2026, 6, 15)
NEXT_DAY = date(2026, 6, 16)
WAIVER = Waiver("DUR-2", "acme", "bug", "the sync is missing", expires=DAY)
VIOLATED = Result("DUR-2", "documents", Verdict.VIOLATED, counterexample=Counterexample("an order is lost"))
HOLDS = Result("DUR-2", "documents", Verdict.HOLDS)

GOOD = """
[[waiver]]
requirement = "DUR-2"
store = "acme"
kind = "bug"
reason = "the sync is missing"
expires = 2026-06-15

[[waiver]]
requirement = "ATOM-4"
store = "acme"
case = "documents"
kind = "wont-fix"
reason = "a cron job sweeps"
"""


def test_waivers_are_read(tmp_path):
    path = tmp_path / "waivers.toml"
    path.write_text(GOOD)

    assert load(path) == (WAIVER, Waiver("ATOM-4", "acme", "wont-fix", "a cron job sweeps", case="documents"))


MISTAKES = {
    "not TOML": (GOOD + "[[", "is not a TOML file"),
    "another table": (GOOD + "[other]\n", r"must hold nothing but \[\[waiver\]\] tables"),
    "an unknown member": (GOOD.replace("kind", "knid"), r"number 1: there is no 'knid' \(did you mean kind\?\)"),
    "a missing member": (GOOD.replace('store = "acme"\ncase', "case"), "number 2: store is missing"),
    "an empty reason": (GOOD.replace("a cron job sweeps", ""), "number 2: reason must be a text, not ''"),
    "a quoted date": (
        GOOD.replace("2026-06-15", '"2026-06-15"'),
        "expires must be a date like 2027-01-31, without quotes",
    ),
    "a time": (GOOD.replace("2026-06-15", "2026-06-15T10:00:00"), "expires must be a date like"),
    "an unknown requirement": (GOOD.replace("DUR-2", "DUR-99"), "there is no requirement 'DUR-99'"),
    "an unknown kind": (GOOD.replace("wont-fix", "meh"), "kind must be one of bug, unsupported, wont-fix, not 'meh'"),
    "a bug without an end": (GOOD.replace("wont-fix", "bug"), "number 2: a bug needs expires"),
    "the same twice": (GOOD + GOOD, "has two for the same: the waiver of DUR-2 for acme"),
}


@pytest.mark.parametrize(("text", "sentence"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_in_the_file_is_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "waivers.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=sentence):
        load(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load(tmp_path / "waivers.toml")


def test_a_violation_that_is_covered_is_waived_and_keeps_its_counterexample():
    result = waived(VIOLATED, "acme", [WAIVER], DAY)

    assert result.verdict is Verdict.WAIVED
    assert result.reason == "bug until 2026-06-15: the sync is missing (VIOLATED: an order is lost)"
    assert result.counterexample == VIOLATED.counterexample


@pytest.mark.parametrize(
    ("store", "waiver", "on"),
    [
        pytest.param("acme", WAIVER, NEXT_DAY, id="expired"),
        pytest.param("other", WAIVER, DAY, id="another-store"),
        pytest.param("acme", Waiver("DUR-1", "acme", "wont-fix", "x"), DAY, id="another-requirement"),
        pytest.param("acme", Waiver("DUR-2", "acme", "wont-fix", "x", case="journal"), DAY, id="another-case"),
    ],
)
def test_control_what_is_not_covered_stays_violated(store, waiver, on):
    assert waived(VIOLATED, store, [waiver], on) == VIOLATED


def test_what_holds_is_never_waived():
    assert waived(HOLDS, "acme", [WAIVER], DAY) == HOLDS


def record(*results):
    facts = StoreFacts("tradestore/acme", "acme", ("documents",), (), ("DUR-2[documents]",))
    return StoreRecord(facts, {f"{result.requirement}[{result.case}]": result for result in results})


STALE = {
    "expired": ([WAIVER], record(VIOLATED), NEXT_DAY, "the waiver of DUR-2 for acme expired on 2026-06-15"),
    "no longer needed": ([WAIVER], record(HOLDS), DAY, "the waiver of DUR-2 for acme is no longer needed"),
    "unknown store": ([Waiver("DUR-2", "x", "wont-fix", "y")], record(HOLDS), DAY, "is unknown: there is no store"),
    "unknown check": (
        [Waiver("DUR-2", "acme", "wont-fix", "y", case="journal")],
        record(HOLDS),
        DAY,
        "the waiver of DUR-2[journal] for acme is unknown: there is no such check",
    ),
}


@pytest.mark.parametrize(("waivers", "found", "on", "sentence"), STALE.values(), ids=list(STALE))
def test_a_stale_waiver_is_told(waivers, found, on, sentence):
    (problem,) = stale(waivers, [found], on, all_stores=True)

    assert sentence in problem


def test_control_a_waiver_in_use_is_not_stale():
    assert stale([WAIVER], [record(waived(VIOLATED, "acme", [WAIVER], DAY))], DAY, all_stores=True) == []


def test_whether_it_is_needed_is_open_while_its_check_was_not_run():
    assert stale([WAIVER], [record()], DAY, all_stores=True) == []


def test_a_store_that_was_left_out_of_the_run_is_not_unknown():
    assert stale([Waiver("DUR-2", "x", "wont-fix", "y")], [record(HOLDS)], DAY, all_stores=False) == []
