"""JobStore: the contract, progress without disk writes, tasks, instances and processes, cancellation, damage."""

# ruff: noqa: DTZ001 - naive times are among the cases

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    CorruptData,
    InvalidIdentifier,
    InvalidRecord,
    JobStore,
    NewerRecord,
    StorageFailure,
    StoreClosed,
    StoreError,
    SyncJobStore,
    UnserialisableValue,
)
from reference_store.models import Job, Status
from tests.descriptors import opened
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
    store = JobStore(sys.argv[1], lock_timeout=120)
    for turn in range(15):
        await asyncio.gather(*(store.save(Job(job_id=f"p{sys.argv[2]}-{turn}-{n}", job_type="b")) for n in range(4)))
asyncio.run(main())
"""
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)]) for n in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]

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


def test_a_damaged_file_is_put_together_from_the_version_before_and_the_log_and_kept_as_evidence(
    tmp_path: Path,
) -> None:
    async def fill(store: JobStore) -> None:
        for number in range(3):
            await store.save(job(f"j{number}"))

    using(tmp_path, fill)
    flip(tmp_path / "jobs.json", 40)
    damaged = (tmp_path / "jobs.json").read_bytes()

    async def use(store: JobStore) -> None:
        assert [found.job_id for found in await store.list()] == ["j0", "j1", "j2"]
        await store.save(job("j9"))
        assert [found.job_id for found in await store.list()] == ["j0", "j1", "j2", "j9"]

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
    before = opened()
    for _ in range(20):
        using(tmp_path, lambda store: store.save(job("j1")))

    assert len(opened(before)) <= 1


# -- claiming, changing, deleting -------------------------------------------------------------------------------------


def test_the_first_pending_job_is_claimed_with_who_and_when(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path, clock=lambda: NOW) as store:
        store.save(job("done", status=Status.COMPLETED))
        store.save(job("other", job_type="download"))
        store.save(job("j1"))
        store.save(job("j2"))

        claimed = store.claim_next("backtest", worker="w1")
        assert claimed == store.get("j1") == job("j1", status=Status.RUNNING, started_at=NOW, claimed_by="w1")
        named = store.claim_next()
        assert named is not None
        assert named.job_id == "other"
        assert str(os.getpid()) in str(named.claimed_by)
        assert [found.job_id for found in store.list(status="pending")] == ["j2"]
        store.claim_next()
        assert store.claim_next() is store.claim_next("backtest") is None
        with pytest.raises(InvalidRecord):
            store.claim_next(worker=7)  # type: ignore[arg-type]


def test_a_job_that_waits_again_is_claimed_in_its_old_place(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path) as store:
        for name in ("j1", "j2", "j3"):
            store.save(job(name))
        store.claim_next()
        store.claim_next()
        store.save(job("j1"))
        assert [found.job_id for found in store.list(status="pending")] == ["j1", "j3"]
        claimed = store.claim_next()
        assert claimed is not None
        assert claimed.job_id == "j1"


def test_each_job_is_claimed_once_by_threads_tasks_and_processes(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path) as store:
        for number in range(60):
            store.save(job(f"j{number}"))
    program = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
from reference_store import JobStore, SyncJobStore
async def by_tasks(store):
    claimed = []
    async def one():
        while (job := await store.claim_next(worker="t")) is not None:
            claimed.append(job.job_id)
    await asyncio.gather(one(), one(), one())
    await store.aclose()
    return claimed
def by_threads(store):
    claimed = []
    def one(_):
        while (job := store.claim_next(worker="t")) is not None:
            claimed.append(job.job_id)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(3)))
    store.close()
    return claimed
if sys.argv[2] == "tasks":
    print(*asyncio.run(by_tasks(JobStore(sys.argv[1], lock_timeout=120))))
else:
    print(*by_threads(SyncJobStore(sys.argv[1], lock_timeout=120)))
"""
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), how], stdout=subprocess.PIPE, text=True)
        for how in ("tasks", "threads", "tasks")
    ]
    claimed = [name for process in running for name in process.communicate()[0].split()]

    assert sorted(claimed) == sorted(f"j{number}" for number in range(60))


