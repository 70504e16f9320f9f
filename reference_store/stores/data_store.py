"""What a trading program knows and does, in files: bars, fundamentals, events, strategy state and an audit log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.closing import Closing
from reference_store.core.document_changes import Update
from reference_store.core.document_files import DocumentFiles, Recovery
from reference_store.core.records import checked
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import StorageFailure, StoreError
from reference_store.models import Decision, Event, FundamentalData, Order, OrderResult, PriceBar
from reference_store.stores.bars.columns import bound
from reference_store.stores.documents import CLAIMS
from reference_store.stores.fundamental_files import FundamentalFiles
from reference_store.stores.record_file import Clock
from reference_store.stores.trading_bars import TradingBars
from reference_store.stores.trading_logs import TradingLogs, local_now

DIRECTORIES = ("prices", "fundamentals", "events", "state", "audit/decisions", "audit/orders")


@runtime_checkable
class DataStore(Protocol):
    """What a strategy needs of a store, whatever keeps the data."""

    def write_bars(self, symbol: str, bars: list[PriceBar]) -> None:
        """Add bars of ``symbol``; a bar takes the place of one with the same date."""

    def read_bars(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``, both included, by date."""

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Add a version of what is known about a company."""

    def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> FundamentalData | None:
        """Return the latest version, not later than ``as_of``; None if there is none."""

    def write_event(self, event: Event) -> None:
        """Add an event."""

    def read_events(self, start: datetime, end: datetime, types: list[str] | None = None) -> list[Event]:
        """Return the events from ``start`` to ``end``, both included, of all or of the given types."""

    def save_strategy_state(self, strategy_name: str, state: Document) -> None:
        """Replace the state of a strategy."""

    def load_strategy_state(self, strategy_name: str) -> Document | None:
        """Return the state of a strategy, None if there is none."""

    def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Add a decision to the audit log."""

    def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Add an order and its result to the audit log."""


class FileDataStore(Closing, TradingBars, TradingLogs, Reopened):
    """A DataStore below ``base_path``, which is created, durably, if it does not exist.

    | Directory | Files |
    |---|---|
    | ``prices/<symbol>/`` | ``<YYYY-MM>.parquet``, snappy, for any reader; ``.manifest.json``; of both the ``.bak`` |
    | ``fundamentals/`` | ``<symbol>.json`` with all versions, the file before in ``.json.bak`` |
    | ``events/`` | ``<YYYY-MM>.jsonl``, ``<YYYY-MM>Z.jsonl`` for timestamps with time zones |
    | ``state/`` | ``<strategy>.json``, the state before in ``.json.bak`` |
    | ``audit/decisions/``, ``audit/orders/`` | ``<YYYY-MM-DD>.jsonl``, only ever appended to |

    ``<symbol>`` and ``<strategy>`` are encoded as ``keys`` says. Every write is durable on return and happened whole
    or not at all, a bar write over several months too. Several threads, instances and processes may use one directory;
    writers to one of its parts wait for each other, at most ``lock_timeout`` seconds, and readers for nobody. ``clock``
    gives the time of audit lines, and the day of their file. ``negative_prices`` accepts bars with prices below zero.

    Times with and without time zones are kept as they are given, but do not mix within the bars or fundamentals of one
    symbol, or within the events: InvalidRecord says so. The other errors are those of DocumentStore and JournalStore:
    InvalidIdentifier, UnserialisableValue, CorruptData, LockTimeout, StorageFailure, StoreClosed.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(
        self,
        base_path: str | Path,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = local_now,
        negative_prices: bool = False,
    ) -> None:
        self.base_path = Path(base_path)
        try:
            prices, fundamentals, events, state, decisions, orders = _directories(self.base_path)
        except OSError as error:
            let_out(error)
            raise StorageFailure("open", str(base_path), error) from error
        self._open_bars(prices, lock_timeout, negative_prices=negative_prices)
        self._fundamentals = FundamentalFiles(fundamentals, lock_timeout)
        self._states = DocumentFiles(state, lock_timeout)
        self._open_logs(events, decisions, orders, lock_timeout, clock)

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Add a version, durably; all versions are kept."""
        self._fundamentals.add(symbol, checked(FundamentalData, data))

    def read_fundamental(self, symbol: str, as_of: datetime | None = None) -> FundamentalData | None:
        """Return the version with the latest timestamp, not later than ``as_of``; None if there is none.

        The order in which versions were written decides only between equal timestamps: the last one counts.
        """
        keys.encode(symbol)
        moment = None if as_of is None else bound(as_of, "as_of")
        return self._fundamentals.latest("read_fundamental", symbol, moment)

    def prune_fundamentals(self, symbol: str, before: datetime) -> int:
        """Remove the versions replaced before ``before``, and say how many; no answer from then on changes."""
        return self._fundamentals.prune("prune_fundamentals", symbol, bound(before, "before"))

    def save_strategy_state(self, strategy_name: str, state: Document) -> None:
        """Replace the state of a strategy, durably; the one before becomes the backup."""
        self._states.write("save_strategy_state", strategy_name, state)

    def strategies(self) -> list[str]:
        """Return the names of the strategies that have a state, sorted."""
        return self._states.keys("strategies")

    def delete_state(self, strategy_name: str) -> bool:
        """Remove the state of a strategy and its backup, durably, and say whether there was one."""
        return self._states.remove("delete_state", strategy_name)

    def update_strategy_state(self, strategy_name: str, function: Update) -> Document:
        """Replace the state by what ``function`` makes of it, of None if there is none; see DocumentStore.update."""
        return self._states.update_document("update_strategy_state", strategy_name, function)

    def load_strategy_state(self, strategy_name: str) -> Document | None:
        """Return a state equal to the one saved last, None if there is none; see DocumentStore.get for damage."""
        return self._states.read("load_strategy_state", strategy_name)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The reads that this instance answered from backups: of bars, company data and states, each newest last."""
        return (*self._bars.recoveries.newest, *self._fundamentals.recoveries, *self._states.recoveries)

    def close(self) -> None:
        """Let go of all directories; closing twice is fine."""
        for part in (self._bars.root, self._fundamentals.root, self._states.root):
            part.close()
        self._close_logs()


def _directories(base_path: Path) -> list[Directory]:
    """Open the directories of a store, none of them through a link that somebody has planted."""
    base = Directory.open(str(base_path))
    opened = []
    for path in DIRECTORIES:
        directory = base
        for name in path.split("/"):
            directory = directory.child(name, create=True)
        opened.append(directory)
    return opened
