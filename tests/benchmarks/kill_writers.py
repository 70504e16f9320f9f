"""Kills writers of every reference store in the middle and looks for what they had acknowledged.

``python -m tests.benchmarks.kill_writers [--kills N] [--processes N] [--threads N] [--root DIR]``. Several processes
of several threads (or as many tasks) write to one directory: all of them to the same log, runs, jobs and month of bars,
and each to documents of its own and to one that all share. They report each call that has returned through a pipe, are
killed with SIGKILL at random moments, and others take their place. Everything that was reported must be there, at the
end and while it goes on. It says how much that was, or what is missing, and ends with 1 then.
"""

import argparse
import asyncio
import os
import random
import select
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reference_store import (
    AsyncDocumentStore,
    AsyncFileDataStore,
    AsyncJournalStore,
    DocumentStore,
    FileDataStore,
    JobStore,
    JournalStore,
    RunStore,
)
from reference_store.models import Event, Job, PriceBar

MONTH = datetime(2026, 1, 1, tzinfo=UTC)
LONG = 60.0
"""Seconds that a writer waits for the lock: the machine may be busy."""


def bar(writer: int, turn: int) -> PriceBar:
    """One bar that no other writer writes."""
    when = MONTH + timedelta(seconds=writer * 4_000 + turn)
    return PriceBar(symbol="AAPL", date=when, open=1.0, high=2.0, low=0.5, close=float(turn), volume=turn)


def write_in_threads(root: Path, writers: list[int], done: Callable[[str, int, int], None]) -> None:
    """Write for ever, each writer in a thread of its own, and report each call that has returned."""
    documents, journal = (
        DocumentStore(root / "documents", lock_timeout=LONG),
        JournalStore(root / "journal", lock_timeout=LONG),
    )
    runs, trading = RunStore(root / "runs", lock_timeout=LONG), FileDataStore(root / "trading", lock_timeout=LONG)

    def write(writer: int) -> None:
        turn = int(time.time() * 20) % 1_000_000_000
        while True:
            turn += 1
            documents.put(f"own-{writer}", {"turn": turn})
            done("documents", writer, turn)
            documents.put("shared", {"writer": writer, "turn": turn})
            journal.append("log", {"writer": writer, "turn": turn})
            done("journal", writer, turn)
            runs.create_or_update_run(f"run-{writer}", "stress", metrics={"turn": turn})
            done("runs", writer, turn)
            trading.save_strategy_state(f"own-{writer}", {"turn": turn})
            done("state", writer, turn)
            trading.write_bars("AAPL", [bar(writer, turn % 4_000)])
            done("bars", writer, turn % 4_000)

    for writer in writers:
        threading.Thread(target=write, args=(writer,), daemon=True).start()
    threading.Event().wait()


async def write_in_tasks(root: Path, writers: list[int], done: Callable[[str, int, int], None]) -> None:
    """The same with tasks and the asynchronous faces."""
    documents = AsyncDocumentStore(root / "documents", lock_timeout=LONG)
    journal, jobs = AsyncJournalStore(root / "journal", lock_timeout=LONG), JobStore(root / "jobs", lock_timeout=LONG)
    trading = AsyncFileDataStore(root / "trading", lock_timeout=LONG)

    async def write(writer: int) -> None:
        turn = int(time.time() * 20) % 1_000_000_000
        while True:
            turn += 1
            await documents.put(f"own-{writer}", {"turn": turn})
            done("documents", writer, turn)
            await documents.put("shared", {"writer": writer, "turn": turn})
            await journal.append("log", {"writer": writer, "turn": turn})
            done("journal", writer, turn)
            await jobs.save(Job(job_id=f"job-{writer}", job_type="stress", params={"turn": turn}))
            done("jobs", writer, turn)
            await trading.write_event(Event(type=f"w{writer}", timestamp=MONTH, data={"turn": turn}))
            done("events", writer, turn)
            await trading.write_bars("AAPL", [bar(writer, turn % 4_000)])
            done("bars", writer, turn % 4_000)

    await asyncio.gather(*map(write, writers))


