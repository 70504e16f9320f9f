"""Backups: a generation is one moment of a whole directory, and comes back as it was or not at all."""

import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_store import (
    CorruptData,
    DamagedBackup,
    DocumentStore,
    InvalidRecord,
    JournalStore,
    LockTimeout,
    NoSuchGeneration,
    PortfolioStore,
    RestoreUnfinished,
    StorageFailure,
)
from reference_store.core.atomic import Directory
from reference_store.core.restoring import mark, unmark
from reference_store.operations import inspection
from reference_store.operations.backups import creating, generations, growing, restoring
from reference_store.operations.backups.creating import Created, create
from reference_store.operations.backups.generations import Entry, Generation
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.restoring import restore
from reference_store.operations.backups.retention import Retention
from reference_store.operations.backups.tree import digest_of
from reference_store.operations.backups.vault import Pieces, load
from reference_store.operations.backups.verifying import verify
from reference_store.operations.command_line import COMMAND
from tests.descriptors import opened
from tests.reference_store.faults import fail_call
from tests.reference_store.test_command_line import filled
from tests.reference_store.test_interruptions import is_free

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def vault_in(path: Path) -> LocalVault:
    return LocalVault(str(path / "vault"), create=True)


def backed_up(root: Path, **options: Any) -> Created:
    return create(str(root / "data"), vault_in(root), **options)


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def put(root: Path, number: int, *, at: str = "data") -> None:
    with DocumentStore(root / at) as store:
        store.put("AAPL", {"n": number})
    with JournalStore(root / at / "logs") as logs:
        logs.append("trades", {"n": number})


def seen(root: Path, at: str = "data") -> tuple[object, list[object]]:
    with DocumentStore(root / at) as store, JournalStore(root / at / "logs") as logs:
        document = store.get("AAPL")
        return document and document["n"], [record["n"] for record in logs.read("trades")]


def test_every_store_comes_back_as_it_was(tmp_path: Path) -> None:
    before = contents(filled(tmp_path / "data"))
    made = backed_up(tmp_path)

    restored = restore(vault_in(tmp_path), str(tmp_path / "new"))

    assert contents(tmp_path / "new") == before
    assert (restored.written, restored.removed, restored.before) == (len(before), (), None)
    assert (len(made.generation.files), made.generation.damaged) == (len(before), ())
    with PortfolioStore(tmp_path / "new") as store:
        assert store.load() is not None
    times = {path: (tmp_path / "data" / path).stat().st_mtime_ns for path in before}
    assert {path: (tmp_path / "new" / path).stat().st_mtime_ns for path in before} == times


def test_a_generation_is_what_was_there_then_and_only_changes_take_room(tmp_path: Path) -> None:
    put(tmp_path, 1)
    first = backed_up(tmp_path)
    put(tmp_path, 2)
    second = backed_up(tmp_path)
    third = backed_up(tmp_path)

    for number, made in ((1, first), (2, second), (2, third)):
        restore(vault_in(tmp_path), str(tmp_path / f"at-{made.generation.id}"), generation=made.generation.id)
        assert seen(tmp_path, f"at-{made.generation.id}") == (number, list(range(1, number + 1)))
    assert (first.new_contents, third.new_contents) == (len(contents(tmp_path / "data")) - 1, 0)


def test_a_change_while_files_are_read_is_in_it_whole_or_not_at_all(tmp_path: Path) -> None:
    put(tmp_path, 1)

    def changing(done: int, _of: int) -> None:
        put(tmp_path, done + 1)  # after each file that was read

    backed_up(tmp_path, progress=changing)

    restore(vault_in(tmp_path), str(tmp_path / "new"))
    number, logged = seen(tmp_path, "new")
    assert logged == list(range(1, len(logged) + 1))
    assert (number, number) == (len(logged), seen(tmp_path)[0]), "they are changed together"


class Watching(LocalVault):
    """Notes of each content whether its file could be written to meanwhile; ``meanwhile`` is done before it is read."""

    def __init__(self, root: Path, meanwhile: Callable[[], object] = bool) -> None:
        super().__init__(str(root / "vault"), create=True)
        self.logs, self.meanwhile, self.waited = root / "data" / "logs", meanwhile, dict[bytes, bool]()

    def put(self, digest: str, size: int, pieces: Pieces) -> None:
        self.meanwhile()
        self.waited[b"".join(pieces())] = not is_free(self.logs, 2)
        super().put(digest, size, pieces)


def append(root: Path, number: int) -> None:
    with JournalStore(root / "data" / "logs") as logs:
        logs.append("TRADES", {"n": number})


