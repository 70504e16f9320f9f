"""What the suite says of a store on a server: its results, and a violation that comes again when it is replayed."""

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.replay import replay
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict


def judged(target, wanted, budget=Budget.QUICK):
    """Return the results of the requirements that begin so."""
    store, bench = StoreUnderTest(getattr(target, "__name__", "store"), target), Bench(Settings(budget=budget))
    checks = checks_for(bench.examined(store).contracts)
    return [check.judge(bench, store) for check in checks if check.requirement.startswith(wanted)]


def shown(target, requirement, words, step=""):
    """Assert that the store breaks it, with these words and in a timeline with such a step, and does when replayed.

    Returns the counterexample.
    """
    (result,) = (one for one in judged(target, requirement) if one.verdict is Verdict.VIOLATED)
    example = result.counterexample

    assert words in example.headline
    assert not step or any(step in one.text for one in example.steps)
    store, bench = StoreUnderTest(target.__name__, target), Bench(Settings(budget=Budget.QUICK))
    again = replay(example.token, store, bench).violations
    assert (requirement, example.headline) in [(id_, one.headline) for id_, one in again]
    return example
