"""Listings: each reads a directory of its own, and is complete while files are replaced."""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from reference_store import CalledInside, DocumentStore, JournalStore, LockTimeout
from reference_store.core.atomic import Directory
from reference_store.core.locking import RootLock


def keys(count: int) -> list[str]:
    return sorted(f"K{number}" for number in range(count))


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    found = DocumentStore(tmp_path, lock_timeout=30)
    for key in keys(40):
        found.put(key, {})
    return found


def test_threads_that_list_at_once_each_see_every_key(store: DocumentStore) -> None:
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(1 for _ in range(100) if store.keys() != keys(40))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_a_listing_does_not_begin_where_another_one_has_come_to(store: DocumentStore, tmp_path: Path) -> None:
    directory = Directory.open(str(tmp_path))
    with os.scandir(directory.descriptor) as listing:
        next(listing)

        assert len(directory.names()) == 41


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_name_that_the_system_passes_over_while_it_is_replaced_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """What btrfs and tmpfs do to a name that is given to another file behind the place that a listing has come to."""
    store = DocumentStore(tmp_path, lock_timeout=30)
    for key in keys(3):
        store.put(key, {})
    other, names = DocumentStore(tmp_path), Directory.names
    replaced = [0]

    def passing_over(directory: Directory) -> list[str]:
        if replaced[0] < 1 + (where == "memory") and not store._files.root.writer.is_here():
            replaced[0] += 1
            other.put("K1", {})
            return [name for name in names(directory) if not name.startswith("K1.")]
        return names(directory)

    monkeypatch.setattr(Directory, "names", passing_over)

    assert store.keys() == keys(3)


def test_a_listing_of_what_nobody_changes_waits_for_nobody(store: DocumentStore, tmp_path: Path) -> None:
    directory = Directory.open(str(tmp_path))
    lock = RootLock(directory.descriptor)
    lock.acquire(directory.descriptor, "", 5)

    assert DocumentStore(tmp_path, lock_timeout=0).keys() == keys(40)
    lock.release()


def test_a_listing_makes_no_lock_file_where_nobody_has_written(tmp_path: Path) -> None:
    assert DocumentStore(tmp_path).keys() == []
    assert JournalStore(tmp_path).streams() == []
    assert list(tmp_path.iterdir()) == []


def test_a_call_of_a_signal_handler_during_a_call_on_the_same_root_is_told_so_at_once(tmp_path: Path) -> None:
    store, other = DocumentStore(tmp_path, lock_timeout=60), DocumentStore(tmp_path / "other")
    told: list[Any] = []

    def handler(_signal: int, _frame: FrameType | None) -> None:
        try:
            store.put("HANDLER", {})
        except Exception as error:
            told.append(error)
        other.put("HANDLER", {})
        directory_lock.release()

    directory = Directory.open(str(tmp_path))
    directory_lock = RootLock(directory.descriptor)
    directory_lock.acquire(directory.descriptor, "", 5)
    commits = store._files._commits["K"]

    def in_the_middle() -> None:
        while not commits._waiting:
            time.sleep(0)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    calling = threading.Thread(target=in_the_middle)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        calling.start()
        store.put("K", {"n": 1})
    finally:
        calling.join()
        signal.signal(signal.SIGALRM, before)

    assert [type(error) for error in told] == [CalledInside]
    assert not isinstance(told[0], LockTimeout)
    assert store.get("K") == {"n": 1}
    assert store.get("HANDLER") is None
    assert other.get("HANDLER") == {}
    store.put("HANDLER", {})  # control: after the call