def test_a_job_is_changed_under_the_lock_and_no_change_is_lost(tmp_path: Path) -> None:
    def more(found: Job) -> Job:
        return found.model_copy(update={"progress": found.progress + 1})

    async def use(store: JobStore) -> None:
        other = JobStore(tmp_path)
        await store.save(job("j1"))
        await asyncio.gather(*(each.update_job("j1", more) for each in (store, other) for _ in range(40)))
        found = await store.get("j1")
        assert found is not None
        assert found.progress == 80
        assert await store.update_job("unknown", more) is None
        await other.aclose()

    using(tmp_path, use)


def test_an_exception_of_the_function_comes_out_and_leaves_the_job_as_it_was(tmp_path: Path) -> None:
    class Refused(Exception):
        pass

    def refuse(found: Job) -> Job:
        found.progress = 0.9
        raise Refused

    with SyncJobStore(tmp_path) as store:
        store.save(job("j1"))
        with pytest.raises(Refused):
            store.update_job("j1", refuse)
        for wrong in (
            lambda found: None,
            lambda found: found.model_copy(update={"job_id": "j2"}),
            lambda found: found.model_copy(update={"result": {1, 2}}),
            lambda found: found.model_copy(update={"progress": "half"}),
            lambda found: found.model_copy(update={"status": "paused"}),
        ):
            with pytest.raises(StoreError):
                store.update_job("j1", wrong)
        with pytest.raises(TypeError):
            store.update_job("j1", "no function")  # type: ignore[arg-type]
        assert store.list() == [job("j1")]
        with pytest.raises(InvalidRecord):
            store.save(job("j2").model_copy(update={"created_at": "yesterday"}))
        changed = store.update_job("j1", lambda found: found.model_copy(update={"status": "failed"}))
        assert changed == job("j1", status=Status.FAILED)


def test_a_deleted_job_is_gone_and_stays_gone(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path) as store:
        for name in ("j1", "j2", "j3"):
            store.save(job(name))
        assert store.delete("j1") is True
        assert store.delete("j1") is False
        assert store.get("j1") is None
        store.save(job("j1"))
        assert [found.job_id for found in store.list()] == ["j2", "j3", "j1"]
        store.delete("j1")
    with SyncJobStore(tmp_path) as store:
        assert [found.job_id for found in store.list()] == ["j2", "j3"]


def test_progress_of_a_job_that_is_gone_is_refused_whoever_removed_it_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path) as store, SyncJobStore(tmp_path) as other:
        store.save(job("j1"))
        store.save(job("j2"))
        assert store.update_progress("j1", 0.5) is True
        other.delete("j1")
        assert store.update_progress("j1", 0.6) is False
        other.save(job("j1"))
        found = store.get("j1")
        assert found is not None
        assert found.progress == 0.0
    program = "import sys; from reference_store import SyncJobStore as S; s = S(sys.argv[1]); s.delete('j2'); s.close()"
    with SyncJobStore(tmp_path) as store:
        assert store.update_progress("j2", 0.5) is True
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
        assert store.update_progress("j2", 0.6) is False


# -- each caller has its own error ------------------------------------------------------------------------------------


def test_a_job_that_is_too_large_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reference_store.stores import record_file

    monkeypatch.setattr(record_file, "LARGEST", 20_000)

    async def use(store: JobStore) -> None:
        saved = await asyncio.gather(
            store.save(job("j0")),
            store.save(job("large", message="x" * 30_000)),
            *(store.save(job(f"j{number}")) for number in range(1, 10)),
            return_exceptions=True,
        )
        assert [type(result) for result in saved if result is not None] == [UnserialisableValue]
        assert len(await store.list()) == 10
        with pytest.raises(UnserialisableValue):
            await store.save(job("large", message="x" * 30_000))
        # What makes room is always possible.
        await store.delete("j0")

    using(tmp_path, use)


# -- records of a newer version ---------------------------------------------------------------------------------------

NEWER = {
    "a status": {"status": "paused"},
    "a field": {"priority": 3},
    "a type": {"progress": "50 %"},
    "a time": {"created_at": "yesterday"},
}


