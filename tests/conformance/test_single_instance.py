"""Stores of which one instance may be open at a time: callers of that one are asked, a second is not opened."""

import fcntl
import os

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for, races
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.races import LockPerInstance, NoLock
from tests.sound_stores.plain import PlainDocuments


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


class OnceOnly(PlainDocuments):
    """Refuses to be opened while it is open, in this process or another one."""

    tradestore_claims = ("single-instance",)

    def __init__(self, root):
        self._lock = os.open(root / "LOCK", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise RuntimeError("it is open already") from None
        super().__init__(root)

    def close(self):
        os.close(self._lock)


def everything(target):
    store, bench = StoreUnderTest("store", target), Bench(Settings(budget=Budget.QUICK))
    return [check.judge(bench, store) for check in checks_for((kit_named("documents"),))]


@pytest.mark.proof
def test_no_family_opens_a_second_one_beside_the_first():
    results = everything(OnceOnly)

    assert {r.requirement for r in results if r.verdict is Verdict.VIOLATED} == {
        "CORR-2"
    }  # an update keeps no evidence
    assert [r for r in results if r.verdict is Verdict.UNDECIDED] == []


def test_control_without_the_claim_one_is_opened():
    assert judged(OnceOnly, "RACE-2", claims=()).verdict is Verdict.VIOLATED


def test_it_does_not_go_with_processes():
    with pytest.raises(ConfigurationError, match=r"claims 'single-instance' and 'processes'.*claim one of them"):
        _ = StoreUnderTest("store", NoLock, claims=("single-instance", "processes")).declarations
