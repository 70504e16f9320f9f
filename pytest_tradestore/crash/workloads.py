"""What is done to a store while it is recorded: per contract, the calls that hurt most in the order in which they do.

A first save, a replacement, several keys, a value that grows over three pages and one that shrinks; a deletion and a
new beginning under the same key where the contract has them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_tradestore.contracts import Contract
from pytest_tradestore.crash.observation import (
    Failed,
    Observation,
    Seen,
    counted,
    document_seen,
    names_seen,
    records_seen,
)
from pytest_tradestore.records import Records
from pytest_tradestore.target import OpenStore

THE_DOCUMENT = "the document"
THE_KEYS = "keys()"


@dataclass(frozen=True, slots=True)
class Update:
    """One call that changes the store: ``place`` is what it changes first, ``shown`` how a report writes it."""

    method: str
    arguments: tuple[Any, ...]
    place: str
    shown: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, store: OpenStore) -> None:
        """Make the call."""
        store.call(self.method, *self.arguments, **self.options)


@dataclass(frozen=True, slots=True)
class Workload:
    """The calls of one recording, and how to look at the store before, between and after them.

    ``place_names`` are all places looked at; ``next_update(place, version)`` is the call made after a recovery to find
    out whether the store still works there. ``listing`` is the place that shows names, if there is one.
    """

    contract: Contract
    updates: tuple[Update, ...]
    place_names: tuple[str, ...]
    look: Callable[[OpenStore, str], Seen]
    next_update: Callable[[str, int], Update]
    listing: str = ""

    def observe(self, store: OpenStore, errors: tuple[type[BaseException], ...]) -> Observation:
        """Look at every place; an exception is one of the things that can be seen."""
        return Observation(tuple((place, self._look(store, place, errors)) for place in self.place_names))

    def _look(self, store: OpenStore, place: str, errors: tuple[type[BaseException], ...]) -> Seen:
        try:
            return self.look(store, place)
        except Exception as error:  # whatever a reader gets is an observation
            return Failed(type(error).__name__, store.told(error), isinstance(error, errors))


def workload_for(contract: Contract, methods: frozenset[str], make: Records | None = None) -> Workload:
    """Return the workload of a contract; optional parts of it are used where the store has the ``methods``.

    ``make`` makes the records that the contract speaks of, where it has any.
    """
    generic = {"document": _document, "documents": _documents, "journal": _journal}
    if contract.name in generic:
        return generic[contract.name](contract, methods)
    from pytest_tradestore.crash.trading_workloads import TRADING

    return TRADING[contract.name](contract, methods, make or Records())


def ledger(version: int, size: int = 0) -> dict[str, Any]:
    """A portfolio as trading bots keep it; every version differs, and a large one fills ``size`` bytes."""
    document: dict[str, Any] = {
        "version": version,
        "cash": 1000.25 + version,
        "positions": {"AAPL": 100 + version, "MSFT": 50},
        "last_updated": f"2026-01-05T10:00:{version % 60:02d}",
    }
    if size:
        line = f"fill {version}: BUY 100 AAPL @ 150.25 "
        document["notes"] = (line * (size // len(line) + 1))[:size]
    return document


LARGE = 14_000
"""Bytes: with its framing the value lies on four pages."""


def _described(document: dict[str, Any]) -> str:
    notes = document.get("notes")
    return "{version: %s%s}" % (document["version"], f", notes: {len(notes):,} bytes" if notes else "")  # noqa: UP031


def _document(contract: Contract, _: frozenset[str]) -> Workload:
    def save(version: int, size: int = 0) -> Update:
        document = ledger(version, size)
        return Update("save", (document,), THE_DOCUMENT, f"save({_described(document)})")

    return Workload(
        contract,
        (save(1), save(2), save(3, LARGE), save(4, LARGE + 500), save(5)),
        (THE_DOCUMENT,),
        lambda store, _: document_seen(store.call("load")),
        lambda _, version: save(version),
    )


def _documents(contract: Contract, methods: frozenset[str]) -> Workload:
    def put(key: str, version: int, size: int = 0) -> Update:
        document = ledger(version, size)
        return Update("put", (key, document), key, f"put({key!r}, {_described(document)})")

    def delete(key: str) -> Update:
        return Update("delete", (key,), key, f"delete({key!r})")

    updates = [put("AAPL", 1), put("AAPL", 2), put("MSFT", 3, LARGE), put("AAPL", 4, LARGE), put("AAPL", 5)]
    if "delete" in methods:
        updates += [delete("MSFT"), put("MSFT", 7)]
    places = ("AAPL", "MSFT", *((THE_KEYS,) if "keys" in methods else ()))

    def look(store: OpenStore, place: str) -> Seen:
        return names_seen(store.call("keys")) if place == THE_KEYS else document_seen(store.call("get", place))

    return Workload(
        contract, tuple(updates), places, look, lambda place, version: put(place, version), listing=THE_KEYS
    )


def _journal(contract: Contract, _: frozenset[str]) -> Workload:
    def append(stream: str, number: int, size: int = 0) -> Update:
        record = {"order": number, "symbol": "AAPL", "action": "BUY", "quantity": 100 + number}
        shown = f"order: {number}"
        if size:
            record["note"] = f"note {number}: " + "filled at 150.25 " * (size // 17)
            shown += f", note: {counted(len(str(record['note'])), 'byte')}"
        return Update("append", (stream, record), stream, f"append({stream!r}, {{{shown}}})")

    return Workload(
        contract,
        (
            append("orders", 1),
            append("orders", 2),
            append("orders", 3, LARGE),
            append("fills", 4),
            append("orders", 5),
            append("orders", 6, 5000),
        ),
        ("orders", "fills"),
        lambda store, stream: records_seen(store.call("read", stream)),
        lambda stream, number: append(stream, number),
    )
