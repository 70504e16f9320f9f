"""In which order things become durable where a killed process is followed by a power loss, which no recording shows."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from reference_store import DocumentStore, FileDataStore, JournalStore
from reference_store.core.atomic import Directory
from reference_store.core.locking import LOCK_FILE, RootLock
from tests.reference_store.test_atomic import calls_of, synced
from tests.reference_store.trading import DAY, JANUARY, bar


def test_evidence_is_durable_before_anything_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    (tmp_path / "K.json").write_text("{")
    seen = calls_of(monkeypatch, "link", "fsync", "rename")

    store.put("K", {"n": 2})

    assert seen == ["link", "fsync directory", "fsync", "rename", "fsync directory"]


def test_the_remains_of_an_append_are_kept_and_cut_off_durably_before_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    JournalStore(tmp_path).append("S", {"n": 1})
    with open(tmp_path / "S.jsonl", "ab") as file:
        file.write(b'{"n": 2')
    store = JournalStore(tmp_path)
    seen = calls_of(monkeypatch, "rename", "fsync", "ftruncate", "write")

    store.append("S", {"n": 2})

    kept, cut = ["write", "fsync", "rename", "fsync directory"], ["ftruncate", "fsync"]
    behind = ["fsync", "fsync directory"]  # what others have written
    assert seen == [*kept, *cut, *behind, "write", "fsync"]


def test_the_first_write_pins_the_name_of_a_directory_of_bars_that_somebody_else_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileDataStore(tmp_path)
    store.write_bars("MSFT", [bar(JANUARY, symbol="MSFT")])
    (tmp_path / "prices" / "AAPL").mkdir()
    seen = synced(monkeypatch)

    store.write_bars("AAPL", [bar(JANUARY)])

    assert (tmp_path / "prices").stat().st_ino in seen


def test_a_manifest_is_durable_before_what_it_names_replaces_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_move(*_arguments: Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Directory, "move", cannot_move)
        FileDataStore(tmp_path).write_bars("AAPL", [bar(JANUARY)])
    store = FileDataStore(tmp_path)
    seen = calls_of(monkeypatch, "rename", "fsync")

    store.write_bars("AAPL", [bar(JANUARY + DAY)])

    assert seen[:2] == ["fsync directory", "rename"]


def test_a_lock_on_a_file_that_has_lost_its_name_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Directory.open(str(tmp_path))
    lock, file, real = RootLock(directory.descriptor), tmp_path / LOCK_FILE, fcntl.flock

    def replaced_meanwhile(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        file.unlink()
        file.touch()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    lock.acquire(directory.descriptor, str(tmp_path), 5)
    try:
        with open(file) as other, pytest.raises(BlockingIOError):
            real(other.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        lock.release()
    assert os.listdir(tmp_path) == [LOCK_FILE]
