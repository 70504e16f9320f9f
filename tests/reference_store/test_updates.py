"""Read, change and write as one step, and writing only what has not been changed by somebody else."""

import asyncio
import contextvars
import errno
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    AsyncDocumentStore,
    AsyncFileDataStore,
    AsyncSingleDocumentStore,
    CalledInside,
    CorruptData,
    DocumentStore,
    FileDataStore,
    InvalidRecord,
    SingleDocumentStore,
    StorageFailure,
    UnserialisableValue,
    VersionConflict,
)
from tests.reference_store.faults import fail_call, syncs

MANY = """
import sys
from reference_store import DocumentStore
store = DocumentStore(sys.argv[1], lock_timeout=120)
for _ in range(20):
    store.update("K", lambda document: {"n": (document or {"n": 0})["n"] + 1})
"""


def one_more(document: dict[str, Any] | None) -> dict[str, Any]:
    return {"n": (document or {}).get("n", 0) + 1}


def test_an_update_sees_what_is_there_and_none_or_an_empty_document_where_nothing_is(tmp_path: Path) -> None:
    store, single, trading = DocumentStore(tmp_path), SingleDocumentStore(tmp_path), FileDataStore(tmp_path / "t")
    seen: list[Any] = []

    def noted(document: Any) -> dict[str, Any]:
        seen.append(document)
        return {"n": 1}

    assert store.update("K", noted) == {"n": 1}
    assert store.update("K", noted) == {"n": 1}
    assert single.update(noted) == {"n": 1}
    assert trading.update_strategy_state("momentum", noted) == {"n": 1}

    assert seen == [None, {"n": 1}, {}, None]
    assert store.get("K") == single.load() == trading.load_strategy_state("momentum") == {"n": 1}


def test_updates_of_threads_tasks_and_processes_count_every_one(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path, lock_timeout=120)

    async def tasks() -> None:
        async with AsyncDocumentStore(tmp_path, lock_timeout=120) as other:
            await asyncio.gather(*(other.update("K", one_more) for _ in range(20)))

    processes = [subprocess.Popen([sys.executable, "-c", MANY, tmp_path]) for _ in range(2)]
    threads = [threading.Thread(target=lambda: [store.update("K", one_more) for _ in range(10)]) for _ in range(4)]
    threads.append(threading.Thread(target=lambda: asyncio.run(tasks())))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0]

    assert store.get("K") == {"n": 2 * 20 + 4 * 10 + 20}


@pytest.mark.parametrize("error", [ValueError("no"), OSError(5, "of the function"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_function_raises_reaches_its_caller_alone_and_the_old_state_stays(
    tmp_path: Path, error: BaseException
) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})

    def fails(document: Any) -> Any:
        document["n"] = 2
        raise error

    with pytest.raises(type(error)) as raised:
        store.update("K", fails)

    assert raised.value is error
    assert store.get("K") == {"n": 1}
    store.put("K", {"n": 3})


@pytest.mark.parametrize("made", [None, [1], {"n": float("nan")}, {"_integrity": 1}])
def test_what_could_not_be_put_is_refused_and_the_old_state_stays(tmp_path: Path, made: Any) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})

    with pytest.raises(UnserialisableValue):
        store.update("K", lambda _: made)

    assert store.get("K") == {"n": 1}


