"""DocumentStore: the contract, what damage does to it, and what deletion promises."""

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import (
    CorruptData,
    DocumentStore,
    InvalidIdentifier,
    LockTimeout,
    StorageFailure,
    StoreClosed,
    UnserialisableValue,
)
from reference_store.core.locking import RootLock
from tests.reference_store.faults import fail_call, is_directory
from tests.reference_store.values import documents


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path)


def tree(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir() if path.name != ".lock"}


def damage(path: Path) -> bytes:
    damaged = path.read_bytes().replace(b": 1", b": 7", 1)
    path.write_bytes(damaged)
    return damaged


@given(document=documents)
def test_every_accepted_document_comes_back_equal(tmp_path_factory: pytest.TempPathFactory, document: Any) -> None:
    root = tmp_path_factory.mktemp("root")
    DocumentStore(root).put("K", document)

    assert repr(DocumentStore(root).get("K")) == repr(document)


def test_missing_keys_are_none_and_not_an_error(store: DocumentStore) -> None:
    assert store.get("AAPL") is None
    assert store.keys() == []
    assert store.delete("AAPL") is False


def test_keys_are_listed_exactly_as_given_and_sorted(store: DocumentStore) -> None:
    given_keys = ["BTC/USDT", "aapl", "AAPL", ".SPX", "AAPL.json.bak", "日経225", "AAPL "]
    for key in given_keys:
        store.put(key, {"key": key})
        store.put(key, {"key": key})

    assert store.keys() == sorted(given_keys)
    assert [store.get(key) for key in given_keys] == [{"key": key} for key in given_keys]


def test_foreign_files_are_not_documents(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {})
    for name in ("README", "notes.json", ".DS_Store", "A.json.swp", ".tmp-1.json", "_x.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / os.fsdecode(b"\xff.json")).write_text("{}")

    assert store.keys() == ["A"]


@pytest.mark.parametrize("key", ["", "..", "../x", "a/../b", "AAPL\n", None, 7])
def test_a_refused_identifier_touches_nothing(store: DocumentStore, tmp_path: Path, key: Any) -> None:
    for call in (lambda: store.put(key, {}), lambda: store.get(key), lambda: store.delete(key)):
        with pytest.raises(InvalidIdentifier):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [{"a": {1, 2}}, {"a": float("nan")}, {1: 2}, [1], None, {"_integrity": {}}])
def test_a_refused_value_leaves_the_version_before(store: DocumentStore, tmp_path: Path, value: Any) -> None:
    store.put("A", {"a": 1})
    before = tree(tmp_path)

    with pytest.raises(UnserialisableValue):
        store.put("A", value)

    assert tree(tmp_path) == before


def test_a_damaged_file_is_answered_from_the_backup_and_said_so(
    store: DocumentStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.put("A", {"a": 0})
    store.put("A", {"a": 1})
    damaged = damage(tmp_path / "A.json")

    with caplog.at_level(logging.WARNING, "reference_store"):
        assert store.get("A") == {"a": 0}

    assert [(found.key, found.generation) for found in store.recoveries] == [("A", 1)]
    assert "answered from the backup" in caplog.text
    assert (tmp_path / "A.json").read_bytes() == damaged


def test_control_a_sound_file_is_not_answered_from_the_backup(store: DocumentStore) -> None:
    store.put("A", {"a": 0})
    store.put("A", {"a": 1})

    assert store.get("A") == {"a": 1}
    assert store.recoveries == ()


def test_damage_without_a_sound_backup_is_an_error_and_harms_no_other_key(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 1})
    store.put("B", {"b": 1})
    damage(tmp_path / "A.json")

    with pytest.raises(CorruptData) as found:
        store.get("A")

    assert (found.value.identifier, found.value.file) == ("A", "A.json")
    assert store.keys() == ["A", "B"]
    assert store.get("B") == {"b": 1}


@pytest.mark.parametrize("content", [b"", b"{}", b"null", bytes(200)])
def test_an_emptied_file_is_not_read_as_no_data(store: DocumentStore, tmp_path: Path, content: bytes) -> None:
    store.put("A", {"a": 1})
    (tmp_path / "A.json").write_bytes(content)

    with pytest.raises(CorruptData):
        store.get("A")


