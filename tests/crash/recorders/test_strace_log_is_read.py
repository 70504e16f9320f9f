"""Literal lines of strace logs and what they say; and in which order overlapping calls are taken."""

import os
from itertools import permutations
from pathlib import Path

import pytest

from pytest_tradestore.crash.operations import (
    ROOT,
    Create,
    Entry,
    Inode,
    Kind,
    Mark,
    MarkKind,
    Rename,
    Sync,
    Unlink,
    Write,
)
from pytest_tradestore.crash.recorders.calls_to_operations import Before, Marking, trace_of
from pytest_tradestore.crash.recorders.descriptors import ProcessBefore
from pytest_tradestore.crash.recorders.strace_log import (
    calls_in,
    descriptor_in,
    number_in,
    path_in,
    string_in,
    vector_in,
)
from pytest_tradestore.crash.trace import Trace, snapshot_of


def hexed(text: str | bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in (text.encode() if isinstance(text, str) else text))


def log(*lines: str) -> str:
    """Give lines like ``7 call(...) = 0`` their time stamps."""
    stamped = []
    for index, line in enumerate(lines):
        task, _, rest = line.partition(" ")
        stamped.append(f"{task}  1700000000.{index:09d} {rest}\n")
    return "".join(stamped)


def test_a_call_on_one_line() -> None:
    (call,) = calls_in(log(f'7 openat(AT_FDCWD</>, "{hexed("a, b")}", O_RDONLY|O_CLOEXEC) = 3<{hexed("/a")}>'))
    assert (call.task, call.name, call.result, call.error, call.time) == (7, "openat", 3, None, 1_700_000_000 * 10**9)
    assert path_in(call.arguments[1]) == "a, b"
    assert call.arguments[2] == "O_RDONLY|O_CLOEXEC"


def test_a_call_that_is_interrupted_between_two_arguments_keeps_both() -> None:
    (call,) = calls_in(
        log(
            f'7 readlink("{hexed("/mark")}",  <unfinished ...>',
            "7 <... readlink resumed>0x7ffc, 4096) = -1 ENOENT (No such file or directory)",
        )
    )

    assert (path_in(call.arguments[0]), call.arguments[1:]) == ("/mark", ("0x7ffc", "4096"))


def test_a_call_that_failed_names_its_error() -> None:
    (call,) = calls_in(log("7 fsync(3<\\x61>)                = -1 EIO (Input/output error)"))
    assert (call.failed, call.error, call.result) == (True, "EIO", -1)


RESULTS = {"hexadecimal": ("0x1a", 26), "octal": ("022", 18), "decimal": ("12", 12), "unknown": ("?", None)}


@pytest.mark.parametrize(("text", "value"), RESULTS.values(), ids=list(RESULTS))
def test_results_are_read_in_every_base(text: str, value: int | None) -> None:
    assert calls_in(log(f"7 read(0x3, 0x7ff, 0x1000) = {text}"))[0].result == value


def test_the_halves_of_an_interrupted_call_are_put_together_and_its_span_kept() -> None:
    first, second = calls_in(
        log(
            '7 write(3<\\x61>, "\\x61", 1 <unfinished ...>',
            "8 clone3({flags=CLONE_VM|CLONE_FILES, exit_signal=0} <unfinished ...>",
            "7 <... write resumed>) = 1",
            "8 <... clone3 resumed> => {parent_tid=[9]}, 88) = 9",
        )
    )
    assert (first.arguments[2], first.result, first.start, first.end) == ("1", 1, 0, 5)
    assert (second.name, second.result, second.start, second.end) == ("clone3", 9, 2, 7)


def test_a_call_that_never_returned_has_no_result() -> None:
    calls = calls_in(log('7 write(3<\\x61>, "\\x61", 1 <unfinished ...>', "8 read(0x3, 0x1,  <detached ...>"))
    assert [(call.name, call.result) for call in calls] == [("write", None), ("read", None)]


def test_signals_exits_and_foreign_halves_are_passed_over() -> None:
    noise = ("7 --- SIGCHLD {si_signo=SIGCHLD, si_pid=8} ---", "7 +++ exited with 0 +++", "9 <... read resumed>) = 1")
    assert calls_in("cut off" + log(*noise)) == ()


