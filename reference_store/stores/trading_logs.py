"""The logs of a FileDataStore: events by month, and the audit log of decisions and orders by day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.records import checked, iso, to_json
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord
from reference_store.models import Decision, Event, Order, OrderResult
from reference_store.operations.log_salvage import SalvageReport
from reference_store.stores.event_log import EventLog
from reference_store.stores.journal import JournalStore
from reference_store.stores.journal_files import SUFFIX
from reference_store.stores.record_file import Clock

_KINDS = ("decision", "order")
"""What a line of the audit log is about."""


def local_now() -> datetime:
    """The clock of the audit log unless it is given another one; its days are local days."""
    return datetime.now().astimezone()


class AuditLines:
    """What a decision, or an order and its result, is as a line of the audit log, and of which day."""

    _clock: Clock

    def _decision_line(self, strategy_name: str, decision: Decision) -> tuple[str, Document]:
        keys.encode(strategy_name)
        return self._line(strategy_name, decision=to_json(checked(Decision, decision)))

    def _order_line(self, strategy_name: str, order: Order, result: OrderResult) -> tuple[str, Document]:
        keys.encode(strategy_name)
        sent, became = to_json(checked(Order, order)), to_json(checked(OrderResult, result))
        return self._line(strategy_name, order=sent, result=became)

    def _line(self, strategy_name: str, **members: Any) -> tuple[str, Document]:
        now = self._clock()
        if not isinstance(now, datetime):
            raise InvalidRecord("clock", f"gives a {type(now).__name__}, not a datetime")
        return day_name(now), {"logged_at": iso(now, "clock"), "strategy_name": strategy_name, **members}


class TradingLogs(AuditLines):
    """What FileDataStore offers on its logs; see there for promises and errors."""

    def _open_logs(
        self, events: Directory, decisions: Directory, orders: Directory, lock_timeout: float, clock: Clock
    ) -> None:
        self._clock = clock
        self._events = EventLog(events, lock_timeout)
        self._decisions = JournalStore(decisions, lock_timeout=lock_timeout)
        self._orders = JournalStore(orders, lock_timeout=lock_timeout)

    def _close_logs(self) -> None:
        for log in (self._events, self._decisions, self._orders):
            log.close()

    def write_event(self, event: Event) -> None:
        """Add an event, durably."""
        self._events.write(checked(Event, event))

    def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> list[Event]:
        """Return the events from ``start`` to ``end``, both included, by time; with ``types`` only those types."""
        return self._events.read(start, end, types)

    def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Add a line to today's decisions, durably."""
        self._decisions.append(*self._decision_line(strategy_name, decision))

    def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Add a line to today's orders, durably."""
        self._orders.append(*self._order_line(strategy_name, order, result))

    def read_decisions(self, day: date | str) -> list[Document]:
        """Return the lines of a day (``YYYY-MM-DD``) in order: ``logged_at``, ``strategy_name``, ``decision``."""
        return lines_of(self._decisions, day, "decision")

    def read_orders(self, day: date | str) -> list[Document]:
        """Return the lines of a day in order: ``logged_at``, ``strategy_name``, ``order``, ``result``."""
        return lines_of(self._orders, day, "order")

    def days(self) -> list[date]:
        """Return the days of which there are decisions or orders in the audit log, in order."""
        streams = {*self._decisions.streams(), *self._orders.streams()}
        return sorted(day for stream in streams if (day := day_of(stream)) is not None)

    def prune_events(self, before: date | str) -> list[str]:
        """Remove the events of months that ended before the day ``before`` and return the names of these months.

        Only whole files go, so that the month in which ``before`` lies stays; see JournalStore.prune.
        """
        return self._events.journal.prune(before)

    def prune_audit(self, before: date | str) -> list[date]:
        """Remove the decisions and orders of days before the day ``before`` and return these days."""
        pruned = {*self._decisions.prune(before), *self._orders.prune(before)}
        return sorted(day for stream in pruned if (day := day_of(stream)) is not None)

    def salvage_logs(self) -> dict[str, SalvageReport]:
        """Salvage each log of events, decisions and orders that is damaged; return the reports by file.

        See JournalStore.salvage. All logs are read, which takes as long as that takes.
        """
        reports = {
            f"{place}/{keys.encode(stream)}{SUFFIX}": journal.salvage(stream)
            for place, journal in self._journals()
            for stream in journal.streams()
        }
        return {file: report for file, report in reports.items() if report.evidence is not None}

    def purge_log_evidence(self, before: datetime | None = None) -> list[str]:
        """Remove what was kept of damaged logs ``before`` a time, all of it if that is None; return the files."""
        return [f"{place}/{name}" for place, journal in self._journals() for name in journal.purge_evidence(before)]

    def _journals(self) -> tuple[tuple[str, JournalStore], ...]:
        return (
            ("audit/decisions", self._decisions),
            ("audit/orders", self._orders),
            ("events", self._events.journal),
        )


def lines_of(journal: JournalStore, day: date | str, member: str) -> list[Document]:
    """Return the lines of a day."""
    stream = day_name(day)
    return checked_lines(stream, journal.read(stream), member)


def checked_lines(stream: str, lines: list[Document], member: str) -> list[Document]:
    """Return ``lines``; the logs of decisions and orders have the same names, so look which one it is.

    A line of another kind, of a newer version, is handed out as it is.
    """
    for number, line in enumerate(lines, 1):
        if member not in line and not line.keys().isdisjoint(_KINDS):
            raise CorruptData(stream, stream + SUFFIX, f"it holds no {member}", number)
    return lines


def day_of(stream: str) -> date | None:
    """The day that a log is named after, None if it is none."""
    try:
        day = date.fromisoformat(stream)
    except ValueError as error:
        let_out(error)
        return None
    return day if day.isoformat() == stream else None


def day_name(day: date | str) -> str:
    """The name of the log of a day; raises InvalidRecord for what is none."""
    try:
        found = day if isinstance(day, date) else date.fromisoformat(day)
        return f"{found.year:04d}-{found.month:02d}-{found.day:02d}"
    except (TypeError, ValueError) as error:  # NaT is a date, but has no year
        let_out(error)
        raise InvalidRecord("day", "is neither a date nor YYYY-MM-DD") from None
