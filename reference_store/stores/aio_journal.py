"""JournalStore for asyncio: the same methods as coroutines; appends of tasks that meet are written together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime
from itertools import islice
from typing import Any, ClassVar

from reference_store.core.aio_commit import LoopCommits
from reference_store.core.by_key import ByKey
from reference_store.core.closing import AsyncClosing
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import StoreError
from reference_store.operations.log_retention import Evidence
from reference_store.operations.log_salvage import SalvageReport
from reference_store.stores.aio import _claims, _whole, reading
from reference_store.stores.journal import JournalStore
from reference_store.stores.journal_following import Follower
from reference_store.stores.journal_lines import Entry

_AT_ONCE = 1000


class Appends:
    """Appends to the streams of a journal by tasks; those to one stream that meet are written together."""

    def __init__(self, journal: JournalStore) -> None:
        self._journal = journal
        self._commits: ByKey[LoopCommits[Encoded]] = ByKey(lambda stream: LoopCommits(journal.group(stream)))

    async def append(self, stream: str, record: dict[str, Any]) -> None:
        """Add ``record`` at the end of ``stream``, durable on return."""
        checked = self._journal.checked(stream, record)
        await self._commits[stream].commit(checked)


class AsyncJournalStore(AsyncClosing, Reopened):
    """JournalStore for asyncio; see there."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = _claims(JournalStore.tradestore_claims)

    def __init__(self, root: Place, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._store = JournalStore(root, lock_timeout=lock_timeout)
        self._appends = Appends(self._store)

    async def append(self, stream: str, record: dict[str, Any]) -> None:
        """Add ``record`` at the end of ``stream``, durable on return; see JournalStore.append."""
        await self._appends.append(stream, record)

    async def read(self, stream: str, since: int = 0, limit: int | None = None) -> list[Document]:
        """Return the records of ``stream`` behind number ``since``, at most ``limit``; see JournalStore.read."""
        return await reading(self._store.read, stream, since, limit)

    async def entries(self, stream: str, since: int = 0) -> AsyncIterator[Entry]:
        """Yield the records behind number ``since`` with their numbers; see JournalStore.entries."""
        entries = self._store.entries(stream, since)
        try:
            while part := await reading(lambda: list(islice(entries, _AT_ONCE))):
                for entry in part:
                    yield entry
        finally:
            entries.close()

    def follow(self, stream: str, since: int = 0, *, pause: float = 0.2) -> AsyncFollower:
        """Return what hands out records as they come; see JournalStore.follow."""
        return AsyncFollower(self._store.follow(stream, since, pause=pause))

    async def verify(self, stream: str) -> int:
        """Go through the whole log and return how many records it holds; see JournalStore.verify."""
        return await reading(self._store.verify, stream)

    async def streams(self) -> list[str]:
        """Return all streams, sorted; see JournalStore.streams."""
        return await _whole(self._store.streams)

    async def salvage(self, stream: str) -> SalvageReport:
        """Make a damaged log readable again, and say what is lost; see JournalStore.salvage."""
        return await _whole(self._store.salvage, stream)

    async def delete(self, stream: str) -> bool:
        """Remove a log for good, and say whether there was one; see JournalStore.delete."""
        return await _whole(self._store.delete, stream)

    async def prune(self, before: date | str) -> list[str]:
        """Remove the logs of days and months that were over; see JournalStore.prune."""
        return await _whole(self._store.prune, before)

    async def evidence(self) -> list[Evidence]:
        """Return what was kept of damaged logs; see JournalStore.evidence."""
        return await reading(self._store.evidence)

    async def purge_evidence(self, before: datetime | None = None) -> list[str]:
        """Remove evidence; see JournalStore.purge_evidence."""
        return await _whole(self._store.purge_evidence, before)

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._store.close()


class AsyncFollower:
    """Follower for asyncio; see there."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._closed = False

    @property
    def position(self) -> int:
        """The number of the record that was handed out last."""
        return self._follower.position

    async def read(self, limit: int = _AT_ONCE) -> list[Entry]:
        """Return what is there by now, at most ``limit`` records; see Follower.read."""
        return await reading(self._follower.read, limit)

    async def __aiter__(self) -> AsyncIterator[Entry]:
        """Yield one record after the other, and at the end look again every ``pause`` seconds, until ``close``."""
        while not self._closed:
            found = await reading(self._follower.look, _AT_ONCE)
            for entry in found:
                self._follower.position = entry.number
                yield entry
            if not found:
                await asyncio.sleep(self._follower.pause)

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
