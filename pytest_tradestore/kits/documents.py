"""The contract of documents under keys: what goes in comes out, whole, under its own key, for good."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits import keyed, slots
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.dialect import BY_FUNCTION, Dialect, small
from pytest_tradestore.kits.kit import LARGE, Case, Concurrent, Kit, Unstorable
from pytest_tradestore.kits.protocol import Document, Now
from pytest_tradestore.kits.spec import Listing, Register, Spec
from pytest_tradestore.observation import Seen, canonical, document_seen, names_seen
from pytest_tradestore.records import Records

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit
    from pytest_tradestore.target import OpenStore


@runtime_checkable
class Documents(Protocol):
    """Documents under keys; ``delete(key)``, ``keys()`` and ``update(key, function)`` are optional.

    ``function(document) -> document`` is synchronous and runs under the store's lock; an exception leaves
    the old document.
    """

    def put(self, key: str, document: Document) -> Now[None]:
        """Store ``document`` under ``key``, replacing what was there."""

    def get(self, key: str) -> Now[Document | None]:
        """Return the document under ``key``, ``None`` or ``{}`` when there is none."""


THE_KEYS = "keys()"
_MANY = 1_210
"""Keys, where there are many: more than a page of any listing has."""
_READ = 8
"""Of so many keys one is read by itself, between the first and the last of them, where there are many."""
_DIALECT = Dialect("put", "get", ("AAPL",), (None, {}), update="update")


class DocumentsKit(Kit):
    """Documents under keys, perhaps in files of their own, perhaps in one."""

    name = "documents"
    protocol = Documents
    required = ("put", "get")
    optional = ("delete", "keys", "update")
    keyed = whole = replaces = True
    deletes = "delete"
    several = "keys"
    listing = THE_KEYS
    spec = Register("put", "get", "delete", updates="update")

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        listing = (Call("keys", (), THE_KEYS),) if "keys" in methods else ()
        return (*map(keyed.get, map(make.takes.key, keyed.KEYS[:2])), *listing)

    def seen(self, look: Call, result: object) -> Seen:
        return names_seen(result) if look.key == THE_KEYS else document_seen(result)

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        put, one, other = keyed.recorded, make.takes.key("AAPL"), make.takes.key("MSFT")
        yield from (put(one, 1), put(one, 2), put(other, 3, LARGE), put(one, 4, LARGE), put(one, 5))
        if "delete" in methods:
            yield from (keyed.delete(other), put(other, 7))
        if BY_FUNCTION in methods:
            yield _DIALECT.change(make, 8)

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return keyed.recorded(make.takes.key_among(keyed.KEYS, key), version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        listing, keys = self.looks(make, methods)[2:], tuple(map(make.takes.key, keyed.KEYS))
        return Concurrent(
            lambda number: keyed.raced(keys[number], number),
            lambda number: keyed.raced(keys[0], 10 + number),
            lambda number: keyed.get(keys[number]),
            lambda count: (*map(keyed.get, keys[:count]), *listing),
            keyed.delete(keys[0]) if "delete" in methods else None,
            change=partial(_DIALECT.change, make) if BY_FUNCTION in methods else None,
        )

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[list[Call], list[Call]]:
        keys = [make.takes.key(f"KEY-{number}") for number in range(1, min(most, _MANY) + 1)]
        listing = [Call("keys", (), THE_KEYS)] if "keys" in methods else []
        read = [*keys[:20], *keys[20:-20:_READ], *keys[-20:]] if len(keys) > 40 else keys
        return [keyed.put(key, small(number), f"{{version: {number}}}") for number, key in enumerate(keys)], [
            *listing,
            *map(keyed.get, read),
        ]

    def trying(self, methods: frozenset[str]) -> "Callable[[OpenStore, Records], Iterable[str]] | None":
        return _DIALECT.trying(methods)

    def spec_of(self, key: str) -> Spec:
        return Listing() if key == THE_KEYS else self.spec

    def slots(self) -> tuple[slots.Slot, ...]:
        delete = slots.remove("delete")
        return (slots.Slot("key", slots.put("put"), slots.get("get"), names=_listed, delete=delete, declared=True),)

    def cases(self) -> Iterator[Case]:
        yield from _DIALECT.cases()
        yield Case("DATA-DELETE", _deleted, needs="delete")
        yield Case("DATA-KEYS", _keys_listed, needs="keys")

    def unstorable(self) -> Unstorable:
        return _DIALECT.unstorable()


def _listed(ask: slots.Ask) -> list[object] | None:
    return list(ask.call("keys", shown="keys()")) if ask.has("keys") else None


_SIMILAR_KEYS = ("AAPL", "AAPL2", "AAP", "MSFT")


def _deleted(visit: "Visit") -> "DataViolation | None":
    first, *others = keys = [visit.make.takes.key(name) for name in _SIMILAR_KEYS]
    for number, key in enumerate(keys):
        visit.accepted("put", key, {"version": number})
    visit.call("delete", first)
    found = visit.call("get", first)
    if found not in (None, {}):
        return visit.mismatch("a deleted key is still read", canonical(found), "None or {}")

    def changed(sentence: str) -> "DataViolation | None":
        for number, key in enumerate(others, 1):
            if mismatch := visit.expect(f"{sentence} changed {key!r}", visit.call("get", key), {"version": number}):
                return mismatch
        return None

    if mismatch := changed("deleting one key"):
        return mismatch
    with suppress(*visit.errors, LookupError):  # to say that it is not there is an answer
        visit.call("delete", visit.make.takes.key("GOOG"))
    if mismatch := changed("deleting what is not there"):
        return mismatch
    visit.accepted("put", first, {"version": 10})
    return visit.expect("a key written again after its deletion is not read", visit.call("get", first), {"version": 10})


_LISTED = ("AAPL", "BRK.B", "005930.KS", "BTC-USD", "aapl.json")


def _keys_listed(visit: "Visit") -> "DataViolation | None":
    wanted: list[Any] = []
    keys = [visit.make.takes.key(name) for name in _LISTED]

    def wrong(sentence: str) -> "DataViolation | None":
        found = list(visit.call("keys"))
        if mismatch := visit.expect(sentence, sorted(map(str, found)), sorted(map(str, wanted))):
            return mismatch
        strange = [key for key in found if key not in wanted]
        if visit.make.takes.keys is None or not strange:
            return None
        given = next(key for key in wanted if str(key) == str(strange[0]))
        return visit.mismatch("a listed key is not the one that was given", repr(strange[0]), repr(given))

    if mismatch := wrong("an empty store lists keys"):
        return mismatch
    wanted.extend(key for key in keys if visit.accepted("put", key, {"symbol": str(key)}))
    visit.accepted("put", keys[0], {"symbol": str(keys[0]), "again": True})
    if mismatch := wrong("the keys listed are not the keys written"):
        return mismatch
    visit.reopen()
    if mismatch := wrong("the keys listed after reopening are not the keys written"):
        return mismatch
    if visit.opened.has("delete"):
        visit.call("delete", keys[1])
        wanted[:] = [key for key in wanted if key != keys[1]]
        return wrong("the keys listed after a deletion are not the ones left")
    return None
