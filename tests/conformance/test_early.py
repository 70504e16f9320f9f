"""What crash checks know to be violated before all of their evidence is there, and of which stores."""

import pytest

from pytest_tradestore.backends import Bucket
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.examination import examine
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.crash.tiny_stores import BareRename, Durable

DOCUMENT = kit_named("document")


def known_early(target, bench=None, **declarations):
    store = StoreUnderTest("tiny", target, deadline=5, **declarations)
    if bench is None:
        bench = Bench(Settings(recorder="fake"))
        bench.remember(store, examine(store))
    check = next(check for check in checks_for((DOCUMENT,)) if check.early is not None)
    return {result.requirement: result for result in check.early(bench, store)}


def test_what_the_first_crashes_violate_is_known_with_its_counterexample():
    found = known_early(BareRename)

    assert set(found) == {"ATOM-2", "DUR-2"}
    assert all(result.verdict is Verdict.VIOLATED and result.examples for result in found.values())
    assert not any(result.exhaustive for result in found.values())


def test_control_nothing_is_known_early_of_a_sound_store():
    assert known_early(Durable) == {}


def test_what_is_not_claimed_is_not_told():
    assert "DUR-2" not in known_early(BareRename, disclaims=("power-loss",))


def test_files_say_nothing_of_a_store_on_a_server():
    assert known_early(BareRename, bench="is not asked", backend=Bucket()) == {}


@pytest.mark.parametrize("requirement", ["ATOM-1", "DUR-2", "REC-3"])
def test_crash_checks_know_and_others_do_not(requirement):
    by_requirement = {check.requirement: check for check in checks_for((DOCUMENT,))}

    assert by_requirement[requirement].early is not None
    assert by_requirement["FAULT-1"].early is None
