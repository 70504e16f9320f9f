"""What a save and a load cost in each store: ``python -m tests.benchmarks.bench_stores --turns 100``.

Beside them stand the bare sequence (json.dumps, temp file, fsync, rename, fsync of the directory; read, json.loads) and
sqlite3 with synchronous=FULL. Every turn does one of each, one after the other, so that they share what the machine
does; the figures are medians, and ratios to the bare sequence. A load reads what was saved last: where that is in
memory, it is a row of its own, or the name says so. ``--store`` takes some of them, ``--markdown`` prints a table.
With ``--asyncio`` it is the asynchronous faces; each call then begins and ends the loop, which is some 50 us of it.
"""

import argparse
import asyncio
import inspect
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import reference_store
from reference_store import (
    BacktestStore,
    CacheStore,
    DashboardStore,
    DocumentStore,
    FileDataStore,
    HistoricalStore,
    JournalStore,
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
from reference_store.bot_models import (
    PaperFill,
    PaperOrder,
    Portfolio,
    StockState,
    Strategy,
    StrategyLogEntry,
    Task,
    Value,
)
from reference_store.dashboard_models import LatestBacktest
from reference_store.models import Action, Decision, Event, FundamentalData, Job, Order, OrderResult, PriceBar
from reference_store.performance_models import Snapshot
from reference_store.stores.bot.file_names import Granularity, HistoricalName

Calls = tuple[Callable[[int], object], Callable[[int], object]]
"""Saves, and then loads, what a turn is about."""
CONTENT = {"symbol": "AAPL", "amount": 12.5, "history": [1, 2, 3]}
START = datetime(2026, 1, 5, tzinfo=UTC)
WORTH = Value(amount=1.0)
HOURS = HistoricalName("BTC", "EUR", Granularity.HOUR, "180d")


def content(turn: int) -> dict[str, object]:
    return {**CONTENT, "turn": turn}


def moment(turn: int) -> datetime:
    return START + timedelta(minutes=turn)


def priced(symbol: str, at: datetime) -> PriceBar:
    return PriceBar(symbol=symbol, date=at, open=1.0, high=2.0, low=1.0, close=2.0, volume=3)


class Waited:
    """Makes the calls of an asynchronous store in one event loop, each from its beginning to its end."""

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, store: object) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., object]:
        call, loop = getattr(self._store, name), self.loop
        assert loop is not None

        def made(*given: object, **named: object) -> object:
            result = call(*given, **named)
            return loop.run_until_complete(result) if inspect.isawaitable(result) else result

        return made


def opened(kind: type[Any], root: Path, **options: Any) -> Any:
    """The store, or with ``--asyncio`` its asynchronous face."""
    if Waited.loop is None:
        return kind(root, **options)
    name = "JobStore" if kind is SyncJobStore else f"Async{kind.__name__}"
    return Waited(getattr(reference_store, name)(root, **options))