def test_a_large_log_is_read_while_its_writers_go_on_and_is_kept_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "SMALLEST", 100)
    append(tmp_path, 1)
    append(tmp_path, 2)
    then = (tmp_path / "data" / "logs" / "TRADES.jsonl").read_bytes()
    vault = Watching(tmp_path, meanwhile=lambda: append(tmp_path, 3))

    create(str(tmp_path / "data"), vault)

    assert vault.waited == {then: False}, "it is read once, and nobody waits"
    restore(vault_in(tmp_path), str(tmp_path / "new"))
    with JournalStore(tmp_path / "new" / "logs") as logs:
        assert [record["n"] for record in logs.read("TRADES")] == [1, 2]


@pytest.mark.parametrize("step", ["digest_of", "pieces_of"])
def test_an_append_that_is_cut_off_and_written_over_before_a_log_is_read_is_in_no_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(growing, "SMALLEST", 100)
    monkeypatch.setattr(creating, "_SMALL", 100)
    append(tmp_path, 1)
    log = tmp_path / "data" / "logs" / "TRADES.jsonl"
    one = log.read_bytes()
    append(tmp_path, 2)
    two = log.read_bytes()

    read = getattr(creating, step)

    def again(descriptor: int, size: int) -> object:
        if log.read_bytes() == two:  # as an append does behind one whose sync failed, and which could not be taken back
            log.write_bytes(one)
            append(tmp_path, 33)
            append(tmp_path, 4)
        return read(descriptor, size)

    monkeypatch.setattr(creating, step, again)
    backed_up(tmp_path)

    restore(vault_in(tmp_path), str(tmp_path / "new"))
    with JournalStore(tmp_path / "new" / "logs") as logs:
        assert [record["n"] for record in logs.read("TRADES")] == [1, 33, 4]


@pytest.mark.parametrize("smallest", [100, 1 << 20], ids=["with-a-torn-end", "small"])
def test_control_a_log_that_may_still_change_is_read_under_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smallest: int
) -> None:
    monkeypatch.setattr(growing, "SMALLEST", smallest)
    append(tmp_path, 1)
    log = tmp_path / "data" / "logs" / "TRADES.jsonl"
    log.write_bytes(log.read_bytes() + b'{"n": ')
    vault = Watching(
        tmp_path, meanwhile=lambda: log.write_bytes(log.read_bytes()[:-1]) if is_free(log.parent, 2) else 0
    )

    create(str(tmp_path / "data"), vault)

    assert True in vault.waited.values()


def test_of_more_logs_than_may_be_open_the_others_are_read_before_anybody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "SMALLEST", 100)
    monkeypatch.setattr(creating, "_OPEN_LOGS", 1)
    with JournalStore(tmp_path / "data" / "logs") as logs:
        for stream in ("A", "B", "C"):
            logs.append(stream, {"of": stream})
    vault = Watching(tmp_path)

    made = create(str(tmp_path / "data"), vault)

    assert sorted(vault.waited.values()) == [False, False, False]
    assert sorted(made.generation.files) == ["logs/A.jsonl", "logs/B.jsonl", "logs/C.jsonl"]


def test_a_backup_that_fails_leaves_no_log_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "SMALLEST", 100)
    append(tmp_path, 1)
    before = opened()

    def full() -> None:
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(StorageFailure):
        create(str(tmp_path / "data"), Watching(tmp_path, meanwhile=full))

    assert [path for _, path in opened(before) if path.endswith("TRADES.jsonl")] == []


@pytest.mark.parametrize("step", ["digest_of", "pieces_of"])
def test_a_log_that_somebody_goes_on_cutting_is_in_no_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(growing, "SMALLEST", 100)
    monkeypatch.setattr(creating, "_SMALL", 100)
    append(tmp_path, 1)
    append(tmp_path, 2)
    log, read = tmp_path / "data" / "logs" / "TRADES.jsonl", getattr(creating, step)

    def cut(descriptor: int, size: int) -> object:
        os.truncate(log, log.stat().st_size - 1)
        return read(descriptor, size)

    monkeypatch.setattr(creating, step, cut)
    with pytest.raises(StorageFailure, match="takes no lock"):
        backed_up(tmp_path)

    assert vault_in(tmp_path).ids() == []


def test_nothing_is_acknowledged_between_the_generation_before_a_restore_and_the_restore(tmp_path: Path) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    acknowledged: list[int] = []

    def write() -> None:
        with suppress(LockTimeout), DocumentStore(tmp_path / "data", lock_timeout=0.2) as store:
            store.put("AAPL", {"n": 2})
            acknowledged.append(2)

    class Slow(LocalVault):
        def publish(self, name: str, data: bytes) -> bool:
            published = super().publish(name, data)
            other = threading.Thread(target=write)
            other.start()
            other.join()
            return published

    restored = restore(Slow(str(tmp_path / "vault")), str(tmp_path / "data"), over=True)

    assert restored.before is not None
    assert acknowledged == []


