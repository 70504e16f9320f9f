"""File stores that keep what they acknowledge: through crashes, power loss, races, damage and hostile names.

Each store comes for threads and for asyncio, opens on a directory and needs nothing else:

    store = DocumentStore("data")
    store.put("BTC/USDT", {"amount": 0.01})

``DocumentStore`` keeps JSON documents by key, ``SingleDocumentStore`` one JSON document, ``JournalStore`` append-only
logs. ``FileDataStore`` keeps what a trading program knows and does: bars, fundamentals, events, strategy state and an
audit log; ``JobStore`` (for threads ``SyncJobStore``) and ``RunStore`` the history of its jobs and runs. Their records
are in ``reference_store.models``. What can go wrong is a subclass of ``StoreError``.

``core`` is what every store stands on, ``stores`` has one domain a module, ``operations`` what is done to a store from
outside its daily work.
"""

import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from reference_store.core import atomic, keys
from reference_store.core.document_files import Recovery
from reference_store.core.late_imports import late
from reference_store.core.schemas import Migrations, Schema, Step
from reference_store.errors import (
    CalledInside,
    CorruptData,
    DamagedBackup,
    InvalidIdentifier,
    InvalidRecord,
    JournalFull,
    LockTimeout,
    MigrationError,
    NewerRecord,
    NoSuchGeneration,
    PositionLost,
    RecoveryFailed,
    RestoreUnfinished,
    StorageFailure,
    StoreClosed,
    StoreError,
    TradingError,
    UnserialisableValue,
    VersionConflict,
)
from reference_store.operations.log_retention import Evidence
from reference_store.operations.log_salvage import Lost, SalvageReport
from reference_store.operations.migration import Migrated
from reference_store.stores import journal
from reference_store.stores.documents import DocumentStore
from reference_store.stores.journal import JournalStore
from reference_store.stores.journal_lines import Entry
from reference_store.stores.single import SingleDocumentStore

if TYPE_CHECKING:
    from reference_store.stores.aio import AsyncDocumentStore, AsyncSingleDocumentStore
    from reference_store.stores.aio_data_store import AsyncFileDataStore
    from reference_store.stores.aio_journal import AsyncJournalStore
    from reference_store.stores.aio_run_store import AsyncRunStore
    from reference_store.stores.bars.salvage import SalvagedMonth
    from reference_store.stores.bot.cache import AsyncCacheStore, CacheStore
    from reference_store.stores.bot.dashboard import AsyncDashboardStore, DashboardStore
    from reference_store.stores.bot.historical import AsyncHistoricalStore, HistoricalStore
    from reference_store.stores.bot.logs import ComponentLog
    from reference_store.stores.bot.paper_trading import AsyncPaperTradingStore, PaperTradingStore
    from reference_store.stores.bot.performance import AsyncPerformanceStore, PerformanceStore
    from reference_store.stores.bot.portfolio import AsyncPortfolioStore, PortfolioStore
    from reference_store.stores.bot.reports import AsyncBacktestStore, AsyncReportStore, BacktestStore, ReportStore
    from reference_store.stores.bot.stock_state import AsyncStockStateStore, StockStateStore
    from reference_store.stores.bot.strategies import AsyncStrategyStore, StrategyStore
    from reference_store.stores.bot.strategy_log import AsyncStrategyLogStore, StrategyLogStore
    from reference_store.stores.bot.tasks import AsyncTaskStore, TaskStore
    from reference_store.stores.data_store import DataStore, FileDataStore
    from reference_store.stores.job_store import JobStore, SyncJobStore
    from reference_store.stores.run_store import RunStore

