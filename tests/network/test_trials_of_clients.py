"""A trial whose client asks for less than when the trial was planned: it dies where it is, and is judged by that."""

import threading

import pytest

from pytest_tradestore.backends.hosts import lines_to
from pytest_tradestore.backends.lines import Spoil
from pytest_tradestore.bench import Bench
from pytest_tradestore.network.trials import Plan, Trials
from pytest_tradestore.race.in_force import Chance
from pytest_tradestore.runner import Runner
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.network.bucket_stores import BucketDocument


@pytest.fixture
def trials(tmp_path):
    store, bench = StoreUnderTest("document", BucketDocument), Bench(Settings())
    (kit,) = bench.examined(store).contracts
    lines = lines_to(store.declarations.backend)

    def fresh_root():
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        root.mkdir()
        return root

    trials = Trials(store, bench.workload(store, kit), lines, Chance(), fresh_root, lambda: None)
    yield trials
    trials.close()
    lines.close()


def test_a_client_that_does_not_come_to_the_request_before_which_it_was_to_die_dies_behind_its_call(trials):
    spoilt = next(n for n, one in enumerate(trials.trial(Plan()).requests, 1) if one.step.startswith("save"))
    trial = trials.trial(Plan(dies=10_000, spoilt=spoilt, spoil=Spoil.LOST))

    assert trial.struck is None
    assert trial.after.seen is not None
    assert trial.requests[-1].asked.text == "its next request"


def test_control_one_that_comes_to_it_dies_before_it(trials):
    spoilt = next(n for n, one in enumerate(trials.trial(Plan()).requests, 1) if one.step.startswith("save"))
    trial = trials.trial(Plan(dies=spoilt))

    assert len(trial.requests) == spoilt
    assert trial.requests[-1].asked.text != "its next request"


class HangsAfterADeath(BucketDocument):
    """Waits for who is at work, and who has died is at work for ever."""

    tradestore_deadline = 1

    def __init__(self, address):
        super().__init__(address)
        while self.client.get("busy")[0] == b"yes":
            threading.Event().wait(60)

    def save(self, data):
        self.client.put("busy", b"yes")
        super().save(data)
        self.client.put("busy", b"no")


@pytest.mark.parametrize(("target", "processes"), [(HangsAfterADeath, 4), (BucketDocument, 1)])
def test_a_store_that_hangs_again_and_again_is_given_up_and_nothing_is_decided(target, processes, monkeypatch):
    begun, of = [], Runner.of
    monkeypatch.setattr(Runner, "of", lambda runner, task: begun.append(task) or of(runner, task))
    store, bench = StoreUnderTest("document", target), Bench(Settings(budget=Budget.QUICK))
    (kit,) = bench.examined(store).contracts

    evidence = bench.deaths(store, kit)

    assert len(begun) == processes
    hung = "the store did not come back within 1 s"
    assert evidence.undecided.startswith(hung) is (processes > 1)
    assert evidence.trials
