"""A store handed to another process, pickled or through fork, works there on the same root."""

import asyncio
import copy
import inspect
import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import reference_store
from reference_store import (
    AsyncBacktestStore,
    AsyncCacheStore,
    AsyncDashboardStore,
    AsyncDocumentStore,
    AsyncFileDataStore,
    AsyncHistoricalStore,
    AsyncJournalStore,
    AsyncPaperTradingStore,
    AsyncPerformanceStore,
    AsyncPortfolioStore,
    AsyncReportStore,
    AsyncRunStore,
    AsyncSingleDocumentStore,
    AsyncStockStateStore,
    AsyncStrategyLogStore,
    AsyncStrategyStore,
    AsyncTaskStore,
    BacktestStore,
    CacheStore,
    DashboardStore,
    DocumentStore,
    FileDataStore,
    HistoricalStore,
    JobStore,
    JournalStore,
    LockTimeout,
    PaperTradingStore,
    PerformanceStore,
    PortfolioStore,
    ReportStore,
    RunStore,
    SingleDocumentStore,
    StockStateStore,
    StrategyLogStore,
    StrategyStore,
    SyncJobStore,
    TaskStore,
)
from reference_store.bot_models import StockState, Strategy, StrategyLogEntry, Task
from reference_store.models import Decision, Event, Job
from reference_store.performance_models import Snapshot, SnapshotType
from tests.reference_store.conforming import bought, traded
from tests.reference_store.conforming_files import backtest, hours, priced, trades
from tests.reference_store.trading import ALWAYS, JANUARY, bar


def noon() -> datetime:
    return datetime(2026, 1, 5, 12, tzinfo=UTC)


async def decide(store: AsyncFileDataStore, number: int) -> None:
    await store.log_decision("momentum", Decision(symbol="AAPL", action="BUY", target_weight=number / 16))
    await store.write_bars("AAPL", [bar(JANUARY.replace(minute=number))])


def write_all_parts(store: FileDataStore, number: int) -> None:
    store.write_bars("AAPL", [bar(JANUARY.replace(minute=number))])
    store.write_event(Event(type="fill", timestamp=JANUARY.replace(minute=number)))
    store.save_strategy_state(f"strategy-{number}", {"n": number})


async def decisions(store: AsyncFileDataStore) -> int:
    return len(await store.read_decisions(noon().date())) + len(await store.read_bars("AAPL", *ALWAYS)) >> 1


def buy(store: PaperTradingStore, number: int) -> None:
    store.open_account(1_000_000)
    store.execute(*bought(number, number + 1))


async def buy_there(store: AsyncPaperTradingStore, number: int) -> None:
    await store.open_account(1_000_000)
    await store.execute(*bought(number, number + 1))


def worth(number: int) -> Snapshot:
    return Snapshot(
        timestamp=noon() + timedelta(hours=number),
        total_value_eur=1.0 + number,
        snapshot_type=SnapshotType.INITIAL_SETUP,
    )


async def add_snapshot_there(store: AsyncPerformanceStore, number: int) -> None:
    await store.start(worth(0))
    await store.add_snapshot(worth(number))


