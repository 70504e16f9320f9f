"""What the recorder cannot see it says, naming the file; what only looks like that is no reason to say anything."""

import ctypes
import mmap
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_tradestore.crash.operations import Write
from pytest_tradestore.crash.recorders import attaching
from pytest_tradestore.crash.recorders.attaching import Attached, AttachError
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from tests.crash.recorders.strace_programs import needs_strace, only, seen, trace_of_program

LIBC = ctypes.CDLL(None, use_errno=True)


def write_mapped(path: Path, access: Callable[[int], mmap.mmap]) -> None:
    with open(path, "r+b") as file, access(file.fileno()) as memory:
        memory[:4] = b"new "


def shared(file: int) -> mmap.mmap:
    return mmap.mmap(file, 0)


def private(file: int) -> mmap.mmap:
    return mmap.mmap(file, 0, flags=mmap.MAP_PRIVATE)


@pytest.fixture
def mapped(tmp_path: Path) -> Path:
    file = tmp_path / "mapped"
    file.write_bytes(b"old content")
    return file


@needs_strace
def test_a_shared_writable_mapping_is_said_even_if_nothing_was_written_through_it(mapped: Path) -> None:
    trace = trace_of_program(mapped.parent, lambda: write_mapped(mapped, lambda f: shared(f)))
    assert "mapped was mapped into memory shared and writable" in trace.unseen[0]
    assert any("mapped was changed in a way that the recorder did not see" in sentence for sentence in trace.unseen)

    def reads() -> None:
        with open(mapped, "r+b") as file, shared(file.fileno()) as memory:
            assert memory[:3] == b"new"

    assert len(trace_of_program(mapped.parent, reads).unseen) == 1


@needs_strace
def test_control_private_read_only_and_volatile_mappings_are_not_said(mapped: Path) -> None:
    seen(mapped.parent, lambda: write_mapped(mapped, private))

    def read_only() -> None:
        with open(mapped, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
            assert memory[:3] == b"old"

    seen(mapped.parent, read_only)
    assert trace_of_program(mapped.parent, lambda: write_mapped(mapped, shared), volatile=["mapp*"]).unseen == ()


@needs_strace
def test_a_mapping_that_becomes_writable_later_is_said(mapped: Path) -> None:
    def program() -> None:
        with open(mapped, "r+b") as file:
            LIBC.mmap.restype = ctypes.c_void_p
            address = LIBC.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), ctypes.c_long(0))
            assert LIBC.mprotect(ctypes.c_void_p(address), 4096, mmap.PROT_READ | mmap.PROT_WRITE) == 0
            LIBC.munmap(ctypes.c_void_p(address), 4096)

    assert "mapped into memory" in trace_of_program(mapped.parent, program).unseen[0]


@needs_strace
def test_a_mapping_from_before_the_recording_is_said(mapped: Path) -> None:
    with open(mapped, "r+b") as file, shared(file.fileno()):
        assert "mapped into memory" in trace_of_program(mapped.parent, lambda: None).unseen[0]


@needs_strace
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of io_uring_setup is written down for x86_64")
def test_io_uring_is_said(tmp_path: Path) -> None:
    def program() -> None:
        ring = LIBC.syscall(425, 1, ctypes.create_string_buffer(120))
        if ring < 0:
            pytest.skip("this kernel lets nobody set up an io_uring")
        os.close(ring)

    assert "io_uring" in trace_of_program(tmp_path, program).unseen[0]


@needs_strace
def test_data_that_came_from_a_pipe_without_being_read_is_said(tmp_path: Path) -> None:
    def program() -> None:
        reader, writer = os.pipe()
        with open(tmp_path / "f", "wb") as file:
            os.write(writer, b"through the kernel")
            os.splice(reader, file.fileno(), 100)
        os.close(reader)
        os.close(writer)

    assert "f was filled by splice" in trace_of_program(tmp_path, program).unseen[0]


