"""A trial whose client asks for less than when the trial was planned: it dies where it is, and is judged by that."""

import pytest

from pytest_tradestore.backends.hosts import lines_to
from pytest_tradestore.backends.lines import Spoil
from pytest_tradestore.bench import Bench
from pytest_tradestore.network.trials import Plan, Trials
from pytest_tradestore.settings import Settings
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

    trials = Trials(store, bench.workload(store, kit), lines, fresh_root, lambda: None)
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
