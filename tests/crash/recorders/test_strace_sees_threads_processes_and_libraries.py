"""What no recorder inside Python can see: other processes, native libraries, threads that overlap."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import aiofiles
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_tradestore.crash.operations import MarkKind, Rename, Sync, Write
from pytest_tradestore.crash.recorders.attaching import tracer_of
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from tests.crash.recorders.strace_programs import kinds, needs_strace, only, seen
from tests.descriptors import opened

pytestmark = needs_strace


def in_threads(work: Callable[[int], object], count: int = 4) -> None:
    barrier = threading.Barrier(count)

    def start(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_that_write_files_of_their_own_at_the_same_time(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            with open(tmp_path / f"tmp{number}", "wb") as file:
                file.write(b"%d" % turn * number)
                file.flush()
                os.fsync(file.fileno())
            os.replace(tmp_path / f"tmp{number}", tmp_path / f"f{number}")

    trace = seen(tmp_path, lambda: in_threads(work))
    assert len(only(trace, Rename)) == 40
    assert {operation.origin.thread for operation in trace.operations} == {0, 1, 2, 3}


def test_threads_that_append_to_one_file_at_the_same_time(tmp_path: Path) -> None:
    def work(number: int) -> None:
        log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for turn in range(20):
            os.write(log, b"%d %d %s\n" % (number, turn, b"x" * (number + 1)))
        os.close(log)

    assert len(only(seen(tmp_path, lambda: in_threads(work)), Write)) == 80


def test_threads_that_share_one_descriptor_share_its_position(tmp_path: Path) -> None:
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)

    def work(number: int) -> None:
        for turn in range(20):
            os.write(log, b"%d %d\n" % (number, turn))

    assert len(only(seen(tmp_path, lambda: in_threads(work)), Write)) == 80
    os.close(log)


def test_threads_that_replace_one_file_at_the_same_time(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for turn in range(15):
            (tmp_path / f"tmp{number}").write_bytes(b"%d %d" % (number, turn))
            os.replace(tmp_path / f"tmp{number}", tmp_path / "f")

    assert len(only(seen(tmp_path, lambda: in_threads(work)), Rename)) == 60


def test_threads_that_take_turns_with_a_lock_file(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for _ in range(5):
            while True:
                try:
                    os.close(os.open(tmp_path / "lock", os.O_CREAT | os.O_EXCL))
                    break
                except FileExistsError:
                    os.sched_yield()
            os.unlink(tmp_path / "lock")

    assert len(seen(tmp_path, lambda: in_threads(work, 3)).operations) == 30


def test_a_shell_that_redirects_into_files(tmp_path: Path) -> None:
    command = "echo one > f; echo two >> f; (echo three; echo four) >> f; cat f > g; mv g h; exec 5>>f; echo five >&5"
    trace = seen(tmp_path, lambda: subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True))
    appended = [w.data for w in only(trace, Write) if w.inode == 1]
    assert b"".join(appended) == b"one\ntwo\nthree\nfour\nfive\n"


def test_a_python_child_with_an_inherited_descriptor(tmp_path: Path) -> None:
    def program() -> None:
        with open(tmp_path / "f", "wb", buffering=0) as file:
            file.write(b"parent ")
            code = f"import os; os.write({file.fileno()}, b'child '); open('g', 'w').write('x')"
            subprocess.run([sys.executable, "-c", code], pass_fds=[file.fileno()], cwd=tmp_path, check=True)
            file.write(b"parent again")

    writes = [w for w in only(seen(tmp_path, program), Write) if w.inode == 1]
    assert [w.offset for w in writes] == [0, 7, 13]


def test_control_a_descriptor_that_is_closed_by_execve_does_not_reach_the_child(tmp_path: Path) -> None:
    def program() -> None:
        with open(tmp_path / "f", "wb", buffering=0) as file:
            code = f"import os\ntry: os.fstat({file.fileno()}); open('open', 'w')\nexcept OSError: open('closed', 'w')"
            subprocess.run([sys.executable, "-c", code], close_fds=False, cwd=tmp_path, check=True)

    seen(tmp_path, program)
    assert (tmp_path / "closed").exists()


def test_posix_spawn_with_file_actions(tmp_path: Path) -> None:
    def program() -> None:
        actions = [(os.POSIX_SPAWN_OPEN, 1, str(tmp_path / "out"), os.O_WRONLY | os.O_CREAT, 0o600)]
        child = os.posix_spawn("/bin/sh", ["sh", "-c", "echo hello"], dict(os.environ), file_actions=actions)
        os.waitpid(child, 0)

    assert only(seen(tmp_path, program), Write)[0].data == b"hello\n"


def in_a_fork(work: Callable[[], object]) -> None:
    """Run work in a fork of this process, which has no thread but this one."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:
            os.write(2, repr(error).encode())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_shares_positions_and_may_go_on_alone(tmp_path: Path) -> None:
    def program() -> None:
        with open(tmp_path / "f", "wb", buffering=0) as file:
            file.write(b"12")
            in_a_fork(lambda: file.write(b"34"))
            file.write(b"56")

    assert [w.offset for w in only(seen(tmp_path, program), Write)] == [0, 2, 4]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_recorder_works_in_a_forked_process(tmp_path: Path) -> None:
    def work() -> None:
        trace = seen(tmp_path, lambda: (tmp_path / "f").write_bytes(b"1"))
        assert kinds(trace) == ["Create", "Write"]

    in_a_fork(work)


