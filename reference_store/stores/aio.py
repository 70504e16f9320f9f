"""The stores for asyncio: the same methods as coroutines, one hop to a thread for each whole operation.

An operation runs to its end once it has begun, and a cancelled caller learns of its cancellation only then: so a
cancelled update has happened whole or not at all, holds no lock, and cannot land later on top of a newer one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, ParamSpec, TypeVar

from reference_store.core.aio_commit import LoopCommits
from reference_store.core.closing import AsyncClosing
from reference_store.core.document_changes import Change, Update
from reference_store.core.document_files import DocumentFiles, Recovery
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.schemas import Schema
from reference_store.core.strict_json import Document
from reference_store.core.threads import CALLS, READS
from reference_store.errors import StoreError
from reference_store.operations.migration import Migrated
from reference_store.stores.documents import DocumentStore
from reference_store.stores.single import SingleDocumentStore, or_empty

P = ParamSpec("P")
R = TypeVar("R")


async def _whole(operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``operation``, which may wait for a lock, in one thread, from its beginning to its end."""
    return await CALLS.whole(partial(operation, *args, **kwargs))


async def reading(operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``operation``, which waits for nobody, in one thread, from its beginning to its end."""
    return await READS.whole(partial(operation, *args, **kwargs))


def document_commits(files: DocumentFiles) -> LoopCommits[Change]:
    """Changes of documents by tasks that meet."""
    elsewhere = getattr(files, "of_tasks", None)
    return LoopCommits(files.group) if elsewhere is None else elsewhere()


def _claims(claims: tuple[str, ...]) -> tuple[str, ...]:
    return ("tasks", *claims)


class AsyncDocumentStore(AsyncClosing, Reopened):
    """DocumentStore for asyncio; see there. Opening one works on the disk for a moment: do it once, at the start."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = _claims(DocumentStore.tradestore_claims)

    def __init__(
        self,
        root: str | Path,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        schema: Schema | None = None,
        sensitive: bool = False,
    ) -> None:
        self._store = DocumentStore(root, lock_timeout=lock_timeout, schema=schema, sensitive=sensitive)
        self._commits = document_commits(self._store._files)

    async def put(self, key: str, document: Document, *, expected: int | None = None) -> None:
        """Store ``document`` under ``key``, durable on return; see DocumentStore.put."""
        await self._commits.commit(self._store._files.change("put", key, document, expected))

    async def update(self, key: str, function: Update) -> Document:
        """Store what ``function``, called in a thread, makes of the document; see DocumentStore.update."""
        made: Document = await self._commits.commit(self._store._files.updating("update", key, function))
        return made

    async def get_versioned(self, key: str) -> tuple[Document | None, int]:
        """Return the document and its generation; see DocumentStore.get_versioned."""
        return await reading(self._store.get_versioned, key)

    async def get(self, key: str) -> Document | None:
        """Return the document, or None if there is none; see DocumentStore.get."""
        return await reading(self._store.get, key)

    async def delete(self, key: str) -> bool:
        """Remove the document for good and say whether there was one; see DocumentStore.delete."""
        change = self._store._files.removal("delete", key)
        removed: bool = await self._commits.commit(change)
        return removed

    async def keys(self) -> list[str]:
        """Return all keys, sorted; see DocumentStore.keys."""
        return await _whole(self._store.keys)

    async def reseal(self, key: str) -> None:
        """Accept the file of ``key`` after an edit by hand; see DocumentStore.reseal."""
        await _whole(self._store.reseal, key)

    async def migrate(self) -> Migrated:
        """Bring all documents up to the current version of the schema; see DocumentStore.migrate."""
        return await _whole(self._store.migrate)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 reads of this instance that were answered from a backup."""
        return self._store.recoveries

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._store.close()


class AsyncSingleDocumentStore(AsyncClosing, Reopened):
    """SingleDocumentStore for asyncio; see there."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = _claims(SingleDocumentStore.tradestore_claims)

    def __init__(
        self,
        root: str | Path,
        name: str = "data",
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        schema: Schema | None = None,
        sensitive: bool = False,
    ) -> None:
        self._store = SingleDocumentStore(root, name, lock_timeout=lock_timeout, schema=schema, sensitive=sensitive)
        self._commits = document_commits(self._store._files)

    async def save(self, data: Document) -> None:
        """Store ``data`` in place of what was there, durable on return; see SingleDocumentStore.save."""
        await self._commits.commit(self._store._files.change("save", self._store._name, data))

    async def update(self, function: Callable[[Document], Document]) -> Document:
        """Store what ``function``, called in a thread, makes of the document; see SingleDocumentStore.update."""
        change = self._store._files.updating("update", self._store._name, or_empty(function))
        made: Document = await self._commits.commit(change)
        return made

    async def load(self) -> Document:
        """Return what was saved last, ``{}`` if nothing was; see SingleDocumentStore.load."""
        return await reading(self._store.load)

    async def reseal(self) -> None:
        """Accept the file after an edit by hand; see SingleDocumentStore.reseal."""
        await _whole(self._store.reseal)

    async def migrate(self) -> bool:
        """Bring the document up to the current version of the schema; see SingleDocumentStore.migrate."""
        return await _whole(self._store.migrate)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 loads of this instance that were answered from the backup."""
        return self._store.recoveries

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._store.close()