# How each store is opened with options, what adds something to it, and how much was added.
STORES: dict[str, tuple[Callable[[Path], Any], Callable[[Any, int], Any], Callable[[Any], Any]]] = {
    "DocumentStore": (
        lambda root: DocumentStore(root, lock_timeout=7.5),
        lambda store, number: store.put(f"K{number}", {"n": number}),
        lambda store: len(store.keys()),
    ),
    "SingleDocumentStore": (
        lambda root: SingleDocumentStore(root, "portfolio", lock_timeout=7.5),
        lambda store, number: store.save({**store.load(), str(number): number}),
        lambda store: len(store.load()),
    ),
    "JournalStore": (
        lambda root: JournalStore(root, lock_timeout=7.5),
        lambda store, number: store.append("S", {"n": number}),
        lambda store: len(store.read("S")),
    ),
    "FileDataStore": (
        lambda root: FileDataStore(str(root), clock=noon),
        write_all_parts,
        lambda store: len(store.read_events(*ALWAYS)),
    ),
    "RunStore": (
        lambda root: RunStore(root=root, clock=noon),
        lambda store, number: store.create_or_update_run(f"run-{number}", "backtest"),
        lambda store: len(store.list_runs()),
    ),
    "JobStore": (
        lambda root: JobStore(root, clock=noon),
        lambda store, number: store.save(Job(job_id=f"job-{number}", job_type="backtest")),
        lambda store: _length(store.list()),
    ),
    "SyncJobStore": (
        lambda root: SyncJobStore(root, clock=noon),
        lambda store, number: store.save(Job(job_id=f"job-{number}", job_type="backtest")),
        lambda store: len(store.list()),
    ),
    "AsyncRunStore": (
        lambda root: AsyncRunStore(root, clock=noon),
        lambda store, number: store.create_or_update_run(f"run-{number}", "backtest"),
        lambda store: _length(store.list_runs()),
    ),
    "AsyncDocumentStore": (
        lambda root: AsyncDocumentStore(root, lock_timeout=7.5),
        lambda store, number: store.put(f"K{number}", {"n": number}),
        lambda store: _length(store.keys()),
    ),
    "AsyncSingleDocumentStore": (
        lambda root: AsyncSingleDocumentStore(root, name="portfolio"),
        lambda store, number: _add(store, number),
        lambda store: _length(store.load()),
    ),
    "AsyncJournalStore": (
        lambda root: AsyncJournalStore(root),
        lambda store, number: store.append("S", {"n": number}),
        lambda store: _length(store.read("S")),
    ),
    "AsyncFileDataStore": (lambda root: AsyncFileDataStore(root, clock=noon), decide, decisions),
    "PortfolioStore": (
        lambda root: PortfolioStore(root, clock=noon),
        lambda store, number: store.update(lambda present: traded(present, "BTC", number + 1)),
        lambda store: store.load().trades_executed,
    ),
    "AsyncPortfolioStore": (
        lambda root: AsyncPortfolioStore(root, clock=noon),
        lambda store, number: store.update(lambda present: traded(present, "BTC", number + 1)),
        lambda store: _of(store.load(), lambda portfolio: portfolio.trades_executed),
    ),
    "PaperTradingStore": (lambda root: PaperTradingStore(root, clock=noon), buy, lambda store: len(store.load().fills)),
    "AsyncPaperTradingStore": (
        lambda root: AsyncPaperTradingStore(root, clock=noon),
        buy_there,
        lambda store: _of(store.load(), lambda book: len(book.fills)),
    ),
    "StrategyStore": (
        lambda root: StrategyStore(root, clock=noon),
        lambda store, number: store.save(Strategy(strategy_id=f"S{number}", name="any")),
        lambda store: len(store.ids()),
    ),
    "AsyncStrategyStore": (
        lambda root: AsyncStrategyStore(root, clock=noon),
        lambda store, number: store.save(Strategy(strategy_id=f"S{number}", name="any")),
        lambda store: _length(store.ids()),
    ),
    "TaskStore": (
        lambda root: TaskStore(root, clock=noon),
        lambda store, number: store.save(Task(task_id=f"T{number}", action="any")),
        lambda store: len(store.ids()),
    ),
    "AsyncTaskStore": (
        lambda root: AsyncTaskStore(root, clock=noon),
        lambda store, number: store.save(Task(task_id=f"T{number}", action="any")),
        lambda store: _length(store.ids()),
    ),
    "StockStateStore": (
        lambda root: StockStateStore(root, clock=noon),
        lambda store, number: store.save(StockState(symbol=f"S{number}")),
        lambda store: len(store.ids()),
    ),
    "AsyncStockStateStore": (
        lambda root: AsyncStockStateStore(root, clock=noon),
        lambda store, number: store.save(StockState(symbol=f"S{number}")),
        lambda store: _length(store.ids()),
    ),
    "StrategyLogStore": (
        lambda root: StrategyLogStore(root, clock=noon),
        lambda store, number: store.append(StrategyLogEntry(strategy="S", message=f"{number}")),
        lambda store: len(store.read("S")),
    ),
    "AsyncStrategyLogStore": (
        lambda root: AsyncStrategyLogStore(root, clock=noon),
        lambda store, number: store.append(StrategyLogEntry(strategy="S", message=f"{number}")),
        lambda store: _length(store.read("S")),
    ),
    "HistoricalStore": (
        lambda root: HistoricalStore(root),
        lambda store, number: store.update(hours("BTC"), lambda there: priced("BTC", len(there), 16 * len(there))),
        lambda store: len(store.read(hours("BTC"))),
    ),
    "AsyncHistoricalStore": (
        lambda root: AsyncHistoricalStore(root),
        lambda store, number: store.update(hours("BTC"), lambda there: priced("BTC", len(there), 16 * len(there))),
        lambda store: _length(store.read(hours("BTC"))),
    ),
    "ReportStore": (
        lambda root: ReportStore(root, clock=noon),
        lambda store, number: store.write(f"r{number}", "text"),
        lambda store: len(store.names()),
    ),
    "AsyncReportStore": (
        lambda root: AsyncReportStore(root, clock=noon),
        lambda store, number: store.write(f"r{number}", "text"),
        lambda store: _length(store.names()),
    ),
    "BacktestStore": (
        lambda root: BacktestStore(root, clock=noon),
        lambda store, number: store.write_analysis(f"r{number}", {}),
        lambda store: len(store.names()),
    ),
    "AsyncBacktestStore": (
        lambda root: AsyncBacktestStore(root, clock=noon),
        lambda store, number: store.write_analysis(f"r{number}", {}),
        lambda store: _length(store.names()),
    ),
    "DashboardStore": (
        lambda root: DashboardStore(root),
        lambda store, number: store.update(lambda there: backtest(trades(there) + 1)),
        lambda store: trades(store.latest_backtest()),
    ),
    "AsyncDashboardStore": (
        lambda root: AsyncDashboardStore(root),
        lambda store, number: store.update(lambda there: backtest(trades(there) + 1)),
        lambda store: _of(store.latest_backtest(), trades),
    ),
    "CacheStore": (
        lambda root: CacheStore(root, clock=noon),
        lambda store, number: store.put(f"quote_{number}", {"n": number}),
        lambda store: len(store.keys()),
    ),
    "AsyncCacheStore": (
        lambda root: AsyncCacheStore(root, clock=noon),
        lambda store, number: store.put(f"quote_{number}", {"n": number}),
        lambda store: _length(store.keys()),
    ),
    "PerformanceStore": (
        lambda root: PerformanceStore(root, clock=noon),
        lambda store, number: (store.start(worth(0)), store.add_snapshot(worth(number))),
        lambda store: len(store.snapshots()),
    ),
    "AsyncPerformanceStore": (
        lambda root: AsyncPerformanceStore(root, clock=noon),
        add_snapshot_there,
        lambda store: _length(store.snapshots()),
    ),
}
in_a_child = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
every_store = pytest.mark.parametrize("name", STORES)


