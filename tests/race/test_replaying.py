"""A schedule that went wrong is found again by its token, and a token that does not fit says so."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.errors import ReplayError
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.race.addresses import Address, Setting, is_address, parse
from pytest_tradestore.replay import replay, store_of
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.broken_stores import races as sync_stores
from tests.broken_stores import races_async as async_stores
from tests.broken_stores import races_processes as process_stores

DOCUMENTS = KITS[1]
CASES = {
    "one instance": (sync_stores.NoLock, "RACE-1"),
    "several instances": (sync_stores.LockPerInstance, "RACE-2"),
    "a loop": (async_stores.AsyncNoLock, "RACE-1"),
    "a cancelled caller": (async_stores.AsyncNoLock, "RACE-6"),
    "several processes": (process_stores.OneProcessOnly, "RACE-3"),
}


def violated(target, requirement):
    store, bench = StoreUnderTest("acme", target), Bench(Settings(budget=Budget.QUICK))
    check = next(check for check in races.checks(DOCUMENTS) if check.requirement == requirement)
    result = check.judge(bench, store)
    assert result.counterexample is not None
    return store, bench, result.counterexample


@pytest.mark.proof
@pytest.mark.parametrize(("target", "requirement"), CASES.values(), ids=list(CASES))
def test_a_token_shows_the_same_violation_again(target, requirement):
    store, bench, example = violated(target, requirement)

    again = replay(example.token, store_of(example.token, [store]), bench)

    assert [(id_, e.headline) for id_, e in again.violations] == [(requirement, example.headline)]
    assert [step.text for step in again.violations[0][1].steps] == [step.text for step in example.steps]


@pytest.mark.proof
def test_control_a_token_of_other_code_fails_loudly():
    _, bench, example = violated(sync_stores.NoLock, "RACE-1")
    other = StoreUnderTest("acme", sync_stores.SaveLockedOnly)

    with pytest.raises(ReplayError):
        replay(example.token, other, bench)


@pytest.mark.proof
def test_control_a_token_of_no_program_fails_loudly():
    store, bench, example = violated(sync_stores.NoLock, "RACE-1")
    address = parse(example.token)
    beyond = Address(address.store, address.contract, address.setting, 99, None, (), address.schedule)

    with pytest.raises(ReplayError, match="names a program that there is not"):
        replay(str(beyond), store, bench)


@pytest.mark.parametrize(
    "address",
    [
        Address("acme", "documents", Setting.ONE_INSTANCE, 0, None, (), "plain-1a2b3c4d"),
        Address("acme", "jobs", Setting.CANCELLED, 1, 4, (), "0.5.replace.1-1a2b3c4d"),
        Address("a-b", "journal", Setting.PROCESSES, 6, None, (0, 12, 3), "lines-0.5.line.1-1a2b3c4d"),
    ],
    ids=str,
)
def test_an_address_is_read_as_it_is_written(address):
    assert is_address(str(address))
    assert parse(str(address)) == address


def test_a_token_of_a_crash_state_is_no_address():
    assert not is_address("acme/documents/p33/35/1a2b3c4d")
    assert not is_address("acme/documents/c12/-/1a2b3c4d")
