"""The kill matrix of faults: each broken store is found, for its own reason and no other; no sound one is accused."""

import importlib

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.configuration import REFERENCE
from pytest_tradestore.conformance import faults
from pytest_tradestore.contracts import CONTRACTS
from pytest_tradestore.faults import seccomp
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import Bridge, StoreUnderTest, open_store
from pytest_tradestore.verdict import Verdict
from tests.broken_stores.failing import FAILING
from tests.sound_stores import SOUND

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not())),
]
REFERENCES = [spec.split("=") for spec in REFERENCE]


def target_of(place):
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def judged(name, place, contracts=()):
    """Run every fault check of a store; of the given contracts, or of all that it offers."""
    store = StoreUnderTest(name, target_of(place))
    bench = Bench(Settings(budget=Budget.QUICK))
    wanted = contracts or [contract.name for contract in bench.examined(store).contracts]
    checks = [check for contract in CONTRACTS if contract.name in wanted for check in faults.checks(contract)]
    return [check.judge(bench, store) for check in checks]


@pytest.mark.parametrize("row", FAILING, ids=[row.name for row in FAILING])
def test_a_store_that_fails_badly_violates_just_what_it_breaks_and_the_counterexample_says_why(row):
    violated = {r.requirement: r for r in judged(row.name, row.target) if r.verdict is Verdict.VIOLATED}

    assert set(violated) == set(row.breaks)
    for id_, words in row.breaks.items():
        told = violated[id_].counterexample
        assert words in " ".join([told.headline, *told.found, *told.allowed, *told.notes, *told.workload])


@pytest.mark.parametrize("row", FAILING, ids=[row.name for row in FAILING])
def test_control_it_keeps_what_it_is_given_while_nothing_fails(row, tmp_path):
    bridge = Bridge()
    with open_store(target_of(row.target), tmp_path, bridge) as store:
        write, read, place = {
            "document": ("save", "load", ()),
            "documents": ("put", "get", ("AAPL",)),
            "journal": ("append", "read", ("orders",)),
        }[row.contract]
        assert not store.call(read, *place)
        store.call(write, *place, {"version": 1})
        store.call(write, *place, {"version": 2, "note": "x" * 5000})
        found = store.call(read, *place)
    bridge.close()
    assert (found[-1] if isinstance(found, list) else found) == {"version": 2, "note": "x" * 5000}


@pytest.mark.parametrize("row", FAILING, ids=[row.name for row in FAILING])
def test_its_docstring_names_what_it_breaks(row):
    assert target_of(row.target).__doc__.partition(":")[0].split(", ") == sorted(row.breaks)


def test_what_a_power_loss_takes_anyway_is_not_blamed_on_a_failed_sync():
    """The unlink that commits is never synced: the journal comes back whether or not a sync has failed."""
    results = {r.requirement: r for r in judged("sqlite-full", "tests.broken_stores.databases:RollbackJournalFull")}

    assert results["FAULT-2"].verdict is Verdict.UNDECIDED
    assert "also where no sync has failed: see DUR-2" in results["FAULT-2"].reason


@pytest.mark.parametrize("row", SOUND, ids=[row.name for row in SOUND])
def test_a_sound_store_is_accused_of_nothing(row):
    results = judged(row.name, row.target, row.contracts)

    assert [r for r in results if r.verdict not in (Verdict.HOLDS, Verdict.NOT_APPLICABLE)] == []
    assert all(r.checked["faults"] >= 30 for r in results if r.requirement in ("FAULT-1", "FAULT-3", "FAULT-5"))


@pytest.mark.parametrize(("name", "place"), REFERENCES, ids=[name for name, _ in REFERENCES])
def test_the_reference_stores_hold_every_fault_requirement(name, place):
    assert {r.verdict for r in judged(name, place)} == {Verdict.HOLDS}


def test_every_fault_requirement_is_broken_by_some_store():
    assert {id_ for row in FAILING for id_ in row.breaks} == {f"FAULT-{number}" for number in range(1, 6)}