def before_the_locks(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """Let something happen while a restore waits for its locks."""
    really = restoring.under_all_locks

    def waited(*args: Any, **options: Any) -> Any:
        meanwhile()
        return really(*args, **options)

    monkeypatch.setattr(restoring, "under_all_locks", waited)


@pytest.mark.parametrize("written", [False, True], ids=["nobody-writes-to", "control-somebody-writes-to"])
def test_a_large_log_that_a_restore_replaces_is_read_before_anybody_waits_where_nobody_writes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    monkeypatch.setattr(growing, "SMALLEST", 100)
    for module in (creating, inspection):
        monkeypatch.setattr(module, "RECENT", 0)
    append(tmp_path, 1)
    backed_up(tmp_path)
    append(tmp_path, 2)
    vault, inspected, log_in = Watching(tmp_path), list[bool](), inspection.log_in

    def looked(*arguments: Any) -> int:
        inspected.append(not is_free(vault.logs, 2))
        return log_in(*arguments)

    monkeypatch.setattr(inspection, "log_in", looked)
    if written:
        before_the_locks(monkeypatch, lambda: append(tmp_path, 3))

    restored = restore(vault, str(tmp_path / "data"), over=True)

    assert [*vault.waited.values()] == inspected == ([False, True] if written else [False])
    restore(vault, str(tmp_path / "new"), generation=restored.before)
    with JournalStore(tmp_path / "new" / "logs") as logs:
        assert [record["n"] for record in logs.read("TRADES")] == ([1, 2, 3] if written else [1, 2])


def test_a_large_log_that_somebody_writes_to_takes_its_room_in_the_vault_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "SMALLEST", 100)
    append(tmp_path, 1)
    backed_up(tmp_path)
    append(tmp_path, 2)
    before_the_locks(monkeypatch, lambda: append(tmp_path, 3))
    vault = Watching(tmp_path)

    restored = restore(vault, str(tmp_path / "data"), over=True)

    assert [*vault.waited.values()] == [True]
    restore(vault, str(tmp_path / "new"), generation=restored.before)
    with JournalStore(tmp_path / "new" / "logs") as logs:
        assert [record["n"] for record in logs.read("TRADES")] == [1, 2, 3]


def test_control_one_that_is_small_is_read_at_once_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path, 1)
    backed_up(tmp_path)
    append(tmp_path, 2)
    before_the_locks(monkeypatch, lambda: append(tmp_path, 3))
    vault = Watching(tmp_path)

    restore(vault, str(tmp_path / "data"), over=True)

    assert [*vault.waited.values()] == [False, True]


def test_what_is_to_stay_as_it_is_was_read_before_and_is_not_read_again_under_the_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path / "data")
    backed_up(tmp_path)
    read: list[int] = []
    monkeypatch.setattr(
        restoring, "digest_of", lambda descriptor, size: read.append(size) or digest_of(descriptor, size)
    )

    restored = restore(vault_in(tmp_path), str(tmp_path / "data"), over=True)

    assert (restored.written, restored.removed, read) == (0, (), [])


def test_control_a_file_that_is_other_and_looks_alike_is_replaced(tmp_path: Path) -> None:
    append(tmp_path, 1)
    backed_up(tmp_path)
    there = tmp_path / "data" / "logs" / "TRADES.jsonl"
    about, before = there.stat(), there.read_bytes()
    there.write_bytes(before.replace(b"1", b"2"))
    os.utime(there, ns=(about.st_atime_ns, about.st_mtime_ns))

    assert restore(vault_in(tmp_path), str(tmp_path / "data"), over=True).written == 1
    assert there.read_bytes() == before


def test_a_directory_that_is_filled_while_a_restore_waits_is_not_looked_through_twice_under_the_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path, 1)
    backed_up(tmp_path)
    os.rename(tmp_path / "data", tmp_path / "old")
    (tmp_path / "data").mkdir()
    looked: list[str] = []
    before_the_locks(monkeypatch, lambda: append(tmp_path, 2))
    log_in = inspection.log_in
    monkeypatch.setattr(inspection, "log_in", lambda *about: looked.append("a log") or log_in(*about))

    restore(vault_in(tmp_path), str(tmp_path / "data"), over=True)

    assert looked == ["a log"]


def test_what_is_put_into_an_empty_directory_while_a_restore_waits_is_not_replaced_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    os.rename(tmp_path / "data", tmp_path / "old")
    (tmp_path / "data").mkdir()
    before_the_locks(monkeypatch, lambda: put(tmp_path, 7))

    with pytest.raises(InvalidRecord, match="over"):
        restore(vault_in(tmp_path), str(tmp_path / "data"))

    assert seen(tmp_path) == (7, [7])