def test_a_process_that_ran_before_the_recording_is_seen_too(tmp_path: Path) -> None:
    code = "import sys\nf = open('f', 'ab', 0); f.write(b'1')\nfor line in sys.stdin: f.write(b'2'); print(flush=True)"
    with subprocess.Popen(
        [sys.executable, "-uc", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
        worker.stdout.readline()

        def program() -> None:
            assert worker.stdin is not None and worker.stdout is not None
            worker.stdin.write(b"go\n")
            worker.stdin.flush()
            worker.stdout.readline()

        assert only(seen(tmp_path, program), Write)[0].offset == 2
        worker.stdin.close()


@pytest.mark.parametrize("journal", ["delete", "truncate", "persist"])
def test_sqlite_with_a_rollback_journal(tmp_path: Path, journal: str) -> None:
    def program() -> None:
        connection = sqlite3.connect(tmp_path / "db", isolation_level=None)
        connection.execute(f"pragma journal_mode = {journal}")
        connection.execute("create table t (x)")
        for number in range(3):
            connection.execute("insert into t values (?)", (number,))
        connection.close()

    trace = seen(tmp_path, program)
    assert len(only(trace, Sync)) > 6


def test_sqlite_in_wal_mode_when_its_shared_memory_is_declared_volatile(tmp_path: Path) -> None:
    def program() -> None:
        connection = sqlite3.connect(tmp_path / "db", isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (x)")
        with StopsNothing():
            connection.execute("insert into t values (1)")
        connection.close()

    assert any(w.data.startswith(b"SQLite format 3") for w in only(seen(tmp_path, program, ["*-shm"]), Write))


class StopsNothing:
    """A context without meaning, so that the line of the insert is inside a with block."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_pyarrow_writing_to_a_path(tmp_path: Path) -> None:
    table = pa.table({"x": list(range(1000)), "y": [str(n) for n in range(1000)]})
    trace = seen(tmp_path, lambda: pq.write_table(table, tmp_path / "t.parquet"))
    assert not only(trace, Sync)
    assert (tmp_path / "t.parquet").read_bytes().startswith(b"PAR1")


def test_aiofiles(tmp_path: Path) -> None:
    async def program() -> None:
        async with aiofiles.open(tmp_path / "f", "wb") as file:
            await file.write(b"data")
            await file.flush()

    assert only(seen(tmp_path, lambda: asyncio.run(program())), Write)[0].data == b"data"


def test_strace_and_its_descriptors_are_gone_after_a_recording_even_one_that_raised(tmp_path: Path) -> None:
    recorder = StraceRecorder()
    descriptors = opened()
    with pytest.raises(ZeroDivisionError), recorder.record(tmp_path) as recording:
        tracer = tracer_of("self")
        recording.mark(MarkKind.INVOKED, 1)
        _ = 1 // 0

    assert kinds(recording.trace) == ["Mark"]
    assert not Path(f"/proc/{tracer}").exists()
    assert opened(descriptors) == frozenset()


def test_strace_dying_midway_is_said(tmp_path: Path) -> None:
    with StraceRecorder().record(tmp_path) as recording:
        (tmp_path / "f").write_bytes(b"1")
        os.kill(tracer_of("self"), signal.SIGKILL)

    assert any("strace stopped before the recording did" in sentence for sentence in recording.trace.unseen)


def test_a_recording_that_begins_beside_an_event_loop(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()  # the system tells of what it waits for in lines of another make
    try:
        trace = seen(tmp_path, lambda: (tmp_path / "data").write_bytes(b"1"))
    finally:
        loop.close()

    assert [write.data for write in only(trace, Write)] == [b"1"]
