"""What is done to events, company data and audit lines, as programs on logs."""

from __future__ import annotations

from datetime import datetime

from reference_store.core import integrity, keys
from reference_store.core.records import checked, from_json, to_json
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, InvalidRecord
from reference_store.models import Event, FundamentalData
from reference_store.postgres.log_programs import NOT_THERE, LogPrograms, Timed
from reference_store.postgres.statements import Program, can_be_kept
from reference_store.stores.event_log import event_of, refuse_mixture, types_of
from reference_store.stores.event_times import UTC_MONTH, bounds, instant, members, time_in

_WITH_ZONE, _WITHOUT = "zone", "none"


class EventPrograms:
    """Events in logs of months, as in files, found by their time."""

    def __init__(self, place: str) -> None:
        self.logs = LogPrograms(place, refuse_mixture)

    def adding(self, event: Event) -> tuple[str, list[Encoded], Timed]:
        """What is appended, and where; raises InvalidRecord."""
        month, content = members(checked(Event, event))
        moment = time_in(content)
        assert moment is not None, "it was put there"
        return month, [self.logs.checked(month, content)], Timed(instant(moment), event.type)

    def read(self, start: object, end: object, types: object) -> Program[list[Event]]:
        """Return events by timestamp, those at the same time in the order of their writes; bounds are included."""
        first, last, aware = bounds(start, end)
        wanted = types_of(types)
        return self._read(first, last, wanted and frozenset(filter(can_be_kept, wanted)), aware=aware)

    def _read(self, first: int, last: int, types: frozenset[str] | None, *, aware: bool) -> Program[list[Event]]:
        rows = yield from self.logs.between(first, last, None if types is None else sorted(types))
        streams = [] if rows else (yield from self.logs.streams())
        months = {name for name, _ in rows} | set(streams)
        if months and not any(name.endswith(UTC_MONTH) is aware for name in months):
            raise InvalidRecord("start", "has a time zone while the timestamps of events have none, or the reverse")
        found = []
        for name, entry in rows:
            timed = event_of(entry, name, first, last, aware=aware)
            if timed is None:
                raise CorruptData(name, self.logs.place, "it holds no time of its place", entry.number)
            found.append(timed[1])
        return found


class FundamentalPrograms:
    """The versions of what is known about companies, a log for each symbol, found by their time."""

    def __init__(self, place: str) -> None:
        self.logs = LogPrograms(place)

    def adding(self, symbol: str, data: FundamentalData) -> tuple[Encoded, Timed]:
        """What is appended; raises InvalidRecord and InvalidIdentifier."""
        keys.encode(symbol)
        data = checked(FundamentalData, data)
        if data.symbol != symbol:
            raise InvalidRecord("symbol", "is not the one that the data is written for")
        return integrity.encode_record(to_json(data)), Timed(instant(data.timestamp), _kind(data.timestamp))

    def add(self, symbol: str, version: Encoded, timed: Timed) -> Program[None]:
        """Add a version; raises InvalidRecord for a time of the other kind."""
        # First, for it locks the symbol: nobody begins it with times of the other kind meanwhile.
        yield from self.logs.append(symbol, [version], timed)
        if (yield from self.logs.another_kind(symbol, timed.kind)):
            raise InvalidRecord("timestamp", "has a time zone while others of the symbol have none, or the reverse")

    def latest(self, symbol: str, as_of: datetime | None) -> Program[FundamentalData | None]:
        """Return the version with the latest timestamp, not after ``as_of``; of equal ones the one written last.

        Raises InvalidIdentifier.
        """
        keys.encode(symbol)
        found = yield from self.logs.latest(symbol, None if as_of is None else instant(as_of))
        if found is None:
            return None
        moment, entry, kind = found
        if as_of is not None and _kind(as_of) != kind:
            raise InvalidRecord("as_of", "has a time zone while the timestamps have none, or the reverse")
        return None if moment == NOT_THERE else from_json(FundamentalData, entry.record, symbol, self.logs.place)

    def versions(self, symbol: str) -> Program[list[Document]]:
        """Return all versions by their timestamps; raises InvalidIdentifier."""
        keys.encode(symbol)
        return (yield from self.logs.by_moment(symbol))

    def prune(self, symbol: str, before: datetime) -> Program[int]:
        """Remove the versions older than the one in force at ``before``, and say how many; raises InvalidIdentifier."""
        keys.encode(symbol)
        found = yield from self.logs.latest(symbol, instant(before))
        if found is None:
            return 0
        moment, _, kind = found
        if _kind(before) != kind:
            raise InvalidRecord("before", "has a time zone while the timestamps have none, or the reverse")
        return 0 if moment == NOT_THERE else (yield from self.logs.drop_before(symbol, moment))


def _kind(moment: datetime) -> str:
    return _WITHOUT if moment.tzinfo is None else _WITH_ZONE
