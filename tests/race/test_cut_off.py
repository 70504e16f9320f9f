"""Schedules of a slow store are cut off at the end: those that are run are the first of the others, and it is said."""

import pytest

from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import RaceEvidence
from pytest_tradestore.race.search import Harness
from pytest_tradestore.race.searching import Allowance
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.race.patterns import Locked
from tests.race.running import increments


def explored(over):
    """Return what a search amounts to, and the choices of all its schedules."""

    def search(channel):
        schedules = []
        with Sandbox() as sandbox:
            result = Harness(sandbox).explore(
                StoreUnderTest("counter", Locked),
                increments(Locked),
                budget=40,
                seed=0,
                judge=lambda execution: schedules.append(execution.choices),
                channel=channel,
                over=over,
            )
        return result.search, schedules

    ending = run_isolated(search, 60)
    assert isinstance(ending, Finished), ending
    return ending.value


def test_what_there_is_no_time_for_is_cut_off_but_for_the_first_few():
    search, schedules = explored(lambda: True)

    assert (search.executions, search.cut) == (
        8 + 8,
        32 + 2,
    )  # those that switch between lines have a share of their own
    assert not search.exhausted
    assert len(schedules) == search.executions


def test_what_is_cut_off_is_used_up_so_that_other_programs_get_no_other_schedules():
    search, _ = explored(lambda: True)

    assert search.asked == 40 + 10


def test_control_with_time_enough_nothing_is():
    search, schedules = explored(lambda: False)

    assert search.cut == 0
    assert search.asked == search.executions
    assert len(schedules) == search.executions > 8 + 8


def test_those_that_are_run_are_the_first_of_those_that_would_have_been():
    (_, some), (_, every) = explored(lambda: True), explored(lambda: False)

    assert some[:8] == every[:8]


@pytest.mark.parametrize("exhausted", [False, True])
def test_what_was_cut_off_is_said_with_what_was_done(exhausted):
    evidence = RaceEvidence(Setting.ONE_INSTANCE, schedules=16, exhausted=exhausted, bound=2, cut=34)

    assert "16 schedules" in evidence.summary
    assert "34 cut off because the store is slow" in evidence.summary


def test_control_where_nothing_was_nothing_is_said():
    assert RaceEvidence(Setting.ONE_INSTANCE, schedules=16).summary == "sampled: 16 schedules"


def test_making_a_counterexample_smaller_takes_none_of_the_time_of_the_schedules():
    clock = [0.0]
    time = Allowance(lambda: clock[0], 3.0)
    clock[0] = 2.0
    with time.standing():
        clock[0] = 60.0

    assert not time.is_over()
    clock[0] = 61.5
    assert time.is_over()