@pytest.mark.parametrize("what", NEWER)
def test_a_record_of_a_newer_version_is_kept_as_it_is_and_the_others_are_served(tmp_path: Path, what: str) -> None:
    old = NOW - timedelta(days=99)
    with SyncJobStore(tmp_path, clock=lambda: NOW) as store:
        for name in ("j1", "strange", "j2"):
            store.save(job(name, status=Status.FAILED, created_at=old, finished_at=old))
    file = tmp_path / "jobs.json"
    content = json.loads(file.read_text())
    strange = content["jobs"][1]
    strange.update(NEWER[what])
    if what == "a time":
        del strange["finished_at"]
    file.write_text(json.dumps(content))
    with SyncJobStore(tmp_path, clock=lambda: NOW) as store:
        store.reseal()
        assert [found.job_id for found in store.list()] == ["j1", "j2"]
        assert [found.job_id for found in store.list(status="failed", limit=1, offset=1)] == ["j2"]
        for call in (
            lambda: store.get("strange"),
            lambda: store.save(job("strange")),
            lambda: store.update_job("strange", lambda found: found),
        ):
            with pytest.raises(NewerRecord) as raised:
                call()
            assert raised.value.identifier == "strange"
        assert store.claim_next() is None
        assert store.cleanup(30) == 2
        assert store.list() == []
        store.save(job("j3"))
    kept = {found["job_id"]: found for found in json.loads(file.read_text())["jobs"]}
    assert kept["strange"] == strange
    with SyncJobStore(tmp_path) as store:
        assert store.delete("strange") is True
        assert [found.job_id for found in store.list()] == ["j3"]


# -- odd arguments ----------------------------------------------------------------------------------------------------


def test_odd_arguments_and_times_are_refused_or_kept_but_never_end_in_another_error(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path) as store:
        for number, moment in enumerate((datetime.min, datetime.max)):  # noqa: DTZ901
            for zone in (None, UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))):
                name = f"j{number}-{zone}".replace(":", "").replace("+", "p")
                store.save(job(name, status=Status.FAILED, created_at=moment.replace(tzinfo=zone)))
        assert store.cleanup(1) == 4
        assert [found.created_at.year for found in store.list()] == [9999] * 4
        assert store.cleanup(10**9) == store.cleanup(10**400) == 0
        for wrong in (
            lambda: store.cleanup(None),  # type: ignore[arg-type]
            lambda: store.list(job_type=7),  # type: ignore[arg-type]
            lambda: store.list(status=[]),  # type: ignore[arg-type]
            lambda: store.list(limit=None),  # type: ignore[arg-type]
            lambda: store.get(None),  # type: ignore[arg-type]
            lambda: store.save(None),  # type: ignore[arg-type]
            lambda: store.delete(7),  # type: ignore[arg-type]
            lambda: store.update_progress([], 0.5),  # type: ignore[arg-type]
            lambda: store.update_progress("j1", 10**400),
            lambda: store.update_progress("j1", True),
            lambda: store.claim_next([]),  # type: ignore[arg-type]
        ):
            with pytest.raises((StoreError, TypeError)):
                wrong()


@pytest.mark.parametrize("timeout", [None, "10", float("nan"), True])
def test_a_lock_timeout_that_is_no_number_of_seconds_is_refused_when_the_store_is_opened(
    tmp_path: Path, timeout: Any
) -> None:
    with pytest.raises((StoreError, TypeError)):
        SyncJobStore(tmp_path, lock_timeout=timeout)


def test_a_clock_that_gives_no_time_is_the_callers_error(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path, clock=lambda: "now") as store:  # type: ignore[arg-type,return-value]
        with pytest.raises((StoreError, TypeError)):
            store.save(job("j1"))
        with pytest.raises((StoreError, TypeError)):
            store.cleanup(1)


def test_a_large_listing_leaves_the_event_loop_free(tmp_path: Path) -> None:
    with SyncJobStore(tmp_path) as filled:
        for number in range(300):
            filled.save(job(f"j{number}"))

    async def use(store: JobStore) -> None:
        import threading

        from reference_store.stores import job_records

        built: set[int] = set()
        real = job_records.from_json

        def noted(*args: Any) -> Any:
            built.add(threading.get_ident())
            return real(*args)

        job_records.from_json = noted
        try:
            assert len(await store.list(limit=300)) == 300
        finally:
            job_records.from_json = real
        assert built
        assert threading.get_ident() not in built

    using(tmp_path, use)