def test_a_file_lost_beside_its_backup_is_not_read_as_no_data(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 0})
    store.put("A", {"a": 1})
    (tmp_path / "A.json").unlink()

    assert store.keys() == ["A"]
    assert store.get("A") == {"a": 0}
    assert store.recoveries[0].reason == "it is missing while its backup is there"


def test_swapped_files_are_noticed(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 1})
    store.put("B", {"b": 1})
    (tmp_path / "A.json").rename(tmp_path / "C")
    (tmp_path / "B.json").rename(tmp_path / "A.json")

    with pytest.raises(CorruptData, match="under this identifier"):
        store.get("A")


def test_the_evidence_outlives_the_next_update_and_the_good_backup_stays(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 0})
    store.put("A", {"a": 1})
    backup = (tmp_path / "A.json.bak").read_bytes()
    damaged = damage(tmp_path / "A.json")

    store.put("A", {"a": 2})

    assert store.get("A") == {"a": 2}
    assert damaged in tree(tmp_path).values()
    assert (tmp_path / "A.json.bak").read_bytes() == backup


def test_the_evidence_outlives_a_deletion(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 1})
    damaged = damage(tmp_path / "A.json")

    assert store.delete("A") is True
    assert store.get("A") is None
    assert list(tree(tmp_path).values()) == [damaged]


def test_generations_grow_past_the_backup_after_damage(store: DocumentStore, tmp_path: Path) -> None:
    for number in range(3):
        store.put("A", {"a": number})
    (tmp_path / "A.json").write_bytes(b"")

    store.put("A", {"a": 9})

    assert json.loads((tmp_path / "A.json").read_bytes())["_integrity"]["generation"] == 3


