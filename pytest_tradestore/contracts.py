"""The contracts that a store may offer, and how they are recognised: by the methods that it has.

Sync and async methods are both accepted everywhere; a missing key reads as ``None``, ``{}`` or ``[]``.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

T = TypeVar("T")
Now: TypeAlias = T | Awaitable[T]
"""The value itself from a synchronous store, something to await from an asynchronous one."""

Document: TypeAlias = dict[str, Any]
"""A JSON object: string keys, and values that JSON has."""


@runtime_checkable
class SingleDocument(Protocol):
    """One document, replaced as a whole."""

    def save(self, data: Document) -> Now[None]:
        """Replace the document."""

    def load(self) -> Now[Document | None]:
        """Return the document, ``{}`` or ``None`` when nothing was saved yet."""


@runtime_checkable
class Documents(Protocol):
    """Documents under keys; ``delete(key)`` and ``keys()`` are optional."""

    def put(self, key: str, document: Document) -> Now[None]:
        """Store ``document`` under ``key``, replacing what was there."""

    def get(self, key: str) -> Now[Document | None]:
        """Return the document under ``key``, ``None`` or ``{}`` when there is none."""


@runtime_checkable
class Journal(Protocol):
    """Append-only logs, one per stream."""

    def append(self, stream: str, record: Document) -> Now[None]:
        """Add ``record`` at the end of ``stream``."""

    def read(self, stream: str) -> Now[list[Document]]:
        """Return the records of ``stream`` in the order in which they were appended, ``[]`` when there are none."""


@runtime_checkable
class Bars(Protocol):
    """Price bars per symbol, one for each timestamp; a later one replaces an earlier one."""

    def write_bars(self, symbol: str, bars: list[Any]) -> Now[None]:
        """Add ``bars``, in whatever order they come."""

    def read_bars(self, symbol: str, start: datetime, end: datetime) -> Now[list[Any]]:
        """Return the bars from ``start`` to ``end``, both included, in the order of their timestamps."""


@runtime_checkable
class Fundamentals(Protocol):
    """Company data as published over time."""

    def write_fundamental(self, symbol: str, data: Any) -> Now[None]:
        """Add what was published at ``data.timestamp``."""

    def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> Now[Any]:
        """Return the latest data, or the latest up to ``as_of``; ``None`` when there is none."""


@runtime_checkable
class Events(Protocol):
    """Things that happened, each at a time and of a type."""

    def write_event(self, event: Any) -> Now[None]:
        """Add ``event``."""

    def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> Now[list[Any]]:
        """Return the events from ``start`` to ``end``, both included, of the given types or of all."""


@runtime_checkable
class StrategyState(Protocol):
    """What a strategy has to remember, one document per strategy."""

    def save_strategy_state(self, strategy_name: str, state: Document) -> Now[None]:
        """Replace the state of a strategy."""

    def load_strategy_state(self, strategy_name: str) -> Now[Document | None]:
        """Return the state as saved, ``None`` when there is none."""


@runtime_checkable
class AuditLog(Protocol):
    """Append-only logs of decisions and orders, a file per day; reading them back is optional."""

    def log_decision(self, strategy_name: str, decision: Any) -> Now[None]:
        """Add a decision to today's log."""

    def log_order(self, strategy_name: str, order: Any, result: Any) -> Now[None]:
        """Add an order and its result to today's log."""


@runtime_checkable
class Jobs(Protocol):
    """Long-running jobs."""

    def save(self, job: Any) -> Now[None]:
        """Add a job, or replace the one with the same id."""

    def get(self, job_id: str) -> Now[Any]:
        """Return a job, ``None`` when there is none."""

    def list(self, status: Any = None, job_type: Any = None, limit: int = 50, offset: int = 0) -> Now[Any]:
        """Return a page of the jobs with the given status and type."""

    def update_progress(self, job_id: str, progress: Any) -> Now[None]:
        """Note progress in memory, without a disk write."""

    def cleanup(self, days: int) -> Now[Any]:
        """Remove the jobs that ended more than ``days`` days ago."""


@runtime_checkable
class Runs(Protocol):
    """The history of backtest runs."""

    def create_or_update_run(self, run_id: str | None = None, kind: str = "") -> Now[Any]:
        """Add a run, or update the one with the same id; further fields are keyword arguments."""

    def get_run(self, run_id: str) -> Now[Any]:
        """Return a run, ``None`` when there is none."""

    def list_runs(self, kind: Any = None, status: Any = None, limit: int = 50, offset: int = 0) -> Now[Any]:
        """Return a page of the runs, the one updated last first."""

    def delete_run(self, run_id: str) -> Now[Any]:
        """Remove a run."""


@runtime_checkable
class DataStore(Bars, Fundamentals, Events, StrategyState, AuditLog, Protocol):
    """Everything that a trading system keeps in files: the sum of five contracts."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract: its name in reports and node ids, its required and optional methods."""

    name: str
    protocol: type
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def offered_by(self, store: object) -> bool:
        """Say whether ``store`` has every required method."""
        return all(callable(getattr(store, method, None)) for method in self.required)


CONTRACTS = (
    Contract("document", SingleDocument, ("save", "load")),
    Contract("documents", Documents, ("put", "get"), ("delete", "keys")),
    Contract("journal", Journal, ("append", "read")),
    Contract("bars", Bars, ("write_bars", "read_bars")),
    Contract("fundamentals", Fundamentals, ("write_fundamental", "read_fundamental")),
    Contract("events", Events, ("write_event", "read_events")),
    Contract("state", StrategyState, ("save_strategy_state", "load_strategy_state")),
    Contract("audit", AuditLog, ("log_decision", "log_order"), ("read_decisions", "read_orders")),
    Contract("jobs", Jobs, ("save", "get", "list", "update_progress", "cleanup")),
    Contract("runs", Runs, ("create_or_update_run", "get_run", "list_runs", "delete_run")),
)


def contracts_of(store: object) -> tuple[Contract, ...]:
    """Return the contracts that ``store`` offers, in the order of ``CONTRACTS``."""
    return tuple(contract for contract in CONTRACTS if contract.offered_by(store))


def nearest_contract(store: object) -> str:
    """Say in one sentence what ``store`` lacks most nearly: for the message when it offers no contract."""

    def missing(contract: Contract) -> list[str]:
        return [method for method in contract.required if not callable(getattr(store, method, None))]

    nearest = min(CONTRACTS, key=lambda contract: len(missing(contract)) / len(contract.required))
    lacking = missing(nearest)
    if len(lacking) < len(nearest.required):
        names = " and ".join(f"{method}()" for method in lacking)
        return f"the nearest is {nearest.protocol.__name__}, for which it lacks {names}"
    public = sorted(name for name in dir(store) if not name.startswith("_") and callable(getattr(store, name, None)))
    has = ", ".join(f"{name}()" for name in public[:8]) or "no public methods"
    simple = "; ".join(f"{c.protocol.__name__} needs {', '.join(f'{m}()' for m in c.required)}" for c in CONTRACTS[:3])
    return f"it has {has}. {simple}; the documentation lists the trading contracts"
