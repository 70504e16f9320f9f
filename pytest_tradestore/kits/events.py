"""The contract of events, sentence by sentence. In which order they are read is not said, so it is not asked."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits import times
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.grammar import OneOf, Step, StepKind
from pytest_tradestore.kits.kit import LARGE, REOPEN, Case, Concurrent, Kit
from pytest_tradestore.kits.protocol import Now
from pytest_tradestore.kits.slots import Ask, Back, Slot, around, marked, shown, time_of
from pytest_tradestore.kits.spec import Row, Spec, State, Table, rows_by
from pytest_tradestore.observation import Records as Recorded
from pytest_tradestore.observation import Seen, canonical
from pytest_tradestore.records import Records, field, plain

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@runtime_checkable
class Events(Protocol):
    """Things that happened, each at a time and of a type."""

    def write_event(self, event: Any) -> Now[None]:
        """Add ``event``."""

    def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> Now[list[Any]]:
        """Return the events from ``start`` to ``end``, both included, of the given types or of all."""


# -- what is recorded, raced and looked at ------------------------------------------------------------------------


def _recorded(make: Records, number: int, day: int, size: int = 0) -> Call:
    data = {"number": number, "text": ("guidance raised; " * (size // 17)) if size else "beat"}
    when = make.takes.time(datetime(2026, 1, day, 9, 30, number % 60))
    event = make.make_event(timestamp=when, type="earnings", symbol="AAPL", data=data)
    long = f", {size:,} bytes" if size else ""
    return Call("write_event", (event,), "events", f"write_event({{number: {number}, day: {day}{long}}})")


def _raced(make: Records, number: int) -> Call:
    data = {"number": number, "text": "beat" * (1 + number % 3)}
    when = make.takes.time(datetime(2026, 1, 5, 9, 30, number))
    event = make.make_event(timestamp=when, type="earnings", symbol="AAPL", data=data)
    return Call("write_event", (event,), "events", f"write_event({{number: {number}}})")


def _read(make: Records) -> Call:
    month = make.takes.time(datetime(2026, 1, 1)), make.takes.time(datetime(2026, 1, 31))
    return Call("read_events", month, "events", "read_events(2026-01-01, 2026-01-31)")


def _number(event: Any) -> tuple[int, str]:
    """Return the place of an event among those written; what nobody wrote comes last."""
    data = plain(field(event, "data"))
    number = data.get("number") if isinstance(data, dict) else None
    return (number, "") if isinstance(number, int) else (1 << 30, canonical(plain(event)))


def _bounds(call: Call) -> tuple[str, str]:
    start, end, *_ = call.arguments
    return canonical(plain(start)), canonical(plain(end))


class _Timed(Table):
    """Read by time, and by types where they are given."""

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        state, answer = super().apply(state, call)
        types = call.arguments[2] if call.method == self.gets and len(call.arguments) > 2 else None
        return state, answer if types is None else tuple(row for row in answer if _type(row) in types)


def _type(row: Row) -> Any:
    return field(row.record, "type")


_SLOT, _APART_BY = OneOf(range(5)), timedelta(hours=11)


class EventsKit(Kit):
    """Two days, out of order, one with a long text.

    Events are looked at in the order in which they were written, in whatever order the store returns them: it is the
    log of what happened, and one without an earlier one has a hole.
    """

    name = "events"
    protocol = Events
    required = ("write_event", "read_events")
    log = True
    spec = _Timed("write_event", "read_events", rows_by("timestamp", each=True), _bounds, each=True)
    differs = "the events read are not those that were written"
    named = "data"

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return (_read(make),)

    def seen(self, look: Call, result: Any) -> Seen:
        return Recorded(tuple(canonical(plain(event)) for event in sorted(result or (), key=_number)))

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        rows = ((1, 5), (2, 5), (3, 6), (4, 5, LARGE), (5, 6), (6, 5, 5000))
        return [_recorded(make, *row) for row in rows]

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return _recorded(make, version, 7)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        def write(number: int) -> Call:
            return _raced(make, number)

        read = _read(make)
        return Concurrent(write, write, lambda _: read, lambda _: (read,))

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[list[Call], list[Call]]:
        """Return events half an hour apart, over most of a month."""
        begin = make.takes.time(datetime(2026, 1, 1))

        def write(number: int) -> Call:
            when, data = begin + number * timedelta(minutes=30), {"number": number}
            event = make.make_event(timestamp=when, type="news", symbol="AAPL", data=data)
            return Call("write_event", (event,), "events", f"write_event({{number: {number}}})")

        return [write(number) for number in range(most)], [_read(make)]

    def spec_of(self, key: str) -> Spec:
        return Table("write_event", "read_events", rows_by("timestamp", "data", "number"), _bounds)

    def slots(self) -> tuple[Slot, ...]:
        kinds = _write_mark("type")
        return (
            Slot("type", kinds, _read_type, read_several=_read_types, appends=True, symbols=False),
            Slot("symbol", _write_mark("symbol"), everything=_all_events),
        )

    grammar = (
        StepKind(
            "write",
            (_SLOT, OneOf(("earnings", "split", "news")), OneOf(("AAPL", None)), OneOf(range(2))),
            often=3,
        ),
        StepKind("read", (_SLOT, _SLOT, OneOf((None, ("earnings",), ("split",), ("earnings", "news")))), often=2),
        StepKind(REOPEN),
    )

    def call(self, visit: "Visit", step: Step) -> Call:
        begin = visit.at(2026, 1, 30)
        match step:
            case ("write", slot, kind, symbol, number):
                data, when = {"number": number}, begin + _APART_BY * slot
                event = visit.make.make_event(timestamp=when, type=kind, symbol=symbol, data=data)
                return Call("write_event", (event,), "events", _shown(when, kind, data, symbol))
            case (_, first, last, types):
                start, end = (begin + _APART_BY * slot for slot in sorted((first, last)))
                return Call("read_events", (start, end) if types is None else (start, end, list(types)), "events")
        raise AssertionError("the grammar has no other steps")

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        return (Call("read_events", (visit.at(*_FIRST), visit.at(*_LAST)), "events"),)

    def mismatch(self, visit: "Visit", found: Any, wanted: Any) -> "DataViolation | None":
        return super().mismatch(visit, _in_any_order(found), _in_any_order(wanted))

    def cases(self) -> Iterable[Case]:
        return (
            Case("DATA-EVENTS-EXACT", _exact),
            Case("DATA-EVENTS-RANGE", _range),
            Case("DATA-EVENTS-TYPES", _types),
            Case("DATA-EVENTS-EACH", _each),
            Case("DATA-EVENTS-MISSING", _missing),
            Case("DATA-REOPEN", _reopened),
            *times.cases(_TIMED),
        )


# -- identifiers --------------------------------------------------------------------------------------------------


def _write_mark(which: str) -> Callable[[Ask, Any, int], Any]:
    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        fields = {"type": "earnings", "symbol": "AAPL"} | {which: identifier}
        event = ask.make.make_event(timestamp=time_of(ask, mark), data={"mark": mark}, **fields)
        return ask.call("write_event", event, shown=f"write_event(event {mark} with {which}={shown(identifier)})")

    return write


def _read_type(ask: Ask, kind: Any) -> Back:
    return _read_types(ask, [kind])


def _read_types(ask: Ask, kinds: Sequence[Any]) -> Back:
    call = f"read_events(..., types=[{', '.join(map(shown, kinds))}])"
    found = list(ask.call("read_events", *around(ask), list(kinds), shown=call) or ())
    marks = tuple(mark for event in found for mark in marked(field(event, "data")))
    return Back(marks, tuple(field(event, "type") for event in found), found)


def _all_events(ask: Ask) -> list[Any]:
    return list(ask.call("read_events", *around(ask), shown="read_events(...)") or ())


# -- the data, sentence by sentence -------------------------------------------------------------------------------

_FIRST, _LAST = (1970, 1, 1), (2099, 12, 31)


class _Diary:
    """Writes events and remembers what was written."""

    def __init__(self, visit: "Visit") -> None:
        self.visit = visit
        self.written: list[tuple[datetime, str, Any]] = []

    def write(self, when: datetime, kind: str = "earnings", symbol: str | None = "AAPL", **data: Any) -> None:
        data = data or {"number": len(self.written)}
        event = self.visit.make.make_event(timestamp=when, type=kind, symbol=symbol, data=data)
        self.written.append((when, kind, plain(event)))
        self.visit.must("write_event", event, shown=_shown(when, kind, data, symbol))

    def wrong(
        self,
        sentence: str,
        start: datetime | None = None,
        end: datetime | None = None,
        types: Sequence[str] | None = None,
    ) -> "DataViolation | None":
        """Read, and return a mismatch unless it is what was written in that time and of these types."""
        first, last = start or self.visit.at(*_FIRST), end or self.visit.at(*_LAST)
        arguments = (first, last) if types is None else (first, last, list(types))
        found = self.visit.call("read_events", *arguments)
        wanted = [e for when, kind, e in self.written if first <= when <= last and (types is None or kind in types)]
        return self.visit.expect_records(sentence, _in_any_order(found), _in_any_order(wanted), "data")


def _shown(when: datetime, kind: str, data: Any, symbol: str | None = "AAPL") -> str:
    told = str(plain(when)).removesuffix("T00:00:00")
    about = "" if symbol == "AAPL" else f"symbol={symbol!r}, "
    return f"write_event(event({told!r}, {kind!r}, {about}{data if len(str(data)) < 40 else '…'}))"


def _in_any_order(events: Any) -> Any:
    return sorted((plain(e) for e in events), key=canonical) if isinstance(events, (list, tuple)) else events


def _exact(visit: "Visit") -> "DataViolation | None":
    diary = _Diary(visit)
    diary.write(visit.at(2026, 1, 5, 9, 30), "earnings", number=1, eps=0.1 + 0.2, beat=True, note=None)
    diary.write(visit.at(2026, 1, 5, 9, 30, 1), "split", ratio=[4, 1], text="Société Générale \U0001f680 \n\t\"'\\")
    diary.write(visit.at(2026, 1, 6), "News", nested={"a": [{"b": []}, {}], "id": 2**53 + 1}, zeros="005930")
    diary.write(visit.at(2026, 1, 6, 1) + timedelta(microseconds=1), "news", text="0123456789" * 2000)
    diary.write(visit.at(2026, 1, 7), "rate decision", None, basis_points=25)
    return diary.wrong("the events are not read as they were written")


def _range(visit: "Visit") -> "DataViolation | None":
    diary, moment = _Diary(visit), timedelta(microseconds=1)
    times = [visit.at(2026, 1, 31, 16), visit.at(2026, 1, 5, 16), visit.at(2026, 2, 1, 16), visit.at(2026, 1, 30, 16)]
    for when in times:
        diary.write(when)
    first, last = visit.at(2026, 1, 30, 16), visit.at(2026, 1, 31, 16)
    for start, end in (
        (first, last),
        (first + moment, last),
        (first, last - moment),
        (first, first),
        (visit.at(2026, 1, 6), visit.at(2026, 1, 7)),
        (visit.at(2026, 1, 31), visit.at(2026, 2, 28)),
    ):
        if found := diary.wrong("the events read are not those from start to end, both included", start, end):
            return found
    return None


def _types(visit: "Visit") -> "DataViolation | None":
    diary = _Diary(visit)
    for number, kind in enumerate(("earnings", "split", "dividend", "earnings", "earnings-call")):
        diary.write(visit.at(2026, 1, 5 + number % 2, 9, number), kind)
    for types in (("earnings",), ("split", "dividend"), ("merger",), ("merger", "earnings-call"), None):
        sentence = "the events read are not those of the types asked for" if types else "without types not all are read"
        if found := diary.wrong(sentence, types=types):
            return found
    return None


def _each(visit: "Visit") -> "DataViolation | None":
    diary, when = _Diary(visit), visit.at(2026, 1, 5, 9, 30)
    for number in range(3):
        diary.write(when, number=number)
    diary.write(when, "split", number=0)
    if found := diary.wrong("of several events at one time not each is read, once"):
        return found
    for _ in range(2):
        diary.write(when + timedelta(hours=1), "trade", price=150.25, quantity=100)
    return diary.wrong("of two equal events not each is read")


def _missing(visit: "Visit") -> "DataViolation | None":
    diary = _Diary(visit)
    sentence = "where nothing happened the events do not read as []"
    if found := diary.wrong(sentence):
        return found
    diary.write(visit.at(2026, 1, 5))
    return diary.wrong(sentence, visit.at(2026, 3, 1), visit.at(2026, 3, 2))


def _timed_write(visit: "Visit", when: datetime, number: int) -> bool:
    event = visit.make.make_event(timestamp=when, type="news", symbol="AAPL", data={"number": number})
    return visit.accepted("write_event", event, shown=f"write_event(event {number} at {when.isoformat()})")


def _timed_read(visit: "Visit", start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    found = visit.call("read_events", start, end)
    return [(times.as_time(field(event, "timestamp")), plain(field(event, "data"))["number"]) for event in found]


_TIMED = times.Timed(_timed_write, _timed_read, replaces=False)


def _reopened(visit: "Visit") -> "DataViolation | None":
    diary = _Diary(visit)
    for day in (6, 5, 7):
        diary.write(visit.at(2026, 1, day))
    visit.reopen()
    return diary.wrong("after reopening the store shows something else")