def test_what_is_put_behind_a_restore_that_ends_while_another_waits_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 1)
    made = backed_up(tmp_path)
    mark(Directory.open(str(tmp_path / "data")), made.generation.id, "another")

    def ended() -> None:
        unmark(Directory.open(str(tmp_path / "data")))
        put(tmp_path, 7)

    before_the_locks(monkeypatch, ended)
    restored = restore(vault_in(tmp_path), str(tmp_path / "data"), over=True)

    assert seen(tmp_path) == (1, [1])
    assert restored.before is not None
    restore(vault_in(tmp_path), str(tmp_path / "new"), generation=restored.before)
    with DocumentStore(tmp_path / "new") as documents:
        assert documents.get("AAPL") == {"n": 7}


def test_a_store_on_a_directory_that_is_new_when_a_restore_has_its_locks_is_kept_too(tmp_path: Path) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)

    class Meanwhile(LocalVault):
        def publish(self, name: str, data: bytes) -> bool:
            if not (tmp_path / "data" / "new").exists():
                with DocumentStore(tmp_path / "data" / "new") as new:
                    new.put("MSFT", {"n": 9})
            return super().publish(name, data)

    restored = restore(Meanwhile(str(tmp_path / "vault")), str(tmp_path / "data"), over=True)

    assert not (tmp_path / "data" / ".restoring").exists()
    assert "new/MSFT.json" in restored.removed
    assert restored.before is not None
    restore(vault_in(tmp_path), str(tmp_path / "data"), generation=restored.before, over=True)
    with DocumentStore(tmp_path / "data" / "new") as new:
        assert new.get("MSFT") == {"n": 9}


def test_restoring_over_removes_what_came_later_and_keeps_it_as_a_generation(tmp_path: Path) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    put(tmp_path, 2)
    with DocumentStore(tmp_path / "data" / "later") as later:
        later.put("MSFT", {"n": 1})
    evidence = tmp_path / "data" / ".damaged-0123456789ab-x.json"
    evidence.write_text("{")

    restored = restore(vault_in(tmp_path), str(tmp_path / "data"), over=True)

    assert seen(tmp_path) == (1, [1])
    assert "later/MSFT.json" in restored.removed
    assert evidence.exists(), "evidence is never removed unasked"
    assert restored.before is not None
    restore(vault_in(tmp_path), str(tmp_path / "data"), generation=restored.before, over=True)
    assert seen(tmp_path) == (2, [1, 2])
    with DocumentStore(tmp_path / "data" / "later") as later:
        assert later.get("MSFT") == {"n": 1}


def test_what_was_restored_and_not_used_yet_is_restored_over(tmp_path: Path) -> None:
    put(tmp_path, 1)
    first = backed_up(tmp_path).generation.id
    put(tmp_path, 2)
    backed_up(tmp_path)
    restore(vault_in(tmp_path), str(tmp_path / "new"))
    restore(vault_in(tmp_path), str(tmp_path / "new"), generation=first, over=True)

    assert seen(tmp_path, "new") == (1, [1])


def test_what_a_restore_replaced_is_not_taken_for_the_last_backup(tmp_path: Path) -> None:
    put(tmp_path, 1)
    first = backed_up(tmp_path)
    put(tmp_path, 2)
    restore(vault_in(tmp_path), str(tmp_path / "data"), over=True)

    assert restore(vault_in(tmp_path), str(tmp_path / "new")).generation.id == first.generation.id


def test_a_store_that_is_open_goes_on_with_what_was_restored(tmp_path: Path) -> None:
    with DocumentStore(tmp_path / "data") as store, JournalStore(tmp_path / "data" / "logs") as logs:
        store.put("AAPL", {"n": 1})
        logs.append("trades", {"n": 1})
        backed_up(tmp_path)
        store.put("AAPL", {"n": 2})
        logs.append("trades", {"n": 2})
        restore(vault_in(tmp_path), str(tmp_path / "data"), over=True)

        assert (store.get("AAPL"), logs.read("trades")) == ({"n": 1}, [{"n": 1}])
        store.update("AAPL", lambda document: {"n": (document or {})["n"] + 10})
        logs.append("trades", {"n": 11})
        assert (store.get("AAPL"), logs.read("trades")) == ({"n": 11}, [{"n": 1}, {"n": 11}])


def test_the_point_in_time_chooses_the_last_generation_before_it(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path, number)
        backed_up(tmp_path, now=NOON + timedelta(days=number))

    restore(vault_in(tmp_path), str(tmp_path / "new"), at=NOON + timedelta(days=1, hours=3))

    assert seen(tmp_path, "new")[0] == 1
    with pytest.raises(NoSuchGeneration):
        restore(vault_in(tmp_path), str(tmp_path / "none"), at=NOON - timedelta(seconds=1))


