"""FileDataStore for asyncio: the same methods as coroutines, one hop to a thread for each whole operation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import ClassVar

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core.records import checked
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.models import Decision, Event, FundamentalData, Order, OrderResult, PriceBar
from reference_store.stores.aio import Appends, document_commits
from reference_store.stores.aio import _whole as whole
from reference_store.stores.data_store import FileDataStore, local_now
from reference_store.stores.event_log import record
from reference_store.stores.record_file import Clock


class AsyncFileDataStore:
    """FileDataStore for asyncio; see there for all promises, errors and arguments.

    A cancelled call has happened whole or not at all, and is over when the cancellation is raised. Opening a store
    works on the disk for a moment: do it once, at the start.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *FileDataStore.tradestore_claims)

    def __init__(self, base_path: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = local_now) -> None:
        self._store = FileDataStore(base_path, lock_timeout=lock_timeout, clock=clock)
        self.base_path = self._store.base_path
        self._events, self._decisions, self._orders = (
            Appends(journal) for journal in (self._store._events.journal, self._store._decisions, self._store._orders)
        )
        self._states = document_commits(self._store._states)

    async def write_bars(self, symbol: str, bars: Sequence[PriceBar]) -> None:
        """Add bars, all or none, durable on return; see FileDataStore.write_bars."""
        await whole(self._store.write_bars, symbol, bars)

    async def read_bars(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``, both included, by date; see FileDataStore.read_bars."""
        return await whole(self._store.read_bars, symbol, start, end)

    async def read_bars_table(self, symbol: str, start: datetime, end: datetime) -> pa.Table:
        """Return the same bars as a table; see FileDataStore.read_bars_table."""
        return await whole(self._store.read_bars_table, symbol, start, end)

    async def reseal_bars(self, symbol: str) -> None:
        """Accept the month files of ``symbol`` as they stand; see FileDataStore.reseal_bars."""
        await whole(self._store.reseal_bars, symbol)

    async def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Add a version, durable on return."""
        await whole(self._store.write_fundamental, symbol, data)

    async def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> FundamentalData | None:
        """Return the latest version, not later than ``as_of``; None if there is none."""
        return await whole(self._store.read_fundamental, symbol, as_of)

    async def write_event(self, event: Event) -> None:
        """Add an event, durable on return."""
        await self._events.append(*record(checked(Event, event)))

    async def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> list[Event]:
        """Return the events from ``start`` to ``end``, both included, by time."""
        return await whole(self._store.read_events, start, end, types)

    async def save_strategy_state(self, strategy_name: str, state: Document) -> None:
        """Replace the state of a strategy, durable on return."""
        change = self._store._states.change("save_strategy_state", strategy_name, state)
        await self._states[strategy_name].commit(change)

    async def load_strategy_state(self, strategy_name: str) -> Document | None:
        """Return the state saved last, None if there is none."""
        return await whole(self._store.load_strategy_state, strategy_name)

    async def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Add a line to today's decisions, durable on return."""
        await self._decisions.append(*self._store._decision_line(strategy_name, decision))

    async def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Add a line to today's orders, durable on return."""
        await self._orders.append(*self._store._order_line(strategy_name, order, result))

    async def read_decisions(self, day: date | str) -> list[Document]:
        """Return the decisions logged on a day, in order."""
        return await whole(self._store.read_decisions, day)

    async def read_orders(self, day: date | str) -> list[Document]:
        """Return the orders logged on a day, in order."""
        return await whole(self._store.read_orders, day)

    async def aclose(self) -> None:
        """Let go of all directories; closing twice is fine."""
        self._store.close()
