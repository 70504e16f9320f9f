"""What the fake recorder sees of the ways in which stores write, each beside a change that shows otherwise."""

import asyncio
import contextlib
import functools
import glob
import io
import json
import mmap
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from os import replace as replace_by_its_own_name
from pathlib import Path

import aiofiles
import aiofiles.os
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from filelock import FileLock

from pytest_tradestore.crash.operations import (
    ROOT,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Mark,
    MarkKind,
    Operation,
    Rename,
    SetAttribute,
    SetMode,
    SetOwner,
    SetTime,
    Sync,
    SyncAll,
    SyncKind,
    Truncate,
    Unlink,
    Write,
)
from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.trace import Trace, replay
from tests.crash.recorders.fake_programs import listing, real_listing
from tests.descriptors import opened

Program = Callable[[Path], object]


def record(program: Program, root: Path, *, volatile: tuple[str, ...] = ()) -> Trace:
    with FakeRecorder().record(root, volatile=volatile) as recording:
        program(root)
    return recording.trace


def operations(program: Program, root: Path) -> list[Operation]:
    trace = record(program, root)
    assert trace.unseen == ()
    return list(trace.operations)


def names(found: list[Operation]) -> list[str]:
    return [type(operation).__name__ for operation in found]


# Buffered data becomes a write when it is flushed, not before


