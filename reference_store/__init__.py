"""File stores that keep what they acknowledge: through crashes, power loss, races, damage and hostile names.

Each store comes for threads and for asyncio, opens on a directory and needs nothing else:

    store = DocumentStore("data")
    store.put("BTC/USDT", {"amount": 0.01})

``DocumentStore`` keeps JSON documents by key, ``SingleDocumentStore`` one JSON document, ``JournalStore`` append-only
logs. ``FileDataStore`` keeps what a trading program knows and does: bars, fundamentals, events, strategy state and an
audit log; ``JobStore`` (asyncio) and ``RunStore`` the history of its jobs and runs. Their records are in
``reference_store.models``. What can go wrong is a subclass of ``StoreError``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reference_store.document_files import Recovery
from reference_store.documents import DocumentStore
from reference_store.errors import (
    CorruptData,
    InvalidIdentifier,
    InvalidRecord,
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
    from reference_store.aio_data_store import AsyncFileDataStore
    from reference_store.data_store import DataStore, FileDataStore
    from reference_store.job_store import JobStore
    from reference_store.run_store import RunStore

__all__ = [
    "AsyncDocumentStore",
    "AsyncFileDataStore",
    "AsyncJournalStore",
    "AsyncSingleDocumentStore",
    "CorruptData",
    "DataStore",
    "DocumentStore",
    "FileDataStore",
    "InvalidIdentifier",
    "InvalidRecord",
    "JobStore",
    "JournalStore",
    "LockTimeout",
    "Recovery",
    "RunStore",
    "SingleDocumentStore",
    "StorageFailure",
    "StoreClosed",
    "StoreError",
    "TradingError",
    "UnserialisableValue",
]


_LATER = {
    "AsyncDocumentStore": "aio",
    "AsyncJournalStore": "aio",
    "AsyncSingleDocumentStore": "aio",
    "AsyncFileDataStore": "aio_data_store",
    "DataStore": "data_store",
    "FileDataStore": "data_store",
    "JobStore": "job_store",
    "RunStore": "run_store",
}


def __getattr__(name: str) -> Any:
    """Import what needs asyncio, pydantic or pyarrow when it is first asked for: other programs do not pay for it."""
    if name in _LATER:
        return getattr(import_module(f"reference_store.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