__all__ = [
    "AsyncBacktestStore",
    "AsyncCacheStore",
    "AsyncDashboardStore",
    "AsyncDocumentStore",
    "AsyncFileDataStore",
    "AsyncHistoricalStore",
    "AsyncJournalStore",
    "AsyncPaperTradingStore",
    "AsyncPerformanceStore",
    "AsyncPortfolioStore",
    "AsyncReportStore",
    "AsyncRunStore",
    "AsyncSingleDocumentStore",
    "AsyncStockStateStore",
    "AsyncStrategyLogStore",
    "AsyncStrategyStore",
    "AsyncTaskStore",
    "BacktestStore",
    "CacheStore",
    "CalledInside",
    "ComponentLog",
    "CorruptData",
    "DamagedBackup",
    "DashboardStore",
    "DataStore",
    "DocumentStore",
    "Entry",
    "Evidence",
    "FileDataStore",
    "HistoricalStore",
    "InvalidIdentifier",
    "InvalidRecord",
    "JobStore",
    "JournalFull",
    "JournalStore",
    "LockTimeout",
    "Lost",
    "Migrated",
    "MigrationError",
    "Migrations",
    "NewerRecord",
    "NoSuchGeneration",
    "PaperTradingStore",
    "PerformanceStore",
    "PortfolioStore",
    "PositionLost",
    "Recovery",
    "RecoveryFailed",
    "ReportStore",
    "RestoreUnfinished",
    "RunStore",
    "SalvageReport",
    "SalvagedMonth",
    "Schema",
    "SingleDocumentStore",
    "Step",
    "StockStateStore",
    "StorageFailure",
    "StoreClosed",
    "StoreError",
    "StrategyLogStore",
    "StrategyStore",
    "SyncJobStore",
    "TaskStore",
    "TradingError",
    "UnserialisableValue",
    "VersionConflict",
]


# The names that these modules had in 0.1.0.
for _name, _module in (("atomic", atomic), ("journal", journal), ("keys", keys)):
    sys.modules[f"{__name__}.{_name}"] = _module

_LATER = {
    "AsyncDocumentStore": "stores.aio",
    "AsyncJournalStore": "stores.aio_journal",
    "AsyncSingleDocumentStore": "stores.aio",
    "HistoricalStore": "stores.bot.historical",
    "AsyncHistoricalStore": "stores.bot.historical",
    "DashboardStore": "stores.bot.dashboard",
    "AsyncDashboardStore": "stores.bot.dashboard",
    "ReportStore": "stores.bot.reports",
    "AsyncReportStore": "stores.bot.reports",
    "BacktestStore": "stores.bot.reports",
    "AsyncBacktestStore": "stores.bot.reports",
    "ComponentLog": "stores.bot.logs",
    "CacheStore": "stores.bot.cache",
    "AsyncCacheStore": "stores.bot.cache",
    "AsyncFileDataStore": "stores.aio_data_store",
    "AsyncPortfolioStore": "stores.bot.portfolio",
    "DataStore": "stores.data_store",
    "PortfolioStore": "stores.bot.portfolio",
    "PerformanceStore": "stores.bot.performance",
    "AsyncPerformanceStore": "stores.bot.performance",
    "PaperTradingStore": "stores.bot.paper_trading",
    "AsyncPaperTradingStore": "stores.bot.paper_trading",
    "StrategyStore": "stores.bot.strategies",
    "AsyncStrategyStore": "stores.bot.strategies",
    "TaskStore": "stores.bot.tasks",
    "AsyncTaskStore": "stores.bot.tasks",
    "StockStateStore": "stores.bot.stock_state",
    "AsyncStockStateStore": "stores.bot.stock_state",
    "StrategyLogStore": "stores.bot.strategy_log",
    "AsyncStrategyLogStore": "stores.bot.strategy_log",
    "FileDataStore": "stores.data_store",
    "AsyncRunStore": "stores.aio_run_store",
    "SalvagedMonth": "stores.bars.salvage",
    "JobStore": "stores.job_store",
    "SyncJobStore": "stores.job_store",
    "RunStore": "stores.run_store",
}


def __getattr__(name: str) -> Any:
    """Import what needs asyncio, pydantic or pyarrow when it is first asked for: other programs do not pay for it."""
    if name in _LATER:
        return getattr(late(partial(import_module, f"reference_store.{_LATER[name]}")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