def test_a_thread_that_calls_execve_goes_on_as_its_leader() -> None:
    lines = ('8 execve("\\x61", [], 0x1 <unfinished ...>', "7 +++ superseded by execve in pid 8 +++")
    assert calls_in(log(*lines, "7 <... execve resumed>) = 0"))[0].task == 7


def test_arguments_of_every_kind() -> None:
    assert string_in('"\\xff\\x00"') == b"\xff\x00"
    assert string_in('"\\x61"...') is None
    assert string_in("0x7ffe") is None
    assert path_in('"\\xff"') == os.fsdecode(b"\xff")
    assert vector_in('[{iov_base="\\x61\\x62", iov_len=2}, {iov_base="\\x63", iov_len=1}]') == b"abc"
    assert vector_in('[{iov_base="\\x61"..., iov_len=9}]') is None
    assert [number_in(text) for text in ("7", "0640", "0x1f", "[5]", "[1] => [4]", "NULL")] == [
        7,
        0o640,
        31,
        5,
        1,
        None,
    ]
    descriptor = descriptor_in(f"3<{hexed('/a')}>(deleted)")
    assert descriptor is not None
    assert (descriptor.number, descriptor.path, descriptor.deleted) == (3, "/a", True)
    socket = descriptor_in("4<TCP:[127.0.0.1:1->127.0.0.1:2]>")
    assert socket is not None
    assert (socket.number, socket.path) == (4, None)
    assert descriptor_in("O_RDONLY") is None


MARKING = Marking("token")


def traced(root: Path, *lines: str, before: dict[str, bytes] | None = None, after: dict[str, bytes]) -> Trace:
    """Return the trace of a log, for a root with ``before`` in it that ends up with ``after``; ``%`` is the root."""
    for name, content in (before or {}).items():
        (root / name).write_bytes(content)
    initial, identities = snapshot_of(root)
    for name in before or {}:
        (root / name).unlink()
    for name, content in after.items():
        (root / name).write_bytes(content)
    process = ProcessBefore(7, (7, 8), str(root), 0o022, (), ())
    begin, end = (f'7 readlink("{hexed(MARKING.path(word))}", 0x1, 9) = -1 ENOENT (None)' for word in ("begin", "end"))
    text = log(begin, *(line.replace("%", hexed(f"{root}/")) for line in lines), end)
    return trace_of(
        calls_in(text),
        Before(str(root), initial, identities, (process,), 0),
        snapshot_of(root)[0],
        MARKING,
        recorder="strace",
    )


def opened(name: str, number: int, flags: str = "O_WRONLY|O_CREAT|O_APPEND", task: int = 7) -> str:
    return f'{task} openat(AT_FDCWD<\\x2f>, "%{hexed(name)}", {flags}, 0666) = {number}<%{hexed(name)}>'


def test_overlapping_appends_are_taken_in_the_order_that_the_file_shows(tmp_path: Path) -> None:
    lines = (
        opened("log", 3),
        '7 write(3<\\x61>, "\\x61\\x61", 2 <unfinished ...>',
        '8 write(3<\\x61>, "\\x62\\x62", 2 <unfinished ...>',
        "8 <... write resumed>) = 2",
        "7 <... write resumed>) = 2",
    )
    for name, content in (("one", b"bbaa"), ("two", b"aabb")):
        root = tmp_path / name
        root.mkdir()
        trace = traced(root, *lines, after={"log": content})
        assert trace.unseen == ()
        assert b"".join(o.data for o in trace.operations if isinstance(o, Write)) == content


def test_any_order_of_many_overlapping_appends_is_found(tmp_path: Path) -> None:
    begun = [f'{task} write(3<\\x61>, "\\x{task + 60:x}", 1 <unfinished ...>' for task in (7, 8, 10, 11)]
    returned = [f"{task} <... write resumed>) = 1" for task in (7, 8, 10, 11)]
    for number, order in enumerate(permutations(bytes((67, 68, 70, 71)))):
        root = tmp_path / str(number)
        root.mkdir()
        assert traced(root, opened("log", 3), *begun, *returned, after={"log": bytes(order)}).unseen == ()