async def _length(found: Any) -> int:
    return len(await found)


async def _of(found: Any, count: Callable[[Any], int]) -> int:
    return count(await found)


async def _add(store: AsyncSingleDocumentStore, number: int) -> None:
    await store.save({**await store.load(), str(number): number})


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a method of a store, in an event loop of its own if it is asynchronous."""
    found = function(*args)

    async def ended() -> Any:
        return await found

    return asyncio.run(ended()) if inspect.isawaitable(found) else found


def write_there(stores: dict[str, Any], number: int) -> None:
    for name, store in stores.items():
        call(STORES[name][1], store, number)


def in_process(method: str, *args: Any) -> None:
    """Write through the stores in another process, and wait for its end."""
    process = multiprocessing.get_context(method).Process(target=write_there, args=args)
    process.start()
    process.join()
    assert process.exitcode == 0
    process.close()


def let_go(store: Any) -> None:
    call(getattr(store, "aclose", None) or store.close)


@in_a_child
@pytest.mark.parametrize("method", [pytest.param("spawn", marks=pytest.mark.proof), "fork"])
def test_stores_given_to_another_process_write_to_the_same_roots(tmp_path: Path, method: str) -> None:
    stores = {name: opened(tmp_path / name) for name, (opened, _, _) in STORES.items()}
    for name, store in stores.items():
        call(STORES[name][1], store, 0)

    in_process(method, stores, 1)

    for name, store in stores.items():
        _, add, count = STORES[name]
        call(add, store, 2)
        assert call(count, store) == 3, name
        let_go(store)


@every_store
def test_a_pickled_store_comes_back_with_its_options_and_works_when_the_first_one_is_closed(
    tmp_path: Path, name: str
) -> None:
    opened, add, count = STORES[name]
    store = opened(tmp_path / "root")
    call(add, store, 0)

    again = pickle.loads(pickle.dumps(store))
    let_go(store)
    call(add, again, 1)

    assert type(again) is type(store)
    assert call(count, again) == 2
    assert pickle.dumps(again) == pickle.dumps(pickle.loads(pickle.dumps(again)))
    let_go(again)


def test_every_store_is_among_these() -> None:
    stores = {name for name in reference_store.__all__ if name.endswith("Store") and name != "DataStore"}

    assert stores == set(STORES)


def test_options_travel_with_the_store(tmp_path: Path) -> None:
    holder = DocumentStore(tmp_path)
    impatient = pickle.loads(pickle.dumps(DocumentStore(tmp_path, lock_timeout=0.01)))
    named = pickle.loads(pickle.dumps(SingleDocumentStore(tmp_path, name="portfolio")))

    named.save({"n": 1})

    with holder._files.root.updating("put", "K"), pytest.raises(LockTimeout):
        call_in_thread(lambda: impatient.put("K", {}))
    assert (tmp_path / "portfolio.json").exists()


def call_in_thread(function: Callable[[], Any]) -> None:
    """Call it in a thread of its own and raise here what it raises there."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in raised:
        raise error


