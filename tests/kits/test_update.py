"""Updates by a function: asked of stores that have one, and of no method that only shares its name."""

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.kits.dialect import BY_FUNCTION
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.updating import ReadsBeforeItLocks, SavesHalfAChange
from tests.sound_stores.plain import PlainDocuments
from tests.sound_stores.updating import UpdatingDocument, UpdatingDocuments, UpdatingStates

DOCUMENTS = kit_named("documents")


class Merges(PlainDocuments):
    """Its update() takes fields, as a dictionary's does."""

    def update(self, key, fields):
        self.put(key, {**(self.get(key) or {}), **fields})


def judged(target, requirement, contract="documents"):
    store, bench = StoreUnderTest("store", target), Bench(Settings(recorder="fake", budget=Budget.QUICK))
    (check,) = (c for c in checks_for((kit_named(contract),)) if c.requirement == requirement)
    return check.judge(bench, store)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("target", "contract"),
    [(UpdatingDocument, "document"), (UpdatingDocuments, "documents"), (UpdatingStates, "state")],
    ids=["document", "documents", "state"],
)
def test_a_sound_update_holds(target, contract):
    assert judged(target, "DATA-UPDATE", contract).verdict is Verdict.HOLDS
    assert judged(target, "RACE-1", contract).verdict is Verdict.HOLDS


@pytest.mark.proof
def test_an_increment_that_is_lost_is_found():
    result = judged(ReadsBeforeItLocks, "RACE-1")

    assert result.verdict is Verdict.VIOLATED
    assert "update('AAPL', count" in result.reason


@pytest.mark.proof
def test_control_the_same_store_without_it_loses_nothing():
    assert judged(PlainDocuments, "RACE-1").verdict is Verdict.HOLDS


def test_half_a_change_is_found():
    result = judged(SavesHalfAChange, "DATA-UPDATE")

    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "a function that raised has changed the document")


@pytest.mark.parametrize("target", [PlainDocuments, Merges], ids=["without", "of another kind"])
def test_who_has_none_is_not_asked(target):
    assert judged(target, "DATA-UPDATE").verdict is Verdict.NOT_APPLICABLE
    bench = Bench(Settings(recorder="fake"))
    store = StoreUnderTest("store", target)
    assert BY_FUNCTION not in bench.offered(store, DOCUMENTS)
    assert not [call for call in bench.workload(store, DOCUMENTS).updates if call.method == "update"]


def test_control_who_has_one_is_recorded_with_it():
    bench, store = Bench(Settings(recorder="fake")), StoreUnderTest("store", UpdatingDocuments)

    assert [call.method for call in bench.workload(store, DOCUMENTS).updates][-1] == "update"
    assert judged(UpdatingDocuments, "ATOM-1").verdict is Verdict.HOLDS