def test_a_deletion_pins_the_loss_of_the_backup_before_it_touches_the_file(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("A", {"a": 0})
    store.put("A", {"a": 1})
    steps: list[str] = []
    unlink, fsync = os.unlink, os.fsync

    def noted_unlink(name: str, **where: int) -> None:
        steps.append(name)
        unlink(name, **where)

    def noted_fsync(descriptor: int) -> None:
        steps.append("sync")
        fsync(descriptor)

    monkeypatch.setattr(os, "unlink", noted_unlink)
    monkeypatch.setattr(os, "fsync", noted_fsync)

    assert store.delete("A") is True

    assert steps == ["A.json.bak", "sync", "A.json", "sync"]


def test_deleted_data_stays_deleted_through_recreation_and_damage(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": "old"})
    store.put("A", {"a": "older"})
    store.delete("A")
    store.put("A", {"a": 1})
    damage(tmp_path / "A.json")

    with pytest.raises(CorruptData):
        store.get("A")


def test_an_edit_by_hand_is_damage_until_it_is_resealed(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 1})
    damage(tmp_path / "A.json")
    with pytest.raises(CorruptData, match="reseal"):
        store.get("A")

    store.reseal("A")

    assert store.get("A") == {"a": 7}


def test_resealing_adopts_a_file_written_by_hand(store: DocumentStore, tmp_path: Path) -> None:
    (tmp_path / "A.json").write_text('{"cash": 1}')
    with pytest.raises(CorruptData, match="no seal"):
        store.get("A")

    store.reseal("A")

    assert store.get("A") == {"cash": 1}
    with pytest.raises(CorruptData, match="no such file"):
        store.reseal("B")


def test_an_update_of_another_instance_is_seen_and_kept_as_the_backup(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 0})
    DocumentStore(tmp_path).put("A", {"a": 1})
    store.put("A", {"a": 2})

    assert b'"a": 1' in (tmp_path / "A.json.bak").read_bytes()
    assert b'"generation": 3' in (tmp_path / "A.json").read_bytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_failing_write_raises_keeps_the_old_version_and_passes(
    store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    store.put("A", {"a": 0})
    fail_call(monkeypatch, call, code)
    with pytest.raises(StorageFailure) as failure:
        store.put("A", {"a": 1})
    monkeypatch.undo()

    assert (failure.value.errno, failure.value.may_have_happened) == (code, False)
    assert store.get("A") == {"a": 0}
    store.put("A", {"a": 2})
    assert store.get("A") == {"a": 2}
    assert set(tree(tmp_path)) == {"A.json", "A.json.bak"}


def test_a_failed_sync_of_the_directory_is_not_acknowledged(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("A", {"a": 0})
    fail_call(monkeypatch, "fsync", when=is_directory)

    with pytest.raises(StorageFailure) as failure:
        store.put("A", {"a": 1})

    assert failure.value.may_have_happened
    assert store.get("A") == {"a": 1}


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_read_error_is_neither_absent_nor_corrupt(
    store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store.put("A", {"a": 0})
    store.put("A", {"a": 1})
    before = tree(tmp_path)
    fail_call(monkeypatch, "open", code)
    with pytest.raises(StorageFailure) as failure:
        store.get("A")
    monkeypatch.undo()

    assert failure.value.errno == code
    assert tree(tmp_path) == before


def test_a_reader_needs_no_lock_and_changes_nothing(store: DocumentStore, tmp_path: Path) -> None:
    store.put("A", {"a": 1})
    directory = os.open(tmp_path, os.O_RDONLY)
    lock = RootLock(directory)
    lock.acquire(directory, "", 0)

    other = DocumentStore(tmp_path, lock_timeout=0)
    assert other.get("A") == {"a": 1}
    assert other.keys() == ["A"]
    with pytest.raises(LockTimeout):
        other.put("A", {})
    lock.release()
    os.close(directory)


def test_opening_clears_away_what_a_dead_writer_left(tmp_path: Path) -> None:
    (tmp_path / ".tmp-0123456789abcdef").write_bytes(b"{")

    assert DocumentStore(tmp_path).keys() == []
    assert not list(tmp_path.glob(".tmp-*"))


def test_opening_leaves_the_files_of_a_living_writer_alone(store: DocumentStore, tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    lock = RootLock(directory)
    lock.acquire(directory, "", 0)
    (tmp_path / ".tmp-0123456789abcdef").write_bytes(b"{")

    DocumentStore(tmp_path)

    assert len(list(tmp_path.glob(".tmp-*"))) == 1
    lock.release()
    os.close(directory)


def test_a_closed_store_says_so(store: DocumentStore) -> None:
    store.close()
    store.close()

    for call in (lambda: store.put("A", {}), lambda: store.get("A"), lambda: store.delete("A"), store.keys):
        with pytest.raises(StoreClosed):
            call()


def test_the_package_does_not_import_what_documents_do_not_need() -> None:
    program = "import sys, reference_store; print({'pyarrow', 'pydantic', 'asyncio', 'aiofiles'} & set(sys.modules))"

    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "set()"


@given(data=st.data())
def test_any_history_of_puts_and_deletes_reads_like_a_dict(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    store, model = DocumentStore(tmp_path_factory.mktemp("root")), dict[str, Any]()
    for key in data.draw(st.lists(st.sampled_from(["a", "A", "a/b", "A.json"]), max_size=8)):
        if data.draw(st.booleans()):
            document = {"n": data.draw(st.integers())}
            store.put(key, document)
            model[key] = document
        else:
            assert store.delete(key) == (model.pop(key, None) is not None)
        listed = store.keys()
        assert {known: store.get(known) for known in listed} == model


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_document_is_deleted_on_a_full_disk_with_the_room_of_its_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = DocumentStore(tmp_path)
    for n in (1, 2):
        store.put("A", {"n": n})
    generation = store.get_versioned("A")[1]
    monkeypatch.setattr(os, "pwrite", only_without_the_backup(os.pwrite, tmp_path / "A.json.bak", code))

    assert store.delete("A") is True

    assert (store.get("A"), store.keys()) == (None, [])
    store.put("A", {"n": 3})
    assert store.get_versioned("A")[1] == generation + 1  # it was noted which one was removed


def test_control_without_a_backup_the_document_stays_and_the_error_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DocumentStore(tmp_path)
    store.put("A", {"n": 1})
    monkeypatch.setattr(os, "pwrite", only_without_the_backup(os.pwrite, tmp_path / "A.json", errno.ENOSPC))

    with pytest.raises(StorageFailure) as failure:
        store.delete("A")
    assert failure.value.errno == errno.ENOSPC
    assert store.get("A") == {"n": 1}


def only_without_the_backup(real: Any, backup: Path, code: int) -> Any:
    """A disk on which there is room again when ``backup`` is gone."""

    def write(*args: Any) -> Any:
        if backup.exists():
            raise OSError(code, os.strerror(code))
        return real(*args)

    return write