def kept(vault: LocalVault) -> list[int]:
    return [int(name.partition("-")[0]) for name in generations.in_order(vault.ids())]


@pytest.mark.parametrize(
    ("retention", "left"),
    [
        (Retention(generations=2), [4, 5]),
        (Retention(generations=1), [5]),
        (Retention(generations=1, days=2), [3, 4, 5]),
        (Retention(generations=9), [1, 2, 3, 4, 5]),
    ],
)
def test_retention_keeps_what_it_says_and_the_contents_of_that(
    tmp_path: Path, retention: Retention, left: list[int]
) -> None:
    for number in range(4):
        put(tmp_path, number)
        backed_up(tmp_path, now=NOON + timedelta(days=number))
    made = backed_up(tmp_path, now=NOON + timedelta(days=4), retention=retention)
    vault = vault_in(tmp_path)

    assert kept(vault) == left
    assert len(made.forgotten) == 5 - len(left)
    needed = {entry.digest for name in vault.ids() for entry in load(vault, name).files.values()}
    assert set(vault.contents()) == needed
    for name in vault.ids():
        assert verify(vault, generation=name).is_sound


def test_the_last_generation_without_damage_outlives_all_retention(tmp_path: Path) -> None:
    put(tmp_path, 1)
    sound = backed_up(tmp_path).generation
    (tmp_path / "data" / "AAPL.json").write_bytes(b"{}")
    for _ in range(3):
        made = backed_up(tmp_path, retention=Retention(generations=1))

    assert made.generation.damaged == ("AAPL.json",)
    assert kept(vault_in(tmp_path)) == [1, 4]
    restore(vault_in(tmp_path), str(tmp_path / "new"), generation=sound.id)
    assert seen(tmp_path, "new") == (1, [1])


def test_while_a_generation_cannot_be_read_no_content_is_removed(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path, number)
        backed_up(tmp_path)
    vault = vault_in(tmp_path)
    before = set(vault.contents())
    second = tmp_path / "vault" / "generations" / f"{generations.in_order(vault.ids())[1]}.json"
    second.write_bytes(second.read_bytes()[:-20])

    backed_up(tmp_path, retention=Retention(generations=1))

    assert kept(vault) == [2, 4]
    assert set(vault.contents()) >= before


def content_of(root: Path, file: str) -> Path:
    vault = vault_in(root)
    generation = load(vault, generations.in_order(vault.ids())[-1])
    return root / "vault" / "contents" / generation.files[file].digest


@pytest.mark.parametrize("harm", ["flipped", "emptied", "gone", "longer"])
def test_a_damaged_content_is_found_refused_and_healed_by_the_next_backup(tmp_path: Path, harm: str) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    file = content_of(tmp_path, "logs/trades+.jsonl")
    data = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        made = {"flipped": bytes([data[0] ^ 1]) + data[1:], "emptied": b"", "longer": data + b" "}
        file.write_bytes(made[harm])
    put(tmp_path / "other", 5, at="")
    before = contents(tmp_path / "other")

    for call in (
        lambda: verify(vault_in(tmp_path)),
        lambda: restore(vault_in(tmp_path), str(tmp_path / "other"), over=True),
    ):
        with pytest.raises(DamagedBackup) as told:
            call()
        assert told.value.files == ("logs/trades+.jsonl",)
    assert contents(tmp_path / "other") == before
    assert backed_up(tmp_path).new_contents == 1
    assert verify(vault_in(tmp_path)).is_sound


def test_what_changes_between_the_check_and_the_restore_is_told_and_put_in_no_file(tmp_path: Path) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    file = content_of(tmp_path, "logs/trades+.jsonl")

    def harm(_done: int, _of: int) -> None:
        file.write_bytes(b"{}")

    with pytest.raises(StorageFailure):
        restore(vault_in(tmp_path), str(tmp_path / "new"), progress=harm)
    assert not (tmp_path / "new" / "logs" / "trades+.jsonl").exists()
    with pytest.raises(RestoreUnfinished):
        DocumentStore(tmp_path / "new")


def test_a_disk_that_is_full_during_a_restore_is_told_of_the_directory_and_nothing_is_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    before = opened()
    with monkeypatch.context() as patch:
        fail_call(patch, "utime", errno.ENOSPC)
        with pytest.raises(StorageFailure) as told:
            restore(vault_in(tmp_path), str(tmp_path / "new"))

    assert (told.value.operation, told.value.identifier) == ("restore", str(tmp_path / "new"))
    assert [*(tmp_path / "new").rglob(".tmp-*")] == []
    assert [path for _, path in opened(before) if ".tmp-" in path] == []
    restore(vault_in(tmp_path), str(tmp_path / "new"), over=True)


