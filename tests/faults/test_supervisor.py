"""Calls that the system refuses because somebody beside the process says so."""

import errno
import os
import sqlite3
import threading
from functools import partial

import pytest

from pytest_tradestore.faults import seccomp
from pytest_tradestore.faults.calls import CallKind, Fault
from pytest_tradestore.isolation import Finished, run_isolated

pytestmark = pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not()))


def in_a_process(task):
    """Run ``task(injector)`` in a process whose calls can be refused, and return its result."""

    def run(channel):
        from pytest_tradestore.faults.supervisor import Injector

        return task(Injector())

    match run_isolated(run, 20):
        case Finished(value):
            return value
        case other:
            pytest.fail(str(other))


def error_of(call):
    try:
        call()
    except OSError as error:
        return error.errno
    return None


def write_synced(path, data):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        written = os.write(descriptor, data)
        os.fsync(descriptor)
        return written
    finally:
        os.close(descriptor)


def test_a_call_below_the_root_fails_and_one_elsewhere_does_not(tmp_path):
    inside, outside = tmp_path / "root", tmp_path / "outside"
    inside.mkdir()

    def task(injector):
        injector.arm(str(inside), Fault(CallKind.SYNC, "a", 1, errno.EIO))
        found = [error_of(partial(write_synced, path, b"x")) for path in (outside, inside / "a", inside / "a")]
        return found, injector.disarm().hits

    assert in_a_process(task) == ([None, errno.EIO, None], 1)


def test_control_without_a_fault_nothing_fails_and_every_call_is_noted(tmp_path):
    def task(injector):
        injector.arm(str(tmp_path), None)
        write_synced(tmp_path / "a", b"x")
        os.rename(tmp_path / "a", tmp_path / "b")
        return [str(call) for call in injector.disarm().calls]

    assert in_a_process(task) == ["open for writing a", "write a", "fsync a", "close a", "rename b"]


def test_a_short_write_really_writes_half(tmp_path):
    def task(injector):
        injector.arm(str(tmp_path), Fault(CallKind.WRITE, "a", 1, 0, partial=True))
        written = write_synced(tmp_path / "a", b"12345678")
        injector.disarm()
        return written

    assert in_a_process(task) == 4
    assert (tmp_path / "a").read_bytes() == b"1234"


def test_other_threads_and_native_libraries_are_refused_too(tmp_path):
    def task(injector):
        database = sqlite3.connect(tmp_path / "x.sqlite", check_same_thread=False)
        database.execute("CREATE TABLE t (v)")
        found = []

        def insert():
            try:
                with database:
                    database.execute("INSERT INTO t VALUES (1)")
            except sqlite3.OperationalError as error:
                found.append(str(error))

        injector.arm(str(tmp_path), Fault(CallKind.SYNC, "x.sqlite", 1, errno.EIO))
        thread = threading.Thread(target=insert)
        thread.start()
        thread.join()
        injector.disarm()
        insert()
        return found, database.execute("SELECT count(*) FROM t").fetchall()

    assert in_a_process(task) == (["disk I/O error"], [(1,)])


def test_a_descriptor_whose_close_failed_is_closed_nevertheless(tmp_path):
    def task(injector):
        descriptor = os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT, 0o600)
        injector.arm(str(tmp_path), Fault(CallKind.CLOSE, "a", 1, errno.EIO))
        os.write(descriptor, b"x")
        failed = error_of(lambda: os.close(descriptor))
        injector.disarm()
        return failed, error_of(lambda: os.fstat(descriptor))

    assert in_a_process(task) == (errno.EIO, errno.EBADF)


def test_relative_paths_and_directory_descriptors_lead_to_the_same_file(tmp_path):
    def task(injector):
        os.chdir(tmp_path)
        directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        injector.arm(str(tmp_path), Fault(CallKind.MKDIR, "new", 1, errno.ENOSPC, lasting=True))
        found = [error_of(lambda: os.mkdir("new")), error_of(lambda: os.mkdir("new", dir_fd=directory))]
        injector.disarm()
        return found

    assert in_a_process(task) == [errno.ENOSPC, errno.ENOSPC]


def test_giving_a_lock_back_never_fails(tmp_path):
    import fcntl

    def task(injector):
        descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        injector.arm(str(tmp_path), Fault(CallKind.LOCK, "lock", 2, errno.ENOLCK))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        found = error_of(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX))
        injector.disarm()
        return found

    assert in_a_process(task) == errno.ENOLCK


def lock_of(path, flags=0):
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    return error_of(lambda: fcntl.lockf(descriptor, fcntl.LOCK_EX | flags))


def test_a_lock_that_fcntl_takes_is_refused(tmp_path):
    def task(injector):
        injector.arm(str(tmp_path), Fault(CallKind.LOCK, "lock", 1, errno.ENOLCK))
        found = [lock_of(tmp_path / "lock"), lock_of(tmp_path / "lock")]
        injector.disarm()
        return found

    assert in_a_process(task) == [errno.ENOLCK, None]


def test_a_look_by_path_is_refused_and_one_by_descriptor_is_not_even_asked_about(tmp_path):
    (tmp_path / "a").write_bytes(b"x")

    def task(injector):
        descriptor = os.open(tmp_path / "a", os.O_RDONLY)
        injector.arm(str(tmp_path), Fault(CallKind.STAT, "a", 1, errno.EIO))
        found = [error_of(lambda: os.fstat(descriptor)), error_of(lambda: os.stat(tmp_path / "a"))]
        return found, [str(call) for call in injector.disarm().calls]

    assert in_a_process(task) == ([None, errno.EIO], ["stat a"])


def test_a_chore_is_done_apart_and_nobody_is_asked_about_it(tmp_path):
    def task(injector):
        injector.arm(str(tmp_path), Fault(CallKind.MKDIR, "new", 1, errno.ENOSPC, lasting=True))
        injector.apart(os.mkdir, tmp_path / "new")
        return [str(call) for call in injector.disarm().calls], injector.apart(os.listdir, tmp_path)

    assert in_a_process(task) == ([], ["new"])


def test_control_what_a_chore_raises_is_raised(tmp_path):
    def task(injector):
        return error_of(lambda: injector.apart(os.mkdir, tmp_path))

    assert in_a_process(task) == errno.EEXIST
