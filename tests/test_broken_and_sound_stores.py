"""The stores that the suite is tested with: their registries are in order, and they work while nothing crashes."""

import importlib
from collections import Counter

import pytest

from pytest_tradestore.conformance import checks_for
from pytest_tradestore.contracts import CONTRACTS
from pytest_tradestore.requirements import BY_ID
from pytest_tradestore.target import Bridge, StoreUnderTest, open_store
from tests.broken_stores import BROKEN
from tests.broken_stores.damaging import DAMAGING
from tests.broken_stores.failing import FAILING
from tests.broken_stores.racing import RACING
from tests.sound_stores import SOUND

GENERIC = tuple(contract for contract in CONTRACTS if contract.name in ("document", "documents", "journal"))
"""The contracts that any store can offer, whatever it is about."""
WORK_IN_ORDINARY_USE = [store for store in BROKEN if not any(id_.startswith("DATA-") for id_ in store.breaks)]
FIRST = {"symbol": "AAPL", "quantity": 1, "price": 187.25}
SECOND = {"symbol": "AAPL", "quantity": 2, "note": "x" * 5000}
THIRD = {"symbol": "MSFT", "quantity": 3}


def rows(stores):
    return pytest.mark.parametrize("row", stores, ids=[store.name for store in stores])


def target_of(row):
    module, _, name = row.target.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.fixture
def opened(row, tmp_path):
    bridge = Bridge()
    with open_store(target_of(row), tmp_path, bridge) as store:
        yield store
    bridge.close()


@pytest.fixture
def reopened(row, tmp_path):
    """Opens the store of the row as often as it is called; each call closes the one before."""
    bridge, stores = Bridge(), []

    def open_again():
        if stores:
            stores.pop().close()
        stores.append(open_store(target_of(row), tmp_path, bridge))
        return stores[0]

    yield open_again
    stores.pop().close()
    bridge.close()


def test_no_two_stores_share_a_name_or_a_target():
    for values in ([row.name for row in (*BROKEN, *SOUND)], [row.target for row in (*BROKEN, *SOUND)]):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_every_requirement_of_documents_and_logs_is_broken_by_at_least_one_store():
    checked = {check.requirement for check in checks_for(GENERIC)}

    assert checked - {id_ for row in (*BROKEN, *FAILING, *DAMAGING, *RACING) for id_ in row.breaks} == set()


@rows(BROKEN)
def test_a_broken_store_breaks_requirements_that_exist_and_names_the_first_in_its_docstring(row):
    assert row.breaks
    assert set(row.breaks) <= set(BY_ID)
    said = target_of(row).__doc__.partition(":")[0]
    assert set(row.breaks) == set(said.split(", "))


@rows(BROKEN)
def test_what_breaks_in_a_process_crash_breaks_in_a_power_loss_too(row):
    for weak, strong in (("ATOM-1", "ATOM-2"), ("DUR-1", "DUR-2")):
        assert weak not in row.breaks or strong in row.breaks


@rows(BROKEN)
def test_a_broken_store_is_of_its_variant(row):
    (contract,) = (contract for contract in CONTRACTS if contract.name == row.contract)
    code = getattr(target_of(row), contract.required[0]).__code__

    assert bool(code.co_flags & 0x80) is (row.variant != "sync")


@rows([*BROKEN, *SOUND])
def test_a_store_offers_its_contract_and_declares_what_exists(row, opened):
    assert {contract.name for contract in opened.contracts} == set(
        row.contracts if hasattr(row, "contracts") else {row.contract, *extra_contracts(row)}
    )
    assert set(row.recorders) <= {"strace", "fake"}
    assert StoreUnderTest(row.name, target_of(row)).declarations


def extra_contracts(row):
    """The sqlite3 stores offer two contracts; the broken ones are looked at as document stores."""
    return {"journal"} if "databases:" in row.target else set()


@rows([*WORK_IN_ORDINARY_USE, *SOUND])
def test_a_store_keeps_what_it_is_given_while_nothing_crashes(row, reopened):
    store = reopened()
    names = {contract.name for contract in store.contracts}
    if "document" in names:
        assert not store.call("load")
        for document in (FIRST, SECOND, FIRST):
            store.call("save", document)
            assert store.call("load") == document
        assert reopened().call("load") == FIRST
    if "documents" in names:
        assert not store.call("get", "AAPL")
        for key, document in (("AAPL", FIRST), ("BRK.B", THIRD), ("AAPL", SECOND), ("AAPL", FIRST)):
            store.call("put", key, document)
            assert store.call("get", key) == document
        store = reopened()
        assert (store.call("get", "AAPL"), store.call("get", "BRK.B")) == (FIRST, THIRD)
        if store.has("keys"):
            assert sorted(store.call("keys")) == ["AAPL", "BRK.B"]
        if store.has("delete"):
            store.call("delete", "AAPL")
            assert not reopened().call("get", "AAPL")
            assert reopened().call("get", "BRK.B") == THIRD
    if "journal" in names:
        store = reopened()
        assert not store.call("read", "orders")
        for stream, record in (("orders", FIRST), ("fills", THIRD), ("orders", SECOND), ("orders", FIRST)):
            store.call("append", stream, record)
        assert store.call("read", "orders") == [FIRST, SECOND, FIRST]
        assert reopened().call("read", "orders") == [FIRST, SECOND, FIRST]
        assert reopened().call("read", "fills") == [THIRD]


def test_there_are_sound_stores_of_documents_and_logs_in_both_variants():
    there_are = {(contract, row.variant) for row in SOUND for contract in row.contracts}

    assert {(contract.name, variant) for contract in GENERIC for variant in ("sync", "async")} <= there_are