def test_a_function_that_forgot_to_return_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UnserialisableValue, match="returned None"):
        DocumentStore(tmp_path).update("K", lambda _: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(InvalidRecord, match="function"):
        DocumentStore(tmp_path).update("K", {"n": 1})  # type: ignore[arg-type]


def test_calls_on_the_same_root_inside_an_update_fail_at_once_and_reads_and_other_roots_do_not(tmp_path: Path) -> None:
    store, same, other = DocumentStore(tmp_path), SingleDocumentStore(tmp_path), DocumentStore(tmp_path / "other")
    store.put("K", {"n": 1})
    told: list[CalledInside] = []

    def calls(document: Any) -> dict[str, Any]:
        for call in (
            lambda: store.put("L", {}),
            lambda: same.save({}),
            lambda: store.delete("K"),
            lambda: store.reseal("K"),
            lambda: store.update("L", one_more),
            lambda: asyncio.run(AsyncDocumentStore(tmp_path).put("L", {})),
        ):
            with pytest.raises(CalledInside, match="when the other one has returned") as raised:
                call()
            told.append(raised.value)
        other.put("K", {"n": 7})
        assert store.get("K") == {"n": 1}
        assert store.keys() == ["K"]
        return {"n": document["n"] + 1}

    store.update("K", calls)

    assert len(told) == 6
    assert store.get("K") == {"n": 2}
    assert other.get("K") == {"n": 7}


def test_a_call_that_leads_back_to_a_root_through_other_roots_fails_at_once_too(tmp_path: Path) -> None:
    store, other, third = (DocumentStore(tmp_path / name, lock_timeout=60) for name in ("one", "other", "third"))
    told = []

    def lead_back(document: Any) -> dict[str, Any]:
        with pytest.raises(CalledInside) as raised:
            store.put("L", {"n": 1})
        told.append(raised.value)
        third.put("K", {"n": 1})  # which leads nowhere
        return one_more(document)

    store.update("K", lambda document: [one_more(document), other.update("K", lead_back)][0])

    assert len(told) == 1
    assert [each.get("K") for each in (store, other, third)] == [{"n": 1}, {"n": 1}, {"n": 1}]
    store.put("L", {"n": 2})


def test_control_what_another_thread_writes_meanwhile_only_waits(tmp_path: Path) -> None:
    store, other = DocumentStore(tmp_path / "one"), DocumentStore(tmp_path / "other")
    threads = []

    def begin(document: Any) -> dict[str, Any]:
        threads.append(threading.Thread(target=store.put, args=("L", {"n": 7})))
        threads[0].start()
        return one_more(document)

    store.update("K", lambda document: [one_more(document), other.update("K", begin)][0])
    threads[0].join()

    assert store.get("L") == {"n": 7}


def test_the_function_sees_the_context_of_its_caller(tmp_path: Path) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("of the caller")

    assert DocumentStore(tmp_path).update("K", lambda _: {"seen": variable.get()}) == {"seen": "of the caller"}


def test_updates_of_tasks_work_in_every_store(tmp_path: Path) -> None:
    async def program() -> None:
        single, trading = AsyncSingleDocumentStore(tmp_path), AsyncFileDataStore(tmp_path / "trading")
        await asyncio.gather(*(single.update(one_more) for _ in range(10)))
        await asyncio.gather(*(trading.update_strategy_state("momentum", one_more) for _ in range(10)))
        assert await single.load() == {"n": 10}
        assert await trading.load_strategy_state("momentum") == {"n": 10}
        with pytest.raises(ZeroDivisionError):
            await single.update(lambda _: 1 / 0)  # type: ignore[arg-type,return-value]

    asyncio.run(program())


def test_an_update_of_a_damaged_document_sees_its_backup_and_none_without_one(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    store.put("K", {"n": 2})
    store.put("L", {"n": 1})
    for name in "KL":
        (tmp_path / f"{name}.json").write_bytes(b"{")

    assert store.update("K", one_more) == {"n": 2}
    with pytest.raises(CorruptData):
        store.update("L", one_more)
    with pytest.raises(CorruptData):
        store.put("L", {}, expected=0)


def test_a_put_that_expects_a_generation_is_made_only_then(tmp_path: Path) -> None:
    store, other = DocumentStore(tmp_path), DocumentStore(tmp_path)
    assert store.get_versioned("K") == (None, 0)
    store.put("K", {"n": 1}, expected=0)
    document, generation = store.get_versioned("K")
    assert document == {"n": 1}
    other.put("K", {"n": 2})

    with pytest.raises(VersionConflict) as conflict:
        store.put("K", {"n": 3}, expected=generation)
    with pytest.raises(VersionConflict):
        store.put("K", {"n": 3}, expected=0)

    assert (conflict.value.identifier, conflict.value.expected) == ("K", generation)
    assert store.get_versioned("K") == ({"n": 2}, conflict.value.found)
    store.put("K", {"n": 3}, expected=conflict.value.found)
    assert store.get("K") == {"n": 3}


@pytest.mark.parametrize("expected", [-1, True, "1", 1.0])
def test_what_is_no_generation_is_refused(tmp_path: Path, expected: Any) -> None:
    with pytest.raises(InvalidRecord, match="expected"):
        DocumentStore(tmp_path).put("K", {}, expected=expected)


def test_a_document_made_anew_is_not_taken_for_the_one_that_was_removed(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    _, generation = store.get_versioned("K")
    store.delete("K")
    store.put("K", {"n": 2}, expected=0)

    with pytest.raises(VersionConflict):
        DocumentStore(tmp_path).put("K", {"n": 3}, expected=generation)
    assert store.get("K") == {"n": 2}


def test_of_many_who_expect_the_same_generation_one_is_first(tmp_path: Path) -> None:
    async def program() -> list[Any]:
        async with AsyncDocumentStore(tmp_path) as store:
            await store.put("K", {})
            _, generation = await store.get_versioned("K")
            puts = (store.put("K", {"n": n}, expected=generation) for n in range(20))
            return await asyncio.gather(*puts, return_exceptions=True)

    outcomes = asyncio.run(program())

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 19


def gathered(store: AsyncDocumentStore, calls: list[Callable[[], Any]]) -> list[Any]:
    async def program() -> list[Any]:
        return await asyncio.gather(*(call() for call in calls), return_exceptions=True)

    return asyncio.run(program())


def test_what_cannot_be_made_in_a_shared_write_is_nobody_elses_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AsyncDocumentStore(tmp_path)
    failed = fail_call(monkeypatch, "rename", errno.ENOSPC, when=lambda _source, target, **_: target == "B.json")

    def fails(_document: Any) -> Any:
        raise ValueError("mine")

    calls = [lambda key=key: store.put(key, {"k": key}) for key in "ABC"]
    calls += [lambda: store.update("D", fails), lambda: store.put("A", {}, expected=9), lambda: store.put("E", {})]
    outcomes = gathered(store, calls)

    assert failed[0]
    assert [type(outcome) for outcome in outcomes] == [
        type(None), StorageFailure, type(None), ValueError, VersionConflict, type(None),
    ]  # fmt: skip
    assert store._store.keys() == ["A", "C", "E"]
    assert store._store.get("A") == {"k": "A"}


def test_puts_of_different_keys_that_meet_share_the_sync_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AsyncDocumentStore(tmp_path)
    store._store.put("0", {})
    seen = syncs(monkeypatch)

    gathered(store, [lambda key=key: store.put(f"K{key}", {}) for key in range(10)])

    assert seen.count("file") == 10
    assert seen.count("directory") <= 2


def test_removals_of_different_keys_that_meet_share_their_syncs_and_each_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AsyncDocumentStore(tmp_path)
    for key in "ABBC":
        store._store.put(key, {})
    seen = syncs(monkeypatch)

    outcomes = gathered(store, [lambda key=key: store.delete(key) for key in "AABBCD"])

    assert outcomes == [True, False, True, False, True, False]
    assert len(seen) <= 4
    assert store._store.keys() == []


def test_a_removal_that_cannot_be_noted_is_an_error_and_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    fail_call(monkeypatch, "pwrite")

    with pytest.raises(StorageFailure):
        store.delete("K")

    assert store.get("K") == {"n": 1}
    assert store.delete("K") is True  # control


def test_a_lock_file_that_is_a_link_to_a_file_of_somebody_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".lock").hardlink_to(tmp_path / "theirs")
    store = DocumentStore(tmp_path / "root")
    store.put("K", {"n": 1})

    assert store.delete("K") is True
    assert (tmp_path / "theirs").read_bytes() == b""
