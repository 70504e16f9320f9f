"""What is a switch point: every system call that another actor could notice, however the store spells it."""

import fcntl
import io
import os
import pathlib
import queue
import random
import shutil
import tempfile
import threading
import time
import warnings
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from os import replace as replace_copied

import aiofiles.os
import pytest

from pytest_tradestore.isolation import Finished, run_isolated
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Ending, Program
from pytest_tradestore.race.search import Harness
from pytest_tradestore.race.strategies import RandomWalk
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.race.running import LOAD, search

DO = Call("do", (), "", "do()")


class Doing:
    """A store with one call, ``do``; it comes with what every store must have."""

    def __init__(self, root):
        self.root = root

    def save(self, data):
        raise NotImplementedError

    def load(self):
        return None


def executed(store, callers=1, seed=0, detailed=True):
    """Run one schedule in a process of its own, and return the execution."""

    def task(channel):
        with Sandbox() as sandbox:
            strategy = RandomWalk(seed)
            strategy.begin()
            program = Program(((DO,),) * callers, observe=(LOAD,))
            return Harness(sandbox).run(StoreUnderTest("x", store), program, strategy, detailed=detailed)

    ending = run_isolated(task, 20)
    assert isinstance(ending, Finished), ending
    return ending.value


def operations(do):
    """Return the operations that a function of a root makes, as steps name them."""

    class Store(Doing):
        def do(self):
            do(self.root)

    execution = executed(Store)
    assert [call.error for call in execution.history] == ["", ""]
    return [s.operation for s in execution.steps if s.actor == 0 and not s.operation.startswith(("call", "return"))]


def replaced_by_default(source, target, move=os.replace):
    move(source, target)


class Moves:
    move = staticmethod(os.replace)


def through_a_loop_of_its_own(root):
    import asyncio

    (root / "a").write_bytes(b"1")
    asyncio.run(aiofiles.os.replace(root / "a", root / "b"))


def written_to_a_number(root):
    number = os.open(root / "a", os.O_CREAT | os.O_WRONLY)
    os.write(number, b"1")
    os.fsync(number)
    os.close(number)


def made_and_moved(move):
    def do(root):
        (root / "a").write_bytes(b"1")
        move(root / "a", root / "b")

    return do


MOVED = ["open(w) a", "write a", "replace a -> b"]
SPELLINGS = {
    "builtin-open": (lambda root: open(root / "a", "w").close(), ["open(w) a"]),
    "io-open": (lambda root: io.open(root / "a", "w").close(), ["open(w) a"]),  # noqa: UP020
    "io-FileIO": (lambda root: io.FileIO(root / "a", "w").write(b"1"), ["open(w) a", "write a"]),
    "pathlib-write": (lambda root: (root / "a").write_text("1"), ["open(w) a", "write a"]),
    "descriptor": (written_to_a_number, ["create a", "write a", "fsync a"]),
    "os-replace": (made_and_moved(lambda a, b: os.replace(a, b)), MOVED),
    "os-replace-copied": (made_and_moved(lambda a, b: replace_copied(a, b)), MOVED),
    "os-replace-as-a-default": (made_and_moved(replaced_by_default), MOVED),
    "os-replace-in-a-class": (made_and_moved(lambda a, b: Moves.move(a, b)), MOVED),
    "pathlib-replace": (made_and_moved(lambda a, b: pathlib.Path(a).replace(b)), MOVED),
    "aiofiles": (through_a_loop_of_its_own, MOVED),
    "shutil-move": (made_and_moved(shutil.move), ["open(w) a", "write a", "stat b", "rename a -> b"]),
    "bytes-path": (lambda root: os.mkdir(os.fsencode(root / "a")), ["mkdir a"]),
    "exists": (lambda root: os.path.exists(root / "a"), ["stat a"]),
    "the-root": (lambda root: os.listdir(root), ["listdir the root"]),
    "outside": (lambda root: os.stat("/usr"), []),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=list(SPELLINGS))
def test_a_call_is_a_switch_point_however_it_is_spelled(spelling):
    do, expected = spelling

    assert operations(do) == expected


def test_buffered_data_becomes_an_operation_when_it_is_flushed_and_not_before():
    def do(root):
        with open(root / "a", "w") as file:
            file.write("1")
            os.mkdir(root / "between")
            file.write("2")

    assert operations(do) == ["open(w) a", "mkdir between", "write a"]


def test_temporary_names_are_the_same_in_every_execution():
    def do(root):
        tempfile.mkstemp(dir=root)
        os.mkdir(root / os.urandom(4).hex())
        os.mkdir(root / f"{random.random()}")

    assert operations(do) == operations(do)


