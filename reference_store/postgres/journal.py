"""Logs on PostgreSQL, for threads."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import date
from typing import Any

from reference_store.core import keys
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord, PositionLost
from reference_store.postgres.database import Database
from reference_store.postgres.log_programs import Admit, LogPrograms, Part, Timed, count, whole_part
from reference_store.postgres.stores import OnDatabase
from reference_store.stores.journal_following import Following
from reference_store.stores.journal_lines import Entry


class PostgresJournalStore(OnDatabase):
    """JournalStore on a database; see there for the methods, and PostgresDocumentStore for ``database`` and ``place``.

    Appends to one stream wait for each other; those to different streams do not. There is no evidence to keep of an
    append that was cut short, and so no ``salvage``: a record that is damaged raises CorruptData.
    """

    def __init__(self, database: Database | str, *, place: str = "journal", admit: Admit | None = None) -> None:
        self._programs = LogPrograms(place, admit)
        super().__init__(database)

    def append(self, stream: str, record: dict[str, Any], timed: Timed | None = None) -> None:
        """Add ``record`` at the end of ``stream``; see JournalStore.append. ``timed`` is how else it is found."""
        checked = [self._programs.checked(stream, record)]
        self.database.write("append", stream, lambda: self._programs.append(stream, checked, timed))

    def append_all(self, stream: str, records: Sequence[dict[str, Any]]) -> None:
        """Add records at the end of ``stream``: all of them are there, one behind the other, or none."""
        if checked := [self._programs.checked(stream, record) for record in records]:
            self.database.write("append_all", stream, lambda: self._programs.append(stream, checked))

    def read(self, stream: str, since: int = 0, limit: int | None = None) -> list[Document]:
        """Return the records of ``stream`` behind number ``since``, at most ``limit``; see JournalStore.read."""
        count("limit", 0 if limit is None else limit)
        return [entry.record for entry in self._entries("read", stream, since, limit)]

    def entries(self, stream: str, since: int = 0) -> Generator[Entry, None, None]:
        """Yield the records behind number ``since`` with their numbers, in order; see JournalStore.entries."""
        return self._entries("entries", stream, since, None)

    def follow(self, stream: str, since: int = 0, *, pause: float = 0.2) -> PostgresFollower:
        """Return what hands out records as they come; see JournalStore.follow."""
        keys.encode(stream)
        count("since", since)
        if not isinstance(pause, int | float) or not pause >= 0:
            raise InvalidRecord("pause", "is no number of seconds")
        return PostgresFollower(self, stream, since, pause)

    def verify(self, stream: str) -> int:
        """Go through the whole log and return how many records it holds; raises as ``read``."""
        return sum(1 for _entry in self.entries(stream))

    def streams(self) -> list[str]:
        """Return all streams, sorted by code point."""
        return self.database.read("streams", "streams", self._programs.streams)

    def delete(self, stream: str) -> bool:
        """Remove a log for good, and say whether there was one."""
        keys.encode(stream)
        return bool(self.database.write("delete", stream, lambda: self._programs.remove([stream])))

    def prune(self, before: date | str) -> list[str]:
        """Remove the logs of days and months that were over, all together; see JournalStore.prune."""
        return self.database.write("prune", "streams", lambda: self._programs.prune(before))

    def part(self, operation: str, stream: str, since: int, limit: int) -> Part | None:
        """Return some records, and how many there are."""
        return self.database.read(operation, stream, lambda: self._programs.part(stream, since, limit))

    def _entries(self, operation: str, stream: str, since: int, limit: int | None) -> Generator[Entry, None, None]:
        keys.encode(stream)
        count("since", since)
        return self._in_parts(operation, stream, since, limit)

    def _in_parts(self, operation: str, stream: str, since: int, limit: int | None) -> Generator[Entry, None, None]:
        have = 0
        while size := whole_part(limit, have):
            part = self.part(operation, stream, since + have, size)
            if part is None:
                return
            yield from part.entries
            have += len(part.entries)
            if len(part.entries) < size or since + have >= part.last:
                return


class PostgresFollower(Following):
    """Follower of a log on PostgreSQL; see Follower."""

    def __init__(self, journal: PostgresJournalStore, stream: str, since: int, pause: float) -> None:
        super().__init__(stream, since, pause)
        self._journal = journal

    def look(self, limit: int) -> list[Entry]:
        return new_behind(self.stream, self.position, self._journal.part("follow", self.stream, self.position, limit))


def new_behind(stream: str, position: int, part: Part | None) -> list[Entry]:
    """The records that are new; raises PositionLost for a log that ends before ``position``."""
    if part is None:
        return []
    if part.last < position:
        raise PositionLost(stream, position, part.last)
    return part.entries