def start(root: Path, writers: list[int], *, in_tasks: bool) -> tuple[int, int]:
    """Start a process of writers and return its number and the pipe in which it reports."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading

    def done(store: str, writer: int, turn: int) -> None:
        os.write(writing, f"{store} {writer} {turn}\n".encode())

    try:
        os.close(reading)
        if in_tasks:
            asyncio.run(write_in_tasks(root, writers, done))
        else:
            write_in_threads(root, writers, done)
    finally:
        os._exit(3)


def missing(root: Path, done: dict[str, set[tuple[int, int]]]) -> list[str]:
    """Return what was acknowledged and is not there: the last update of each writer, every line and every bar."""
    documents, trading = DocumentStore(root / "documents"), FileDataStore(root / "trading")
    last: dict[str, dict[int, int]] = {store: dict(sorted(pairs)) for store, pairs in done.items()}
    runs = {run.run_id: run.metrics["turn"] for run in RunStore(root / "runs").list_runs(limit=10_000)}
    jobs = {job.job_id: job.params["turn"] for job in asyncio.run(JobStore(root / "jobs").list(limit=10_000))}
    known: dict[str, Callable[[int], Any]] = {
        "documents": lambda writer: (documents.get(f"own-{writer}") or {}).get("turn", -1),
        "state": lambda writer: (trading.load_strategy_state(f"own-{writer}") or {}).get("turn", -1),
        "runs": lambda writer: runs.get(f"run-{writer}", -1),
        "jobs": lambda writer: jobs.get(f"job-{writer}", -1),
    }
    bars = trading.read_bars("AAPL", MONTH, MONTH + timedelta(days=36_500))
    events = trading.read_events(MONTH, MONTH)
    whole = {
        "journal": {(line["writer"], line["turn"]) for line in JournalStore(root / "journal").read("log")},
        "events": {(int(event.type[1:]), event.data["turn"]) for event in events},
        "bars": {divmod(int((found.date - MONTH).total_seconds()), 4_000) for found in bars},
    }
    lost = [
        f"{store} of writer {writer}: {turn} was acknowledged, {known[store](writer)} is there"
        for store in known
        for writer, turn in last.get(store, {}).items()
        if known[store](writer) < turn
    ]
    lost += [f"{store}: {pair}" for store in whole for pair in sorted(done.get(store, set()) - whole[store])]
    documents.get("shared")
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--pause", type=float, default=0.15, help="seconds between two kills, at most twice that")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, help="an empty directory to write in")
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    root = chosen.root or Path(tempfile.mkdtemp())
    living: dict[int, tuple[int, list[int], bool, bytes]] = {}
    done: dict[str, set[tuple[int, int]]] = {}
    writers = 0

    def begin(number: int) -> None:
        nonlocal writers
        mine = list(range(writers, writers + chosen.threads))
        writers += chosen.threads
        in_tasks = number % 2 == 1
        child, pipe = start(root, mine, in_tasks=in_tasks)
        living[pipe] = (child, mine, in_tasks, b"")

    def listen(seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for pipe in select.select(list(living), [], [], left)[0]:
                take(pipe, os.read(pipe, 1 << 16))

    def take(pipe: int, data: bytes) -> None:
        child, mine, in_tasks, rest = living[pipe]
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            store, writer, turn = line.decode().split()
            done.setdefault(store, set()).add((int(writer), int(turn)))
        living[pipe] = (child, mine, in_tasks, rest)

    for number in range(chosen.processes):
        begin(number)
    for kill in range(chosen.kills):
        listen(chance.uniform(0, 2 * chosen.pause))
        pipe = chance.choice(sorted(living))
        child, _, in_tasks, _ = living[pipe]
        os.kill(child, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
            sys.exit("a writer ended by itself")
        while data := os.read(pipe, 1 << 16):
            take(pipe, data)
        os.close(pipe)
        del living[pipe]
        begin(int(in_tasks))
        if kill % 25 == 24 and (lost := missing(root, done)):
            break
    else:
        lost = []
    for child, *_ in living.values():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for pipe in list(living):
        while data := os.read(pipe, 1 << 16):
            take(pipe, data)
    lost = lost or missing(root, done)
    counts = ", ".join(f"{len(pairs)} {store}" for store, pairs in sorted(done.items()))
    print(
        f"{kill + 1} kills of {chosen.processes} processes with {chosen.threads} writers each; acknowledged: {counts}"
    )
    print("\n".join(lost) or "nothing is missing")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