def test_what_os_says_of_its_functions_is_true_of_the_stand_ins():
    said = {}

    class Store(Doing):
        def do(self):
            names = ("open", "stat", "unlink", "rename", "utime", "chmod", "listdir", "scandir", "truncate", "access")
            sets = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids")
            return [(name, kind, getattr(os, name) in getattr(os, kind)) for name in names for kind in sets]

    names = ("open", "stat", "unlink", "rename", "utime", "chmod", "listdir", "scandir", "truncate", "access")
    sets = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids")
    said = [(name, kind, getattr(os, name) in getattr(os, kind)) for name in names for kind in sets]

    assert executed(Store).history[0].result == said


MODES = ["r", "rb", "w", "wb", "a", "ab", "x", "r+", "rb+", "w+", "w+b", "a+", "rt", "b", "rw", "rr", "U", ""]


@pytest.mark.parametrize("buffering", [-1, 0, 1, 3])
def test_files_behave_as_those_of_the_builtin(buffering):
    def behave(root):
        told = []
        for mode in MODES:
            for name in ("there", "not there"):
                (root / "there").write_bytes(b"one\ntwo\n")
                try:
                    with open(root / name, mode, buffering) as file:
                        told.append((type(file).__mro__[-4].__name__, file.mode, file.readable(), file.writable()))
                        told.append(file.read(3) if file.readable() else file.write("x" if "b" not in mode else b"x"))
                        told.append(file.tell())
                        told.append(getattr(file, "line_buffering", None))
                except (OSError, ValueError) as error:
                    told.append((type(error).__name__, str(error).replace(str(root), "")))
                if (root / "not there").exists():
                    (root / "not there").unlink()
        return told

    class Store(Doing):
        def do(self):
            return behave(self.root)

    with Sandbox() as sandbox, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = behave(sandbox.fresh_root())
    found = executed(Store).history[0]
    assert found.error == ""
    assert found.result == expected


# Locks: those of threading and all that is built of them


AT_IMPORT = threading.Lock()
BY_NAME = defaultdict(threading.Lock)


class WithModuleLock(Doing):
    def do(self):
        with AT_IMPORT:
            os.stat(self.root)


class WithLockOfTheClass(Doing):
    LOCK = threading.RLock()

    def do(self):
        with self.LOCK, self.LOCK:
            os.stat(self.root)


class WithLocksByName(Doing):
    def do(self):
        with BY_NAME["a"]:
            os.stat(self.root)


class WithCondition(Doing):
    def __init__(self, root):
        super().__init__(root)
        self.condition, self.here = threading.Condition(), 0

    def do(self):
        with self.condition:
            self.here += 1
            self.condition.notify_all()
            self.condition.wait_for(lambda: self.here == 2)


class WithQueue(Doing):
    def __init__(self, root):
        super().__init__(root)
        self.queue = queue.Queue(maxsize=1)

    def do(self):
        self.queue.put(1)
        return self.queue.get()


class WithSimpleQueue(Doing):
    def __init__(self, root):
        super().__init__(root)
        self.queue = queue.SimpleQueue()

    def do(self):
        self.queue.put(1)
        return self.queue.get()


class WithBarrier(Doing):
    def __init__(self, root):
        super().__init__(root)
        self.barrier = threading.Barrier(2)

    def do(self):
        self.barrier.wait()


class WithSemaphore(Doing):
    def __init__(self, root):
        super().__init__(root)
        self.semaphore = threading.BoundedSemaphore(1)

    def do(self):
        with self.semaphore:
            os.stat(self.root)


class WithEvent(Doing):
    def __init__(self, root):
        super().__init__(root)
        self.event, self.first = threading.Event(), []

    def do(self):
        self.first.append(1)
        if len(self.first) == 2:
            self.event.set()
        assert self.event.wait()


class WithThread(Doing):
    """Starts a thread, and waits for it."""

    def do(self):
        done = []
        thread = threading.Thread(target=lambda: (os.stat(self.root), done.append(1)))
        thread.start()
        thread.join()
        assert done and not thread.is_alive()


class WithPool(Doing):
    def do(self):
        with ThreadPoolExecutor(1) as pool:
            assert [*pool.map(str, range(3))] == ["0", "1", "2"]
            assert pool.submit(os.stat, self.root).result()


class WithWriterThread(Doing):
    """A thread in the background writes what callers queue, and never ends."""

    def __init__(self, root):
        super().__init__(root)
        self.queue = queue.Queue()
        threading.Thread(target=self.write, daemon=True).start()

    def write(self):
        while True:
            path, done = self.queue.get()
            path.write_text("x")
            done.set()

    def do(self):
        done = threading.Event()
        self.queue.put((self.root / "a", done))
        done.wait()


