"""How many durable updates of one file one and many writers get done: ``python -m tests.benchmarks.bench_jobs``.

All writers of jobs and runs update records of one file that holds ``--jobs`` others, all writers of documents put the
same key, all writers of a journal append to one stream; every update is durable when its caller goes on. One writer and
many alternate in slices of one run; the figures are medians of the ratios of neighbouring slices. Beside the stores
stands the bare sequence of one writer: json.dumps of the whole file, temp file, fsync, rename, fsync of the directory.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from reference_store import AsyncDocumentStore, AsyncJournalStore, DocumentStore, JobStore, JournalStore, RunStore
from reference_store.models import Job
from tests.benchmarks.bench_document_save import portfolio


def job(number: int, turn: int) -> Job:
    return Job(
        job_id=f"job-{number}",
        job_type="backtest",
        status="running",
        params={"symbol": "AAPL", "turn": turn, "window": 20},
    )


def bare(root: Path, jobs: int) -> Callable[[int], None]:
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    held = {f"job-{number}": job(number, 0).model_dump(mode="json") for number in range(jobs)}

    def save(turn: int) -> None:
        held[f"job-{turn % 16}"] = job(turn % 16, turn).model_dump(mode="json")
        descriptor = os.open("bare.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=directory)
        os.write(descriptor, json.dumps({"jobs": list(held.values())}).encode())
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename("bare.tmp", "bare.json", src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)

    return save


async def save_with_tasks(save: Callable[[int, int], Awaitable[object]], writers: int, each: int) -> None:
    async def writer(number: int) -> None:
        for turn in range(each):
            await save(number, turn)

    await asyncio.gather(*map(writer, range(writers)))


def save_with_threads(save: Callable[[int, int], object], writers: int, each: int) -> None:
    def writer(number: int) -> None:
        for turn in range(each):
            save(number, turn)

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="slices of each way")
    parser.add_argument("--updates", type=int, default=32, help="updates of each writer in a slice")
    parser.add_argument("--jobs", type=int, default=20, help="records that the file holds already")
    parser.add_argument("--directory", type=Path, help="a directory on the disk to measure")
    chosen = parser.parse_args()
    each = chosen.updates
    with tempfile.TemporaryDirectory(dir=chosen.directory) as found, asyncio.Runner() as runner:
        root = Path(found)
        jobs, runs, save = JobStore(root / "jobs"), RunStore(root / "runs"), bare(root, chosen.jobs)
        documents, journal = DocumentStore(root / "documents"), JournalStore(root / "journal")
        later_documents, later_journal = AsyncDocumentStore(root / "documents"), AsyncJournalStore(root / "journal")
        for number in range(chosen.jobs):
            runner.run(jobs.save(job(number, -1)))
            runs.create_or_update_run(f"run-{number}", "backtest")
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "bare, one writer": (1, lambda: [save(turn) for turn in range(each)]),
        }
        threads: dict[str, Callable[[int, int], object]] = {
            "RunStore": lambda number, turn: runs.create_or_update_run(
                f"run-{number}", "backtest", metrics={"turn": turn, "pnl": turn * 1.5}
            ),
            "DocumentStore.put": lambda number, turn: documents.put("P", portfolio(number * each + turn)),
            "JournalStore.append": lambda number, turn: journal.append("S", {"writer": number, "turn": turn}),
        }
        tasks: dict[str, Callable[[int, int], Awaitable[object]]] = {
            "JobStore.save": lambda number, turn: jobs.save(job(number, turn)),
            "AsyncDocumentStore.put": lambda number, turn: later_documents.put("Q", portfolio(number * each + turn)),
            "AsyncJournalStore.append": lambda number, turn: later_journal.append(
                "T", {"writer": number, "turn": turn}
            ),
        }
        for writers in (1, 16, 128):
            for name, call in threads.items():
                ways[f"{name}, {writers} threads"] = (
                    writers,
                    lambda call=call, writers=writers: save_with_threads(call, writers, each),
                )
            for name, later in tasks.items():
                ways[f"{name}, {writers} tasks"] = (
                    writers,
                    lambda later=later, writers=writers: runner.run(save_with_tasks(later, writers, each)),
                )
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(chosen.rounds + 1):
            for name, (writers, way) in ways.items():
                begun = time.perf_counter()
                way()
                rates[name].append(writers * each / (time.perf_counter() - begun))
        print(f"{chosen.jobs} records in the file, {chosen.rounds} x {each} updates of each writer")
        for name, slices in rates.items():
            one = next(first for first in rates if first.split(",")[0] == name.split(",")[0])
            ratio = statistics.median(many / single for many, single in zip(slices[1:], rates[one][1:], strict=True))
            wanted = "   (reach: >= 10)" if ", 16 " in name else ""
            print(f"  {name:38} {statistics.median(slices[1:]):9.0f} updates/s   {ratio:6.2f} x {one}{wanted}")
        for store in (jobs, later_documents, later_journal):
            runner.run(store.aclose())
        for closing in (runs, documents, journal):
            closing.close()


if __name__ == "__main__":
    main()
