"""The contract of events, sentence by sentence. In which order they are read is not said, so it is not asked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.programs import OneOf, Step, StepKind, from_programs
from pytest_tradestore.conformance.visit import SAMPLED, Mismatch, Visit, check
from pytest_tradestore.crash.observation import canonical
from pytest_tradestore.records import plain

_FIRST, _LAST = (1970, 1, 1), (2099, 12, 31)


def checks() -> tuple[Check, ...]:
    """Return the checks of the contract."""
    return (
        check("DATA-EVENTS-EXACT", "events", _exact),
        check("DATA-EVENTS-RANGE", "events", _range),
        check("DATA-EVENTS-TYPES", "events", _types),
        check("DATA-EVENTS-EACH", "events", _each),
        check("DATA-EVENTS-MISSING", "events", _missing),
        check("DATA-REOPEN", "events", _reopened),
        check("DATA-MODEL", f"events-{SAMPLED}", from_programs(_play, GRAMMAR)),
    )


class _Diary:
    """Writes events and remembers what was written."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.written: list[tuple[datetime, str, Any]] = []

    def write(self, when: datetime, kind: str = "earnings", **data: Any) -> None:
        data = data or {"number": len(self.written)}
        event = self.visit.make.make_event(timestamp=when, type=kind, symbol="AAPL", data=data)
        self.written.append((when, kind, plain(event)))
        told = plain(when).removesuffix("T00:00:00")
        shown = f"write_event(event({told!r}, {kind!r}, {data if len(str(data)) < 40 else '…'}))"
        self.visit.must("write_event", event, shown=shown)

    def wrong(
        self,
        sentence: str,
        start: datetime | None = None,
        end: datetime | None = None,
        types: Sequence[str] | None = None,
    ) -> Mismatch | None:
        """Read, and return a mismatch unless it is what was written in that time and of these types."""
        first, last = start or self.visit.at(*_FIRST), end or self.visit.at(*_LAST)
        arguments = (first, last) if types is None else (first, last, list(types))
        found = self.visit.call("read_events", *arguments)
        wanted = [e for when, kind, e in self.written if first <= when <= last and (types is None or kind in types)]
        return self.visit.expect_records(sentence, _in_any_order(found), _in_any_order(wanted), "data")


def _in_any_order(events: Any) -> Any:
    return sorted((plain(e) for e in events), key=canonical) if isinstance(events, (list, tuple)) else events


def _exact(visit: Visit) -> Mismatch | None:
    diary = _Diary(visit)
    diary.write(visit.at(2026, 1, 5, 9, 30), "earnings", number=1, eps=0.1 + 0.2, beat=True, note=None)
    diary.write(visit.at(2026, 1, 5, 9, 30, 1), "split", ratio=[4, 1], text="Société Générale \U0001f680 \n\t\"'\\")
    diary.write(visit.at(2026, 1, 6), "News", nested={"a": [{"b": []}, {}], "id": 2**53 + 1}, zeros="005930")
    diary.write(visit.at(2026, 1, 6, 1) + timedelta(microseconds=1), "news", text="0123456789" * 2000)
    return diary.wrong("the events are not read as they were written")


def _range(visit: Visit) -> Mismatch | None:
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


def _types(visit: Visit) -> Mismatch | None:
    diary = _Diary(visit)
    for number, kind in enumerate(("earnings", "split", "dividend", "earnings", "earnings-call")):
        diary.write(visit.at(2026, 1, 5 + number % 2, 9, number), kind)
    for types in (("earnings",), ("split", "dividend"), ("merger",), ("merger", "earnings-call"), None):
        sentence = "the events read are not those of the types asked for" if types else "without types not all are read"
        if found := diary.wrong(sentence, types=types):
            return found
    return None


def _each(visit: Visit) -> Mismatch | None:
    diary, when = _Diary(visit), visit.at(2026, 1, 5, 9, 30)
    for number in range(3):
        diary.write(when, number=number)
    diary.write(when, "split", number=0)
    return diary.wrong("of several events at one time not each is read, once")


def _missing(visit: Visit) -> Mismatch | None:
    diary = _Diary(visit)
    sentence = "where nothing happened the events do not read as []"
    if found := diary.wrong(sentence):
        return found
    diary.write(visit.at(2026, 1, 5))
    return diary.wrong(sentence, visit.at(2026, 3, 1), visit.at(2026, 3, 2))


def _reopened(visit: Visit) -> Mismatch | None:
    diary = _Diary(visit)
    for day in (6, 5, 7):
        diary.write(visit.at(2026, 1, day))
    visit.reopen()
    return diary.wrong("after reopening the store shows something else")


# -- generated programs -------------------------------------------------------------------------------------------


def _play(visit: Visit, program: Sequence[Step]) -> Mismatch | None:
    diary, begin = _Diary(visit), visit.at(2026, 1, 30)
    sentence = "the events read are not those that were written"
    for step in program:
        match step:
            case ("write", day, kind):
                diary.write(begin + timedelta(days=day), kind)
            case ("read", first, last, types):
                days = sorted((first, last))
                start, end = (begin + timedelta(days=day) for day in days)
                if found := diary.wrong(sentence, start, end, types):
                    return found
            case _:
                visit.reopen()
    return diary.wrong(sentence)


_DAY = OneOf(range(5))
GRAMMAR = (
    StepKind("write", (_DAY, OneOf(("earnings", "split", "news"))), often=3),
    StepKind("read", (_DAY, _DAY, OneOf((None, ("earnings",), ("split",), ("earnings", "news")))), often=2),
    StepKind("reopen"),
)