CONTROLLED = [
    WithModuleLock,
    WithLockOfTheClass,
    WithLocksByName,
    WithCondition,
    WithQueue,
    WithSimpleQueue,
    WithBarrier,
    WithSemaphore,
    WithEvent,
    WithThread,
    WithPool,
    WithWriterThread,
]


@pytest.mark.parametrize("store", CONTROLLED)
def test_what_threads_wait_on_is_controlled(store):
    result = search(store, Program(((DO,), (DO,)), observe=(LOAD,)), budget=60)

    assert (result.sentence, result.search.uncontrolled, result.trouble) == ("", (), "")
    assert result.search.executions > 2


def test_control_a_barrier_for_three_that_two_come_to_is_a_deadlock():
    class Store(WithBarrier):
        def __init__(self, root):
            super().__init__(root)
            self.barrier = threading.Barrier(3)

    result = search(Store, Program(((DO,), (DO,))), budget=60)

    assert "deadlock: caller 0 waits to acquire a notification" in result.sentence


# Time


def test_sleeping_takes_no_time_and_the_clock_says_that_it_did():
    class Store(Doing):
        def do(self):
            began, wall = time.monotonic(), time.time()
            time.sleep(3600)
            return round(time.monotonic() - began), round(time.time() - wall)

    began = time.monotonic()
    execution = executed(Store)

    assert execution.history[0].result == (3600, 3600)
    assert time.monotonic() - began < 60


def test_who_sleeps_wakes_when_all_others_wait():
    class Store(Doing):
        def __init__(self, root):
            super().__init__(root)
            self.lock, self.order = threading.Lock(), []

        def do(self):
            with self.lock:
                self.order.append("taken")
                time.sleep(5)
                self.order.append("left")

        def load(self):
            return self.order

    assert executed(Store, callers=2).history[-1].result == ["taken", "left"] * 2


