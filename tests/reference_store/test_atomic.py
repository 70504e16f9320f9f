"""The atomic-write core: whole or not at all, durable, private, and never outside its directory."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reference_store.core.atomic import DAMAGED, TEMPORARY, Directory, NotPinned
from reference_store.core.descriptors import TooLarge, write_all
from reference_store.core.directory import NotARegularFile
from reference_store.stores.data_store import FileDataStore
from tests.descriptors import opened
from tests.reference_store.faults import fail_call, is_directory

LIMIT = 1 << 20


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory.open(str(tmp_path))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def save(directory: Directory, name: str, data: bytes, backup: str | None = "f.bak") -> None:
    directory.replace(name, data, directory.read(name, LIMIT), backup)


def calls_of(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Note the order of the named os functions, fsync split into that of files and of directories."""
    seen: list[str] = []
    for name in names:
        real = getattr(os, name)

        def noted(*args: Any, _real: Any = real, _name: str = name, **kwargs: Any) -> Any:
            seen.append(f"{_name} directory" if _name == "fsync" and is_directory(args[0]) else _name)
            return _real(*args, **kwargs)

        monkeypatch.setattr(os, name, noted)
    return seen


def test_a_replaced_file_holds_the_new_bytes_and_the_backup_the_old(directory: Directory, tmp_path: Path) -> None:
    for data in (b"one", b"two", b"three"):
        save(directory, "f", data)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"three", "f.bak": b"two"}


def test_a_save_syncs_the_file_before_and_the_directory_after_the_rename(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(directory, "f", b"one")
    seen = calls_of(monkeypatch, "write", "fchmod", "fsync", "link", "rename")

    save(directory, "f", b"two")

    assert seen == ["write", "fchmod", "fsync", "link", "rename", "rename", "fsync directory"]


def test_an_interrupted_save_that_had_kept_the_backup_is_taken_up_without_leftovers(
    directory: Directory, tmp_path: Path
) -> None:
    save(directory, "f", b"one")
    os.link(tmp_path / "f", tmp_path / "f.bak")  # the crash came after this and before the rename

    save(directory, "f", b"two")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"two", "f.bak": b"one"}


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_where_there_are_no_hard_links_the_backup_is_a_copy(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    save(directory, "f", b"one")
    fail_call(monkeypatch, "link", code)

    save(directory, "f", b"two")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"two", "f.bak": b"one"}


@pytest.mark.parametrize("call", ["open", "write", "fchmod", "fsync", "close", "link", "rename"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_failing_call_leaves_the_old_file_or_says_that_the_new_one_is_not_pinned(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, at: int
) -> None:
    save(directory, "f", b"zero")
    save(directory, "f", b"one")
    previous = directory.read("f", LIMIT)
    calls = fail_call(monkeypatch, call, at=at)
    try:
        directory.replace("f", b"two", previous, "f.bak")
        failed = False
    except OSError as error:
        assert error.errno == errno.EIO
        assert (tmp_path / "f").read_bytes() == b"one"
        failed = True
    except NotPinned as error:
        assert (call, at, error.cause.errno) == ("fsync", 2, errno.EIO)
        assert (tmp_path / "f").read_bytes() == b"two"
        failed = True
    monkeypatch.undo()

    assert failed == (calls[0] >= at)
    assert {path.name for path in tmp_path.iterdir()} == {"f", "f.bak"}
    save(directory, "f", b"three")
    assert (tmp_path / "f").read_bytes() == b"three"


def test_a_failed_sync_is_not_tried_again_on_that_file(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fail_call(monkeypatch, "fsync")

    with pytest.raises(OSError, match="Input/output"):
        save(directory, "f", b"one")

    assert calls == [1]
    assert directory.read("f", LIMIT) is None


def test_a_failing_save_leaks_no_descriptor(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened()
    for call in ("write", "fchmod", "fsync", "close", "rename"):
        fail_call(monkeypatch, call)
        with pytest.raises(OSError, match="Input/output"):
            save(directory, "f", b"one")
        monkeypatch.undo()

    assert opened(before) == frozenset()


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    with (tmp_path / "f").open("wb") as file:
        write_all(file.fileno(), b"0123456789")

    assert (tmp_path / "f").read_bytes() == b"0123456789"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_files_are_0640_and_directories_0750_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        directory = Directory.open(str(tmp_path / "a" / "b"))
        save(directory, "f", b"one")
        save(directory, "f", b"two")
        kept = directory.preserve("f", b"two")

    made = tmp_path / "a" / "b"
    assert [mode(tmp_path / "a"), mode(made)] == [0o750, 0o750]
    assert {mode(made / name) for name in ("f", "f.bak", kept)} == {0o640}


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o644, 0o640), (0o660, 0o640), (0o400, 0o400)])
def test_a_file_is_never_opened_wider_than_the_one_it_replaces(
    directory: Directory, tmp_path: Path, before: int, after: int
) -> None:
    (tmp_path / "f").write_bytes(b"one")
    (tmp_path / "f").chmod(before)

    directory.replace("f", b"two", directory.read("f", LIMIT), "f.bak")

    assert mode(tmp_path / "f") == after


@pytest.mark.parametrize(("mask", "widened"), [(0o022, []), (0o077, ["fchmod"])])
def test_new_directories_are_synced_into_their_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int, widened: list[str]
) -> None:
    seen = calls_of(monkeypatch, "mkdir", "fchmod", "fsync")

    with umask(mask):
        Directory.open(str(tmp_path / "a" / "b"))

    assert seen == ["mkdir", *widened, "fsync directory"] * 2


