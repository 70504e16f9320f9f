"""A file of records is brought up to date, and its new log cannot be made: nobody goes on with the old one."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from reference_store import RunStore, StorageFailure


def filling(store: RunStore, first: int, last: int, size: int = 20_000) -> None:
    for number in range(first, last):
        store.create_or_update_run(f"run-{number}", "backtest", metrics={"text": "x" * size})


def numbers(store: RunStore) -> set[str]:
    return {run.run_id for run in store.list_runs(limit=1_000)}


@pytest.mark.parametrize("killed", [False, True], ids=["full disk", "killed"])
def test_who_knows_the_old_log_does_not_go_on_with_it_when_the_new_one_could_not_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    one, other = RunStore(tmp_path), RunStore(tmp_path)
    filling(one, 0, 3)
    filling(other, 3, 4)
    log = tmp_path / ".runs.changes.jsonl"
    before = log.read_bytes().split(b"\n", 1)[0]
    real, renamed = os.rename, [0]

    def no_room(source: Any, target: Any, **named: Any) -> None:
        if os.fspath(target) == log.name:
            renamed[0] += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", no_room)
        written = 4
        while not renamed[0]:
            try:
                filling(one, written, written + 1)
                written += 1
            except StorageFailure:
                break
    assert log.read_bytes().split(b"\n", 1)[0] == before, "the file is new, and its log is the old one"
    if killed:
        del one

    filling(other, 100, 103, size=1)  # for these the old log has room

    expected = {f"run-{number}" for number in (*range(written), 100, 101, 102)}
    assert numbers(other) == expected
    assert numbers(RunStore(tmp_path)) == expected


def test_a_first_change_that_found_no_room_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore(tmp_path)

    def no_room(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", no_room)
            with pytest.raises(StorageFailure):
                filling(store, 0, 1)

    filling(store, 1, 3)
    assert numbers(store) == numbers(RunStore(tmp_path)) == {"run-1", "run-2"}