def bare(root: Path) -> Calls:
    root.mkdir()
    directory = os.open(root, os.O_RDONLY)

    def save(turn: int) -> None:
        descriptor = os.open("x.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640, dir_fd=directory)
        os.write(descriptor, json.dumps(content(turn)).encode())
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename("x.tmp", "x.json", src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)

    return save, lambda _: json.loads((root / "x.json").read_bytes())


def sqlite(root: Path) -> Calls:
    root.mkdir()
    database = sqlite3.connect(root / "x.db")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE documents (key TEXT PRIMARY KEY, content TEXT)")

    def save(turn: int) -> None:
        with database:
            database.execute("INSERT OR REPLACE INTO documents VALUES ('AAPL', ?)", (json.dumps(content(turn)),))

    return save, lambda _: json.loads(database.execute("SELECT content FROM documents").fetchone()[0])


def documents(root: Path) -> Calls:
    store = opened(DocumentStore, root)
    return lambda n: store.put("AAPL", content(n)), lambda _: store.get("AAPL")


def single(root: Path) -> Calls:
    store = opened(SingleDocumentStore, root)
    return lambda n: store.save(content(n)), lambda _: store.load()


def journal(root: Path) -> Calls:
    store = opened(JournalStore, root)
    return lambda n: store.append("2026-01-05", content(n)), lambda n: store.read("2026-01-05", since=n)


def jobs(root: Path) -> Calls:
    store = opened(SyncJobStore, root)
    return lambda n: store.save(Job(job_id=f"j{n % 16}", job_type="x")), lambda _: store.get("j0")


def runs(root: Path) -> Calls:
    store = opened(RunStore, root)
    return lambda n: store.create_or_update_run(f"r{n % 16}", "backtest"), lambda _: store.get_run("r0")


def bars(root: Path) -> Calls:
    store = opened(FileDataStore, root)
    return (
        lambda n: store.write_bars("AAPL", [priced("AAPL", moment(n))]),
        lambda n: store.read_bars("AAPL", moment(n), moment(n)),
    )


def company_data(root: Path) -> Calls:
    store = opened(FileDataStore, root)
    return (
        lambda n: store.write_fundamental("AAPL", FundamentalData(symbol="AAPL", timestamp=moment(n), employees=n)),
        lambda _: store.read_fundamental("AAPL"),
    )


def events(root: Path) -> Calls:
    store = opened(FileDataStore, root)
    return (
        lambda n: store.write_event(Event(type="split", timestamp=moment(n), data={"n": n})),
        lambda n: store.read_events(moment(n), moment(n)),
    )


def strategy_state(root: Path) -> Calls:
    store = opened(FileDataStore, root)
    return lambda n: store.save_strategy_state("s", content(n)), lambda _: store.load_strategy_state("s")


def decisions(root: Path) -> Calls:
    store = opened(FileDataStore, root, clock=lambda: START)
    bought = Decision(symbol="AAPL", action=Action.BUY)
    return lambda _: store.log_decision("s", bought), lambda _: store.read_decisions(START.date())


def orders(root: Path) -> Calls:
    store = opened(FileDataStore, root, clock=lambda: START)
    sent = Order(strategy_name="s", symbol="AAPL", action=Action.BUY, quantity=1, order_type="market")
    return (
        lambda n: store.log_order("s", sent, OrderResult(order_id=n, status="filled")),
        lambda _: store.read_orders(START.date()),
    )


def portfolio(root: Path) -> Calls:
    store = opened(PortfolioStore, root)
    return (
        lambda n: store.save(Portfolio(trades_executed=n, portfolio_value_eur=WORTH, initial_value_eur=WORTH)),
        lambda _: store.load(),
    )


def performance(root: Path) -> Calls:
    store = opened(PerformanceStore, root, clock=lambda: START + timedelta(days=7))
    store.start(Snapshot(timestamp=START, total_value_eur=1.0))
    return (
        lambda n: store.add_snapshot(Snapshot(timestamp=moment(n), total_value_eur=1.0)),
        lambda _: store.snapshots(),
    )


def paper_trading(root: Path) -> Calls:
    store = opened(PaperTradingStore, root)
    store.open_account(1_000_000)

    def save(turn: int) -> object:
        about = {"order_id": f"o{turn}", "symbol": "BTC", "side": "BUY", "quantity": 1}
        return store.execute(PaperOrder(**about), PaperFill(fill_id=f"f{turn}", price=Decimal(2), **about))

    return save, lambda _: store.load()


def strategies(root: Path) -> Calls:
    store = opened(StrategyStore, root)
    return lambda n: store.save(Strategy(strategy_id="s", name="x", parameters=content(n))), lambda _: store.get("s")


def tasks(root: Path) -> Calls:
    store = opened(TaskStore, root)
    return lambda n: store.save(Task(task_id="t", action="fetch", params=content(n))), lambda _: store.get("t")


def stock_states(root: Path) -> Calls:
    store = opened(StockStateStore, root)
    return lambda n: store.save(StockState(symbol="AAPL", data=content(n))), lambda _: store.get("AAPL")


def strategy_log(root: Path) -> Calls:
    store = opened(StrategyLogStore, root)
    return (
        lambda n: store.append(StrategyLogEntry(strategy="s", message="bought", data=content(n))),
        lambda n: store.read("s", since=n),
    )


def cache(root: Path) -> Calls:
    store = opened(CacheStore, root)
    return lambda n: store.put("quote_aapl", content(n)), lambda _: store.get("quote_aapl")


def cache_read_again(root: Path) -> Calls:
    store = opened(CacheStore, root, ttl=3600)
    store.put("quote_aapl", content(0))
    return lambda n: store.put("quote_msft", content(n)), lambda _: store.get("quote_aapl")


def historical(root: Path) -> Calls:
    store = opened(HistoricalStore, root)
    present = [priced("BTC-EUR", START + timedelta(hours=hour)) for hour in range(24 * 30)]
    return lambda _: store.write(HOURS, present), lambda _: store.read_table(HOURS)


def reports(root: Path) -> Calls:
    store = opened(ReportStore, root)
    return (
        lambda n: store.write_analysis("daily_health", content(n), START),
        lambda _: store.read(store.names()[0]),
    )


def backtests(root: Path) -> Calls:
    store = opened(BacktestStore, root)
    return lambda n: store.write_performance(f"Turn {n}\n"), lambda _: store.read_performance()


def dashboard(root: Path) -> Calls:
    store = opened(DashboardStore, root)
    return (
        lambda n: store.publish(
            LatestBacktest(generated_at=START, strategy="s", start=START, end=START, trades=n, parameters=content(n))
        ),
        lambda _: store.latest_backtest(),
    )


BARE = "bare sequence"
STORES: dict[str, Callable[[Path], Calls]] = {
    BARE: bare,
    "sqlite3 FULL": sqlite,
    "documents": documents,
    "single document": single,
    "journal": journal,
    "jobs, read from memory": jobs,
    "runs, read from memory": runs,
    "bars, the next one": bars,
    "company data": company_data,
    "events": events,
    "strategy state": strategy_state,
    "decisions, a day": decisions,
    "orders, a day": orders,
    "portfolio": portfolio,
    "performance": performance,
    "paper trading": paper_trading,
    "strategies": strategies,
    "tasks": tasks,
    "stock states": stock_states,
    "strategy log": strategy_log,
    "cache, put just now": cache,
    "cache, read from memory": cache_read_again,
    "historical, 720 bars": historical,
    "reports": reports,
    "backtests": backtests,
    "dashboard": dashboard,
}


def timed(call: Callable[[int], object], turn: int) -> float:
    start = time.perf_counter()
    call(turn)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--store", action="append", choices=list(STORES)[1:], help="only this one; may be repeated")
    parser.add_argument("--directory", type=Path, help="an existing directory to work below; what is made is removed")
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    parser.add_argument("--asyncio", action="store_true", help="the asynchronous faces")
    options = parser.parse_args()
    if options.asyncio:
        Waited.loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        chosen = [BARE, *(options.store or list(STORES)[1:])]
        calls = {name: STORES[name](Path(place) / str(number)) for number, name in enumerate(chosen)}
        saves: dict[str, list[float]] = {name: [] for name in calls}
        loads: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(options.turns):
            for name, (save, load) in calls.items():
                saves[name].append(timed(save, turn))
                loads[name].append(timed(load, turn))
    first_save, first_load = (statistics.median(each[BARE]) for each in (saves, loads))
    line = "| {:24} | {:>10} | {:>6} | {:>10} | {:>6} |" if options.markdown else "{:24} {:>10} {:>6} {:>10} {:>6}"
    print(line.format("store", "save", "ratio", "load", "ratio"))
    if options.markdown:
        print("| --- | ---: | ---: | ---: | ---: |")
    for name in calls:
        save_time, load_time = statistics.median(saves[name]), statistics.median(loads[name])
        save_ratio, load_ratio = f"{save_time / first_save:.2f}", f"{load_time / first_load:.2f}"
        print(line.format(name, f"{save_time * 1e3:.2f} ms", save_ratio, f"{load_time * 1e3:.3f} ms", load_ratio))


if __name__ == "__main__":
    main()
