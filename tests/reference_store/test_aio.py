"""The asyncio faces: the same promises, also to callers that are cancelled."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    AsyncDocumentStore,
    AsyncJournalStore,
    AsyncSingleDocumentStore,
    DocumentStore,
    InvalidIdentifier,
    StoreClosed,
)
from reference_store.core.atomic import Directory


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
        assert self.go_on.wait(10)
        if self.failing:
            raise OSError(5, "Input/output error")
        return self._operation(*args)


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_update_has_happened_whole_before_the_caller_learns_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    async def program() -> None:
        store = AsyncDocumentStore(tmp_path)
        held = Held(Directory.replace)
        monkeypatch.setattr(Directory, "replace", lambda *arguments: held(*arguments))
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
        held = Held(Directory.replace)
        monkeypatch.setattr(Directory, "replace", lambda *arguments: held(*arguments))
        task = asyncio.ensure_future(store.put("A", {}))
        await asyncio.to_thread(held.begun.wait)
        task.cancel()
        held.failing = True
        held.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(program())
    assert complaints == []


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
