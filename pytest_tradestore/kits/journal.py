"""The contract of append-only logs, one per stream: every record comes out once, in order."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits import slots
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.dialect import Dialect
from pytest_tradestore.kits.kit import LARGE, Case, Concurrent, Kit, Unstorable
from pytest_tradestore.kits.protocol import Document, Now
from pytest_tradestore.kits.spec import Log
from pytest_tradestore.observation import Seen, counted, key_seen, records_seen
from pytest_tradestore.records import Records

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@runtime_checkable
class Journal(Protocol):
    """Append-only logs, one per stream."""

    def append(self, stream: str, record: Document) -> Now[None]:
        """Add ``record`` at the end of ``stream``."""

    def read(self, stream: str) -> Now[list[Document]]:
        """Return the records of ``stream`` in the order in which they were appended, ``[]`` when there are none."""


_STREAMS = ("orders", "fills")
_SYMBOLS = ("AAPL", "MSFT", "TSLA")
_DIALECT = Dialect("append", "read", ("orders",), (None, [], {}), log=True)


def _append(stream: Any, number: int, size: int = 0) -> Call:
    record: Document = {"order": number, "symbol": "AAPL", "action": "BUY", "quantity": 100 + number}
    told = f"order: {number}"
    if size:
        record["note"] = f"note {number}: " + "filled at 150.25 " * (size // 17)
        told += f", note: {counted(len(str(record['note'])), 'byte')}"
    return Call("append", (stream, record), key_seen(stream), f"append({stream!r}, {{{told}}})")


def _raced(stream: Any, number: int) -> Call:
    record = {"order": number, "symbol": _SYMBOLS[number % 3] * (1 + number % 3)}
    return Call("append", (stream, record), key_seen(stream), f"append({stream!r}, {{order: {number}}})")


def _read(stream: Any) -> Call:
    return Call("read", (stream,), key_seen(stream))


class JournalKit(Kit):
    """Logs of records; of two streams, that one keeps out of the other's way."""

    name = "journal"
    protocol = Journal
    required = ("append", "read")
    log = keyed = True
    spec = Log("append", "read")

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return tuple(map(_read, map(make.takes.key, _STREAMS)))

    def seen(self, look: Call, result: object) -> Seen:
        return records_seen(result)

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        orders, fills = map(make.takes.key, _STREAMS)
        yield from (_append(orders, 1), _append(orders, 2), _append(orders, 3, LARGE))
        yield from (_append(fills, 4), _append(orders, 5), _append(orders, 6, 5000))

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return _append(make.takes.key_among(_STREAMS, key), version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        orders = make.takes.key("orders")
        append, read = partial(_raced, orders), _read(orders)
        return Concurrent(append, append, lambda _: read, lambda _: (read,))

    def slots(self) -> tuple[slots.Slot, ...]:
        return (slots.Slot("stream", slots.put("append"), slots.get("read"), appends=True, declared=True),)

    def cases(self) -> Iterator[Case]:
        yield from _DIALECT.cases()
        yield Case("DATA-ORDER", _ordered)

    def unstorable(self) -> Unstorable:
        return _DIALECT.unstorable()


def _ordered(visit: "Visit") -> "DataViolation | None":
    named = dict(zip(_STREAMS, map(visit.make.takes.key, _STREAMS), strict=True))
    orders = [{"order": number, "symbol": "AAPL"} for number in (3, 1, 2, 2, 10, 9)]
    fills = [{"fill": number} for number in range(3)]
    for number, record in enumerate(orders):
        visit.call("append", named["orders"], record)
        if number < len(fills):
            visit.call("append", named["fills"], fills[number])
    sentence = "the log is not the records appended to it, once each and in order"
    if mismatch := visit.expect(sentence, visit.call("read", named["orders"]), orders):
        return mismatch
    if mismatch := visit.expect(sentence, visit.call("read", named["fills"]), fills):
        return mismatch
    visit.reopen()
    return visit.expect(f"after reopening {sentence}", visit.call("read", named["orders"]), orders)