class WithTimeout(Doing):
    """Gives up on a lock after a while: who holds it sleeps longer."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = threading.Lock()

    def do(self):
        if not self.lock.acquire(timeout=2):
            return "gave up"
        try:
            time.sleep(5)
            return "done"
        finally:
            self.lock.release()


def test_waiting_for_a_lock_ends_with_its_timeout():
    results = sorted(call.result for call in executed(WithTimeout, callers=2).history[:2])

    assert results == ["done", "gave up"]


def test_control_a_longer_timeout_lasts():
    class Store(WithTimeout):
        def do(self):
            if not self.lock.acquire(timeout=6):
                return "gave up"
            time.sleep(5)
            self.lock.release()
            return "done"

    assert [call.result for call in executed(Store, callers=2).history[:2]] == ["done", "done"]


def test_a_lock_file_that_is_polled_is_waited_for():
    class Store(Doing):
        def do(self):
            while True:
                try:
                    os.close(os.open(self.root / "lock", os.O_CREAT | os.O_EXCL))
                    break
                except FileExistsError:
                    time.sleep(0.01)
            os.stat(self.root)
            os.unlink(self.root / "lock")

    result = search(Store, Program(((DO,), (DO,)), observe=(LOAD,)), budget=200)

    assert (result.sentence, result.search.uncontrolled) == ("", ())


def a_new_file(path):
    path.write_text("x")


def a_new_directory(path):
    path.mkdir()


def a_new_lock(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL))


def a_touched_file(path):
    os.close(os.open(path, os.O_CREAT))
    os.utime(path)


@pytest.mark.parametrize("make", [a_new_file, a_new_directory, a_new_lock, a_touched_file])
def test_a_file_made_after_a_sleep_is_no_older_than_it_is(make):
    class Store(Doing):
        def do(self):
            time.sleep(3600)
            make(self.root / "lock")
            time.sleep(10)
            return round(time.time() - os.stat(self.root / "lock").st_mtime)

    assert executed(Store).history[0].result == 10


@pytest.mark.proof
def test_polling_for_what_never_comes_ends_the_execution():
    class Store(Doing):
        def do(self):
            while not (self.root / "never").exists():
                time.sleep(0.01)

    assert executed(Store).ending in (Ending.DEADLOCK, Ending.HUNG)


# Locks on files


class WithFlock(Doing):
    def __init__(self, root):
        super().__init__(root)
        self.inside = 0

    def lock(self, file):
        fcntl.flock(file, fcntl.LOCK_EX)

    def do(self):
        with open(self.root / "lock", "w") as file:
            self.lock(file)
            self.inside += 1
            os.stat(self.root)
            assert self.inside == 1
            self.inside -= 1


class WithDuplicate(WithFlock):
    """The lock outlives the number by which it was taken."""

    def do(self):
        number = os.open(self.root / "lock", os.O_CREAT | os.O_RDWR)
        fcntl.flock(number, fcntl.LOCK_EX)
        again = os.dup(number)
        os.close(number)
        self.inside += 1
        os.stat(self.root)
        assert self.inside == 1
        self.inside -= 1
        os.close(again)


class WithOpenFileLock(WithFlock):
    """A lock of the open file description, asked for through fcntl."""

    def lock(self, file):
        import struct

        kind = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLKW, kind)


@pytest.mark.parametrize("store", [WithFlock, WithDuplicate])
def test_a_flock_keeps_others_out(store):
    result = search(store, Program(((DO,), (DO,), (DO,))), budget=150)

    assert (result.sentence, result.search.uncontrolled) == ("", ())


@pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLKW"), reason="needs open file description locks")
def test_a_lock_of_the_open_file_description_keeps_others_out():
    result = search(WithOpenFileLock, Program(((DO,), (DO,))), budget=150)

    assert (result.sentence, result.search.uncontrolled) == ("", ())


def test_control_a_shared_flock_keeps_nobody_out():
    class Store(WithFlock):
        def lock(self, file):
            fcntl.flock(file, fcntl.LOCK_SH)

    assert "AssertionError" in search(Store, Program(((DO,), (DO,)))).sentence


def test_a_posix_lock_is_dropped_when_any_descriptor_of_the_file_is_closed():
    def others_may(path):
        child = os.fork()
        if not child:
            with open(path, "r+") as file:
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    class Store(Doing):
        def do(self):
            path = self.root / "data"
            path.write_text("x")
            with open(path, "r+") as file:
                fcntl.lockf(file, fcntl.LOCK_EX)
                before = others_may(path)
                path.read_text()
                return before, others_may(path)

    assert executed(Store).history[0].result == (False, True)


# What is not controlled


def test_two_threads_in_one_file_object_wait_for_each_other_where_it_is_seen():
    class Store(Doing):
        def __init__(self, root):
            super().__init__(root)
            self.file = open(root / "log", "ab")  # noqa: SIM115

        def do(self):
            self.file.write(b"line\n")
            self.file.flush()

        def load(self):
            return (self.root / "log").read_bytes()

    result = search(Store, Program(((DO,), (DO,)), observe=(LOAD,)), budget=100)

    assert (result.sentence, result.search.uncontrolled, result.search.exhausted) == ("", (), True)


class WithHiddenLock(Doing):
    """Waits on a lock where no stand-in looks: in a tuple, made at import."""

    hidden = ((lambda made: made)(threading.Lock()),)

    def do(self):
        with self.hidden[0]:
            os.stat(self.root)


def test_a_lock_out_of_control_is_named_by_its_line_and_nothing_is_called_exhausted():
    result = search(WithHiddenLock, Program(((DO,), (DO,))), budget=30)

    assert result.sentence == ""
    assert not result.search.exhausted
    assert any("WithHiddenLock.do" in line for line in result.search.uncontrolled)


def test_who_waits_for_ever_out_of_control_hangs_nobody():
    class Store(WithHiddenLock):
        hidden = (threading.Lock(),)

        def do(self):
            self.hidden[0].acquire()

    execution = executed(Store, callers=2)

    assert execution.ending is Ending.HUNG
    assert "Store.do" in execution.uncontrolled[0]


def test_files_that_a_native_library_makes_are_no_part_of_an_exhausted_search():
    import sqlite3

    class Store(Doing):
        def do(self):
            sqlite3.connect(self.root / "made.sqlite").execute("create table if not exists t (x)")

    result = search(Store, Program(((DO,),)))

    assert not result.search.exhausted
    assert "made.sqlite was made by code" in result.search.uncontrolled[0]


def test_a_store_that_ends_the_process_is_told_of():
    class Store(Doing):
        def do(self):
            os._exit(3)

    assert search(Store, Program(((DO,),))).trouble == "the process ended in schedule 1: exited with status 3"


def test_a_store_that_computes_for_ever_hangs_nobody_either():
    class Store(Doing):
        tradestore_deadline = 0.5

        def do(self):
            while True:
                pass

    trouble = search(Store, Program(((DO,),))).trouble

    assert trouble.startswith("schedule ")  # on a busy machine the first one has not begun by then
    assert trouble.endswith(" made no step within 0.5 s (tradestore_deadline)")