def test_a_vault_is_not_held_by_what_goes_on_after_the_statement(tmp_path: Path) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    with ExitStack() as stack, pytest.raises(TypeError, match="with statement of its own"):
        stack.enter_context(vault_in(tmp_path).held())
    with vault_in(tmp_path).held():
        pass


def test_a_store_does_not_open_on_a_restore_that_was_not_finished(tmp_path: Path) -> None:
    put(tmp_path, 1)
    first = backed_up(tmp_path).generation.id
    put(tmp_path, 2)
    store = DocumentStore(tmp_path / "data")

    def die(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(vault_in(tmp_path), str(tmp_path / "data"), over=True, progress=die)

    for refused in (
        lambda: DocumentStore(tmp_path / "data"),
        lambda: JournalStore(tmp_path / "data" / "logs"),
        lambda: store.put("AAPL", {"n": 3}),
        lambda: backed_up(tmp_path),
    ):
        with pytest.raises(RestoreUnfinished) as told:
            refused()
        assert told.value.generation == first
    assert restore(vault_in(tmp_path), str(tmp_path / "data"), over=True).generation.id == first
    assert seen(tmp_path) == (1, [1])
    store.put("AAPL", {"n": 3})


def test_a_backup_is_for_nobody_else_and_modes_come_back(tmp_path: Path) -> None:
    put(tmp_path, 1)
    (tmp_path / "data" / "secret.json").write_text("{}")
    (tmp_path / "data" / "secret.json").chmod(0o600)
    old = os.umask(0)
    try:
        backed_up(tmp_path)
        restore(vault_in(tmp_path), str(tmp_path / "new"))
    finally:
        os.umask(old)

    for path in (tmp_path / "vault").rglob("*"):
        assert path.stat().st_mode & 0o777 & ~(0o750 if path.is_dir() else 0o600) == 0, path
    assert (tmp_path / "new" / "secret.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "AAPL.json").stat().st_mode & 0o777 == 0o640


def test_links_are_not_followed_and_what_is_no_file_is_told(tmp_path: Path) -> None:
    put(tmp_path, 1)
    (tmp_path / "elsewhere").write_text("secret")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "data" / "pipe")
    (tmp_path / "data" / "above").symlink_to(tmp_path)

    made = backed_up(tmp_path).generation

    assert made.skipped == ("above", "link", "pipe")
    assert not [path for path in made.files if "link" in path or "elsewhere" in path]


def test_a_planted_link_does_not_lead_a_restore_out_of_its_directory(tmp_path: Path) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path, 0, at="new")
    for path in (tmp_path / "new" / "logs").iterdir():
        path.unlink()
    (tmp_path / "new" / "logs").rmdir()
    (tmp_path / "new" / "logs").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(InvalidRecord):
        restore(vault_in(tmp_path), str(tmp_path / "new"), over=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


PATHS = ["../x.json", "/etc/x", "a//b", "a/../x", "./x", "", "x\0y", ".lock", "a/.restoring", ".tmp-1", "a/.."]


@pytest.mark.parametrize("path", PATHS)
def test_a_generation_with_a_path_that_leads_elsewhere_is_damaged(tmp_path: Path, path: str) -> None:
    made = generation_of({path: b""})

    with pytest.raises(CorruptData):
        generations.decoded(generations.encoded(made), made.id)


def generation_of(files: dict[str, bytes], **changes: Any) -> Generation:
    entries = {path: Entry(len(data), "0" * 64, 0o640, 0) for path, data in files.items()}
    directories = {"": 0o750, **{path.rpartition("/")[0]: 0o750 for path in files}}
    return Generation("000001-20260105T120000Z", NOON, "data", "", directories, entries, **changes)


@settings(deadline=None, max_examples=50)
@given(
    content=st.dictionaries(
        st.sampled_from(["format", "made", "source", "note", "damaged", "skipped", "directories", "files"]),
        st.none() | st.integers() | st.text() | st.lists(st.integers() | st.text(), max_size=3)
        | st.dictionaries(st.text(max_size=5), st.integers() | st.lists(st.integers(), max_size=4), max_size=3),
    )
)  # fmt: skip
def test_whatever_a_document_of_a_generation_holds_is_a_generation_or_refused(content: dict[str, Any]) -> None:
    made = generation_of({"a.json": b""})
    document = json.loads(generations.encoded(made))
    document.pop("_integrity")
    sealed = generations.integrity.seal_document(
        generations.strict_json.encode({**document, **content}), made.id, 1
    )  # fmt: skip
    try:
        found = generations.decoded(sealed, made.id)
    except (CorruptData, generations.NewerRecord):
        return
    assert found.files == {} or all(type(entry.size) is int for entry in found.files.values())


REFUSED: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "no such directory": (lambda root: create(str(root / "nowhere"), vault_in(root)), StorageFailure),
    "a vault inside": (lambda root: create(str(root), vault_in(root)), InvalidRecord),
    "a vault around": (lambda root: create(str(root / "vault" / "contents"), vault_in(root)), InvalidRecord),
    "a time without a zone": (lambda root: backed_up(root, now=NOON.replace(tzinfo=None)), InvalidRecord),
    "files in the way": (lambda root: restore(vault_in(root), str(root / "data")), InvalidRecord),
    "a directory of others": (lambda root: restore(vault_in(root), str(root / "home"), over=True), InvalidRecord),
    "no such generation": (
        lambda root: restore(vault_in(root), str(root / "new"), generation="000009-20260105T120000Z"),
        NoSuchGeneration,
    ),
    "no id": (lambda root: restore(vault_in(root), str(root / "new"), generation="../data/AAPL"), NoSuchGeneration),
    "no vault": (lambda root: LocalVault(str(root / "home")), StorageFailure),
    "a file": (lambda root: LocalVault(str(root / "home" / "notes.txt"), create=True), StorageFailure),
    "keeping none": (lambda _root: Retention(generations=0), InvalidRecord),
    "no days": (lambda _root: Retention(days=float("nan")), InvalidRecord),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_and_nothing_touched(tmp_path: Path, name: str) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    call, error = REFUSED[name]

    with pytest.raises(error):
        call(tmp_path)
    assert contents(tmp_path) == before


def test_no_crash_in_a_backup_leaves_a_generation_that_looks_whole_and_is_not(tradestore_crash: Any) -> None:
    def prepare(root: Path) -> None:
        put(root, 1)
        backed_up(root)
        put(root, 2)

    def sound(root: Path) -> list[Any]:
        vault = vault_in(root)
        found: list[Any] = []
        came: list[object] = []
        for name in generations.in_order(vault.ids()):
            proof = verify(vault, generation=name, seen=lambda scratch: came.append(seen(Path(scratch), "")))
            found.append((came[-1], proof.is_sound))
        return [*found, backed_up(root).generation.damaged]

    def whole(outcome: Any) -> None:
        assert not outcome.raised, outcome.raised
        assert outcome.found[-1] == ()
        assert outcome.found[:-1] in ([ONE], [ONE, TWO])
        assert len(outcome.found) == 3 or not outcome.returned

    tried = tradestore_crash(lambda root: root).check(backed_up, before=prepare, read=sound, holds=whole)
    assert tried > 5


ONE, TWO = ((1, [1]), True), ((2, [1, 2]), True)


def test_no_crash_in_retention_takes_a_content_that_is_needed(tradestore_crash: Any) -> None:
    def prepare(root: Path) -> None:
        for number in (1, 2):
            put(root, number)
            backed_up(root)

    def all_sound(root: Path) -> list[bool]:
        vault = vault_in(root)
        return [verify(vault, generation=name).is_sound for name in vault.ids()]

    def whole(outcome: Any) -> None:
        assert not outcome.raised, outcome.raised
        assert outcome.found
        assert all(outcome.found)
        assert len(outcome.found) == 1 or not outcome.returned

    tradestore_crash(lambda root: root).check(
        lambda root: backed_up(root, retention=Retention(generations=1)), before=prepare, read=all_sound, holds=whole
    )


def put_two(root: Path, number: int) -> None:
    with DocumentStore(root / "data") as store:
        store.put("AAPL", {"n": number})
        store.put("MSFT", {"n": number})


def two_of(root: Path) -> object:
    with DocumentStore(root / "data") as store:
        return [store.get("AAPL"), store.get("MSFT"), store.get("later")]


def restored_over(root: Path) -> object:
    return restore(vault_in(root), str(root / "data"), over=True)


def old_or_restored_or_told(
    tradestore_crash: Any, prepare: Callable[[Path], object], see: Callable[[Path], object], old: object, new: object
) -> None:
    def after(root: Path) -> tuple[object, object]:
        try:
            found = see(root)
        except RestoreUnfinished:
            found = "told"
        if found == "told":
            restored_over(root)
        return found, see(root)

    def whole(outcome: Any) -> None:
        assert not outcome.raised, outcome.raised
        assert outcome.found[0] in (old, new, "told")
        assert outcome.found[0] == new or not outcome.returned
        assert outcome.found[1] == (old if outcome.found[0] == old else new)

    tried = tradestore_crash(lambda root: root).check(restored_over, before=prepare, read=after, holds=whole)
    assert tried > 5


def test_a_crash_in_a_restore_leaves_what_was_or_is_told_and_the_next_one_finishes_it(tradestore_crash: Any) -> None:
    def prepare(root: Path) -> None:
        put_two(root, 1)
        backed_up(root)
        put_two(root, 2)

    one, two = {"n": 1}, {"n": 2}
    old_or_restored_or_told(tradestore_crash, prepare, two_of, [two, two, None], [one, one, None])


@pytest.mark.proof
def test_that_holds_for_several_stores_and_for_what_came_later(tradestore_crash: Any) -> None:
    def prepare(root: Path) -> None:
        put(root, 1)
        backed_up(root)
        put(root, 2)
        with DocumentStore(root / "data") as store:
            store.put("later", {"n": 1})

    def see(root: Path) -> object:
        with DocumentStore(root / "data") as store:
            return seen(root), store.get("later")

    old_or_restored_or_told(tradestore_crash, prepare, see, ((2, [1, 2]), {"n": 1}), ((1, [1]), None))


def tradestore(*words: object) -> Result:
    done = CliRunner().invoke(COMMAND, ["backup", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_the_commands_make_list_prove_and_restore(tmp_path: Path) -> None:
    put(tmp_path, 1)
    data, vault = tmp_path / "data", tmp_path / "vault"

    made = json.loads(tradestore("create", data, vault, "--note", "nightly", "--json").output)
    (listed,) = json.loads(tradestore("list", vault, "--json").output)
    assert listed == {**{k: v for k, v in made.items() if k not in ("new", "forgotten")}, "error": None}
    assert "nightly" in tradestore("list", vault).output
    proved = tradestore("verify", vault, "--scratch", tmp_path)
    assert (proved.exit_code, proved.output.endswith("restored, sound\n")) == (0, True)
    put(tmp_path, 2)
    done = tradestore("restore", vault, data, "--over", "--at", "2100-01-01")
    assert (done.exit_code, "what was there is generation 000002-" in done.output) == (0, True)
    assert seen(tmp_path) == (1, [1])
    assert json.loads(tradestore("restore", vault, tmp_path / "new", "--json").output)["before"] is None


def test_the_status_says_that_something_is_damaged(tmp_path: Path) -> None:
    put(tmp_path, 1)
    (tmp_path / "data" / "AAPL.json").write_bytes(b"{}")
    data, vault = tmp_path / "data", tmp_path / "vault"

    created = tradestore("create", data, vault)
    assert (created.exit_code, "AAPL.json: damaged when" in created.output) == (1, True)
    assert tradestore("verify", vault).exit_code == 0, "it comes back as it was"
    (generation,) = (vault / "generations").glob("*.json")
    generation.write_bytes(b"{}")
    assert tradestore("list", vault).exit_code == 1
    assert tradestore("verify", vault).output.startswith("Error: ")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("create", "{root}/nowhere", "{root}/vault"), 1),
        (("create", "{root}/data", "{root}/data/vault"), 1),
        (("create", "{root}/data", "{root}/vault", "--keep", "0"), 2),
        (("create", "{root}/data", "{root}/vault", "--keep-days", "nan"), 1),
        (("create", "{root}/data", "{root}/vault", "--keep-days", "-1"), 2),
        (("create", "{root}/data", "x\x1b[2J\n/../\udcff"), 0),
        (("create", "x\x1b[2J\n/../\udcff", "{root}/vault"), 1),
        (("list", "{root}/nowhere"), 1),
        (("list", "{root}/data"), 1),
        (("verify", "{root}/vault", "--generation", "../../x"), 1),
        (("verify", "{root}/vault", "--at", "soon"), 2),
        (("verify", "{root}/vault", "--at", "9999-12-31"), 0),
        (("verify", "{root}/vault", "--at", "0001-01-01"), 1),
        (("verify", "{root}/vault", "--scratch", "{root}/nowhere"), 1),
        (("restore", "{root}/vault", "{root}/data"), 1),
        (("restore", "{root}/vault", "{root}/data/AAPL.json", "--over"), 1),
        (("restore", "{root}/vault", "", "--over"), 1),
    ],
)
def test_bad_words_have_one_sentence_and_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, 1)
    assert tradestore("create", tmp_path / "data", tmp_path / "vault").exit_code == 0

    done = tradestore(*(word.format(root=tmp_path) for word in words))

    assert done.exit_code == status, done.output
    assert done.output.count("Error: ") == (status > 0)
    assert "\x1b" not in done.output
    assert seen(tmp_path) == (1, [1])


def test_what_a_vault_has_is_complete_when_several_threads_ask(tmp_path: Path) -> None:
    vault = LocalVault(str(tmp_path / "vault"), create=True)
    for number in range(200):
        (tmp_path / "vault" / "contents" / hashlib.sha256(b"%d" % number).hexdigest()).touch()
    found: list[int] = []

    def ask() -> None:
        found.extend(len(vault.contents()) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [200] * 80
