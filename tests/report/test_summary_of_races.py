"""The end of a run says of each requirement about concurrent callers how many orders were run, and whether all."""

from pytest_tradestore.report.records import StoreFacts, StoreRecord
from pytest_tradestore.report.summary import details
from pytest_tradestore.requirements import Profile
from pytest_tradestore.verdict import Result, Verdict


def lines(*results):
    checks = tuple(f"{result.requirement}[{result.case}]" for result in results)
    facts = StoreFacts("tradestore/a", "a", ("documents",), ("threads",), checks, ("get", "put"), "printed")
    record = StoreRecord(facts)
    record.results.update(zip(checks, results, strict=True))
    return details(record, Profile.DURABLE)


def held(requirement, schedules, exhaustive, case="documents"):
    return Result(requirement, case, Verdict.HOLDS, "", {"schedules": schedules}, exhaustive)


def test_each_requirement_is_said_to_be_exhausted_or_sampled_with_its_schedules():
    told = lines(held("RACE-1", 1600, False), held("RACE-5", 40, True), held("RACE-5", 60, True, "journal"))

    assert "schedules: RACE-1 sampled 1,600, RACE-5 exhausted 100" in told


def test_control_one_that_was_sampled_for_one_contract_is_not_called_exhausted():
    told = lines(held("RACE-5", 40, True), held("RACE-5", 60, False, "journal"))

    assert "schedules: RACE-5 sampled 100" in told


def test_control_without_schedules_nothing_is_said_of_them():
    told = lines(Result("ATOM-1", "documents", Verdict.HOLDS, "", {"crash_states": 9}, True))

    assert not any("schedules" in line for line in told)