def test_buffered_data_becomes_a_write_when_it_is_flushed(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        with open(root / "f", "w") as file:
            file.write("one")
            os.fsync(file.fileno())
            file.write("two")
            file.flush()
            os.fsync(file.fileno())

    assert operations(program, tmp_path)[1:] == [
        Sync(Inode(1)),
        Write(Inode(1), 0, b"onetwo"),
        Sync(Inode(1)),
    ]


def test_what_is_never_flushed_is_never_written(tmp_path: Path) -> None:
    kept: list[io.TextIOWrapper] = []

    def program(root: Path) -> None:
        kept.append(open(root / "f", "w"))  # noqa: SIM115
        kept[0].write("lost")

    assert names(operations(program, tmp_path)) == ["Create"]
    kept.pop().close()


def test_control_what_is_closed_is_written(tmp_path: Path) -> None:
    assert names(operations(lambda root: (root / "f").write_text("kept"), tmp_path)) == ["Create", "Write"]


@pytest.mark.parametrize("size", [100, 4096, 8192, 8193, 30000])
def test_writes_are_cut_where_cpython_cuts_them(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Watched(io.FileIO):
        def write(self, data: object) -> int:
            written = super().write(data)  # type: ignore[arg-type]
            seen.append(written)
            return written

    real = tmp_path / "real"
    with Watched(real, "w") as raw, io.TextIOWrapper(io.BufferedWriter(raw, raw._blksize)) as file:  # type: ignore[attr-defined]
        for _ in range(size // 10):
            file.write("0123456789")

    def program(root: Path) -> None:
        with open(root / "f", "w") as file:
            for _ in range(size // 10):
                file.write("0123456789")

    (tmp_path / "root").mkdir()
    found = operations(program, tmp_path / "root")
    assert [len(operation.data) for operation in found if isinstance(operation, Write)] == seen


def test_unbuffered_and_line_buffered_files_write_at_once(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        with open(root / "raw", "wb", buffering=0) as raw, open(root / "lines", "w", buffering=1) as lines:
            raw.write(b"1")
            lines.write("a\n")
            raw.write(b"2")

    found = [operation for operation in operations(program, tmp_path) if isinstance(operation, Write)]
    assert [(write.inode, write.data) for write in found] == [(1, b"1"), (2, b"a\n"), (1, b"2")]


# The stores that people write


def save_with_json_dump(root: Path) -> None:
    with open(root / "f.tmp", "w") as file:
        json.dump({"a": 1}, file)
    os.rename(root / "f.tmp", root / "f")


def save_with_named_temporary_file(root: Path) -> None:
    with tempfile.NamedTemporaryFile("w", dir=root, delete=False) as file:
        file.write('{"a": 1}')
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, root / "f")


def save_through_dir_fd(root: Path) -> None:
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    fd = os.open("f.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
    os.write(fd, b'{"a": 1}')
    os.fsync(fd)
    os.close(fd)
    os.replace("f.tmp", "f", src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)
    os.close(directory)


def save_in_the_temporary_directory_and_move(root: Path) -> None:
    fd, name = tempfile.mkstemp()
    with os.fdopen(fd, "w") as file:
        file.write('{"a": 1}')
    shutil.move(name, root / "f")


async def save_with_aiofiles(root: Path) -> None:
    async with aiofiles.open(root / "f.tmp", "w") as file:
        await file.write('{"a": 1}')
        await file.flush()
    await aiofiles.os.replace(root / "f.tmp", root / "f")


def save_under_a_lock(root: Path) -> None:
    with FileLock(root / "f.lock"):
        (root / "f").write_text('{"a": 1}')


def save_with_pathlib(root: Path) -> None:
    (root / "f.tmp").write_text('{"a": 1}')
    (root / "f.tmp").replace(root / "f")


SAVES: dict[str, tuple[Program, list[str]]] = {
    "json-dump": (save_with_json_dump, ["Create", "Write", "Rename"]),
    "named-temporary-file": (save_with_named_temporary_file, ["Create", "Write", "Sync", "Rename"]),
    "dir-fd": (save_through_dir_fd, ["Create", "Write", "Sync", "Rename", "Sync"]),
    "shutil-move": (save_in_the_temporary_directory_and_move, ["Create", "Write", "Rename"]),
    "aiofiles": (lambda root: asyncio.run(save_with_aiofiles(root)), ["Create", "Write", "Rename"]),
    "pathlib": (save_with_pathlib, ["Create", "Write", "Rename"]),
}


@pytest.mark.parametrize(("save", "expected"), SAVES.values(), ids=list(SAVES))
def test_every_usual_way_to_save_is_seen(save: Program, expected: list[str], tmp_path: Path) -> None:
    trace = record(save, tmp_path)

    assert names(list(trace.operations)) == expected
    assert {path: node[1] for path, node in listing(replay(trace)).items()} == {"f": b'{"a": 1}'}
    assert trace.unseen == ()
    assert list(tmp_path.iterdir()) == [], "the real root stays as it is"
    assert {str(operation.origin.location).rpartition("/")[2].partition(":")[0] for operation in trace.operations} == {
        "test_fake_recorder.py"
    }


@pytest.mark.parametrize("save", [row[0] for row in SAVES.values()], ids=list(SAVES))
def test_a_save_leaves_what_it_leaves_on_a_real_disk(save: Program, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").mkdir()
    save(tmp_path / "real")

    assert listing(replay(record(save, tmp_path / "root"))) == real_listing(tmp_path / "real")


def test_a_lock_file_library_works(tmp_path: Path) -> None:
    assert listing(replay(record(save_under_a_lock, tmp_path)))["f"][1] == b'{"a": 1}'


def test_a_log_is_appended_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"old\n")

    def program(root: Path) -> None:
        for line in ("one\n", "two\n"):
            with open(root / "log", "a") as log:
                log.write(line)

    assert operations(program, tmp_path) == [Write(Inode(1), 4, b"one\n"), Write(Inode(1), 8, b"two\n")]
    assert (tmp_path / "log").read_bytes() == b"old\n"


# Identity of files


def test_writes_through_an_unlinked_or_replaced_file_go_to_its_inode(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        gone, over = os.open(root / "gone", os.O_CREAT | os.O_RDWR), os.open(root / "over", os.O_CREAT | os.O_RDWR)
        (root / "new").touch()
        os.unlink(root / "gone")
        os.replace(root / "new", root / "over")
        os.write(gone, b"1")
        os.write(over, b"2")
        assert os.pread(gone, 9, 0) == b"1"
        os.close(gone)
        os.close(over)

    found = operations(program, tmp_path)
    assert [(write.inode, write.data) for write in found if isinstance(write, Write)] == [(1, b"1"), (2, b"2")]
    assert Rename(Inode(3), Entry(ROOT, "new"), Entry(ROOT, "over"), replaced=Inode(2)) in found


def test_hard_links_share_an_inode(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        (root / "a").write_bytes(b"1")
        os.link(root / "a", root / "b")
        (root / "b").write_bytes(b"2")
        assert (root / "a").read_bytes() == b"2"
        assert os.stat(root / "a").st_nlink == 2

    assert operations(program, tmp_path)[2:] == [
        Link(Inode(1), Entry(ROOT, "b")),
        Truncate(Inode(1), 0),
        Write(Inode(1), 0, b"2"),
    ]


def test_duplicated_descriptors_share_their_offset(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        fd = os.open(root / "f", os.O_CREAT | os.O_WRONLY)
        other = os.dup(fd)
        os.write(fd, b"ab")
        os.close(fd)
        os.write(other, b"cd")
        os.close(other)

    assert operations(program, tmp_path)[1:] == [Write(Inode(1), 0, b"ab"), Write(Inode(1), 2, b"cd")]


def test_a_nameless_file_is_seen_from_its_making(tmp_path: Path) -> None:
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("needs O_TMPFILE")

    def program(root: Path) -> None:
        fd = os.open(root, os.O_TMPFILE | os.O_WRONLY, 0o600)
        os.write(fd, b"1")
        os.fsync(fd)
        directory = os.open(root, os.O_RDONLY)
        os.link(f"/proc/self/fd/{fd}", "f", dst_dir_fd=directory, follow_symlinks=True)
        os.close(fd)
        os.close(directory)

    assert operations(program, tmp_path) == [
        Create(Inode(1), Kind.FILE, None, 0o600),
        Write(Inode(1), 0, b"1"),
        Sync(Inode(1)),
        Link(Inode(1), Entry(ROOT, "f")),
    ]


def test_files_that_never_come_under_the_root_are_left_out(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        with tempfile.TemporaryFile() as nowhere, tempfile.TemporaryDirectory() as elsewhere:
            nowhere.write(b"1")
            Path(elsewhere, "f").write_text("2")
        (root / "mine").touch(0o600)

    assert operations(program, tmp_path) == [Create(Inode(1), Kind.FILE, Entry(ROOT, "mine"), 0o600)]


def test_a_directory_filled_elsewhere_is_seen_once_it_moves_in(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        made = Path(tempfile.mkdtemp())
        (made / "f").write_text("1")
        os.rename(made, root / "d")

    found = operations(program, tmp_path)
    assert names(found) == ["Create", "Create", "Write", "Rename"]
    assert found[1] == Create(Inode(2), Kind.FILE, Entry(Inode(1), "f"))
    assert found[3] == Rename(Inode(1), None, Entry(ROOT, "d"))


def test_a_file_that_leaves_the_root_has_no_target(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()

    def program(root: Path) -> None:
        (root / "f").touch()
        os.rename(root / "f", tmp_path / "out")

    assert operations(program, tmp_path / "root")[1:] == [Rename(Inode(1), Entry(ROOT, "f"), None)]
    assert not (tmp_path / "out").exists()


# Syncs, modes and durable writes


def test_syncs_of_each_kind_are_told_apart(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        with open(root / "f", "wb") as file:
            os.fdatasync(file.fileno())
        directory = os.open(root, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        os.sync()

    assert operations(program, tmp_path)[1:] == [Sync(Inode(1), SyncKind.FDATASYNC), Sync(ROOT), SyncAll()]


def test_the_full_sync_of_macos_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl", reason="needs fcntl")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)

    def program(root: Path) -> None:
        with open(root / "f", "wb") as file:
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)

    assert operations(program, tmp_path)[1:] == [Sync(Inode(1), SyncKind.FULL)]


@pytest.mark.parametrize(("flag", "durable"), [("O_DSYNC", True), ("O_SYNC", True), ("O_APPEND", False)])
def test_writes_through_synchronous_descriptors_are_durable(flag: str, durable: bool, tmp_path: Path) -> None:
    def program(root: Path) -> None:
        fd = os.open(root / "f", os.O_CREAT | os.O_WRONLY | getattr(os, flag))
        os.write(fd, b"1")
        os.close(fd)

    assert operations(program, tmp_path)[1:] == [Write(Inode(1), 0, b"1", durable=durable)]


def test_modes_follow_the_umask_and_chmod(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        before = os.umask(0o027)
        try:
            (root / "d").mkdir()
            (root / "f").touch()
        finally:
            os.umask(before)
        os.chmod(root / "f", 0o600)

    assert operations(program, tmp_path) == [
        Create(Inode(1), Kind.DIRECTORY, Entry(ROOT, "d"), 0o750),
        Create(Inode(2), Kind.FILE, Entry(ROOT, "f"), 0o640),
        SetMode(Inode(2), 0o600),
    ]


def test_owners_times_and_attributes_that_are_set_are_noted(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        (root / "f").touch()
        os.chown(root / "f", -1, os.getegid())
        os.utime(root / "f", ns=(1, 2))
        os.setxattr(root / "f", "user.sum", b"one")
        assert os.listxattr(root / "f") == ["user.sum"]
        assert os.getxattr(root / "f", "user.sum") == b"one"
        os.removexattr(root / "f", "user.sum")

    assert operations(program, tmp_path)[1:] == [
        SetOwner(Inode(1), -1, os.getegid()),
        SetTime(Inode(1), 2),
        SetAttribute(Inode(1), "user.sum", b"one"),
        SetAttribute(Inode(1), "user.sum", None),
    ]


def test_whole_trees_are_removed_bottom_up(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        (root / "d" / "e").mkdir(parents=True)
        (root / "d" / "e" / "f").touch()
        shutil.rmtree(root / "d")
        assert not (root / "d").exists()

    found = operations(program, tmp_path)[3:]
    assert [operation.entry.name for operation in found if isinstance(operation, Unlink)] == ["f", "e", "d"]


# Marks, order and source lines


def test_marks_stand_between_what_came_before_and_after(tmp_path: Path) -> None:
    with FakeRecorder().record(tmp_path) as recording:
        recording.mark(MarkKind.INVOKED, 1)
        (tmp_path / "a").touch()
        recording.mark(MarkKind.ACKNOWLEDGED, 1)
        (tmp_path / "b").touch()
        with pytest.raises(RuntimeError, match="still runs"):
            _ = recording.trace

    assert names(list(recording.trace.operations)) == ["Mark", "Create", "Mark", "Create"]
    assert recording.trace.operations[2] == Mark(MarkKind.ACKNOWLEDGED, 1)
    positions = [(operation.origin.start, operation.origin.end) for operation in recording.trace.operations]
    assert positions == [(0, 1), (2, 3), (4, 5), (6, 7)]


def test_threads_are_counted_in_order_of_their_first_operation(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        for name in ("a", "b"):
            thread = threading.Thread(target=(root / name).touch)
            thread.start()
            thread.join()
        (root / "c").touch()

    assert [operation.origin.thread for operation in operations(program, tmp_path)] == [0, 1, 2]


def test_operations_tell_their_line_and_its_text(tmp_path: Path) -> None:
    location = operations(save_with_json_dump, tmp_path)[2].origin.location

    assert location is not None
    assert location.text == 'os.rename(root / "f.tmp", root / "f")'
    assert location.function == "save_with_json_dump"
    assert location.file.endswith("test_fake_recorder.py")
    assert not os.path.isabs(location.file)


def test_jobs_of_a_thread_pool_tell_the_line_that_gave_them(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(os.mkdir, root / "a").result()
            pool.submit(os.mkdir, root / "b").result()

    texts = [operation.origin.location.text for operation in operations(program, tmp_path) if operation.origin.location]
    assert texts == ['pool.submit(os.mkdir, root / "a").result()', 'pool.submit(os.mkdir, root / "b").result()']


def test_each_await_of_aiofiles_is_told_apart(tmp_path: Path) -> None:
    texts = [
        operation.origin.location.text
        for operation in operations(lambda root: asyncio.run(save_with_aiofiles(root)), tmp_path)
        if operation.origin.location
    ]
    assert texts == [
        'async with aiofiles.open(root / "f.tmp", "w") as file:',
        "await file.flush()",
        'await aiofiles.os.replace(root / "f.tmp", root / "f")',
    ]


def test_threads_at_once_lose_nothing_of_what_they_write(tmp_path: Path) -> None:
    def append(root: Path, number: int) -> None:
        for at in range(40):
            with open(root / "log", "a") as log:
                log.write(f"{number}:{at}\n")

    def program(root: Path) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(functools.partial(append, root), range(4)))

    trace = record(program, tmp_path)
    written = listing(replay(trace))["log"][1].decode().splitlines()
    assert sorted(written) == sorted(f"{number}:{at}" for number in range(4) for at in range(40))
    ends = [operation.origin.end for operation in trace.operations]
    assert ends == sorted(ends)
    assert trace.unseen == ()


# Nothing is guessed


def test_a_database_opened_by_its_path_is_said_to_be_unseen(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        connection = sqlite3.connect(root / "db")
        connection.execute("create table t (x)")
        connection.close()

    unseen = record(program, tmp_path).unseen
    assert any("sqlite3" in sentence and "--tradestore-recorder=strace" in sentence for sentence in unseen)
    assert any("'db' was changed on the real disk" in sentence for sentence in unseen)


def test_control_a_database_in_memory_or_elsewhere_is_not(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()

    def program(root: Path) -> None:
        sqlite3.connect(":memory:").close()
        sqlite3.connect(tmp_path / "other").close()

    assert record(program, tmp_path / "root").unseen == ()


def test_a_native_library_given_a_path_is_said_to_be_unseen(tmp_path: Path) -> None:
    trace = record(lambda root: pq.write_table(pa.table({"a": [1]}), str(root / "t.parquet")), tmp_path)

    assert any("'t.parquet' was changed on the real disk" in sentence for sentence in trace.unseen)


def test_pyarrow_given_a_path_is_named_even_if_its_error_is_swallowed(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        (root / "bars").mkdir()
        with contextlib.suppress(FileNotFoundError):
            pq.read_table(root / "bars" / "day.parquet")

    assert any("pyarrow" in sentence and "day.parquet" in sentence for sentence in record(program, tmp_path).unseen)


def test_control_a_native_library_given_a_file_object_is_seen(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        with open(root / "t.parquet", "wb") as file:
            pq.write_table(pa.table({"a": [1]}), file)
        with open(root / "t.parquet", "rb") as file:
            assert pq.ParquetFile(file).read().to_pydict() == {"a": [1]}

    assert "Write" in names(operations(program, tmp_path))


def test_a_native_library_that_looks_for_a_recorded_file_is_said_to_be_unseen(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        with open(root / "t.parquet", "wb") as file:
            pq.write_table(pa.table({"a": [1]}), file)
        pq.ParquetFile(str(root / "t.parquet"))

    with pytest.raises(FileNotFoundError), FakeRecorder().record(tmp_path) as recording:
        program(tmp_path)

    assert any("t.parquet" in sentence for sentence in recording.trace.unseen)


def test_a_child_process_that_is_told_of_the_root_is_said_to_be_unseen(tmp_path: Path) -> None:
    trace = record(lambda root: subprocess.run(["true", str(root / "f")], check=True), tmp_path)

    assert any("subprocess" in sentence for sentence in trace.unseen)


def test_control_a_child_process_that_is_not_told_of_it_is_fine(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        subprocess.run(["true"], check=True)

    assert record(program, tmp_path).unseen == ()


def map_for_writing(root: Path) -> None:
    (root / "f").write_bytes(b"12345678")
    with open(root / "f", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0] = 0


def test_a_writable_mapping_is_said_to_be_unseen(tmp_path: Path) -> None:
    assert any("mmap" in sentence for sentence in record(map_for_writing, tmp_path).unseen)


def test_control_a_writable_mapping_of_a_volatile_file_is_not(tmp_path: Path) -> None:
    assert record(map_for_writing, tmp_path, volatile=("f*",)).unseen == ()


def test_control_a_mapping_that_is_only_read_is_not(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        (root / "f").write_bytes(b"12345678")
        with open(root / "f", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert mapped[2:4] == b"34"

    assert record(program, tmp_path).unseen == ()


def test_a_function_kept_from_before_that_reaches_the_real_disk_is_said(tmp_path: Path) -> None:
    kept = {"mkdir": os.mkdir}

    assert any("os.mkdir" in sentence for sentence in record(lambda root: kept["mkdir"](root / "d"), tmp_path).unseen)


# The world around the root


def test_functions_imported_by_name_and_wrapped_ones_are_seen(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        (root / "a").touch()
        replace_by_its_own_name(root / "a", root / "b")

    assert names(operations(program, tmp_path)) == ["Create", "Rename"]


def test_searches_find_what_the_fake_disk_holds(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        (root / "d" / "e").mkdir(parents=True)
        (root / "d" / "e" / "f.json").touch()
        found = [str(root / "d" / "e" / "f.json")]
        assert glob.glob(str(root / "**" / "*.json"), recursive=True) == found
        assert [str(path) for path in root.rglob("*.json")] == found
        assert [str(path) for path in root.glob("d/*/f.json")] == found
        assert [names for _, _, names in os.walk(root)] == [[], [], ["f.json"]]
        assert (root / "d").is_dir() and not (root / "d").is_symlink() and os.path.realpath(root / "d").endswith("/d")

    record(program, tmp_path)


def test_what_the_root_held_before_is_there(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("old")
    os.link(tmp_path / "d" / "old", tmp_path / "again")
    (tmp_path / "link").symlink_to("d/old")

    def program(root: Path) -> None:
        assert (root / "link").read_text() == "old"
        assert sorted(os.listdir(root)) == ["again", "d", "link"]
        (root / "again").write_text("newer")
        assert (root / "d" / "old").read_text() == "newer"

    trace = record(program, tmp_path)
    assert names(list(trace.operations)) == ["Truncate", "Write"]
    assert trace.unseen == ()
    assert (tmp_path / "again").read_text() == "old"


def test_files_outside_the_root_are_read_from_the_real_disk(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "settings.json").write_text('{"b": 2}')

    def program(root: Path) -> None:
        (root / "f").write_text((tmp_path / "settings.json").read_text())
        assert (root / ".." / "settings.json").exists()
        assert Path(__file__).exists()

    assert operations(program, tmp_path / "root")[1] == Write(Inode(1), 0, b'{"b": 2}')


def test_a_link_out_of_the_root_is_followed_to_the_real_disk(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").write_text("outside")

    def program(root: Path) -> None:
        os.symlink(tmp_path / "outside", root / "link")
        assert (root / "link").read_text() == "outside"

    assert names(operations(program, tmp_path / "root")) == ["Create"]


def test_a_root_reached_through_a_link_is_the_same_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")

    def program(root: Path) -> None:
        (root / "a").touch()
        (tmp_path / "real" / "b").touch()

    assert names(operations(program, tmp_path / "alias")) == ["Create", "Create"]


def test_a_store_may_make_its_root_the_working_directory(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        before = os.getcwd()
        os.mkdir(root / "d")
        os.chdir(root / "d")
        try:
            Path("f").write_text("1")
            assert os.getcwd() == str(root / "d")
            assert os.path.abspath("f") == str(root / "d" / "f")
        finally:
            os.chdir(before)

    assert listing(replay(record(program, tmp_path)))["d/f"][1] == b"1"


def test_advisory_locks_exclude_each_other(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="needs fcntl")

    def program(root: Path) -> None:
        with open(root / "lock", "w") as one, open(root / "lock", "w") as other:
            fcntl.flock(one, fcntl.LOCK_EX)
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(one, fcntl.LOCK_UN)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    record(program, tmp_path)


def test_what_os_says_of_its_functions_stays_true(tmp_path: Path) -> None:
    sets = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks")

    def facts() -> list[set[str]]:
        present = set(filter(callable, vars(os).values()))
        return [{function.__name__ for function in getattr(os, name) if function in present} for name in sets]

    before, sizes = facts(), [len(getattr(os, name)) for name in sets]
    with FakeRecorder().record(tmp_path):
        during = facts()

    assert during == before
    assert facts() == before
    assert [len(getattr(os, name)) for name in sets] == sizes


def test_everything_is_put_back_also_after_an_error(tmp_path: Path) -> None:
    watched: list[tuple[object, str]] = [(io, "open"), (io, "FileIO"), (tempfile, "_os"), (mmap, "mmap")]
    watched += [(os, name) for name in dir(os)]
    watched += [(ThreadPoolExecutor, "submit"), (sys.modules[__name__], "replace_by_its_own_name")]
    before = [getattr(owner, name) for owner, name in watched]
    descriptors = opened()

    with contextlib.suppress(ZeroDivisionError), FakeRecorder().record(tmp_path) as recording:
        os.open(tmp_path / "left-open", os.O_CREAT)
        _ = 1 // 0

    now = [getattr(owner, name) for owner, name in watched]
    assert [new is old for new, old in zip(now, before, strict=True)] == [True] * len(watched)
    assert names(list(recording.trace.operations)) == ["Create"]
    assert opened(descriptors) == frozenset()
    (tmp_path / "real").touch()
    assert os.listdir(tmp_path) == ["real"]


def test_importing_the_recorder_does_not_import_pyfakefs() -> None:
    code = (
        "import sys; from pytest_tradestore.crash.recorders.fake import FakeRecorder; FakeRecorder().unavailable();"
        "print('pyfakefs' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"


def test_partial_and_bound_copies_made_while_recording_are_seen(tmp_path: Path) -> None:
    def program(root: Path) -> None:
        functools.partial(os.mkdir, root / "d")()

    assert names(operations(program, tmp_path)) == ["Create"]


def test_a_root_deep_in_the_tree_is_resolved_in_a_few_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are tried 18 directories deep; links followed within links took two steps more for each of them."""
    asked, real = [], os.lstat

    def counted(path: object, *, dir_fd: int | None = None) -> os.stat_result:
        asked.append(path)
        assert len(asked) < 10_000
        return real(path, dir_fd=dir_fd)  # type: ignore[arg-type] # whatever the recorder gives

    root = tmp_path.joinpath(*(f"level{number}" for number in range(18)))
    root.mkdir(parents=True)
    monkeypatch.setattr(os, "lstat", counted)

    assert record(lambda path: (path.resolve() / "a").write_text("x"), root).unseen == ()
