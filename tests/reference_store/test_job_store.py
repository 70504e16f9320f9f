"""JobStore: the contract, progress without disk writes, tasks, instances and processes, cancellation, damage."""

# ruff: noqa: DTZ001 - naive times are among the cases

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reference_store import CorruptData, InvalidIdentifier, InvalidRecord, JobStore, StorageFailure, StoreClosed
from reference_store.models import Job, Status
from tests.reference_store.faults import fail_call
from tests.reference_store.trading import flip

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def job(job_id: str, **fields: Any) -> Job:
    return Job(**{"job_id": job_id, "job_type": "backtest", "created_at": NOW, **fields})


def using(root: Path, use: Callable[[JobStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = JobStore(root, clock=lambda: NOW)
        try:
            return await use(store)
        finally:
            await store.aclose()

    return asyncio.run(run())


def test_a_saved_job_comes_back_equal_also_after_reopening(tmp_path: Path) -> None:
    made = job("j1", params={"window": 20}, result={"pnl": [1.5]}, started_at=datetime(2026, 1, 1, 0, 0, 0, 1))
    using(tmp_path, lambda store: store.save(made))

    assert using(tmp_path, lambda store: store.get("j1")) == made
    assert using(tmp_path, lambda store: store.get("j2")) is None


def test_what_is_returned_can_be_changed_without_changing_the_store(tmp_path: Path) -> None:
    async def use(store: JobStore) -> None:
        made = job("j1", params={"list": [1]}, result={"list": [1]})
        await store.save(made)
        made.params["list"].append(2)  # type: ignore[union-attr, arg-type]
        found = await store.get("j1")
        assert found is not None
        found.result["list"].append(3)
        assert await store.get("j1") == job("j1", params={"list": [1]}, result={"list": [1]})

    using(tmp_path, use)


def test_the_file_has_the_described_form(tmp_path: Path) -> None:
    async def use(store: JobStore) -> None:
        for name in ("j1", "j2"):
            await store.save(job(name))

    using(tmp_path, use)
    found = json.loads((tmp_path / "jobs.json").read_text())
    assert list(found) == ["jobs", "updated_at", "_integrity"]
    assert found["updated_at"] == NOW.isoformat()
    assert found["jobs"][0]["created_at"] == NOW.isoformat()
    assert len((tmp_path / "jobs.json").read_text().splitlines()) == 6  # a line for each job


def test_pages_are_stable_filtered_and_complete(tmp_path: Path) -> None:
    async def use(store: JobStore) -> None:
        for number in range(10):
            status = Status.COMPLETED if number % 3 == 0 else Status.PENDING
            await store.save(job(f"j{number}", status=status, job_type="even" if number % 2 == 0 else "odd"))
        await store.save(job("j2", status=Status.RUNNING, job_type="even"))  # keeps its place

        async def ids(**query: Any) -> list[str]:
            return [found.job_id for found in await store.list(**query)]

        assert await ids() == [f"j{number}" for number in range(10)]
        assert await ids(limit=4) + await ids(limit=4, offset=4) + await ids(limit=4, offset=8) == await ids()
        assert await ids(status="completed") == ["j0", "j3", "j6", "j9"]
        assert await ids(status=Status.COMPLETED, job_type="even") == ["j0", "j6"]
        assert await ids(job_type="other") == await ids(limit=0) == await ids(offset=99) == []
        for query in ({"limit": -1}, {"offset": -1}, {"limit": 1.5}, {"status": "done"}):
            with pytest.raises(InvalidRecord):
                await store.list(**query)  # type: ignore[arg-type]

    using(tmp_path, use)


def test_progress_shows_at_once_and_never_touches_the_disk(tmp_path: Path) -> None:
    opened: list[tuple[Any, Any]] = []
    watching: list[bool] = []

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        # Forgetting audit hooks is not possible: it stays, and listens only here.
        if watching and name in ("open", "os.rename", "os.link", "os.remove", "os.truncate", "os.mkdir"):
            opened.append((name, arguments))

    sys.addaudithook(hook)

    async def use(store: JobStore) -> None:
        await store.save(job("j1"))
        before = {path.name: path.stat() for path in tmp_path.iterdir()}
        watching.append(True)
        for turn in range(10_000):
            assert await store.update_progress("j1", turn / 10_000)
        watching.clear()
        after = {path.name: path.stat() for path in tmp_path.iterdir()}
        assert {n: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns, s.st_size) for n, s in after.items()} == {
            n: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns, s.st_size) for n, s in before.items()
        }
        found = await store.get("j1")
        assert found is not None
        assert found.progress == (await store.list())[0].progress == 0.9999

    using(tmp_path, use)
    assert opened == []
    assert using(tmp_path, lambda store: store.get("j1")).progress == 0.0  # what was saved last


def test_a_later_save_by_anybody_replaces_reported_progress_and_saves_of_other_jobs_do_not(tmp_path: Path) -> None:
    async def use(store: JobStore) -> None:
        other = JobStore(tmp_path)

        async def progress() -> float:
            found = await store.get("j1")
            assert found is not None
            return found.progress

        await store.save(job("j1"))
        await store.update_progress("j1", 0.5)
        await store.save(job("j2"))
        await other.save(job("j3"))
        assert await progress() == 0.5
        await store.save(job("j1"))
        assert await progress() == 0.0
        await store.update_progress("j1", 0.6)
        await other.save(job("j1", progress=0.1))
        assert await progress() == 0.1
        assert await store.update_progress("unknown", 0.5) is False
        with pytest.raises(InvalidRecord):
            await store.update_progress("j1", float("nan"))

    using(tmp_path, use)


def test_cleanup_removes_terminal_jobs_that_are_older_and_nothing_else(tmp_path: Path) -> None:
    old, young = NOW - timedelta(days=31), NOW - timedelta(days=30)

    async def use(store: JobStore) -> None:
        for status in Status:
            await store.save(job(f"{status}-old", status=status, created_at=old))
            await store.save(job(f"{status}-young", status=status, created_at=young))
        await store.save(job("ended-lately", status=Status.FAILED, created_at=old, finished_at=young))
        naive = old.astimezone().replace(tzinfo=None)
        await store.save(job("naive", status=Status.FAILED, created_at=naive))

        assert await store.cleanup(30) == 4
        left = {found.job_id for found in await store.list()}
        assert left == {f"{s}-young" for s in Status} | {"pending-old", "running-old", "ended-lately"}
        assert await store.cleanup(30) == 0
        for days in (-1, float("nan"), "30"):
            with pytest.raises(InvalidRecord):
                await store.cleanup(days)  # type: ignore[arg-type]

    using(tmp_path, use)


@pytest.mark.parametrize("job_id", ["", "../x", "a b", "a\n", "-a", ".a", "é", "a" * 129])
def test_ids_outside_the_allowlist_are_refused(tmp_path: Path, job_id: str) -> None:
    async def use(store: JobStore) -> None:
        with pytest.raises(InvalidIdentifier):
            await store.save(job(job_id))
        with pytest.raises(InvalidIdentifier):
            await store.get(job_id)

    using(tmp_path, use)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_nothing_is_read_before_the_first_call(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text("damaged")
    store = JobStore(tmp_path)

    with pytest.raises(CorruptData):
        asyncio.run(store.list())


def test_concurrent_saves_share_writes_and_lose_nothing(tmp_path: Path) -> None:
    async def use(store: JobStore) -> int:
        await asyncio.gather(*(store.save(job(f"j{number}")) for number in range(200)))
        generation: int = json.loads((tmp_path / "jobs.json").read_text())["_integrity"]["generation"]
        return generation

    assert using(tmp_path, use) < 20
    assert len(using(tmp_path, lambda store: store.list(limit=1000))) == 200


def test_instances_on_one_root_see_and_keep_each_others_jobs(tmp_path: Path) -> None:
    async def use(store: JobStore) -> None:
        stores = [store, JobStore(tmp_path), JobStore(tmp_path)]
        for turn in range(5):
            await asyncio.gather(*(one.save(job(f"{turn}-{n}")) for n, one in enumerate(stores)))
            for one in stores:
                assert len(await one.list()) == 3 * (turn + 1)

    using(tmp_path, use)


def test_processes_on_one_root_lose_no_job(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from reference_store import JobStore
from reference_store.models import Job
async def main():
    store = JobStore(sys.argv[1])
    for turn in range(15):
        await asyncio.gather(*(store.save(Job(job_id=f"p{sys.argv[2]}-{turn}-{n}", job_type="b")) for n in range(4)))
asyncio.run(main())
"""
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)]) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]

    assert len(using(tmp_path, lambda store: store.list(limit=1000))) == 180


def test_a_cancelled_save_has_happened_whole_or_not_at_all_and_undoes_nobody_elses(tmp_path: Path) -> None:
    async def use(store: JobStore) -> None:
        for turns in range(8):
            others = [asyncio.create_task(store.save(job(f"{turns}-{number}"))) for number in range(5)]
            cancelled = asyncio.create_task(store.save(job("cancelled", progress=float(turns))))
            for _ in range(turns):
                await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await asyncio.gather(*others)
            assert len({f"{turns}-{n}" for n in range(5)} & {j.job_id for j in await store.list(limit=1000)}) == 5

    using(tmp_path, use)


def test_a_store_can_be_used_from_one_loop_after_another(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    for number in range(3):
        asyncio.run(store.save(job(f"j{number}")))

    assert len(asyncio.run(store.list())) == 3


def test_a_failed_write_is_reported_to_every_waiting_save_and_keeps_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(store: JobStore) -> None:
        await store.save(job("j0"))
        with monkeypatch.context() as patch:
            fail_call(patch, "rename", at=2)  # the first one keeps the backup
            results = await asyncio.gather(*(store.save(job(f"n{n}")) for n in range(1)), return_exceptions=True)
        assert [type(result) for result in results] == [StorageFailure]
        assert [found.job_id for found in await store.list()] == ["j0"]
        await store.save(job("j1"))
        assert [found.job_id for found in await store.list()] == ["j0", "j1"]

    using(tmp_path, use)


def test_damage_is_answered_from_the_backup_and_kept_as_evidence(tmp_path: Path) -> None:
    async def fill(store: JobStore) -> None:
        for number in range(3):
            await store.save(job(f"j{number}"))

    using(tmp_path, fill)
    flip(tmp_path / "jobs.json", 40)
    damaged = (tmp_path / "jobs.json").read_bytes()

    async def use(store: JobStore) -> None:
        assert [found.job_id for found in await store.list()] == ["j0", "j1"]
        await store.save(job("j9"))
        assert [found.job_id for found in await store.list()] == ["j0", "j1", "j9"]

    using(tmp_path, use)
    assert damaged in [path.read_bytes() for path in tmp_path.glob(".damaged-*")]


def test_damage_without_a_backup_is_an_error_for_reads_and_saves(tmp_path: Path) -> None:
    using(tmp_path, lambda store: store.save(job("j1")))
    (tmp_path / "jobs.json").write_bytes(b"")

    async def use(store: JobStore) -> None:
        for call in (store.list(), store.save(job("j2")), store.get("j1"), store.cleanup(1)):
            with pytest.raises(CorruptData):
                await call

    using(tmp_path, use)
    assert (tmp_path / "jobs.json").read_bytes() == b""


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def use(store: JobStore) -> None:
        await store.aclose()
        with pytest.raises(StoreClosed):
            await store.save(job("j1"))
        with pytest.raises(StoreClosed):
            await store.list()

    using(tmp_path, use)


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        using(tmp_path, lambda store: store.save(job("j1")))

    assert len(os.listdir("/proc/self/fd")) <= before + 1
