"""Costs of jobs and runs: an update and a page, by the number of records, alone and beside another process."""

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import reference_store
from reference_store import JobStore, RunStore
from tests.benchmarks.reference_costs.measure import (
    SQLITE,
    STORE,
    Chosen,
    Cost,
    NotThere,
    costs,
    in_turn,
    sqlite,
    table,
    unsynced,
)
from tests.benchmarks.reference_costs.values import FIRST, SECOND, job

COLUMNS = "id TEXT PRIMARY KEY, at TEXT, record TEXT"
UPSERT = "INSERT OR REPLACE INTO t VALUES (?, ?, ?)"
PAGE = "SELECT record FROM t ORDER BY at DESC LIMIT 50"


def jobs(chosen: Chosen) -> Iterator[list[Cost]]:
    """Saving one of so many jobs, and the first page of them."""
    kind = getattr(reference_store, "SyncJobStore", None)
    if kind is None:
        raise NotThere("SyncJobStore")
    for size in chosen.sizes(10, 1_000, 20_000):
        place = chosen.empty("jobs")
        with asyncio.Runner() as runner, unsynced():
            runner.run(_save_all(place / "jobs", size))
        database = _database(place / "jobs.db", size)
        store = kind(place / "jobs", lock_timeout=60)

        def save(turn: int, store: Any = store, size: int = size) -> None:
            store.save(job(turn * 7919 % size, turn))

        def upsert(turn: int, database: Any = database, size: int = size) -> None:
            _upsert(database, turn * 7919 % size, turn)

        sides = {STORE: save, SQLITE: upsert}
        save(0)
        save(1)  # the first changes after opening write the file anew: measured by itself
        yield costs("save of a job", size, in_turn(sides, chosen.repeats * 4))
        pages = {STORE: lambda _, s=store: s.list(limit=50), SQLITE: lambda _, d=database: _page(d)}
        yield costs("page of 50 jobs", size, in_turn(pages, chosen.repeats))
        with _Other(_save_elsewhere, place, size) as other:
            for turn in range(3):
                other.turn(turn)
            behind = in_turn(sides, chosen.repeats * 2, before=other.turn)
        yield costs("save of a job after another process's", size, behind)
        store.close()

        def reopened(turn: int, place: Path = place, size: int = size) -> None:
            again = kind(place / "jobs", lock_timeout=60)
            again.save(job(turn * 7919 % size, turn))
            again.close()

        def reopened_database(turn: int, place: Path = place, size: int = size) -> None:
            again = sqlite(place / "jobs.db")
            _upsert(again, turn * 7919 % size, turn)
            again.close()

        whole = {STORE: reopened, SQLITE: reopened_database}
        yield costs("opening, saving a job, closing", size, in_turn(whole, chosen.repeats, warm=False))


async def _save_all(place: Path, size: int) -> None:
    store = JobStore(place, lock_timeout=600)
    await asyncio.gather(*(store.save(job(number)) for number in range(size)))
    await store.aclose()


def runs(chosen: Chosen) -> Iterator[list[Cost]]:
    """Updating one of so many runs, and the first page of them."""
    for size in chosen.sizes(10, 1_000, 20_000):
        place = chosen.empty("runs")
        with unsynced():
            _create_all(RunStore(place / "runs", lock_timeout=600), size)
        database = _database(place / "runs.db", size)
        store = RunStore(place / "runs", lock_timeout=60)

        def update(turn: int, store: RunStore = store, size: int = size) -> None:
            store.create_or_update_run(f"run-{turn * 7919 % size}", "backtest", metrics={"turn": turn})

        def upsert(turn: int, database: Any = database, size: int = size) -> None:
            _upsert(database, turn * 7919 % size, turn)

        yield costs("update of a run", size, in_turn({STORE: update, SQLITE: upsert}, chosen.repeats * 2))
        sides = {STORE: lambda _, s=store: s.list_runs(limit=50), SQLITE: lambda _, d=database: _page(d)}
        yield costs("page of 50 runs", size, in_turn(sides, chosen.repeats))
        store.close()


def _create_all(store: RunStore, size: int) -> None:
    """Many threads at once: their runs are written together."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(64) as pool:
        for _ in pool.map(lambda n: store.create_or_update_run(f"run-{n}", "backtest", metrics={"n": n}), range(size)):
            pass
    store.close()


def _database(path: Path, size: int) -> Any:
    rows = ((f"job-{n}", (FIRST + n * SECOND).isoformat(), job(n).model_dump_json()) for n in range(size))
    return table(path, COLUMNS, rows, "at")


def _upsert(database: Any, number: int, turn: int) -> None:
    at = (FIRST + (10**6 + turn) * SECOND).isoformat()
    database.execute(UPSERT, (f"job-{number}", at, job(number, turn).model_dump_json()))


def _page(database: Any) -> None:
    for (record,) in database.execute(PAGE):
        json.loads(record)


def _save_elsewhere(place: Path, size: int, pipe: Any) -> None:
    """The other process: saves a job, in both, whenever it is asked to."""
    database = sqlite(place / "jobs.db")
    store = getattr(reference_store, "SyncJobStore")(place / "jobs", lock_timeout=60)  # noqa: B009 - not in every version
    while (turn := pipe.recv()) is not None:
        number = (turn * 104_729 + 1) % size
        store.save(job(number, turn))
        _upsert(database, number, turn)
        pipe.send(None)


class _Other:
    """Another process that does its part when it is its turn."""

    def __init__(self, work: Callable[..., None], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=work, args=(*args, other), daemon=True)

    def __enter__(self) -> "_Other":
        self._process.start()
        return self

    def turn(self, number: int) -> None:
        """Let the other process do its part."""
        self._pipe.send(number)
        self._pipe.recv()

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join()
