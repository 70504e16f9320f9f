"""Callers that share one client of a server: let go on one request at a time, cancelled and interrupted in one."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.replay import replay
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.network import bucket_stores as stores
from tests.network.test_clients_of_a_bucket import judged

BROKEN = {
    ("RACE-1", stores.KeepsWhatItWrote): "update(count 1) returned, but load() then gives",
    ("RACE-6", stores.GoesOnWhereItWasBrokenOff): "with nobody else there, after",
}


@pytest.mark.parametrize(("requirement", "target"), BROKEN, ids=lambda row: getattr(row, "__name__", row))
def test_what_threads_of_one_client_do_to_each_other_is_shown_by_requests_and_replayed(requirement, target):
    (result,) = judged(target, requirement)
    example = result.counterexample

    assert result.verdict is Verdict.VIOLATED
    assert BROKEN[requirement, target] in example.headline
    assert any(step.text.startswith("PUT document.json") for step in example.steps)
    store, bench = StoreUnderTest(target.__name__, target), Bench(Settings(budget=Budget.QUICK))
    assert example.headline in [one.headline for _, one in replay(example.token, store, bench).violations]


SOUND = {
    "RACE-1": (stores.ChangesUnderALock, stores.BucketDocument),
    "RACE-6": (stores.BucketDocument, stores.BucketJournal),
}


@pytest.mark.parametrize(("requirement", "target"), [(r, t) for r, targets in SOUND.items() for t in targets])
def test_control_with_a_lock_or_a_condition_nothing_is_lost(requirement, target):
    (result,) = judged(target, requirement)

    assert result.verdict is Verdict.HOLDS
    assert result.checked["schedules"] > 20
