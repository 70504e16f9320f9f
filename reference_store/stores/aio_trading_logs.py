"""The logs of a FileDataStore for asyncio; lines that meet are written together."""

from __future__ import annotations

from datetime import date, datetime

from reference_store.core.records import checked
from reference_store.core.strict_json import Document
from reference_store.models import Decision, Event, Order, OrderResult
from reference_store.operations.log_salvage import SalvageReport
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio import reading
from reference_store.stores.aio_journal import Appends
from reference_store.stores.event_times import members
from reference_store.stores.trading_logs import TradingLogs


class AsyncTradingLogs:
    """TradingLogs for asyncio; see there."""

    def _open_logs(self, logs: TradingLogs) -> None:
        self._logs = logs
        self._events, self._decisions, self._orders = (
            Appends(journal) for journal in (logs._events.journal, logs._decisions, logs._orders)
        )

    async def write_event(self, event: Event) -> None:
        """Add an event, durable on return."""
        await self._events.append(*members(checked(Event, event)))

    async def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> list[Event]:
        """Return the events from ``start`` to ``end``, both included, by time."""
        return await reading(self._logs.read_events, start, end, types)

    async def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Add a line to today's decisions, durable on return."""
        await self._decisions.append(*self._logs._decision_line(strategy_name, decision))

    async def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Add a line to today's orders, durable on return."""
        await self._orders.append(*self._logs._order_line(strategy_name, order, result))

    async def read_decisions(self, day: date | str) -> list[Document]:
        """Return the decisions logged on a day, in order."""
        return await reading(self._logs.read_decisions, day)

    async def read_orders(self, day: date | str) -> list[Document]:
        """Return the orders logged on a day, in order."""
        return await reading(self._logs.read_orders, day)

    async def days(self) -> list[date]:
        """Return the days of which there are audit lines, in order."""
        return await whole(self._logs.days)

    async def prune_events(self, before: date | str) -> list[str]:
        """Remove the events of months that were over; see FileDataStore.prune_events."""
        return await whole(self._logs.prune_events, before)

    async def prune_audit(self, before: date | str) -> list[date]:
        """Remove the audit lines of days before a day; see FileDataStore.prune_audit."""
        return await whole(self._logs.prune_audit, before)

    async def salvage_logs(self) -> dict[str, SalvageReport]:
        """Salvage each log that is damaged; see FileDataStore.salvage_logs."""
        return await whole(self._logs.salvage_logs)

    async def purge_log_evidence(self, before: datetime | None = None) -> list[str]:
        """Remove what was kept of damaged logs; see FileDataStore.purge_log_evidence."""
        return await whole(self._logs.purge_log_evidence, before)
