"""Each contract on files, on PostgreSQL and in Delta tables: ``python -m tests.benchmarks.bench_beyond --turns 50``.

Every turn does one of each, one after the other, so that they share what the machine does; the figures are medians in
milliseconds, and ratios to the files. PostgreSQL is started here, with fsync on and its data on the disk of the files;
Delta stands on a local path, where it syncs nothing, and in a bucket served by a process beside. ``--months`` is how
many months of minutes the bars have, and ``--already`` how many records logs, jobs and events have before the first
turn. With ``--seconds`` processes write side by side at the end: 1 and 4 of them, one document or each its own.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reference_store import DocumentStore, FileDataStore, JournalStore, RunStore, SingleDocumentStore, SyncJobStore
from reference_store.bucket import BucketDocumentStore
from reference_store.errors import StorageFailure
from reference_store.lake import LakeBarStore
from reference_store.models import Decision, Event, FundamentalData, Job, PriceBar
from reference_store.postgres import (
    Database,
    PostgresDataStore,
    PostgresDocumentStore,
    PostgresJobStore,
    PostgresJournalStore,
    PostgresRunStore,
    PostgresSingleDocumentStore,
)
from tests.reference_store.network.buckets_on_loopback import served_apart
from tests.reference_store.network.servers import Server

Call = Callable[[int], object]
START = datetime(2026, 1, 1, tzinfo=UTC)
CONTENT = {"symbol": "AAPL", "amount": 12.5, "history": [1, 2, 3]}


def minutes(first: datetime, count: int) -> list[PriceBar]:
    return [PriceBar("AAPL", first + timedelta(minutes=n), 1.0, 2.0, 0.5, 1.5, 3) for n in range(count)]


def records(documents, single, journal, jobs, runs, data) -> dict[str, Call]:
    """What is done in each turn, whatever the stores are."""

    def claim(turn: int) -> None:
        jobs.save(Job(job_id=f"j{turn}", job_type="x"))
        jobs.claim_next()

    def known(turn: int) -> FundamentalData:
        return FundamentalData(symbol="AAPL", timestamp=START + timedelta(days=turn), employees=turn)

    return {
        "documents: put": lambda n: documents.put("AAPL", {**CONTENT, "turn": n}),
        "documents: update": lambda _: documents.update("AAPL", lambda found: found),
        "documents: get": lambda _: documents.get("AAPL"),
        "single document: save": lambda n: single.save({**CONTENT, "turn": n}),
        "journal: append": lambda n: journal.append("a", {**CONTENT, "turn": n}),
        "journal: read": lambda _: journal.read("a"),
        "jobs: save, claim": claim,
        "jobs: list": lambda _: jobs.list(),
        "runs: update": lambda n: runs.create_or_update_run("r", "x", metrics={"n": n}),
        "state: save": lambda n: data.save_strategy_state("s", {**CONTENT, "turn": n}),
        "events: write": lambda n: data.write_event(Event(type="x", timestamp=START + timedelta(minutes=n))),
        "events: read": lambda n: data.read_events(START, START + timedelta(minutes=n)),
        "fundamentals: write": lambda n: data.write_fundamental("AAPL", known(n)),
        "fundamentals: read": lambda _: data.read_fundamental("AAPL"),
        "audit: write": lambda _: data.log_decision("s", Decision(symbol="AAPL", action="BUY")),
    }


def bars(store, months: int) -> dict[str, Call]:
    end = START + timedelta(days=31 * months)
    for month in range(months):
        store.write_bars("AAPL", minutes(START + timedelta(days=31 * month), 31 * 1440))
    return {
        "bars: merge half a day": lambda n: store.write_bars("AAPL", minutes(end + timedelta(days=n), 720)),
        "bars: read a month": lambda _: store.read_bars_table("AAPL", START, START + timedelta(days=31)),
    }


def filled(calls: dict[str, Call], count: int) -> dict[str, Call]:
    """Let there be so many records before anything is measured."""
    for number in range(1, count + 1):
        for name in ("journal: append", "jobs: save, claim", "events: write"):
            calls[name](-number)
    return calls


def updates(kind: str, place: object, options: dict[str, str], key: str, seconds: float, begin: object, told: object):
    """Update one document as often as that is done in so many seconds."""
    if kind == "files":
        store = DocumentStore(place)
    elif kind == "PostgreSQL":
        store = PostgresDocumentStore(Database(place))
    else:
        store = BucketDocumentStore(place, storage_options=options, retry_for=60)
    store.update(key, lambda found: found or CONTENT)
    begin.wait()
    end, done = time.perf_counter() + seconds, 0
    try:
        while time.perf_counter() < end:
            with suppress(StorageFailure):  # in a bucket, of which others have written too much since to tell
                store.update(key, lambda found: found)
                done += 1
    finally:
        told.put(done)


def side_by_side(where: dict[str, tuple[object, dict[str, str]]], writers: int, seconds: float, *, one: bool) -> str:
    """Return how many updates a second all processes together have made in each place."""
    context = multiprocessing.get_context("spawn")
    line = f"{f'{writers} writing, ' + ('one document' if one else 'each its own'):32}"
    for kind, (place, options) in where.items():
        told, begin = context.SimpleQueue(), context.Barrier(writers)
        running = [
            context.Process(
                target=updates, args=(kind, place, options, "all" if one else f"k{n}", seconds, begin, told)
            )
            for n in range(writers)
        ]
        for process in running:
            process.start()
        line += f"{sum(told.get() for _ in running) / seconds:>16.0f} /s"
        for process in running:
            process.join()
    return line


@contextmanager
def places(
    root: Path, months: int, already: int, where: dict[str, tuple[object, dict[str, str]]]
) -> Iterator[dict[str, dict[str, Call]]]:
    with ExitStack() as stack:
        root.chmod(0o711)  # the server runs as somebody else where we are root
        server = Server(place=root)
        stack.callback(server.stop)
        database = stack.enter_context(Database(server.conninfo))
        options = stack.enter_context(served_apart())
        files, data = root / "files", FileDataStore(root / "files" / "data")
        bucket = BucketDocumentStore("s3://trading/state", storage_options=options)
        where["files"] = (root / "together", {})
        where["PostgreSQL"] = (server.conninfo, {})
        where["bucket"] = ("s3://trading/together", options)
        yield {
            "files": {
                **filled(records(
                    DocumentStore(files / "d"), SingleDocumentStore(files / "s"), JournalStore(files / "l"),
                    SyncJobStore(files / "j"), RunStore(files / "r"), data,
                ), already),
                **bars(data, months),
            },
            "PostgreSQL": filled(records(
                PostgresDocumentStore(database), PostgresSingleDocumentStore(database), PostgresJournalStore(database),
                PostgresJobStore(database), PostgresRunStore(database), PostgresDataStore(database),
            ), already),
            "Delta, path": bars(LakeBarStore(root / "lake"), months),
            "bucket": {
                **bars(LakeBarStore("s3://market/bars", storage_options=options), months),
                "documents: put": lambda n: bucket.put("AAPL", {**CONTENT, "turn": n}),
                "documents: update": lambda _: bucket.update("AAPL", lambda found: found or {}),
                "documents: get": lambda _: bucket.get("AAPL"),
            },
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--months", type=int, default=2)
    parser.add_argument("--already", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0, help="of each measurement with several processes")
    given = parser.parse_args()
    where: dict[str, tuple[object, dict[str, str]]] = {}
    with (
        tempfile.TemporaryDirectory() as root,
        places(Path(root), given.months, given.already, where) as calls,
    ):
        names = list(calls["files"])
        taken: dict[tuple[str, str], list[float]] = {}
        for turn in range(1, given.turns + 1):
            for name in names:
                for place, those in calls.items():
                    if (call := those.get(name)) is not None:
                        began = time.perf_counter()
                        call(turn)
                        taken.setdefault((name, place), []).append((time.perf_counter() - began) * 1000)
        together = [
            side_by_side(where, writers, given.seconds, one=one)
            for one in (True, False)
            for writers in (1, 4)
            if given.seconds
        ]
    print(f"{'':24}" + "".join(f"{place:>22}" for place in calls))
    for name in names:
        line = f"{name:24}"
        files = statistics.median(taken[name, "files"])
        for place in calls:
            found = taken.get((name, place))
            median = statistics.median(found) if found else 0
            line += f"{f'{median:.2f} ms ({median / files:.1f}x)' if found else '-':>22}"
        print(line)
    if together:
        print(f"on {os.cpu_count()} cores; updates of documents by processes side by side: {', '.join(where)}")
        print("\n".join(together))


if __name__ == "__main__":
    main()
