"""The verdict names the highest profile of which everything was asked and held, and what stands before the next."""

from dataclasses import replace

import pytest

from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.report.summary import Cell, cell, details, verdict_line
from pytest_tradestore.report.terminal import summary
from pytest_tradestore.requirements import Profile
from pytest_tradestore.verdict import Result, Verdict

BASIC, DURABLE = ("ATOM-1", "HOLDS"), ("DUR-2", "HOLDS")


def record(*rows):
    """Each row: requirement, verdict, and the capability that is not claimed."""
    results = [Result(requirement, "documents", Verdict[verdict], "", unclaimed=u) for requirement, verdict, u in rows]
    checks = tuple(f"{result.requirement}[documents]" for result in results)
    made = StoreRecord(StoreFacts("tradestore/a", "a", ("documents",), (), checks))
    made.results.update(zip(checks, results, strict=True))
    return made


def verdict(*rows, profile=Profile.DURABLE):
    return verdict_line(record(*((*row, "")[:3] for row in rows)), profile)


def unclaimed(requirement, capability):
    return (requirement, "NOT_APPLICABLE", capability)


@pytest.mark.parametrize("wanted", Profile)
def test_a_store_that_was_asked_all_and_held_is_hardened_whatever_was_wanted(wanted):
    assert verdict(BASIC, DURABLE, ("PERM-1", "HOLDS"), profile=wanted) == "CONFORMANT hardened"


@pytest.mark.parametrize("wanted", Profile)
def test_control_with_a_claim_missing_it_is_not_and_the_claims_are_named(wanted):
    rows = (BASIC, DURABLE, ("RACE-6", "HOLDS"), unclaimed("PERM-1", "private-files"), unclaimed("CORR-3", "backup"))

    said = "CONFORMANT durable; hardened: 1 of 3 asked, not claimed: private-files backup"
    assert verdict(*rows, profile=wanted) == said


def test_what_the_contract_has_no_such_thing_for_keeps_nobody_from_a_profile():
    assert verdict(BASIC, DURABLE, ("RACE-6", "NOT_APPLICABLE"), ("PERM-1", "HOLDS")) == "CONFORMANT hardened"


def test_control_nothing_asked_of_a_profile_does_not_reach_it():
    assert verdict(BASIC, DURABLE, ("RACE-6", "NOT_APPLICABLE")) == "CONFORMANT durable"
    assert verdict(BASIC) == "CONFORMANT basic"


def test_a_violation_beyond_the_wanted_profile_is_named_and_does_not_decide():
    assert verdict(BASIC, DURABLE, ("CORR-2", "VIOLATED")) == "CONFORMANT durable; hardened: violated CORR-2"
    assert verdict(BASIC, ("DUR-2", "UNDECIDED"), profile=Profile.BASIC) == "CONFORMANT basic; durable: undecided DUR-2"


def test_control_within_the_wanted_profile_it_decides():
    assert verdict(BASIC, ("DUR-2", "VIOLATED")) == "NOT CONFORMANT: DUR-2"


def test_a_store_that_disclaims_what_the_wanted_profile_asks_does_not_reach_it():
    rows = (BASIC, unclaimed("DUR-2", "power-loss"), ("REC-2", "HOLDS"))

    assert verdict(*rows) == "CONFORMANT basic; durable: 1 of 2 asked, not claimed: power-loss"


def test_the_lines_below_and_the_matrix_tell_what_was_not_asked_from_what_does_not_apply():
    one = record(("ATOM-1", "HOLDS", ""), ("RACE-6", "NOT_APPLICABLE", ""), unclaimed("PERM-1", "private-files"))

    told = details(one, Profile.HARDENED)
    assert "not asked, because private-files is not claimed: PERM-1" in told
    assert "not applicable: RACE-6" in told
    assert cell(one, "PERM-1") is Cell.UNCLAIMED
    assert cell(one, "RACE-6") is Cell.NOT_APPLICABLE


def test_a_store_that_is_opened_once_at_a_time_is_told_which_claim_leaves_something_out():
    told = details(record(("ATOM-1", "HOLDS", ""), unclaimed("RACE-2", "several instances")), Profile.DURABLE)

    assert "not asked, because single-instance is claimed: RACE-2" in told


def test_the_end_of_a_run_says_what_took_how_long():
    made = record(("ATOM-1", "HOLDS", ""), ("DUR-2", "HOLDS", ""), ("RACE-1", "HOLDS", ""), ("DATA-TIME", "HOLDS", ""))
    for check, seconds in zip(made.results, (2.5, 0.25, 4.0, 0.01), strict=True):
        made.results[check] = replace(made.results[check], seconds=seconds)

    assert "took 6.8 s: races 4.0, crashes 2.8" in details(made, Profile.DURABLE)


COUNTS = {"crash_states": 12, "images": 3, "faults": 4, "values": 5, "refused": 6, "schedules": 7, "repeated_calls": 8}


def test_of_many_counts_those_that_people_ask_for_are_told_and_the_others_where_all_is_asked_for():
    made = record(("ATOM-1", "HOLDS", ""))
    made.results["ATOM-1[documents]"] = replace(made.results["ATOM-1[documents]"], checked=COUNTS)
    (first, *_), (all_of_it, *_) = (details(made, Profile.DURABLE, whole=whole) for whole in (False, True))

    assert first.endswith("; 12 crash states, 4 faults, 5 values, 7 schedules, and more with -v; exhaustive")
    assert "and more" not in all_of_it
    assert "8 repeated calls" in all_of_it


def test_control_of_a_few_counts_all_are_told():
    made = record(("ATOM-1", "HOLDS", ""))
    few = dict(list(COUNTS.items())[:3])
    made.results["ATOM-1[documents]"] = replace(made.results["ATOM-1[documents]"], checked=few)

    assert "12 crash states, 3 images, 4 faults; exhaustive" in details(made, Profile.DURABLE, whole=False)[0]


@pytest.mark.parametrize(
    ("rows", "told"),
    [(3, "bounded for ATOM-1 ATOM-2 ATOM-3"), (9, "bounded for 9 requirements")],
)
def test_many_requirements_that_were_asked_in_part_are_counted_and_a_few_named(rows, told):
    names = ["ATOM-1", "ATOM-2", "ATOM-3", "DUR-1", "DUR-2", "DUR-4", "REC-1", "REC-2", "REC-3"][:rows]
    made = record(*((name, "HOLDS", "") for name in names))
    for name, result in list(made.results.items()):
        made.results[name] = replace(result, checked={"crash_states": 1}, exhaustive=False)

    assert told in details(made, Profile.DURABLE, whole=False)[0]


def test_control_what_takes_no_time_is_not_told():
    assert not any(line.startswith("took") for line in details(record(("ATOM-1", "HOLDS", "")), Profile.DURABLE))


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_not_claimed_is_worth_a_row_and_what_holds_is_not(whole):
    lines = summary([record((*BASIC, ""), unclaimed("RACE-3", "processes"))], Profile.DURABLE, 80, whole=whole)
    rows = [line[0].text.split()[0] for line in lines if line and line[0].text.startswith(("ATOM-1", "RACE-3"))]

    assert rows == (["ATOM-1", "RACE-3"] if whole else ["RACE-3"])