def test_control_appends_that_do_not_overlap_keep_their_order(tmp_path: Path) -> None:
    lines = (opened("log", 3), '7 write(3<\\x61>, "\\x61", 1) = 1', '8 write(3<\\x61>, "\\x62", 1) = 1')
    assert "its content differs from byte 0" in traced(tmp_path, *lines, after={"log": b"ba"}).unseen[0]


def test_overlapping_writes_to_one_place_end_with_the_one_that_the_file_shows(tmp_path: Path) -> None:
    lines = (
        opened("f", 3, "O_RDWR|O_CREAT"),
        '7 pwrite64(3<\\x61>, "\\x61", 1, 0 <unfinished ...>',
        '8 pwrite64(3<\\x61>, "\\x62", 1, 0 <unfinished ...>',
        "7 <... pwrite64 resumed>) = 1",
        "8 <... pwrite64 resumed>) = 1",
    )
    assert traced(tmp_path, *lines, after={"f": b"a"}).unseen == ()


def test_overlapping_renames_to_one_name_end_with_the_one_that_the_directory_shows(tmp_path: Path) -> None:
    lines = (
        f'7 rename("%{hexed("a")}", "%{hexed("f")}" <unfinished ...>',
        f'8 rename("%{hexed("b")}", "%{hexed("f")}" <unfinished ...>',
        "7 <... rename resumed>) = 0",
        "8 <... rename resumed>) = 0",
    )
    trace = traced(tmp_path, *lines, before={"a": b"a", "b": b"b"}, after={"f": b"a"})
    assert trace.unseen == ()
    assert [o.inode for o in trace.operations if isinstance(o, Rename)] == [2, 1]


def test_a_call_that_is_only_possible_after_one_that_overlaps_it_comes_after_it(tmp_path: Path) -> None:
    lines = (
        f'8 unlink("%{hexed("lock")}" <unfinished ...>',
        opened("lock", 3, "O_WRONLY|O_CREAT|O_EXCL"),
        "8 <... unlink resumed>) = 0",
    )
    trace = traced(tmp_path, *lines, before={"lock": b"1"}, after={"lock": b""})
    assert trace.unseen == ()
    assert trace.operations == (
        Unlink(Inode(1), Entry(ROOT, "lock")),
        Create(Inode(2), Kind.FILE, Entry(ROOT, "lock"), 0o644),
    )


def test_a_descriptor_closed_while_another_thread_opens_is_the_new_file(tmp_path: Path) -> None:
    lines = (
        opened("a", 3),
        "7 close(3<\\x61> <unfinished ...>",
        opened("b", 3, task=8),
        "7 <... close resumed>) = 0",
        '8 write(3<\\x61>, "\\x62", 1) = 1',
    )
    assert traced(tmp_path, *lines, after={"a": b"", "b": b"b"}).unseen == ()


def test_a_child_may_be_seen_before_the_call_that_made_it_returns(tmp_path: Path) -> None:
    lines = (
        opened("f", 3),
        "7 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>",
        '9 write(3<\\x61>, "\\x63", 1) = 1',
        "9 close(3<\\x61>) = 0",
        "7 <... clone resumed>) = 9",
        '7 write(3<\\x61>, "\\x70", 1) = 1',
    )
    trace = traced(tmp_path, *lines, after={"f": b"cp"})
    assert trace.unseen == ()
    assert [o.origin.thread for o in trace.operations] == [0, 1, 0]


def test_a_failed_sync_is_recorded_as_failed_and_other_failures_not_at_all(tmp_path: Path) -> None:
    lines = (
        opened("f", 3),
        "7 fsync(3<\\x61>) = -1 EIO (Input/output error)",
        '7 write(3<\\x61>, "\\x61", 1) = -1 ENOSPC (No space left on device)',
    )
    trace = traced(tmp_path, *lines, after={"f": b""})
    assert trace.operations[1:] == (Sync(Inode(1), failed=True),)


def test_a_short_write_wrote_only_what_it_returned(tmp_path: Path) -> None:
    lines = (opened("f", 3), '7 write(3<\\x61>, "\\x61\\x62\\x63", 3) = 2', '7 write(3<\\x61>, "\\x63", 1) = 1')
    assert traced(tmp_path, *lines, after={"f": b"abc"}).unseen == ()


