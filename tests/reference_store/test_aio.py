"""The asyncio faces: the same promises, also to callers that are cancelled."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    AsyncDocumentStore,
    AsyncFileDataStore,
    AsyncJournalStore,
    AsyncSingleDocumentStore,
    DocumentStore,
    InvalidIdentifier,
    JobStore,
    StoreClosed,
)
from reference_store.core.atomic import Directory
from reference_store.core.locking import RootLock
from reference_store.core.root import Root
from reference_store.models import Job
from tests.reference_store.trading import JANUARY, bar, tree


def test_documents_behave_as_in_the_synchronous_store(tmp_path: Path) -> None:
    async def program() -> None:
        store = AsyncDocumentStore(tmp_path)
        await store.put("A", {"a": 1})
        await store.put("B", {"b": 1})
        assert await store.get("A") == {"a": 1}
        assert await store.keys() == ["A", "B"]
        assert await store.delete("B") is True
        assert await store.get("B") is None
        await store.reseal("A")
        assert store.recoveries == ()
        with pytest.raises(InvalidIdentifier):
            await store.put("..", {})
        await store.aclose()
        with pytest.raises(StoreClosed):
            await store.get("A")

    asyncio.run(program())
    assert DocumentStore(tmp_path).get("A") == {"a": 1}


def test_a_single_document_and_a_journal_too(tmp_path: Path) -> None:
    async def program() -> None:
        single, journal = AsyncSingleDocumentStore(tmp_path), AsyncJournalStore(tmp_path)
        assert await single.load() == {}
        await single.save({"a": 1})
        await single.reseal()
        assert await single.load() == {"a": 1}
        assert single.recoveries == ()
        await asyncio.gather(*(journal.append("S", {"n": number}) for number in range(20)))
        assert sorted(record["n"] for record in await journal.read("S")) == list(range(20))
        await single.aclose()
        await journal.aclose()

    asyncio.run(program())


class Held:
    """Lets an operation of a store begin and then waits for permission to go on."""

    def __init__(self, operation: Callable[..., Any]) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._operation = operation
        self.failing = False

    def __call__(self, *args: Any) -> Any:
        self.begun.set()
        assert self.go_on.wait(100)
        if self.failing:
            raise OSError(5, "Input/output error")
        return self._operation(*args)


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_update_has_happened_whole_before_the_caller_learns_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    async def program() -> None:
        store = AsyncDocumentStore(tmp_path)
        held = Held(Directory.exchange)
        monkeypatch.setattr(Directory, "exchange", lambda *arguments: held(*arguments))
        task = asyncio.ensure_future(store.put("A", {"a": 1}))
        await asyncio.to_thread(held.begun.wait)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        held.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await store.get("A") == {"a": 1}
        monkeypatch.undo()
        await store.put("A", {"a": 2})
        assert await store.get("A") == {"a": 2}

    asyncio.run(program())


def test_a_cancelled_update_that_fails_is_not_reported_as_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[dict[str, Any]] = []

    async def program() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        store = AsyncDocumentStore(tmp_path)
        held = Held(Directory.exchange)
        monkeypatch.setattr(Directory, "exchange", lambda *arguments: held(*arguments))
        task = asyncio.ensure_future(store.put("A", {}))
        await asyncio.to_thread(held.begun.wait)
        task.cancel()
        held.failing = True
        held.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(program())
    assert complaints == []


WRITES: dict[str, Callable[[Path], tuple[str, Callable[[], Any]]]] = {
    "put": lambda root: (".", partial(AsyncDocumentStore(root).put, "K", {"n": 1})),
    "delete": lambda root: (".", partial(AsyncDocumentStore(root).delete, "K")),
    "update": lambda root: (".", partial(AsyncDocumentStore(root).update, "K", lambda _: {"n": 1})),
    "reseal": lambda root: (".", partial(AsyncDocumentStore(root).reseal, "K")),
    "save": lambda root: (".", partial(AsyncSingleDocumentStore(root).save, {"n": 1})),
    "append": lambda root: (".", partial(AsyncJournalStore(root).append, "S", {"n": 1})),
    "write_bars": lambda root: ("prices", partial(AsyncFileDataStore(root).write_bars, "AAPL", [bar(JANUARY)])),
    "save_strategy_state": lambda root: ("state", partial(AsyncFileDataStore(root).save_strategy_state, "S", {})),
    "job": lambda root: (".", partial(JobStore(root).save, Job(job_id="J", job_type="T"))),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("who", ["one", "all"])
def test_who_cancels_all_tasks_finds_nothing_landing_later(tmp_path: Path, write: str, who: str) -> None:
    async def program() -> None:
        place, call = WRITES[write](tmp_path)
        directory = Directory.open(str(tmp_path / place))
        lock = RootLock(directory.descriptor)
        lock.acquire(directory.descriptor, "", 5)
        writing = asyncio.ensure_future(call())
        while not lock.writer.waits:
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() if who == "all" else [writing]:
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.wait([writing], timeout=0.01)
        before, over = tree(tmp_path), writing.done()
        lock.release()
        with pytest.raises(asyncio.CancelledError):
            await writing
        # The writer comes to whatever was asked for before.
        await asyncio.to_thread(Root(directory, 10).alone, "look", "", lambda _: None)
        assert not over or tree(tmp_path) == before

    asyncio.run(program())


def test_waiting_for_a_lock_keeps_no_thread_of_the_loop_and_none_that_a_reader_needs(tmp_path: Path) -> None:
    async def program() -> None:
        store, other = AsyncDocumentStore(tmp_path / "a"), AsyncDocumentStore(tmp_path / "b")
        trading = AsyncFileDataStore(tmp_path / "c")
        await other.put("K", {"n": 1})
        locks = []
        for place in ("a", "c/prices"):
            directory = Directory.open(str(tmp_path / place))
            locks.append(RootLock(directory.descriptor))
            locks[-1].acquire(directory.descriptor, "", 5)
        waiting = [asyncio.ensure_future(store.put(f"K{n}", {"n": n})) for n in range(40)]
        waiting += [asyncio.ensure_future(trading.write_bars("AAPL", [bar(JANUARY)])) for _ in range(40)]
        await asyncio.sleep(0)
        assert await asyncio.to_thread(len, "ab") == 2
        assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
        assert await other.get("K") == {"n": 1}
        await other.put("K", {"n": 2})
        assert await store.keys() == []
        assert not any(task.done() for task in waiting)
        for lock in locks:
            lock.release()
        await asyncio.gather(*waiting)
        assert len(await store.keys()) == 40

    asyncio.run(program())


def test_a_task_cancelled_before_it_began_changes_nothing(tmp_path: Path) -> None:
    async def program() -> None:
        store = AsyncDocumentStore(tmp_path)
        task = asyncio.ensure_future(store.put("A", {"a": 1}))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await store.get("A") is None

    asyncio.run(program())


def test_an_unknown_name_is_an_attribute_error() -> None:
    import reference_store

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = reference_store.Nothing
