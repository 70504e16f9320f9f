"""A process that ends is put down to the damaged file that was being read in it, and to no other."""

import pytest

from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.damage.evidence import _Run
from pytest_tradestore.damage.operators import Damage, Kind
from pytest_tradestore.damage.planning import Plan
from pytest_tradestore.damage.trials import Reading
from pytest_tradestore.isolation import Died, Finished, Hung, Sent
from pytest_tradestore.observation import Observation
from pytest_tradestore.runner import Runner
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from tests.broken_stores.damage import SetsAside

TRIES = tuple((Damage("a", Kind.EMPTIED, f"emptied {number}", b""), "", False) for number in range(3))
PLAN = Sent((Plan(DurableImage(()), {}, TRIES), None))
READ = Reading(Observation(()))


def ended(monkeypatch, *events):
    """Return which of the three files ended a process, and what was given up."""

    monkeypatch.setattr(Runner, "through", lambda _runner, _next_task: iter(events))
    run = _Run(StoreUnderTest("acme", SetsAside), None, Settings(), None, None)
    run.go()
    return [number for number, reading in run.readings.items() if reading.ended], run.gave_up


@pytest.mark.parametrize("ending", [Hung(2, 2.0), Died(2, "was killed")])
def test_the_file_that_was_being_read_has_ended_it(monkeypatch, ending):
    assert ended(monkeypatch, PLAN, Sent((0, READ)), ending, Sent((2, READ)), Finished(""))[0] == [1]


@pytest.mark.parametrize("step", [0, 1])
def test_control_before_the_next_one_was_begun_none_has(monkeypatch, step):
    names, gave_up = ended(monkeypatch, PLAN, Sent((0, READ)), Hung(step, 2.0))

    assert names == []
    assert "2 damaged files were not read" in gave_up
