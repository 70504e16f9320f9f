"""What a save and a load cost in each store: ``python -m tests.benchmarks.bench_stores --turns 100``.

Beside them stand the bare sequence (json.dumps, temp file, fsync, rename, fsync of the directory; read, json.loads) and
sqlite3 with synchronous=FULL. Every turn does one of each, one after the other, so that they share what the machine
does; the figures are medians, and ratios to the bare sequence.
"""

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reference_store import (
    DocumentStore,
    FileDataStore,
    JournalStore,
    PortfolioStore,
    RunStore,
    SingleDocumentStore,
    SyncJobStore,
    TaskStore,
)
from reference_store.bot_models import Portfolio, Task, Value
from reference_store.models import Job, PriceBar

Calls = tuple[Callable[[int], object], Callable[[], object]]
CONTENT = {"symbol": "AAPL", "amount": 12.5, "history": [1, 2, 3]}
START = datetime(2026, 1, 5, tzinfo=UTC)


def bare(root: Path) -> Calls:
    root.mkdir()
    directory = os.open(root, os.O_RDONLY)

    def save(turn: int) -> None:
        descriptor = os.open("x.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640, dir_fd=directory)
        os.write(descriptor, json.dumps({**CONTENT, "turn": turn}).encode())
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename("x.tmp", "x.json", src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)

    return save, lambda: json.loads((root / "x.json").read_bytes())


def sqlite(root: Path) -> Calls:
    root.mkdir()
    database = sqlite3.connect(root / "x.db")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE documents (key TEXT PRIMARY KEY, content TEXT)")

    def save(turn: int) -> None:
        with database:
            content = json.dumps({**CONTENT, "turn": turn})
            database.execute("INSERT OR REPLACE INTO documents VALUES ('AAPL', ?)", (content,))

    return save, lambda: json.loads(database.execute("SELECT content FROM documents").fetchone()[0])


def stores(root: Path) -> dict[str, Calls]:
    documents, single = DocumentStore(root / "documents"), SingleDocumentStore(root / "single")
    logs, portfolio, tasks = JournalStore(root / "logs"), PortfolioStore(root / "bot"), TaskStore(root / "tasks")
    jobs, runs, data = SyncJobStore(root / "jobs"), RunStore(root / "runs"), FileDataStore(root / "trading")
    worth = Value(amount=1.0)

    def bars(turn: int) -> None:
        at = START + timedelta(minutes=turn)
        bar = PriceBar(symbol="AAPL", date=at, open=1.0, high=2.0, low=1.0, close=2.0, volume=3)
        data.write_bars("AAPL", [bar])

    return {
        "documents": (lambda n: documents.put("AAPL", {**CONTENT, "turn": n}), lambda: documents.get("AAPL")),
        "single document": (lambda n: single.save({**CONTENT, "turn": n}), single.load),
        "journal": (lambda n: logs.append("2026-01-05", {**CONTENT, "turn": n}), lambda: logs.read("2026-01-05")),
        "portfolio": (
            lambda n: portfolio.save(Portfolio(trades_executed=n, portfolio_value_eur=worth, initial_value_eur=worth)),
            portfolio.load,
        ),
        "tasks": (lambda n: tasks.save(Task(task_id=f"t{n}", action="fetch")), lambda: tasks.get("t0")),
        "jobs, cached": (lambda n: jobs.save(Job(job_id=f"j{n % 16}", job_type="x")), lambda: jobs.get("j0")),
        "runs, cached": (lambda n: runs.create_or_update_run(f"r{n % 16}", "backtest"), lambda: runs.get_run("r0")),
        "strategy state": (
            lambda n: data.save_strategy_state("s", {**CONTENT, "turn": n}),
            lambda: data.load_strategy_state("s"),
        ),
        "bars": (bars, lambda: data.read_bars("AAPL", START, START + timedelta(days=1))),
    }


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        calls = {"bare sequence": bare(root / "bare"), "sqlite3 FULL": sqlite(root / "sqlite"), **stores(root)}
        saves: dict[str, list[float]] = {name: [] for name in calls}
        loads: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(options.turns):
            for name, (save, load) in calls.items():
                saves[name].append(timed(lambda save=save, turn=turn: save(turn)))  # type: ignore[misc] # bound now
                loads[name].append(timed(load))
        first_save, first_load = (statistics.median(each["bare sequence"]) for each in (saves, loads))
        print(f"{'':18} {'save':>10} {'ratio':>7} {'load':>12} {'ratio':>7}")
        for name in calls:
            save_time, load_time = statistics.median(saves[name]), statistics.median(loads[name])
            print(
                f"{name:18} {save_time * 1e3:7.2f} ms {save_time / first_save:7.2f} "
                f"{load_time * 1e6:9.1f} µs {load_time / first_load:7.2f}"
            )


if __name__ == "__main__":
    main()
