"""File stores that keep what they acknowledge: through crashes, power loss, races, damage and hostile names.

Each store comes for threads and for asyncio, opens on a directory and needs nothing else:

    store = DocumentStore("data")
    store.put("BTC/USDT", {"amount": 0.01})

``DocumentStore`` keeps JSON documents by key, ``SingleDocumentStore`` one JSON document, ``JournalStore`` append-only
logs. What can go wrong is a subclass of ``StoreError``.
"""

from typing import TYPE_CHECKING, Any

from reference_store.document_files import Recovery
from reference_store.documents import DocumentStore
from reference_store.errors import (
    CorruptData,
    InvalidIdentifier,
    LockTimeout,
    StorageFailure,
    StoreClosed,
    StoreError,
    TradingError,
    UnserialisableValue,
)
from reference_store.journal import JournalStore
from reference_store.single import SingleDocumentStore

if TYPE_CHECKING:
    from reference_store.aio import AsyncDocumentStore, AsyncJournalStore, AsyncSingleDocumentStore

__all__ = [
    "AsyncDocumentStore",
    "AsyncJournalStore",
    "AsyncSingleDocumentStore",
    "CorruptData",
    "DocumentStore",
    "InvalidIdentifier",
    "JournalStore",
    "LockTimeout",
    "Recovery",
    "SingleDocumentStore",
    "StorageFailure",
    "StoreClosed",
    "StoreError",
    "TradingError",
    "UnserialisableValue",
]


def __getattr__(name: str) -> Any:
    """Import the asyncio faces when they are first asked for: programs without a loop do not pay for one."""
    if name in {"AsyncDocumentStore", "AsyncJournalStore", "AsyncSingleDocumentStore"}:
        from reference_store import aio

        return getattr(aio, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
