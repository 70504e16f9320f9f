"""Stores of which one instance may be open at a time: callers of that one are asked, a second is not opened."""

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.races import LockPerInstance, NoLock


def judged(target, requirement, **declared):
    store, bench = StoreUnderTest("store", target, **declared), Bench(Settings(budget=Budget.QUICK))
    (check,) = (check for check in races.checks(kit_named("documents")) if check.requirement == requirement)
    return check.judge(bench, store)


def test_what_a_second_instance_would_lose_is_not_asked_and_that_is_said():
    result = judged(LockPerInstance, "RACE-2", claims=("single-instance",))

    assert (result.verdict, result.unclaimed) == (Verdict.NOT_APPLICABLE, "several instances")
    assert "taking 'single-instance' out of tradestore_claims has it asked" in result.reason


def test_control_without_the_claim_it_is():
    assert judged(LockPerInstance, "RACE-2").verdict is Verdict.VIOLATED


@pytest.mark.parametrize("requirement", ["RACE-1", "RACE-5"])
def test_callers_of_the_one_instance_are_asked(requirement):
    assert judged(LockPerInstance, requirement, claims=("single-instance",)).verdict is Verdict.HOLDS


def test_control_what_they_lose_is_found():
    assert judged(NoLock, "RACE-1", claims=("single-instance",)).verdict is Verdict.VIOLATED


def test_it_does_not_go_with_processes():
    with pytest.raises(ConfigurationError, match=r"claims 'single-instance' and 'processes'.*claim one of them"):
        _ = StoreUnderTest("store", NoLock, claims=("single-instance", "processes")).declarations
