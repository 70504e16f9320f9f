"""FileDataStore for asyncio: the same methods as coroutines, one hop to a thread for each whole operation."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from reference_store.core.closing import AsyncClosing
from reference_store.core.document_changes import Update
from reference_store.core.document_files import Recovery
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.models import FundamentalData
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio import document_commits, reading
from reference_store.stores.aio_trading_bars import AsyncTradingBars
from reference_store.stores.aio_trading_logs import AsyncTradingLogs
from reference_store.stores.data_store import FileDataStore
from reference_store.stores.record_file import Clock
from reference_store.stores.trading_logs import local_now


class AsyncFileDataStore(AsyncClosing, AsyncTradingBars, AsyncTradingLogs, Reopened):
    """FileDataStore for asyncio; see there for all promises, errors and arguments.

    A cancelled call has happened whole or not at all, and is over when the cancellation is raised. Opening a store
    works on the disk for a moment: do it once, at the start.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *FileDataStore.tradestore_claims)

    def __init__(
        self,
        base_path: str | Path,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = local_now,
        negative_prices: bool = False,
    ) -> None:
        self._store = FileDataStore(base_path, lock_timeout=lock_timeout, clock=clock, negative_prices=negative_prices)
        self.base_path = self._store.base_path
        self._open_bars(self._store)
        self._open_logs(self._store)
        self._states = document_commits(self._store._states)

    async def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Add a version, durable on return."""
        try:
            ours = deepcopy(data)  # the caller may go on changing its own meanwhile
        except Exception as error:
            let_out(error)
            ours = data  # nothing that can be kept, and the store says why not
        await whole(self._store.write_fundamental, symbol, ours)

    async def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> FundamentalData | None:
        """Return the latest version, not later than ``as_of``; None if there is none."""
        return await reading(self._store.read_fundamental, symbol, as_of)

    async def prune_fundamentals(self, symbol: str, before: datetime) -> int:
        """Remove the versions that were replaced before ``before``; see FileDataStore.prune_fundamentals."""
        return await whole(self._store.prune_fundamentals, symbol, before)

    async def save_strategy_state(self, strategy_name: str, state: Document) -> None:
        """Replace the state of a strategy, durable on return."""
        change = self._store._states.change("save_strategy_state", strategy_name, state)
        await self._states.commit(change)

    async def update_strategy_state(self, strategy_name: str, function: Update) -> Document:
        """Replace the state by what ``function``, called in a thread, makes of it."""
        change = self._store._states.updating("update_strategy_state", strategy_name, function)
        made: Document = await self._states.commit(change)
        return made

    async def strategies(self) -> list[str]:
        """Return the names of the strategies that have a state, sorted."""
        return await reading(self._store.strategies)

    async def delete_state(self, strategy_name: str) -> bool:
        """Remove the state of a strategy, durable on return, and say whether there was one."""
        change = self._store._states.removal("delete_state", strategy_name)
        removed: bool = await self._states.commit(change)
        return removed

    async def load_strategy_state(self, strategy_name: str) -> Document | None:
        """Return the state saved last, None if there is none."""
        return await reading(self._store.load_strategy_state, strategy_name)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The reads that this instance answered from backups; see FileDataStore.recoveries."""
        return self._store.recoveries

    async def aclose(self) -> None:
        """Let go of all directories; closing twice is fine."""
        self._store.close()