@needs_strace
def test_what_an_unrecorded_process_changes_is_said(tmp_path: Path) -> None:
    go, done = os.pipe()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", _ORPHAN, str(tmp_path), str(go)],
        dict(os.environ),
        file_actions=[(os.POSIX_SPAWN_DUP2, go, 0)],
    )
    os.waitpid(child, 0)  # its own child goes on, and is no descendant of this process any more

    def program() -> None:
        os.write(done, b"go")
        while not (tmp_path / "from elsewhere").exists():
            os.sched_yield()

    trace = trace_of_program(tmp_path, program)
    os.close(go)
    os.close(done)
    assert "from elsewhere was changed in a way that the recorder did not see" in trace.unseen[0]


_ORPHAN = """
import os, sys
if os.fork() == 0:
    os.setsid()
    os.read(0, 1)
    os.mkdir(sys.argv[1] + "/from elsewhere")
"""


@needs_strace
def test_a_changed_file_that_came_from_outside_is_said(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "old").write_bytes(b"content")

    def program() -> None:
        with open(tmp_path / "old", "r+b") as file:
            file.write(b"more")
        os.rename(tmp_path / "old", root / "f")

    assert "f came from outside the root" in trace_of_program(root, program).unseen[0]


@needs_strace
def test_control_one_that_was_emptied_first_is_known(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "old").write_bytes(b"content")

    def program() -> None:
        (tmp_path / "old").write_bytes(b"more")
        os.rename(tmp_path / "old", root / "f")

    assert only(seen(root, program), Write)[0].data == b"more"


@needs_strace
def test_a_root_that_is_gone_in_the_end_raises_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert trace_of_program(root, root.rmdir).unseen == ()


@needs_strace
def test_a_process_that_is_traced_already_cannot_be_recorded_and_says_by_whom(tmp_path: Path) -> None:
    with StraceRecorder().record(tmp_path):
        assert "already traced by process" in (StraceRecorder().unavailable() or "")
        with pytest.raises(RuntimeError, match="cannot record"), StraceRecorder().record(tmp_path):
            pass
    assert StraceRecorder().unavailable() is None


def test_a_machine_without_strace_is_told_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "install it" in (attaching.why_not() or "")


def test_a_system_that_is_not_linux_is_told_what_to_use_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert "--tradestore-recorder=fake" in (attaching.why_not() or "")


REFUSALS = {
    "ptrace forbidden": ("attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted", "allow ptrace"),
    "too old": ("strace: unrecognized option '--timestamps=unix,ns'", "too old"),
    "anything else": ("strace: out of memory", "out of memory"),
}


@pytest.mark.parametrize(("said", "advice"), REFUSALS.values(), ids=list(REFUSALS))
@pytest.mark.parametrize("alive", [False, True], ids=["and ends", "and stays"])
def test_what_strace_says_becomes_one_sentence_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, advice: str, alive: bool
) -> None:
    fake = tmp_path / "strace"
    fake.write_text(f"#!/bin/sh\ncat >&2 <<'E'\n{said}\nE\n" + ("exec sleep 60\n" if alive else "exit 1\n"))
    fake.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(fake))
    monkeypatch.setattr(attaching, "_SECONDS_TO_ATTACH", 0.1)
    if alive:  # a strace that hangs is ended after a while
        with pytest.raises(AttachError, match="did not attach"):
            Attached(("fsync",))
    else:
        assert advice in (attaching.why_not() or "")


@needs_strace
def test_a_trace_of_one_program_does_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from pytest_tradestore.crash.recorders.strace import StraceRecorder
root = Path(sys.argv[1])
root.mkdir()
with StraceRecorder().record(root) as recording:
    for name in "cab":
        (root / name).mkdir()
        (root / name / "f").write_bytes(name.encode())
print([repr(o).partition(" origin")[0] for o in recording.trace.operations], recording.trace.unseen)
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