def test_planted_links_are_neither_read_nor_written_through(directory: Directory, tmp_path: Path) -> None:
    victim = tmp_path.parent / f"{tmp_path.name}-victim"
    victim.write_bytes(b"secret")
    (tmp_path / "f").symlink_to(victim)
    (tmp_path / "f.bak").symlink_to(victim)

    with pytest.raises(NotARegularFile):
        directory.read("f", LIMIT)
    directory.preserve("f", None)
    directory.replace("f", b"one", None)

    assert victim.read_bytes() == b"secret"
    assert victim.stat().st_nlink == 1
    assert not (tmp_path / "f").is_symlink()


def test_a_child_directory_is_not_entered_through_a_link(directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "prices").symlink_to(tmp_path.parent)

    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        directory.child("prices", create=True)


def test_pipes_and_directories_are_not_read_and_do_not_block(directory: Directory, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")

    for name in ("pipe", "folder", "loop"):
        with pytest.raises(NotARegularFile):
            directory.read(name, LIMIT)


def test_the_pinned_directory_is_written_even_when_its_path_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    directory = Directory.open(str(tmp_path / "root"))
    (tmp_path / "root").rename(tmp_path / "moved")
    (tmp_path / "root").mkdir()

    save(directory, "f", b"one")

    assert [path.name for path in (tmp_path / "moved").iterdir()] == ["f"]
    assert not list((tmp_path / "root").iterdir())


def test_a_file_beyond_the_limit_is_not_read(directory: Directory) -> None:
    save(directory, "f", b"x" * 100)

    with pytest.raises(TooLarge):
        directory.read("f", 99)
    found = directory.read("f", 100)
    assert found is not None
    assert len(found.data) == 100


def test_a_sweep_takes_leftovers_and_nothing_else(directory: Directory, tmp_path: Path) -> None:
    save(directory, "f", b"one")
    (tmp_path / f"{TEMPORARY}dead").write_bytes(b"half")
    (tmp_path / f"{DAMAGED}12-f").write_bytes(b"evidence")
    (tmp_path / "notes.tmp").write_bytes(b"somebody's")

    assert directory.sweep() == 1
    assert {path.name for path in tmp_path.iterdir()} == {"f", f"{DAMAGED}12-f", "notes.tmp"}


def test_the_same_evidence_is_kept_once(directory: Directory, tmp_path: Path) -> None:
    save(directory, "f", b"damaged")

    assert directory.preserve("f", b"damaged") == directory.preserve("f", b"damaged")
    assert directory.keep_bytes("g", b"cut", 0o600) == directory.keep_bytes("g", b"cut", 0o600)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_descriptor_is_closed_with_its_last_user(tmp_path: Path) -> None:
    directory = Directory.open(str(tmp_path))
    user, descriptor = directory, directory.descriptor
    del directory
    assert is_directory(descriptor)
    del user
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the inode of everything that is synced."""
    seen: list[int] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        seen.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return seen


def test_the_first_write_pins_the_names_of_directories_whose_maker_may_have_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "audit" / "orders").mkdir(parents=True)
    seen = synced(monkeypatch)
    inodes = {path.stat().st_ino for path in (tmp_path, tmp_path / "root", tmp_path / "root" / "audit")}
    store = FileDataStore(tmp_path / "root")
    seen.clear()

    store._orders.append("2026-01-05", {})

    assert inodes < set(seen)


def test_control_where_somebody_has_written_before_nothing_more_is_synced_than_the_file_and_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FileDataStore(tmp_path)._orders.append("2026-01-05", {})
    orders = tmp_path / "audit" / "orders"
    seen = synced(monkeypatch)

    FileDataStore(tmp_path)._orders.append("2026-01-06", {})

    assert seen == [(orders / "2026-01-06.jsonl").stat().st_ino, orders.stat().st_ino]
