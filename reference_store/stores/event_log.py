"""Events in append-only logs, one for each month, so that a range reads only the months that it touches."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from reference_store.core.records import from_json, to_json
from reference_store.core.root import Place
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord
from reference_store.models import Event
from reference_store.stores.journal import SUFFIX, JournalStore

_UTC = "Z"
"""Ends the names of logs whose events have time zones: their months are those of UTC."""


class EventLog:
    """Events of all kinds; their timestamps all have time zones or all have none. ``lock_timeout`` is in seconds."""

    def __init__(self, root: Place, lock_timeout: float) -> None:
        self.journal = JournalStore(root, lock_timeout=lock_timeout, admit=_refuse_mixture)

    def write(self, event: Event) -> None:
        """Add the event, durably; raises as JournalStore.append does, and InvalidRecord for the other sort of time."""
        self.journal.append(*record(event))

    def read(self, start: datetime, end: datetime, types: Collection[str] | None) -> list[Event]:
        """Return events by timestamp, those at the same time in the order of their writes; bounds are included."""
        if (start.tzinfo is None) is not (end.tzinfo is None):
            raise InvalidRecord("end", "has a time zone while start has none, or the reverse")
        first, last = _month(start), _month(end)
        streams = self.journal.streams()
        months = [month for month in streams if month.endswith(_UTC) is first.endswith(_UTC)]
        if streams and not months:
            raise InvalidRecord("start", "has a time zone while the timestamps of events have none, or the reverse")
        found = [
            event
            for month in months
            if first <= month <= last
            for record in self.journal.read(month)
            if types is None or record.get("type") in types
            for event in (from_json(Event, record, month, month + SUFFIX),)
            if start <= event.timestamp <= end
        ]
        found.sort(key=lambda event: event.timestamp)
        return found

    def close(self) -> None:
        """Let go of the directory."""
        self.journal.close()


def record(event: Event) -> tuple[str, Document]:
    """The month in whose log the event goes, and how it stands there."""
    return _month(event.timestamp), to_json(event)


def _refuse_mixture(month: str, others: list[str]) -> None:
    aware = month.endswith(_UTC)
    if any(name.endswith(_UTC) is not aware for name in others):
        raise InvalidRecord("timestamp", "has a time zone while those of other events have none, or the reverse")


def _month(moment: datetime) -> str:
    if moment.tzinfo is None:
        return f"{moment.year:04d}-{moment.month:02d}"
    there = moment.astimezone(UTC)
    return f"{there.year:04d}-{there.month:02d}{_UTC}"
