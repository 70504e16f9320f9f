"""What people's unit tests need: a clock and ids that they control, in ``tmp_path`` and under pyfakefs' ``fs``."""

import asyncio
import inspect
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem

import reference_store
from reference_store import (
    AsyncCacheStore,
    CacheStore,
    ComponentLog,
    DocumentStore,
    InvalidRecord,
    JournalStore,
    RunStore,
    TaskStore,
)
from reference_store.bot_models import Task
from reference_store.operations.backups.creating import create
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.restoring import restore
from reference_store.operations.backups.verifying import verify
from reference_store.testing import START, Clock, Ids, controlled
from tests.reference_store.test_processes import STORES


async def _whole(name: str, root: Path) -> list[Any]:
    """Open a store, add three of what it keeps, and return what it has then, and when it is opened again."""
    opened, add, count = STORES[name]
    found = []
    for times in (3, 0):
        store = opened(root)
        for number in range(times):
            done = add(store, number)
            if inspect.isawaitable(done):
                await done
        answer = count(store)
        found.append(await answer if inspect.isawaitable(answer) else answer)
        closed = store.aclose() if hasattr(store, "aclose") else store.close()
        if inspect.isawaitable(closed):
            await closed
    return found


@pytest.mark.parametrize("name", STORES)
def test_each_store_works_on_faked_files(fs: FakeFilesystem, name: str) -> None:
    first, again = asyncio.run(_whole(name, Path("/bot/data")))

    assert first == again
    assert first
    assert fs.exists("/bot/data")
    assert not Path("/bot").is_mount()


@pytest.mark.parametrize("name", ["DocumentStore", "JournalStore", "SyncJobStore"])
def test_control_on_real_files_they_do_the_same(tmp_path: Path, name: str) -> None:
    first, again = asyncio.run(_whole(name, tmp_path))

    assert first == again
    assert first


def test_what_was_removed_is_gone_on_faked_files(fs: FakeFilesystem) -> None:
    store = DocumentStore("/data")
    store.put("K", {"n": 1})
    store.put("K", {"n": 2})

    assert (store.delete("K"), store.get("K"), store.keys()) == (True, None, [])
    store.put("K", {"n": 3})
    assert store.get_versioned("K") == ({"n": 3}, 3)


def test_damage_can_be_done_to_faked_files(fs: FakeFilesystem) -> None:
    store = JournalStore("/data")
    for number in range(3):
        store.append("S", {"n": number})
    file = Path("/data/S.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"n": 1', b'"n": 7'))

    with pytest.raises(reference_store.CorruptData):
        store.read("S")
    store.salvage("S")
    assert [record["n"] for record in store.read("S")] == [0, 2]


def test_a_log_of_a_component_works_on_faked_files(fs: FakeFilesystem) -> None:
    handler = ComponentLog("/logs", "supervisor")
    handler.close()
    assert fs.exists("/logs/supervisor.log")


def test_a_test_moves_the_clock(tmp_path: Path) -> None:
    clock = Clock()
    with controlled(TaskStore, tmp_path, clock=clock) as tasks:
        tasks.save(Task(task_id="t", action="a", due_at=START + timedelta(hours=1)))
        assert tasks.due(clock()) == []
        clock.advance(hours=1)
        assert [task.task_id for task in tasks.due(clock())] == ["t"]
        assert tasks.update("t", lambda task: task).updated_at == START + timedelta(hours=1)


def test_a_value_in_a_cache_ends_when_the_test_says_so(tmp_path: Path) -> None:
    clock = Clock()
    with controlled(CacheStore, tmp_path, clock=clock, ttl=60) as cache:
        cache.put("quote_aapl", {})
        clock.advance(minutes=1)
        assert cache.get("quote_aapl") is None


def test_a_test_knows_the_ids(tmp_path: Path) -> None:
    store = controlled(RunStore, tmp_path, new_id=Ids("run"))
    made = [store.create_or_update_run(kind="backtest") for _ in range(2)]

    assert [run.run_id for run in made] == ["run-1", "run-2"]
    assert {run.created_at for run in made} == {START}


def test_control_without_them_ids_and_times_are_of_the_world(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create_or_update_run(kind="backtest")
    assert (len(run.run_id), run.created_at == START) == (32, False)


def test_a_store_that_takes_no_clock_is_opened_without_one_and_refuses_one(tmp_path: Path) -> None:
    controlled(DocumentStore, tmp_path).put("K", {})
    with pytest.raises(InvalidRecord, match="clock"):
        controlled(DocumentStore, tmp_path, clock=Clock())
    with pytest.raises(InvalidRecord, match="new_id"):
        controlled(AsyncCacheStore, tmp_path, new_id=Ids())
    assert Clock().advance(days=-1) == START - timedelta(days=1)


def test_backups_are_made_verified_and_restored_on_faked_files(fs: FakeFilesystem) -> None:
    vault = LocalVault("/bot/backups", create=True)
    store = DocumentStore("/bot/data")
    generations = []
    for number in (1, 2):
        store.put("K", {"n": number})
        generations.append(create("/bot/data", vault).generation.id)

    first, second = generations
    assert not verify(vault).different
    restore(vault, "/bot/new", generation=first)
    restore(vault, "/bot/data", generation=first, over=True)
    assert DocumentStore("/bot/new").get("K") == DocumentStore("/bot/data").get("K") == {"n": 1}
    assert second in vault.ids()
    assert fs.exists("/bot/backups")
