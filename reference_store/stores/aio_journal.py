"""JournalStore for asyncio: the same methods as coroutines; appends of tasks that meet are written together."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from reference_store.core.aio_commit import LoopCommits
from reference_store.core.by_key import ByKey
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import StoreError
from reference_store.stores.aio import _claims, reading
from reference_store.stores.journal import JournalStore


class Appends:
    """Appends to the streams of a journal by tasks; those to one stream that meet are written together."""

    def __init__(self, journal: JournalStore) -> None:
        self._journal = journal
        self._commits: ByKey[LoopCommits[Encoded]] = ByKey(lambda stream: LoopCommits(journal.group(stream)))

    async def append(self, stream: str, record: dict[str, Any]) -> None:
        """Add ``record`` at the end of ``stream``, durable on return."""
        checked = self._journal.checked(stream, record)
        await self._commits[stream].commit(checked)


class AsyncJournalStore(Reopened):
    """JournalStore for asyncio; see there."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = _claims(JournalStore.tradestore_claims)

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._store = JournalStore(root, lock_timeout=lock_timeout)
        self._appends = Appends(self._store)

    async def append(self, stream: str, record: dict[str, Any]) -> None:
        """Add ``record`` at the end of ``stream``, durable on return; see JournalStore.append."""
        await self._appends.append(stream, record)

    async def read(self, stream: str) -> list[Document]:
        """Return all records of ``stream`` in order; see JournalStore.read."""
        return await reading(self._store.read, stream)

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._store.close()
