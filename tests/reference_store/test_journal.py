"""JournalStore: order and completeness, interrupted appends, and damage that is not one."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import (
    CorruptData,
    InvalidIdentifier,
    JournalStore,
    StorageFailure,
    StoreClosed,
    UnserialisableValue,
)
from tests.reference_store.faults import fail_call, is_directory
from tests.reference_store.values import documents


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    return JournalStore(tmp_path)


def numbered(count: int, first: int = 1) -> list[dict[str, Any]]:
    return [{"n": number} for number in range(first, first + count)]


def fill(store: JournalStore, count: int = 3, stream: str = "ORDERS") -> Path:
    for record in numbered(count):
        store.append(stream, record)
    return Path(store._root.path) / f"{stream}.jsonl"


@given(records=st.lists(documents, max_size=4))
def test_records_come_back_equal_and_in_order(tmp_path_factory: pytest.TempPathFactory, records: list[Any]) -> None:
    root = tmp_path_factory.mktemp("root")
    for record in records:
        JournalStore(root).append("S", record)

    assert repr(JournalStore(root).read("S")) == repr(records)


def test_a_stream_that_was_never_written_has_no_records(store: JournalStore, tmp_path: Path) -> None:
    assert store.read("S") == []
    assert list(tmp_path.iterdir()) == []


def test_each_record_is_one_line_of_plain_json(store: JournalStore) -> None:
    lines = fill(store).read_text().splitlines()

    assert [line.partition(", ")[0] for line in lines] == ['{"n": 1', '{"n": 2', '{"n": 3']


def test_instances_append_to_one_sequence(tmp_path: Path) -> None:
    one, other = JournalStore(tmp_path), JournalStore(tmp_path)
    for number in range(1, 7):
        (one if number % 2 else other).append("S", {"n": number})

    assert one.read("S") == numbered(6)


@pytest.mark.parametrize("value", [{"a": (1,)}, {"a": float("inf")}, [1], {"_integrity": 1}])
def test_a_refused_record_leaves_the_log_alone(store: JournalStore, value: Any) -> None:
    before = fill(store).read_bytes()

    with pytest.raises(UnserialisableValue):
        store.append("ORDERS", value)

    assert (Path(store._root.path) / "ORDERS.jsonl").read_bytes() == before


def test_a_refused_stream_touches_nothing(store: JournalStore, tmp_path: Path) -> None:
    for call in (lambda: store.append("../S", {}), lambda: store.read("../S")):
        with pytest.raises(InvalidIdentifier):
            call()
    assert list(tmp_path.iterdir()) == []


def test_an_append_interrupted_anywhere_is_dropped_and_the_next_one_does_not_grow_together_with_it(
    tmp_path: Path,
) -> None:
    store = JournalStore(tmp_path)
    path = fill(store, 2)
    sound = path.read_bytes()
    store.append("ORDERS", {"n": 3, "note": "x" * 30})
    line = path.read_bytes()[len(sound) :]
    for cut in range(1, len(line) - 1):
        path.write_bytes(sound + line[:cut])
        reopened = JournalStore(tmp_path)

        assert reopened.read("ORDERS") == numbered(2)
        reopened.append("ORDERS", {"n": 3})
        assert JournalStore(tmp_path).read("ORDERS") == numbered(3)


def test_a_whole_record_without_its_newline_is_kept_and_continued(store: JournalStore, tmp_path: Path) -> None:
    path = fill(store)
    path.write_bytes(path.read_bytes()[:-1])
    reopened = JournalStore(tmp_path)

    assert reopened.read("ORDERS") == numbered(3)
    reopened.append("ORDERS", {"n": 4})
    reopened.append("ORDERS", {"n": 5})
    assert JournalStore(tmp_path).read("ORDERS") == numbered(5)


def test_what_an_interrupted_append_left_is_kept_beside(
    store: JournalStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = fill(store)
    with path.open("ab") as file:
        file.write(b'{"n": 4, "no')

    with caplog.at_level(logging.WARNING, "reference_store"):
        JournalStore(tmp_path).append("ORDERS", {"n": 4})

    assert [kept.read_bytes() for kept in tmp_path.glob(".damaged-*")] == [b'{"n": 4, "no']
    assert "never acknowledged" in caplog.text


@pytest.mark.parametrize("lost", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_a_record_of_several_pages_whose_pages_were_lost_was_never_there(
    store: JournalStore, tmp_path: Path, lost: tuple[int, ...]
) -> None:
    path = fill(store, 2)
    begin = path.stat().st_size
    store.append("ORDERS", {"n": 3, "note": "x" * 9000})
    torn = bytearray(path.read_bytes())
    for page in lost:
        first, last = max(begin, page * 4096), min(len(torn), (page + 1) * 4096)
        torn[first:last] = bytes(last - first)
    path.write_bytes(torn)
    reopened = JournalStore(tmp_path)

    assert reopened.read("ORDERS") == numbered(2)
    reopened.append("ORDERS", {"n": 3})
    assert reopened.read("ORDERS") == numbered(3)


def test_zeros_at_the_end_are_dropped_without_evidence(store: JournalStore, tmp_path: Path) -> None:
    path = fill(store)
    with path.open("ab") as file:
        file.write(bytes(5000))

    assert store.read("ORDERS") == numbered(3)
    store.append("ORDERS", {"n": 4})
    assert store.read("ORDERS") == numbered(4)
    assert not list(tmp_path.glob(".damaged-*"))


DAMAGE: dict[str, Callable[[list[bytes]], bytes]] = {
    "emptied": lambda lines: b"",
    "zeroed": lambda lines: bytes(sum(map(len, lines))),
    "cut-in-the-first-record": lambda lines: lines[0][:20],
    "record-missing": lambda lines: lines[0] + lines[2],
    "record-twice": lambda lines: lines[0] + lines[1] + lines[1] + lines[2],
    "last-record-twice": lambda lines: b"".join(lines) + lines[2],
    "records-exchanged": lambda lines: lines[1] + lines[0] + lines[2],
    "first-record-missing": lambda lines: lines[1] + lines[2],
    "value-changed": lambda lines: lines[0] + lines[1].replace(b'"n": 2', b'"n": 7') + lines[2],
    "value-of-the-last-changed": lambda lines: lines[0] + lines[1] + lines[2].replace(b'"n": 3', b'"n": 7'),
    "torn-in-the-middle": lambda lines: lines[0] + lines[1][:9] + lines[2],
    "blank-line": lambda lines: lines[0] + b"\n" + lines[1] + lines[2],
    "newline-lost": lambda lines: lines[0] + lines[1][:-1] + b" " + lines[2],
    "last-newline-changed": lambda lines: b"".join(lines)[:-1] + b"\x0b",
    "one-byte-zeroed": lambda lines: lines[0] + lines[1] + lines[2].replace(b" ", b"\0", 1),
}


@pytest.mark.parametrize("operator", DAMAGE.values(), ids=list(DAMAGE))
def test_damage_is_not_taken_for_an_interrupted_append(
    store: JournalStore, tmp_path: Path, operator: Callable[[list[bytes]], bytes]
) -> None:
    path = fill(store)
    damaged = operator(path.read_bytes().splitlines(keepends=True))
    path.write_bytes(damaged)

    with pytest.raises(CorruptData):
        store.read("ORDERS")
    with pytest.raises(CorruptData):
        JournalStore(tmp_path).append("ORDERS", {"n": 4})
    assert path.read_bytes() == damaged


def test_no_flipped_bit_shows_another_record(store: JournalStore) -> None:
    path = fill(store)
    sound = path.read_bytes()
    for place in range(len(sound) * 8):
        flipped = bytearray(sound)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            assert store.read("ORDERS") == numbered(3)
        except CorruptData:
            continue


def test_a_log_of_another_stream_is_damage(store: JournalStore, tmp_path: Path) -> None:
    fill(store).rename(tmp_path / "DECISIONS.jsonl")

    with pytest.raises(CorruptData, match="line 1"):
        store.read("DECISIONS")


def test_the_first_append_comes_whole_by_rename(store: JournalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fail_call(monkeypatch, "rename")
    with pytest.raises(StorageFailure):
        store.append("S", {"n": 1})
    monkeypatch.undo()

    assert calls == [1]
    assert store.read("S") == []


def test_an_append_behind_unsynced_records_of_others_syncs_them_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(JournalStore(tmp_path), 2)
    calls = fail_call(monkeypatch, "fsync", at=99)
    reopened = JournalStore(tmp_path)

    reopened.append("ORDERS", {"n": 3})
    assert calls == [3]  # the records, the names in the directory, and then its own
    reopened.append("ORDERS", {"n": 4})
    assert calls == [4]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failed_append_is_taken_back(
    store: JournalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    sound = fill(store).read_bytes()
    fail_call(monkeypatch, call, code)
    with pytest.raises(StorageFailure) as failure:
        store.append("ORDERS", {"n": 99})
    monkeypatch.undo()

    assert failure.value.errno == code
    assert (tmp_path / "ORDERS.jsonl").read_bytes() == sound
    store.append("ORDERS", {"n": 4})
    assert JournalStore(tmp_path).read("ORDERS") == numbered(4)


def test_a_failed_append_that_could_not_be_taken_back_is_cut_off_by_the_next(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    fail_call(monkeypatch, "fsync")
    fail_call(monkeypatch, "ftruncate")
    with pytest.raises(StorageFailure):
        store.append("ORDERS", {"n": 99})
    monkeypatch.undo()

    store.append("ORDERS", {"n": 4})
    assert store.read("ORDERS") == numbered(4)


@pytest.mark.parametrize(
    "fails_too", ["ftruncate", "fsync", "open"], ids=["not-cut", "cut-not-durably", "cannot-be-opened"]
)
def test_a_failed_append_that_may_come_back_is_not_called_refused(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch, fails_too: str
) -> None:
    """A file system that has gone read-only: the sync fails, and so does all that would take the record back."""
    fill(store)
    fail_call(monkeypatch, "fsync")
    fail_call(
        monkeypatch,
        fails_too,
        errno.EROFS,
        when=lambda name, *_: fails_too != "open" or name == "ORDERS.jsonl",
        at=2 if fails_too == "open" else 1,
    )

    with pytest.raises(StorageFailure) as failure:
        store.append("ORDERS", {"n": 99})

    assert failure.value.may_have_happened


def test_control_one_that_was_taken_back_is_called_refused(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    fail_call(monkeypatch, "fsync")

    with pytest.raises(StorageFailure) as failure:
        store.append("ORDERS", {"n": 99})

    assert not failure.value.may_have_happened


def test_what_could_not_be_taken_back_twice_is_cut_off_by_the_append_after_that(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    fail_call(monkeypatch, "fsync")
    for _ in range(2):
        fail_call(monkeypatch, "ftruncate")
        with pytest.raises(StorageFailure):
            store.append("ORDERS", {"n": 99})
    monkeypatch.undo()

    store.append("ORDERS", {"n": 4})
    assert store.read("ORDERS") == numbered(4)


def test_a_short_write_that_ends_in_an_error_leaves_nothing(
    store: JournalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = fill(store).read_bytes()
    real = os.write
    taken: list[int] = []

    def short(descriptor: int, data: bytes) -> int:
        if taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(real(descriptor, bytes(data)[:7]))
        return taken[0]

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(StorageFailure):
        store.append("ORDERS", {"n": 4})

    assert (tmp_path / "ORDERS.jsonl").read_bytes() == sound


def test_a_failed_sync_of_the_directory_at_the_first_append_is_not_acknowledged(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("OTHER", {})
    fail_call(monkeypatch, "fsync", when=is_directory)

    with pytest.raises(StorageFailure) as failure:
        store.append("S", {"n": 1})

    assert failure.value.may_have_happened


def test_a_planted_link_or_pipe_is_damage_and_does_not_block(store: JournalStore, tmp_path: Path) -> None:
    (tmp_path / "L.jsonl").symlink_to(tmp_path / "victim")
    os.mkfifo(tmp_path / "P.jsonl")

    for stream in "LP":
        for call in (lambda s=stream: store.read(s), lambda s=stream: store.append(s, {})):
            with pytest.raises(CorruptData, match="not a regular file"):
                call()
    assert not (tmp_path / "victim").exists()


def test_a_closed_store_says_so(store: JournalStore) -> None:
    store.close()

    with pytest.raises(StoreClosed):
        store.append("S", {})
