"""What a trading program knows and does, on PostgreSQL: all of a FileDataStore but its bars, for threads."""

from __future__ import annotations

from datetime import date, datetime

from reference_store.core.document_changes import Update
from reference_store.core.strict_json import Document
from reference_store.models import Decision, Event, FundamentalData, Order, OrderResult
from reference_store.postgres.data_programs import EventPrograms, FundamentalPrograms
from reference_store.postgres.database import Database
from reference_store.postgres.journal import PostgresJournalStore
from reference_store.postgres.stores import OnDatabase, PostgresDocumentStore
from reference_store.stores.bars.columns import bound
from reference_store.stores.record_file import Clock
from reference_store.stores.trading_logs import AuditLines, checked_lines, day_name, day_of, local_now


class PostgresDataStore(OnDatabase, AuditLines):
    """Company data, events, the states of strategies and the audit log of a trading program, on a database.

    The methods are those of FileDataStore, see there, but for bars: of them there are too many for rows, and
    ``reference_store.lake`` keeps them. ``place`` is put before the places of its parts, if it is not empty.
    """

    def __init__(self, database: Database | str, *, place: str = "", clock: Clock = local_now) -> None:
        super().__init__(database)
        self._clock = clock
        before = f"{place}/" if place else ""
        self._states = PostgresDocumentStore(self.database, place=f"{before}state")
        self._decisions = PostgresJournalStore(self.database, place=f"{before}audit/decisions")
        self._orders = PostgresJournalStore(self.database, place=f"{before}audit/orders")
        self._events = EventPrograms(f"{before}events")
        self._fundamentals = FundamentalPrograms(f"{before}fundamentals")

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Add a version; all versions are kept."""
        version, timed = self._fundamentals.adding(symbol, data)
        self.database.write("write_fundamental", symbol, lambda: self._fundamentals.add(symbol, version, timed))

    def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> FundamentalData | None:
        """Return the version with the latest timestamp, not later than ``as_of``; see FileDataStore."""
        moment = None if as_of is None else bound(as_of, "as_of")
        return self.database.read("read_fundamental", symbol, lambda: self._fundamentals.latest(symbol, moment))

    def fundamental_versions(self, symbol: str) -> list[Document]:
        """Return all versions by their timestamps, those at the same time in the order of their writes, as JSON."""
        return self.database.read("fundamental_versions", symbol, lambda: self._fundamentals.versions(symbol))

    def prune_fundamentals(self, symbol: str, before: datetime) -> int:
        """Remove the versions replaced before ``before``, and say how many."""
        moment = bound(before, "before")
        return self.database.write("prune_fundamentals", symbol, lambda: self._fundamentals.prune(symbol, moment))

    def save_strategy_state(self, strategy_name: str, state: Document) -> None:
        """Replace the state of a strategy."""
        self._states.put(strategy_name, state)

    def load_strategy_state(self, strategy_name: str) -> Document | None:
        """Return the state of a strategy, None if there is none."""
        return self._states.get(strategy_name)

    def update_strategy_state(self, strategy_name: str, function: Update) -> Document:
        """Replace the state by what ``function`` makes of it; see PostgresDocumentStore.update."""
        return self._states.update(strategy_name, function)

    def strategies(self) -> list[str]:
        """Return the names of the strategies that have a state, sorted."""
        return self._states.keys()

    def delete_state(self, strategy_name: str) -> bool:
        """Remove the state of a strategy, and say whether there was one."""
        return self._states.delete(strategy_name)

    def write_event(self, event: Event) -> None:
        """Add an event."""
        month, records, timed = self._events.adding(event)
        self.database.write("write_event", month, lambda: self._events.logs.append(month, records, timed))

    def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> list[Event]:
        """Return the events from ``start`` to ``end``, both included, by time; with ``types`` only those types."""
        return self.database.read("read_events", "events", lambda: self._events.read(start, end, types))

    def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Add a line to today's decisions."""
        self._decisions.append(*self._decision_line(strategy_name, decision))

    def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Add a line to today's orders."""
        self._orders.append(*self._order_line(strategy_name, order, result))

    def read_decisions(self, day: date | str) -> list[Document]:
        """Return the lines of a day (``YYYY-MM-DD``) in order: ``logged_at``, ``strategy_name``, ``decision``."""
        stream = day_name(day)
        return checked_lines(stream, self._decisions.read(stream), "decision")

    def read_orders(self, day: date | str) -> list[Document]:
        """Return the lines of a day in order: ``logged_at``, ``strategy_name``, ``order``, ``result``."""
        stream = day_name(day)
        return checked_lines(stream, self._orders.read(stream), "order")

    def days(self) -> list[date]:
        """Return the days of which there are decisions or orders in the audit log, in order."""
        streams = {*self._decisions.streams(), *self._orders.streams()}
        return sorted(day for stream in streams if (day := day_of(stream)) is not None)

    def prune_events(self, before: date | str) -> list[str]:
        """Remove the events of months that ended before the day ``before`` and return the names of these months."""
        return self.database.write("prune_events", "events", lambda: self._events.logs.prune(before))

    def prune_audit(self, before: date | str) -> list[date]:
        """Remove the decisions and orders of days before the day ``before`` and return these days."""
        pruned = {*self._decisions.prune(before), *self._orders.prune(before)}
        return sorted(day for stream in pruned if (day := day_of(stream)) is not None)
