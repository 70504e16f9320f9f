"""Logs on PostgreSQL, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

from reference_store.core import keys
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord
from reference_store.postgres.aio_database import AsyncDatabase
from reference_store.postgres.aio_stores import OnAsyncDatabase
from reference_store.postgres.journal import new_behind
from reference_store.postgres.log_programs import AT_ONCE, Admit, LogPrograms, Part, Timed, count, whole_part
from reference_store.stores.journal_lines import Entry


class AsyncPostgresJournalStore(OnAsyncDatabase):
    """PostgresJournalStore for asyncio; see there."""

    def __init__(self, database: AsyncDatabase | str, *, place: str = "journal", admit: Admit | None = None) -> None:
        self._programs = LogPrograms(place, admit)
        super().__init__(database)

    async def append(self, stream: str, record: dict[str, Any], timed: Timed | None = None) -> None:
        """Add ``record`` at the end of ``stream``; see PostgresJournalStore.append."""
        checked = [self._programs.checked(stream, record)]
        await self.database.write("append", stream, lambda: self._programs.append(stream, checked, timed))

    async def append_all(self, stream: str, records: Sequence[dict[str, Any]]) -> None:
        """Add records at the end of ``stream``: all of them are there, one behind the other, or none."""
        if checked := [self._programs.checked(stream, record) for record in records]:
            await self.database.write("append_all", stream, lambda: self._programs.append(stream, checked))

    async def read(self, stream: str, since: int = 0, limit: int | None = None) -> list[Document]:
        """Return the records of ``stream`` behind number ``since``, at most ``limit``; see JournalStore.read."""
        count("limit", 0 if limit is None else limit)
        return [entry.record async for entry in self._in_parts("read", stream, since, limit)]

    async def entries(self, stream: str, since: int = 0) -> AsyncIterator[Entry]:
        """Yield the records behind number ``since`` with their numbers, in order; see JournalStore.entries."""
        async for entry in self._in_parts("entries", stream, since, None):
            yield entry

    def follow(self, stream: str, since: int = 0, *, pause: float = 0.2) -> AsyncPostgresFollower:
        """Return what hands out records as they come; see JournalStore.follow."""
        keys.encode(stream)
        count("since", since)
        if not isinstance(pause, int | float) or not pause >= 0:
            raise InvalidRecord("pause", "is no number of seconds")
        return AsyncPostgresFollower(self, stream, since, pause)

    async def verify(self, stream: str) -> int:
        """Go through the whole log and return how many records it holds; raises as ``read``."""
        return len([None async for _ in self.entries(stream)])

    async def streams(self) -> list[str]:
        """Return all streams, sorted by code point."""
        return await self.database.read("streams", "streams", self._programs.streams)

    async def delete(self, stream: str) -> bool:
        """Remove a log for good, and say whether there was one."""
        keys.encode(stream)
        return bool(await self.database.write("delete", stream, lambda: self._programs.remove([stream])))

    async def prune(self, before: date | str) -> list[str]:
        """Remove the logs of days and months that were over, all together; see JournalStore.prune."""
        return await self.database.write("prune", "streams", lambda: self._programs.prune(before))

    async def part(self, operation: str, stream: str, since: int, limit: int) -> Part | None:
        """Return some records, and how many there are."""
        return await self.database.read(operation, stream, lambda: self._programs.part(stream, since, limit))

    async def _in_parts(self, operation: str, stream: str, since: int, limit: int | None) -> AsyncIterator[Entry]:
        keys.encode(stream)
        count("since", since)
        have = 0
        while size := whole_part(limit, have):
            part = await self.part(operation, stream, since + have, size)
            if part is None:
                return
            for entry in part.entries:
                yield entry
            have += len(part.entries)
            if len(part.entries) < size or since + have >= part.last:
                return


class AsyncPostgresFollower:
    """PostgresFollower for asyncio; see Follower."""

    def __init__(self, journal: AsyncPostgresJournalStore, stream: str, since: int, pause: float) -> None:
        self.stream, self.position, self.pause = stream, since, pause
        self._journal = journal
        self._closed = False

    async def read(self, limit: int = AT_ONCE) -> list[Entry]:
        """Return what is there by now, at most ``limit`` records, and ``[]`` at the end; it waits for nothing."""
        found = await self._look(limit)
        if found:
            self.position = found[-1].number
        return found

    async def __aiter__(self) -> AsyncIterator[Entry]:
        """Yield one record after the other, and at the end look again every ``pause`` seconds, until ``close``."""
        while not self._closed:
            found = await self._look(AT_ONCE)
            for entry in found:
                self.position = entry.number
                yield entry
            if not found:
                await asyncio.sleep(self.pause)

    def close(self) -> None:
        """End the iteration."""
        self._closed = True

    async def _look(self, limit: int) -> list[Entry]:
        part = await self._journal.part("follow", self.stream, self.position, limit)
        return new_behind(self.stream, self.position, part)
