"""Documents by key in a bucket, for asyncio: one hop to a thread for each whole operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from reference_store.bucket.documents import BucketDocumentStore
from reference_store.core.closing import AsyncClosing
from reference_store.core.document_changes import Update
from reference_store.core.schemas import ANY, Schema
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.stores.aio import _whole as whole


class AsyncBucketDocumentStore(AsyncClosing):
    """BucketDocumentStore for asyncio; see there. A cancelled call has happened whole or not at all."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("process-crash", "power-loss", "tasks", "processes", "checksums")

    def __init__(
        self,
        url: str,
        *,
        storage_options: Mapping[str, Any] | None = None,
        retry_for: float = 30.0,
        schema: Schema | None = None,
        probe: bool = True,
    ) -> None:
        self._store = BucketDocumentStore(
            url, storage_options=storage_options, retry_for=retry_for, schema=schema, probe=probe
        )
        self._schema = ANY if schema is None else schema

    async def put(self, key: str, document: Document, *, expected: int | None = None) -> None:
        """Store ``document`` under ``key``; see DocumentStore.put."""
        ours = self._schema.encoded(key, document).content  # the caller may go on changing its own meanwhile
        await whole(self._store.put, key, ours, expected=expected)

    async def update(self, key: str, function: Update) -> Document:
        """Store what ``function``, called in a thread, makes of the document, and return it."""
        return await whole(self._store.update, key, function)

    async def get(self, key: str) -> Document | None:
        """Return the document, or None if there is none."""
        return await whole(self._store.get, key)

    async def get_versioned(self, key: str) -> tuple[Document | None, int]:
        """Return the document and its generation, ``(None, 0)`` if there is none."""
        return await whole(self._store.get_versioned, key)

    async def delete(self, key: str) -> bool:
        """Remove the document, and say whether there was one."""
        return await whole(self._store.delete, key)

    async def keys(self) -> list[str]:
        """Return all keys, sorted."""
        return await whole(self._store.keys)

    async def aclose(self) -> None:
        """Nothing is held open; calls after this raise StoreClosed."""
        self._store.close()