@every_store
def test_a_copy_is_a_store_of_its_own_on_the_same_root(tmp_path: Path, name: str) -> None:
    opened, add, count = STORES[name]
    store = opened(tmp_path / "root")

    for number, other in enumerate((copy.copy(store), copy.deepcopy(store))):
        call(add, other, number)
        let_go(other)

    assert call(count, store) == 2
    let_go(store)


def test_a_relative_root_stays_the_directory_that_it_was_when_the_store_was_opened(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        store = DocumentStore("root")
        os.chdir("elsewhere")
        pickle.loads(pickle.dumps(store)).put("K", {"n": 1})
    finally:
        os.chdir(before)

    assert store.get("K") == {"n": 1}
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("kind", [FileDataStore, AsyncFileDataStore, RunStore, JobStore, SyncJobStore, AsyncRunStore])
def test_a_clock_that_cannot_be_pickled_is_named(tmp_path: Path, kind: Any) -> None:
    store = kind(tmp_path, clock=lambda: noon())

    with pytest.raises(
        TypeError, match=f"{kind.__name__} cannot be pickled, because its clock cannot .* function of a"
    ):
        pickle.dumps(store)


@in_a_child
@every_store
def test_a_child_forked_while_a_thread_is_writing_can_write(tmp_path: Path, name: str) -> None:
    opened, add, count = STORES[name]
    store = opened(tmp_path / "root")
    call(add, store, 0)
    holding, forked = threading.Event(), threading.Event()
    real = os.fsync

    def hold(descriptor: int) -> None:
        if threading.current_thread() is not threading.main_thread() and os.getpid() == parent:
            holding.set()
            forked.wait()
        real(descriptor)

    parent = os.getpid()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", hold)
        writer = threading.Thread(target=lambda: call(add, store, 1))
        writer.start()
        holding.wait()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                call(add, store, 2)
                status = 0
            finally:
                os._exit(status)
        forked.set()
        writer.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    if name not in ("SingleDocumentStore", "AsyncSingleDocumentStore"):  # a save there replaces what it has read before
        assert call(count, store) == 3
    let_go(store)
