"""Events in append-only logs, one for each month; an index by time says which parts of them a range can be in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from pydantic import ValidationError

from reference_store.core.records import all_of
from reference_store.core.root import Place
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord
from reference_store.models import Event
from reference_store.stores import time_index
from reference_store.stores.event_times import UTC_MONTH, bounds, instant, is_aware, members, month, time_in
from reference_store.stores.journal import JournalStore
from reference_store.stores.journal_files import SUFFIX, Look
from reference_store.stores.journal_lines import Entry, Walk
from reference_store.stores.time_index import ALWAYS, BLOCK, TimeIndex

KEEP_FROM = 4096
"""Records by which an index in memory is ahead of its file before it is written again."""

_REMEMBERED = 64
_CHUNK = 256 << 10
_FIELDS = tuple(Event.model_fields)


class EventLog:
    """Events of all kinds; their timestamps all have time zones or all have none. ``lock_timeout`` is in seconds."""

    def __init__(self, root: Place, lock_timeout: float) -> None:
        self.journal = JournalStore(root, lock_timeout=lock_timeout, admit=refuse_mixture)
        self._indexes: dict[str, TimeIndex] = {}
        self._kept: dict[str, int] = {}

    def write(self, event: Event) -> None:
        """Add the event, durably; raises as JournalStore.append does, and InvalidRecord for the other sort of time."""
        self.journal.append(*members(event))

    def read(self, start: object, end: object, types: object) -> list[Event]:
        """Return events by timestamp, those at the same time in the order of their writes; bounds are included."""
        first, last, aware = bounds(start, end)
        wanted = types_of(types)
        streams = self.journal.streams()
        months = [name for name in streams if name.endswith(UTC_MONTH) is aware]
        if streams and not months:
            raise InvalidRecord("start", "has a time zone while the timestamps of events have none, or the reverse")
        earliest, latest = month(first, aware=aware), month(last, aware=aware)
        found: list[tuple[int, Event]] = []
        for name in months:
            if earliest <= name <= latest:
                for entry in self._between(name, first, last):
                    if wanted is None or entry.record.get("type") in wanted:
                        timed = event_of(entry, name, first, last, aware=aware)
                        found += () if timed is None else (timed,)
        found.sort(key=lambda timed: timed[0])
        return [event for _time, event in found]

    def close(self) -> None:
        """Let go of the directory."""
        self.journal.close()

    def _between(self, name: str, first: int, last: int) -> Iterator[Entry]:
        """Yield, in their order, records of a month among which are all from ``first`` to ``last``."""
        with self.journal.looking("read_events", name) as look:
            if look is None:
                return
            index = self._index(name, look)
            for part in index.parts(first, last):
                walk = Walk(look.log, name, look.file, part.sequence, part.offset, min(part.size, _CHUNK))
                for entry in walk:
                    yield entry
                    if walk.sequence >= part.number:
                        break
                if walk.sequence != part.number:
                    raise CorruptData(name, look.file, "it ends before a record that was there", walk.sequence + 1)
            yield from self._behind(name, look, index)

    def _index(self, name: str, look: Look) -> TimeIndex:
        index = self._indexes.get(name)
        if index is not None and index.is_about(look.log, look.inode):
            return index
        index = time_index.load(look.directory, name, look.file, look.log, look.inode)
        if index is None:
            self._kept[name] = 0
            return TimeIndex(look.inode)
        self._kept[name] = index.sequence
        self._remember(name, index)
        return index

    def _behind(self, name: str, look: Look, index: TimeIndex) -> Iterator[Entry]:
        """Yield the records that are not indexed yet, and index them."""
        more: TimeIndex | None = None
        walk = Walk(look.log, name, look.file, index.sequence, index.length)
        times: list[int] = []
        for entry in walk:
            moment = time_in(entry.record)
            times += ALWAYS if moment is None else (instant(moment),)
            if walk.sequence - (more or index).sequence >= BLOCK and walk.terminated:
                more = more or index.copy()
                more.add(min(times), max(times), walk.sequence, walk.length)
                times = []
            yield entry
        if more is not None:
            more.sign_with(look.log)
            self._publish(name, look, more)

    def _publish(self, name: str, look: Look, index: TimeIndex) -> None:
        self._remember(name, index)
        if index.sequence - self._kept.get(name, 0) >= KEEP_FROM:
            index.save(look.directory, name, look.file)
            self._kept[name] = index.sequence

    def _remember(self, name: str, index: TimeIndex) -> None:
        self._indexes[name] = index
        if len(self._indexes) > _REMEMBERED:
            with suppress(RuntimeError, StopIteration):  # another thread was faster
                self._indexes.pop(next(iter(self._indexes)), None)


def event_of(entry: Entry, name: str, first: int, last: int, *, aware: bool) -> tuple[int, Event] | None:
    """Return the event and its instant, None if that is not from ``first`` to ``last``.

    Fields that a newer version has added are left out.
    """
    moment = time_in(entry.record)
    if moment is None or is_aware(moment) is not aware:
        raise CorruptData(name, name + SUFFIX, "it holds no time of its month", entry.number)
    time = instant(moment)
    if not first <= time <= last:
        return None
    record = entry.record
    known: Document = {field: record[field] for field in _FIELDS if field in record}
    known["timestamp"] = moment
    try:
        return time, Event.model_validate(known)
    except ValidationError as error:
        let_out(error)
        field = ".".join(map(str, error.errors()[0]["loc"]))
        reason = f"it holds no Event (field {field})"
        raise CorruptData(name, name + SUFFIX, reason, entry.number) from None


def types_of(types: object) -> frozenset[str] | None:
    """The types that are asked for, None for all; a text is one type."""
    if types is None:
        return None
    if isinstance(types, str):
        return frozenset((types,))
    if not isinstance(types, Iterable):
        raise InvalidRecord("types", f"is of type {type(types).__name__}, not a list of texts")
    wanted = all_of("types", types)
    if not all(isinstance(one, str) for one in wanted):
        raise InvalidRecord("types", "holds something else than texts")
    return frozenset(wanted)


def refuse_mixture(name: str, others: list[str]) -> None:
    aware = name.endswith(UTC_MONTH)
    if any(other.endswith(UTC_MONTH) is not aware for other in others):
        raise InvalidRecord("timestamp", "has a time zone while those of other events have none, or the reverse")