def test_names_that_change_places(tmp_path: Path) -> None:
    line = f'7 renameat2(AT_FDCWD<\\x2f>, "%{hexed("a")}", AT_FDCWD<\\x2f>, "%{hexed("b")}", RENAME_EXCHANGE) = 0'
    trace = traced(tmp_path, line, before={"a": b"a", "b": b"b"}, after={"a": b"b", "b": b"a"})
    assert trace.unseen == ()
    assert trace.operations == (Rename(Inode(1), Entry(ROOT, "a"), Entry(ROOT, "b"), Inode(2), exchange=True),)


@pytest.mark.parametrize("request_", ["FICLONE", "BTRFS_IOC_CLONE"])
def test_a_clone_of_a_whole_file(tmp_path: Path, request_: str) -> None:
    lines = (
        opened("a", 3, "O_RDWR"),
        opened("b", 4, "O_RDWR|O_CREAT"),
        f"7 ioctl(4<\\x61>, {request_}, 3<\\x61>) = 0",
    )
    assert traced(tmp_path, *lines, before={"a": b"content"}, after={"a": b"content", "b": b"content"}).unseen == ()


def test_a_clone_of_a_part_of_a_file(tmp_path: Path) -> None:
    request = "{src_fd=3<\\x61>, src_offset=1, src_length=3, dest_offset=0}"
    lines = (
        opened("a", 3, "O_RDWR"),
        opened("b", 4, "O_RDWR|O_CREAT"),
        f"7 ioctl(4<\\x61>, FICLONERANGE, {request}) = 0",
    )
    assert traced(tmp_path, *lines, before={"a": b"content"}, after={"a": b"content", "b": b"ont"}).unseen == ()


def test_a_range_taken_out_of_a_file_cannot_be_said_in_operations(tmp_path: Path) -> None:
    lines = (opened("a", 3, "O_RDWR"), "7 fallocate(3<\\x61>, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) = 0")
    trace = traced(tmp_path, *lines, before={"a": b"x"}, after={"a": b"x"})
    assert "a was reshaped by fallocate(FALLOC_FL_COLLAPSE_RANGE)" in trace.unseen[0]


def test_a_write_that_had_not_returned_is_said(tmp_path: Path) -> None:
    trace = traced(tmp_path, opened("a", 3), '8 write(3<\\x61>, "\\x61", 1 <unfinished ...>', after={"a": b""})
    assert "a call to write had begun but not returned" in trace.unseen[0]


def test_a_log_without_its_end_is_said(tmp_path: Path) -> None:
    initial, identities = snapshot_of(tmp_path)
    before = Before(str(tmp_path), initial, identities, (ProcessBefore(7, (7,), "/", 0, (), ()),), 0)
    trace = trace_of(calls_in(""), before, initial, MARKING, recorder="strace")
    assert trace.unseen == (
        "strace stopped before the recording did, so that its end is missing; see whether it was killed",
    )


def test_marks_of_another_recording_are_no_marks(tmp_path: Path) -> None:
    mark = f'7 readlink("{hexed(MARKING.path("acknowledged", 3))}", 0x1, 9) = -1 ENOENT (None)'
    other = mark.replace(hexed("token"), hexed("other"))
    at = f'7 readlinkat(AT_FDCWD<\\x2f>, "{hexed(MARKING.path("invoked", 4))}", 0x1, 9) = -1 ENOENT (None)'
    operations = traced(tmp_path, mark, other, at, after={}).operations
    assert operations == (Mark(MarkKind.ACKNOWLEDGED, 3), Mark(MarkKind.INVOKED, 4))


def test_a_descriptor_that_came_from_nowhere_is_found_by_its_path_but_its_position_is_not_known(tmp_path: Path) -> None:
    line = f'7 write(5<%{hexed("f")}>, "\\x61", 1) = 1'
    assert (
        "f was written through a descriptor whose opening was not seen"
        in traced(tmp_path, line, before={"f": b""}, after={"f": b"a"}).unseen[0]
    )
