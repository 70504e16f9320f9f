"""One program after the other, each with something that a naive reader of system calls gets wrong."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pytest_tradestore.crash.operations import (
    ROOT,
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Mark,
    MarkKind,
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
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from tests.crash.recorders.strace_programs import kinds, needs_strace, only, seen

pytestmark = needs_strace
RDWR = os.O_RDWR | os.O_CREAT


def test_a_safe_save_is_create_write_sync_rename_and_sync_of_the_directory(tmp_path: Path) -> None:
    def program() -> None:
        with open(tmp_path / "staged", "wb") as file:
            file.write(b"data")
            file.flush()
            os.fsync(file.fileno())
        os.replace(tmp_path / "staged", tmp_path / "orders")
        directory = os.open(tmp_path, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    file = Inode(1)
    assert seen(tmp_path, program).operations == (
        Create(file, Kind.FILE, Entry(ROOT, "staged"), 0o666 & ~_umask()),
        Write(file, 0, b"data"),
        Sync(file),
        Rename(file, Entry(ROOT, "staged"), Entry(ROOT, "orders")),
        Sync(ROOT),
    )


def test_control_a_program_that_does_nothing_gives_no_operation(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"before")
    assert seen(tmp_path, lambda: (tmp_path / "there").read_bytes()).operations == ()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_marks_stand_between_what_was_issued_before_and_after_them(tmp_path: Path) -> None:
    with StraceRecorder().record(tmp_path) as recording:
        recording.mark(MarkKind.INVOKED, 1)
        (tmp_path / "a").write_bytes(b"1")
        recording.mark(MarkKind.ACKNOWLEDGED, 1)
        (tmp_path / "b").mkdir()
    operations = recording.trace.operations

    assert operations[0] == Mark(MarkKind.INVOKED, 1)
    assert kinds(recording.trace) == ["Mark", "Create", "Write", "Mark", "Create"]
    assert operations[3] == Mark(MarkKind.ACKNOWLEDGED, 1)


def test_the_trace_of_a_recording_under_way_is_refused(tmp_path: Path) -> None:
    with StraceRecorder().record(tmp_path) as recording, pytest.raises(RuntimeError, match="leave its with block"):
        _ = recording.trace


def test_appends_go_to_the_end_whatever_the_position_is(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"12345")

    def program() -> None:
        log = os.open(tmp_path / "log", os.O_RDWR | os.O_APPEND)
        os.lseek(log, 0, os.SEEK_SET)
        os.write(log, b"6")
        fcntl.fcntl(log, fcntl.F_SETFL, 0)
        os.lseek(log, 0, os.SEEK_SET)
        os.write(log, b"first")
        fcntl.fcntl(log, fcntl.F_SETFL, os.O_APPEND)
        os.write(log, b"last")
        os.close(log)

    writes = only(seen(tmp_path, program), Write)
    assert [(w.offset, w.data) for w in writes] == [(5, b"6"), (0, b"first"), (6, b"last")]


def test_descriptors_made_by_dup_share_one_position(tmp_path: Path) -> None:
    def program() -> None:
        one = os.open(tmp_path / "f", RDWR)
        two, three, four = os.dup(one), os.dup2(one, 250), fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 100)
        for number, descriptor in enumerate((one, two, three, four)):
            os.write(descriptor, str(number).encode() * 2)
        os.close(one)
        os.write(two, b"end")
        for descriptor in (two, three, four):
            os.close(descriptor)

    assert [w.offset for w in only(seen(tmp_path, program), Write)] == [0, 2, 4, 6, 8]


def test_control_descriptors_opened_apart_do_not(tmp_path: Path) -> None:
    def program() -> None:
        one, two = os.open(tmp_path / "f", RDWR), os.open(tmp_path / "f", RDWR)
        os.write(one, b"11")
        os.write(two, b"2")
        os.close(one)
        os.close(two)

    assert [w.offset for w in only(seen(tmp_path, program), Write)] == [0, 0]


def test_descriptors_opened_before_the_recording_keep_position_flags_and_sharing(tmp_path: Path) -> None:
    one = os.open(tmp_path / "f", RDWR)
    two = os.dup(one)
    log = os.open(tmp_path / "log", RDWR | os.O_APPEND)
    os.write(one, b"12345")
    os.write(log, b"12345")
    os.lseek(log, 0, os.SEEK_SET)

    def program() -> None:
        os.write(one, b"6")
        os.write(two, b"7")
        os.write(log, b"6")

    try:
        assert [w.offset for w in only(seen(tmp_path, program), Write)] == [5, 6, 5]
    finally:
        for descriptor in (one, two, log):
            os.close(descriptor)


def test_reads_move_the_position_that_writes_use(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")

    def program() -> None:
        with open(tmp_path / "f", "r+b", buffering=0) as file:
            file.read(3)
            os.pread(file.fileno(), 5, 0)
            file.write(b"x")
            os.readv(file.fileno(), [bytearray(1), bytearray(1)])
            file.write(b"y")
            file.seek(-1, os.SEEK_END)
            file.write(b"z")

    assert [w.offset for w in only(seen(tmp_path, program), Write)] == [3, 6, 9]


def test_vectored_and_positioned_writes_are_one_write_each(tmp_path: Path) -> None:
    def program() -> None:
        file = os.open(tmp_path / "f", RDWR)
        os.writev(file, [b"ab", b"", b"cd"])
        os.pwrite(file, b"P", 1)
        os.pwritev(file, [b"x", b"y"], 10)
        os.write(file, b"e")
        os.close(file)

    writes = only(seen(tmp_path, program), Write)
    assert [(w.offset, w.data) for w in writes] == [(0, b"abcd"), (1, b"P"), (10, b"xy"), (4, b"e")]


def test_writes_that_wait_for_the_disk_are_durable_and_others_are_not(tmp_path: Path) -> None:
    def program() -> None:
        for flag in (os.O_SYNC, os.O_DSYNC, 0):
            file = os.open(tmp_path / "f", RDWR | flag)
            os.write(file, b"x")
            os.close(file)
        file = os.open(tmp_path / "f", RDWR)
        for flags in (os.RWF_SYNC, os.RWF_DSYNC, 0):
            os.pwritev(file, [b"y"], 0, flags)
        os.pwritev(file, [b"appended"], 0, os.RWF_APPEND)
        os.close(file)

    writes = only(seen(tmp_path, program), Write)
    assert [w.durable for w in writes] == [True, True, False, True, True, False, False]
    assert writes[-1].offset == 1


def test_truncations_are_recorded_only_where_they_change_something(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    (tmp_path / "empty").write_bytes(b"")

    def program() -> None:
        os.truncate(tmp_path / "f", 4)
        with open(tmp_path / "f", "r+b") as file:
            file.truncate(8)
            os.ftruncate(file.fileno(), 8)
        os.close(os.open(tmp_path / "f", os.O_WRONLY | os.O_TRUNC))
        os.close(os.open(tmp_path / "empty", os.O_WRONLY | os.O_TRUNC))
        os.close(os.open(tmp_path / "new", os.O_WRONLY | os.O_TRUNC | os.O_CREAT))

    assert [t.size for t in only(seen(tmp_path, program), Truncate)] == [4, 8, 0]


def test_a_file_without_a_name_gets_one_through_proc_or_by_descriptor(tmp_path: Path) -> None:
    def program() -> None:
        directory = os.open(tmp_path, os.O_RDONLY)
        nameless = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(nameless, b"data")
        os.fsync(nameless)
        os.link(f"/proc/self/fd/{nameless}", "named", dst_dir_fd=directory, follow_symlinks=True)
        os.write(nameless, b"more")
        os.close(nameless)
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_RDWR))  # never named: as if it had never been
        os.close(directory)

    file = Inode(1)
    trace = seen(tmp_path, program)
    assert trace.operations[0] == Create(file, Kind.FILE, None, 0o600)
    assert trace.operations[3] == Link(file, Entry(ROOT, "named"))
    assert kinds(trace) == ["Create", "Write", "Sync", "Link", "Write"]


def test_links_symlinks_and_directories_are_told_apart(tmp_path: Path) -> None:
    def program() -> None:
        os.mkdir(tmp_path / "d", 0o700)
        os.symlink("d", tmp_path / "s")
        with open(tmp_path / "s" / "f", "wb") as file:  # through the symlink
            file.write(b"1")
        os.link(tmp_path / "d" / "f", tmp_path / "second")
        with open(tmp_path / "second", "ab") as file:
            file.write(b"2")
        os.rename(tmp_path / "d", tmp_path / "renamed")
        with open(tmp_path / "renamed" / "f", "ab") as file:
            file.write(b"3")
        os.unlink(tmp_path / "s")
        os.unlink(tmp_path / "second")
        os.mkdir(tmp_path / "gone")
        os.rmdir(tmp_path / "gone")

    trace = seen(tmp_path, program)
    assert [(w.inode, w.offset) for w in only(trace, Write)] == [(3, 0), (3, 1), (3, 2)]
    assert [u.entry.name for u in only(trace, Unlink)] == ["s", "second", "gone"]


def test_a_file_that_was_unlinked_or_renamed_while_open_stays_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")

    def program() -> None:
        with open(tmp_path / "f", "ab", buffering=0) as old:
            os.rename(tmp_path / "f", tmp_path / "f.bak")
            (tmp_path / "f").write_bytes(b"new")
            old.write(b"er")
            os.unlink(tmp_path / "f.bak")
            old.write(b"nobody reads this")

    assert [w.inode for w in only(seen(tmp_path, program), Write)] == [2, 1, 1]


def test_a_rename_names_what_it_replaces_and_one_between_names_of_a_file_does_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    os.link(tmp_path / "a", tmp_path / "a2")

    def program() -> None:
        os.rename(tmp_path / "a", tmp_path / "a2")
        os.rename(tmp_path / "a", tmp_path / "b")

    (rename,) = only(seen(tmp_path, program), Rename)
    assert rename.replaced == 2


def test_paths_relative_to_a_directory_descriptor_or_the_working_directory_are_followed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    code = """
import os, sys
os.chdir(sys.argv[1])
d = os.open("d", os.O_RDONLY)
f = os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=d)
os.write(f, b"1"); os.close(f)
os.rename("f", "g", src_dir_fd=d)
os.chdir("d/.")
os.mkdir("../e")
os.symlink("..", "up", dir_fd=d)
os.link("up/g", "h", src_dir_fd=d, dst_dir_fd=d)
os.fchdir(d)
os.unlink("h"); os.rmdir("../e")
open(f"/proc/self/fd/{d}/x", "w").close()
"""
    trace = seen(tmp_path, lambda: subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True))
    assert kinds(trace) == ["Create", "Write", "Rename", "Create", "Create", "Link", "Unlink", "Unlink", "Create"]
    assert only(trace, Rename)[0].target == Entry(ROOT, "g")


def test_names_of_any_bytes_survive(tmp_path: Path) -> None:
    names = ['a "quoted" \\ name', "new\nline", os.fsdecode(b"\xff\xfe"), "ü<x>, ", " = 0"]

    def program() -> None:
        for name in names:
            (tmp_path / name).write_bytes(name.encode(errors="surrogateescape"))

    entries = [c.entry.name for c in only(seen(tmp_path, program), Create) if c.entry]
    assert entries == names


def test_fallocate_lengthens_keeps_or_punches(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 10)

    def program() -> None:
        file = os.open(tmp_path / "f", os.O_RDWR)
        os.posix_fallocate(file, 0, 20)
        os.posix_fallocate(file, 0, 5)
        subprocess.run(["fallocate", "--keep-size", "--length", "100", tmp_path / "f"], check=True)
        subprocess.run(["fallocate", "--punch-hole", "--offset", "2", "--length", "3", tmp_path / "f"], check=True)
        os.close(file)

    trace = seen(tmp_path, program)
    assert only(trace, Allocate) == [Allocate(Inode(1), 20)]
    assert only(trace, Write) == [Write(Inode(1), 2, bytes(3))]


def test_syncs_of_every_kind(tmp_path: Path) -> None:
    def program() -> None:
        with open(tmp_path / "f", "wb") as file:
            os.fsync(file.fileno())
            os.fdatasync(file.fileno())
        os.sync()
        subprocess.run(["sync", "--file-system", tmp_path / "f"], check=True)

    trace = seen(tmp_path, program)
    assert [s.kind for s in only(trace, Sync)] == [SyncKind.FSYNC, SyncKind.FDATASYNC]
    assert kinds(trace).count("SyncAll") == len(only(trace, SyncAll)) == 2


def test_owners_times_and_attributes_that_are_set_are_seen(tmp_path: Path) -> None:
    group = os.getgroups()[-1] if os.getgroups() else os.getegid()

    def program() -> None:
        path = tmp_path / "f"
        path.touch()
        os.chown(path, -1, group)
        with open(path, "rb") as file:
            os.fchown(file.fileno(), os.geteuid(), -1)
            os.utime(file.fileno(), ns=(1, 2_000_000_003))
        os.utime(path)
        with contextlib.suppress(OSError):
            os.setxattr(path, "user.sum", b"\x00one")
            os.removexattr(path, "user.sum")

    trace = seen(tmp_path, program)
    assert [(o.owner, o.group) for o in only(trace, SetOwner)] == [(-1, group), (os.geteuid(), -1)]
    assert [t.time for t in only(trace, SetTime)][-2:] == [2_000_000_003, None]
    assert [(a.name, a.value) for a in only(trace, SetAttribute)] in (
        [],
        [("user.sum", b"\x00one"), ("user.sum", None)],
    )
    assert all(o.origin.time for o in trace.operations)


def test_modes_are_what_the_umask_leaves_and_what_chmod_sets(tmp_path: Path) -> None:
    def program() -> None:
        before = os.umask(0o027)
        try:
            os.close(os.open(tmp_path / "f", RDWR, 0o666))
            os.mkdir(tmp_path / "d")
            os.chmod(tmp_path / "f", 0o600)
            with open(tmp_path / "f", "rb") as file:
                os.fchmod(file.fileno(), 0o400)
        finally:
            os.umask(before)

    trace = seen(tmp_path, program)
    assert [c.mode for c in only(trace, Create)] == [0o640, 0o750]
    assert [m.mode for m in only(trace, SetMode)] == [0o600, 0o400]


@pytest.mark.parametrize("copy", [shutil.copyfile, shutil.copy2], ids=["copyfile", "copy2"])
def test_copies_inside_the_kernel_carry_the_data(tmp_path: Path, copy: object) -> None:
    (tmp_path / "source").write_bytes(b"0123456789" * 1000)
    assert callable(copy)
    trace = seen(tmp_path, lambda: copy(tmp_path / "source", tmp_path / "target"))
    assert b"".join(w.data for w in only(trace, Write)) == b"0123456789" * 1000


def test_copy_file_range_and_sendfile_use_and_move_positions(tmp_path: Path) -> None:
    def program() -> None:
        source, target = os.open(tmp_path / "source", RDWR), os.open(tmp_path / "target", RDWR)
        os.write(source, b"0123456789")
        os.lseek(source, 2, os.SEEK_SET)
        os.copy_file_range(source, target, 3)
        os.copy_file_range(source, target, 2, 0, 20)
        os.sendfile(target, source, None, 2)
        os.sendfile(target, source, 1, 1)
        os.write(target, b"e")
        os.close(source)
        os.close(target)

    writes = only(seen(tmp_path, program), Write)
    assert [(w.offset, w.data) for w in writes[1:]] == [(0, b"234"), (20, b"01"), (3, b"56"), (5, b"1"), (6, b"e")]


def test_a_copy_from_an_old_file_outside_the_root_is_read_from_there(tmp_path: Path) -> None:
    root, source = tmp_path / "root", tmp_path / "source"
    root.mkdir()
    source.write_bytes(b"content")
    os.utime(source, (1_000_000_000, 1_000_000_000))
    assert only(seen(root, lambda: shutil.copyfile(source, root / "f")), Write)[0].data == b"content"


def test_a_file_staged_outside_the_root_is_followed_into_it(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()

    def program() -> None:
        descriptor, staged = tempfile.mkstemp(dir=outside)
        os.write(descriptor, b"data")
        os.fsync(descriptor)
        os.close(descriptor)
        os.replace(staged, root / "f")
        (outside / "never comes in").write_bytes(b"x")

    trace = seen(root, program)
    assert trace.operations == (
        Create(Inode(1), Kind.FILE, None, 0o600),
        Write(Inode(1), 0, b"data"),
        Sync(Inode(1)),
        Rename(Inode(1), None, Entry(ROOT, "f")),
    )


def test_a_directory_staged_outside_comes_in_with_all_that_is_in_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()

    def program() -> None:
        staged = Path(tempfile.mkdtemp(dir=tmp_path))
        (staged / "deep").mkdir()
        (staged / "deep" / "f").write_bytes(b"1")
        os.rename(staged, root / "d")

    assert kinds(seen(root, program)) == ["Create", "Create", "Create", "Write", "Rename"]


def test_files_can_leave_the_root_and_come_back(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "f").write_bytes(b"1")

    def program() -> None:
        os.rename(root / "f", tmp_path / "away")
        with open(tmp_path / "away", "ab") as file:
            file.write(b"2")
        os.rename(tmp_path / "away", root / "g")

    trace = seen(root, program)
    assert [(r.source, r.target) for r in only(trace, Rename)] == [
        (Entry(ROOT, "f"), None),
        (None, Entry(ROOT, "g")),
    ]


def test_an_old_file_from_outside_is_part_of_the_initial_state(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "old").write_bytes(b"content")
    trace = seen(root, lambda: os.rename(tmp_path / "old", root / "f"))

    assert trace.initial.nodes[Inode(1)].content == b"content"
    assert kinds(trace) == ["Rename"]


def test_a_root_reached_through_a_symlink_is_the_same_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink("real", tmp_path / "link")
    root = tmp_path / "link"
    trace = seen(root, lambda: [(root / "a").write_bytes(b"1"), (tmp_path / "real" / "b").write_bytes(b"2")])
    assert [c.entry for c in only(trace, Create)] == [Entry(ROOT, "a"), Entry(ROOT, "b")]


def test_descriptors_closed_in_bulk_are_free_again(tmp_path: Path) -> None:
    def program() -> None:
        one = os.open(tmp_path / "a", RDWR)
        os.dup2(one, 300)
        os.closerange(300, 310)
        two = os.open(tmp_path / "b", RDWR)
        os.dup2(two, 300)
        os.write(300, b"b")
        for descriptor in (one, two, 300):
            os.close(descriptor)

    assert [w.inode for w in only(seen(tmp_path, program), Write)] == [2]
