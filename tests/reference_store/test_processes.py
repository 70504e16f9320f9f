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
    AsyncFileDataStore,
    AsyncPaperTradingStore,
    AsyncPerformanceStore,
    AsyncRunStore,
    AsyncSingleDocumentStore,
    DocumentStore,
    FileDataStore,
    JobStore,
    LockTimeout,
    PaperTradingStore,
    RunStore,
    SingleDocumentStore,
    SyncJobStore,
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


async def add_there(store: AsyncSingleDocumentStore, number: int) -> None:
    await store.save({**await store.load(), str(number): number})


def save_job(store: JobStore | SyncJobStore, number: int) -> Any:
    return store.save(Job(job_id=f"job-{number}", job_type="backtest"))


Row = tuple[Callable[[Path], Any], Callable[[Any, int], Any], Callable[[Any], Any]]
"""How a store is opened with options, what adds something to it, and how much was added."""


def one(
    store: str,
    /,
    add: Callable[[Any, int], Any],
    read: Callable[[Any], Any],
    count: Callable[[Any], int] = len,
    **options: Any,
) -> dict[str, Row]:
    """Return the row of a store, by its name."""
    kind = getattr(reference_store, store)

    def counted(opened: Any) -> Any:
        found = read(opened)
        return _of(found, count) if inspect.isawaitable(found) else count(found)

    return {store: (lambda root: kind(root, **options), add, counted)}


def both(store: str, /, *how: Any, **options: Any) -> dict[str, Row]:
    """Return the rows of a store for threads and of the same for asyncio."""
    return one(store, *how, **options) | one(f"Async{store}", *how, **options)


AT_NOON: dict[str, Any] = {"clock": noon}
PATIENT: dict[str, Any] = {"lock_timeout": 7.5}
STORES: dict[str, Row] = {
    **both("DocumentStore", lambda store, n: store.put(f"K{n}", {"n": n}), lambda store: store.keys(), **PATIENT),
    **one(
        "SingleDocumentStore",
        lambda store, n: store.save({**store.load(), str(n): n}),
        lambda store: store.load(),
        name="portfolio",
        **PATIENT,
    ),
    **one("AsyncSingleDocumentStore", add_there, lambda store: store.load(), name="portfolio"),
    **both("JournalStore", lambda store, n: store.append("S", {"n": n}), lambda store: store.read("S"), **PATIENT),
    **one("FileDataStore", write_all_parts, lambda store: store.read_events(*ALWAYS), **AT_NOON),
    **one("AsyncFileDataStore", decide, decisions, int, **AT_NOON),
    **both(
        "RunStore",
        lambda store, n: store.create_or_update_run(f"run-{n}", "backtest"),
        lambda store: store.list_runs(),
        **AT_NOON,
    ),
    **one("JobStore", save_job, lambda store: store.list(), **AT_NOON),
    **one("SyncJobStore", save_job, lambda store: store.list(), **AT_NOON),
    **both(
        "PortfolioStore",
        lambda store, n: store.update(lambda present: traded(present, "BTC", n + 1)),
        lambda store: store.load(),
        lambda portfolio: portfolio.trades_executed,
        **AT_NOON,
    ),
    **one("PaperTradingStore", buy, lambda store: store.load(), lambda book: len(book.fills), **AT_NOON),
    **one("AsyncPaperTradingStore", buy_there, lambda store: store.load(), lambda book: len(book.fills), **AT_NOON),
    **both(
        "StrategyStore",
        lambda store, n: store.save(Strategy(strategy_id=f"S{n}", name="any")),
        lambda store: store.ids(),
        **AT_NOON,
    ),
    **both(
        "TaskStore",
        lambda store, n: store.save(Task(task_id=f"T{n}", action="any")),
        lambda store: store.ids(),
        **AT_NOON,
    ),
    **both(
        "StockStateStore",
        lambda store, n: store.save(StockState(symbol=f"S{n}")),
        lambda store: store.ids(),
        **AT_NOON,
    ),
    **both(
        "StrategyLogStore",
        lambda store, n: store.append(StrategyLogEntry(strategy="S", message=f"{n}")),
        lambda store: store.read("S"),
        **AT_NOON,
    ),
    **both(
        "HistoricalStore",
        lambda store, _: store.update(hours("BTC"), lambda there: priced("BTC", len(there), 16 * len(there))),
        lambda store: store.read(hours("BTC")),
    ),
    **both("ReportStore", lambda store, n: store.write(f"r{n}", "text"), lambda store: store.names(), **AT_NOON),
    **both("BacktestStore", lambda store, n: store.write_analysis(f"r{n}", {}), lambda store: store.names(), **AT_NOON),
    **both(
        "DashboardStore",
        lambda store, _: store.update(lambda there: backtest(trades(there) + 1)),
        lambda store: store.latest_backtest(),
        trades,
    ),
    **both("CacheStore", lambda store, n: store.put(f"quote_{n}", {"n": n}), lambda store: store.keys(), **AT_NOON),
    **one(
        "PerformanceStore",
        lambda store, n: (store.start(worth(0)), store.add_snapshot(worth(n))),
        lambda store: store.snapshots(),
        **AT_NOON,
    ),
    **one("AsyncPerformanceStore", add_snapshot_there, lambda store: store.snapshots(), **AT_NOON),
}
in_a_child = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
every_store = pytest.mark.parametrize("name", STORES)


async def _of(found: Any, count: Callable[[Any], int]) -> int:
    return count(await found)


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
