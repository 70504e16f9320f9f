"""A call of a shared client in which a signal's handler raised is known as that, whatever others do meanwhile."""

from dataclasses import replace

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import kind_of, programs_of
from pytest_tradestore.race.execution import Blow
from pytest_tradestore.race.one_client import OneClientHarness
from pytest_tradestore.race.standing_still import unavailable
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from tests.network import bucket_stores as stores

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")


class FirstUntilItIsInterrupted:
    """Lets the first caller begin its call and make one request, and then the other one make all of its."""

    def __init__(self):
        self.left = 2

    def choose(self, enabled, _current):
        self.left -= 1
        return min(enabled, key=lambda actor: actor.number if self.left >= 0 else -actor.number)


def calls_with_an_error(target, place):
    """Return the calls that raised when Ctrl-C came to the first of two callers in that place."""
    store = StoreUnderTest(target.__name__, target)
    examined = Bench(Settings(budget=Budget.QUICK)).examined(store)
    kit = examined.contracts[0]
    usual = programs_of(store, kit, examined.methods, Setting.ONE_INSTANCE, kind_of(store, kit))[0]
    program = replace(usual, blow=Blow.CTRL_C).struck_at(0, place)

    def task(channel):
        with Sandbox() as sandbox:
            harness = OneClientHarness(sandbox, store)
            execution = harness.run(store, program, FirstUntilItIsInterrupted())
            harness.end()
        return [(call.actor, call.error, call.broken_off) for call in execution.history if call.error]

    ending = run_isolated(task, 60)
    assert isinstance(ending, Finished)
    return ending.value


@pytest.mark.parametrize("place", [1, 2])
def test_who_was_interrupted_is_known_though_another_call_has_begun_and_ended_since(place):
    assert calls_with_an_error(stores.LooksOnceMoreWhenInterrupted, place) == [(0, "KeyboardInterrupt", True)]


def test_control_where_no_signal_comes_nobody_is_interrupted():
    assert calls_with_an_error(stores.LooksOnceMoreWhenInterrupted, 99) == []
