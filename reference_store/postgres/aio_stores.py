"""Documents by key, and single documents, on PostgreSQL, for asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from reference_store.core.closing import AsyncClosing
from reference_store.core.document_changes import Change, Update
from reference_store.core.schemas import Schema
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.operations.migration import Migrated
from reference_store.postgres.aio_database import AsyncDatabase
from reference_store.postgres.document_programs import DocumentPrograms, as_it_is
from reference_store.postgres.stores import CLAIMS
from reference_store.stores.single import file_stem, or_empty


class OnAsyncDatabase(AsyncClosing):
    """Base of the stores: they share an AsyncDatabase, or have one of their own, which is closed with them."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *(claim for claim in CLAIMS if claim != "threads"))

    def __init__(self, database: AsyncDatabase | str) -> None:
        self._own = isinstance(database, str)
        self.database = AsyncDatabase(database) if isinstance(database, str) else database

    async def aclose(self) -> None:
        """Close the database if it was opened by this store; closing twice is fine."""
        if self._own:
            await self.database.aclose()


class AsyncPostgresDocumentStore(OnAsyncDatabase):
    """PostgresDocumentStore for asyncio; see there. Functions given to ``update`` run in the event loop."""

    def __init__(
        self, database: AsyncDatabase | str, *, place: str = "documents", schema: Schema | None = None
    ) -> None:
        self._programs = DocumentPrograms(place, schema)
        super().__init__(database)

    async def put(self, key: str, document: Document, *, expected: int | None = None) -> None:
        """Store ``document`` under ``key``; see DocumentStore.put."""
        await self._make(self._programs.putting("put", key, document, expected))

    async def update(self, key: str, function: Update) -> Document:
        """Store what ``function`` makes of the document, and return it; see PostgresDocumentStore.update."""
        made: Document = await self._make(self._programs.updating("update", key, function))
        return made

    async def get_versioned(self, key: str) -> tuple[Document | None, int]:
        """Return the document and its generation, ``(None, 0)`` if there is none."""
        found = await self.database.read("get_versioned", key, lambda: self._programs.read(key))
        return (None, 0) if found is None else (found.content, found.number)

    async def get(self, key: str) -> Document | None:
        """Return the document, or None if there is none; raises CorruptData and NewerRecord."""
        found = await self.database.read("get", key, lambda: self._programs.read(key))
        return None if found is None else found.content

    async def delete(self, key: str) -> bool:
        """Remove the document for good, and say whether there was one."""
        removed: bool = await self._make(self._programs.removal("delete", key))
        return removed

    async def keys(self) -> list[str]:
        """Return all keys, sorted by code point; damaged documents are among them."""
        return await self.database.read("keys", "keys", self._programs.keys)

    async def reseal(self, key: str) -> None:
        """Accept the row of ``key`` as it stands, after an edit by hand."""
        await self.database.write("reseal", key, lambda: self._programs.reseal(key))

    async def migrate(self) -> Migrated:
        """Bring all documents up to the current version of the schema; see DocumentStore.migrate."""
        migrated: list[str] = []
        current: list[str] = []
        failed: list[tuple[str, StoreError]] = []
        for key in await self.keys():
            try:
                (migrated if await self._migrate(key) else current).append(key)
            except StoreError as error:
                failed.append((key, error))
        return Migrated(tuple(migrated), tuple(current), tuple(failed))

    async def _migrate(self, key: str) -> bool:
        older = await self.database.read("migrate", key, lambda: self._programs.is_older(key))
        if older:
            await self._make(self._programs.updating("migrate", key, as_it_is))
        else:
            await self.get(key)
        return older

    async def _make(self, change: Change) -> Any:
        return await self.database.write(change.operation, change.key, lambda: self._programs.make(change))


class AsyncPostgresSingleDocumentStore(OnAsyncDatabase):
    """PostgresSingleDocumentStore for asyncio; see there."""

    def __init__(
        self, database: AsyncDatabase | str, name: str = "data", *, place: str = "singles", schema: Schema | None = None
    ) -> None:
        file_stem(name)
        self._name, self._programs = name, DocumentPrograms(place, schema)
        super().__init__(database)

    async def save(self, data: Document) -> None:
        """Store ``data`` in place of what was there."""
        await self._make(self._programs.putting("save", self._name, data))

    async def update(self, function: Callable[[Document], Document]) -> Document:
        """Store what ``function`` makes of the document, of ``{}`` if there is none."""
        made: Document = await self._make(self._programs.updating("update", self._name, or_empty(function)))
        return made

    async def load(self) -> Document:
        """Return what was saved last, ``{}`` if nothing was; raises CorruptData and NewerRecord."""
        found = await self.database.read("load", self._name, lambda: self._programs.read(self._name))
        return {} if found is None else found.content

    async def reseal(self) -> None:
        """Accept the row as it stands, after an edit by hand."""
        await self.database.write("reseal", self._name, lambda: self._programs.reseal(self._name))

    async def migrate(self) -> bool:
        """Bring the document up to the current version of the schema; says whether it was of an older one."""
        older = await self.database.read("migrate", self._name, lambda: self._programs.is_older(self._name))
        if older:
            await self._make(self._programs.updating("migrate", self._name, as_it_is))
        return older

    async def _make(self, change: Change) -> Any:
        return await self.database.write(change.operation, change.key, lambda: self._programs.make(change))
