"""The contract of caches: an entry may be gone at any time, and one that is there is the one that was put last.

Its methods are those of documents, so a store is asked by it only if it says so: ``tradestore_contracts = ("cache",)``.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits import keyed, slots
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.dialect import Dialect
from pytest_tradestore.kits.grammar import OneOf, Step, StepKind
from pytest_tradestore.kits.kit import LARGE, REOPEN, Case, Concurrent, Kit, NotAskedError, Unstorable
from pytest_tradestore.kits.protocol import Document, Now
from pytest_tradestore.kits.spec import Register
from pytest_tradestore.kits.values import ORDINARY, VALUES
from pytest_tradestore.observation import Seen, document_seen, key_seen
from pytest_tradestore.records import Records

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@runtime_checkable
class Cache(Protocol):
    """Values under keys that can be had again: forgetting one is no loss, giving a wrong one is."""

    def put(self, key: str, value: Document, ttl: float | None = None) -> Now[None]:
        """Keep ``value`` under ``key``, for ``ttl`` seconds where the cache takes that, instead of what was there."""

    def get(self, key: str) -> Now[Document | None]:
        """Return the value put last, or ``None``: it was never put, deleted, replaced, is over, or was forgotten."""

    def delete(self, key: str) -> Now[None]:
        """Forget what is under ``key``."""


_NAME = OneOf(keyed.KEYS[:2])
_DIALECT = Dialect("put", "get", ("AAPL",), (None, {}))


class CacheKit(Kit):
    """Two keys; values that grow over pages, are replaced, deleted and put again."""

    name = "cache"
    protocol = Cache
    required = ("put", "get", "delete")
    keyed = whole = replaces = loses = deletes = True
    spec = Register("put", "get", "delete")
    differs = "what is read is neither the value put last nor nothing"

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return tuple(map(keyed.get, map(make.takes.key, keyed.KEYS[:2])))

    def seen(self, look: Call, result: object) -> Seen:
        return document_seen(result)

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        put, one, other = keyed.recorded, make.takes.key("AAPL"), make.takes.key("MSFT")
        yield from (put(one, 1), put(one, 2), put(other, 3, LARGE), put(one, 4, LARGE), put(one, 5))
        yield from (keyed.delete(other), put(other, 7))

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return keyed.recorded(make.takes.key_among(keyed.KEYS, key), version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        keys = tuple(map(make.takes.key, keyed.KEYS))
        return Concurrent(
            lambda number: keyed.raced(keys[number], number),
            lambda number: keyed.raced(keys[0], 10 + number),
            lambda number: keyed.get(keys[number]),
            lambda count: tuple(map(keyed.get, keys[:count])),
            keyed.delete(keys[0]),
        )

    def slots(self) -> tuple[slots.Slot, ...]:
        put, get, delete = slots.put("put"), slots.get("get"), slots.remove("delete")
        return (slots.Slot("key", put, get, delete=delete, loses=True, declared=True),)

    grammar = (
        StepKind("put", (_NAME, OneOf(range(1, 9))), often=3),
        StepKind("get", (_NAME,), often=2),
        StepKind("delete", (_NAME,)),
        StepKind(REOPEN),
    )

    def call(self, visit: "Visit", step: Step) -> Call:
        match step:
            case ("put", name, version):
                return keyed.put(visit.make.takes.key(name), {"version": version}, f"{{version: {version}}}")
            case (method, name):
                key = visit.make.takes.key(name)
                return Call(method, (key,), key_seen(key))
        raise AssertionError("the grammar has no other steps")

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        return tuple(map(keyed.get, map(visit.make.takes.key, _NAME.values)))

    def mismatch(self, visit: "Visit", found: Any, wanted: Any) -> "DataViolation | None":
        return None if found in (None, {}) else visit.expect(self.differs, found, wanted or None)

    def cases(self) -> Iterator[Case]:
        for name, value in VALUES.items():
            yield Case("DATA-CACHE-VALUE", partial(_right, name, value), name)
        yield Case("DATA-CACHE-REPLACED", _replaced)
        yield Case("DATA-CACHE-DELETED", _deleted)
        yield Case("DATA-CACHE-EXPIRED", _expired)
        yield Case("DATA-CACHE-KEYS", _apart)
        yield Case("DATA-CACHE-BOUNDED", _bounded)

    def unstorable(self) -> Unstorable:
        return _DIALECT.unstorable()


# -- the data, sentence by sentence -------------------------------------------------------------------------------


def _is_gone(value: Any) -> bool:
    return value is None or value == {}


def _wrong(visit: "Visit", sentence: str, name: str, *wanted: Any) -> "DataViolation | None":
    """Read a key; return a mismatch unless it shows nothing or what is ``wanted``."""
    found = visit.call("get", visit.make.takes.key(name))
    return None if _is_gone(found) else visit.expect(sentence, found, *(wanted or (None,)))


def _right(name: str, value: Document, visit: "Visit") -> "DataViolation | None":
    if not visit.accepted("put", visit.make.takes.key("AAPL"), value):
        refused = visit.mismatch("an ordinary value was refused", "refused", "accepted")
        return refused if name == ORDINARY else None
    if name == ORDINARY and _is_gone(visit.call("get", visit.make.takes.key("AAPL"))):
        raise NotAskedError("what was put is not read back at all, so nothing can be said of it")
    sentence = "what is read is not what was put"
    if found := _wrong(visit, sentence, "AAPL", value):
        return found
    visit.reopen()
    return _wrong(visit, f"after reopening {sentence}", "AAPL", value)


def _replaced(visit: "Visit") -> "DataViolation | None":
    """Replace a value by one of another length and one of the same, with looks between, here and after reopening."""
    sentence = "a value that was replaced is read"
    values = ({"price": 150.25, "bid": 150.0}, {"price": 151.25}, {"price": 152.25})
    for value in values:
        visit.must("put", visit.make.takes.key("AAPL"), value)
        if found := _wrong(visit, sentence, "AAPL", value):
            return found
    visit.reopen()
    if found := _wrong(visit, f"after reopening, {sentence}", "AAPL", values[-1]):
        return found
    visit.must("put", visit.make.takes.key("AAPL"), values[0])
    visit.reopen()
    return _wrong(visit, f"after reopening, {sentence}", "AAPL", values[0])


def _deleted(visit: "Visit") -> "DataViolation | None":
    visit.must("put", visit.make.takes.key("AAPL"), {"price": 150.25})
    visit.must("put", visit.make.takes.key("MSFT"), {"price": 400.5})
    visit.call("delete", visit.make.takes.key("AAPL"))
    sentence = "a deleted value is read"
    if found := _wrong(visit, sentence, "AAPL"):
        return found
    visit.reopen()
    return _wrong(visit, f"after reopening, {sentence}", "AAPL") or _wrong(
        visit, "deleting one key changed another", "MSFT", {"price": 400.5}
    )


_TTL, _LATE = 0.01, 2.5
"""Seconds that a value may be read, and after which it must not be, however coarse the clock of the cache is."""


def _expired(visit: "Visit") -> "DataViolation | None":
    value = {"price": 150.25}
    for reopened in (False, True):
        try:
            visit.must("put", visit.make.takes.key("AAPL"), value, ttl=_TTL)
        except TypeError:
            raise NotAskedError("its put() takes no ttl") from None
        began = monotonic()
        if reopened:
            visit.reopen()
        while True:
            late = monotonic() - began > _LATE  # when it is asked: what is slow to answer may have looked in time
            if _is_gone(found := visit.call("get", visit.make.takes.key("AAPL"))):
                break
            if late:
                sentence = "a value is read after its time is over"
                told = f"{found}, {_LATE} s after it was put for {_TTL} s"
                return visit.mismatch(f"after reopening, {sentence}" if reopened else sentence, told, "nothing")
            visit.calls.pop()
            sleep(_TTL)
    visit.must("put", visit.make.takes.key("AAPL"), value, ttl=_TTL)
    visit.must("put", visit.make.takes.key("AAPL"), {"price": 151.25}, ttl=3600.0)
    sleep(2 * _TTL)
    return _wrong(visit, "a value that was replaced is read", "AAPL", {"price": 151.25})


_SIMILAR = ("AAPL", "aapl", "AAPL ", "AAPL/1d", "AAPL-1d", "AAPL_1d", "AAPL:1d", "BRK.B", "BRK-B", "BRK")


def _apart(visit: "Visit") -> "DataViolation | None":
    similar = visit.make.takes.keys is None
    names = _SIMILAR if similar else tuple(f"KEY-{number}" for number in range(1, 40))
    keys = ((name, visit.make.takes.key(name)) for name in names)
    taken = [(name, key) for name, key in keys if visit.accepted("put", key, {"of": name})]
    for name, key in taken:
        if found := _wrong(visit, f"under {key!r} is read what was put under another key", name, {"of": name}):
            return found
    return None


_ROUNDS, _SIZE = 200, 50_000


def _bounded(visit: "Visit") -> "DataViolation | None":
    """Put a few keys again and again: what was replaced must not stay on the disk for good."""
    for number in range(_ROUNDS):
        visit.must(
            "put", visit.make.takes.key(keyed.KEYS[number % 3]), {"number": number, "text": "x" * _SIZE}, shown="put(…)"
        )
    visit.reopen()
    written, left = _ROUNDS * _SIZE, _bytes_of(list(visit.files()))
    visit.calls[:] = [f"put('AAPL', {_SIZE:,} bytes)  # {_ROUNDS} times, for three keys in turn", "close, reopen"]
    visit.checked["bytes_left"] = left
    if left <= written // 2:
        return None
    sentence = "what was replaced stays on the disk for good"
    return visit.mismatch(sentence, f"{left:,} bytes after {written:,} were put", f"at most {written // 2:,} bytes")


def _bytes_of(files: Sequence[tuple[str, os.stat_result]]) -> int:
    return sum(state.st_size for _, state in files)
