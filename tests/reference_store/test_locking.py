"""The root's lock: among threads, instances and processes, and gone with its holder."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reference_store import DocumentStore, InvalidRecord, LockTimeout
from reference_store.core import locking
from reference_store.core.atomic import Directory
from reference_store.core.locking import LOCK_FILE, RootLock

HOLD = """
import os, sys
from reference_store.core.locking import RootLock
directory = os.open(sys.argv[1], os.O_RDONLY)
RootLock(directory).acquire(directory, sys.argv[1], 5)
print("held", flush=True)
sys.stdin.read()
"""

FORKS_WHILE_IT_WAITS = """
import os, sys, threading
from reference_store import DocumentStore

def has_got_it(document):
    print("has it", flush=True)
    threading.Event().wait()

store = DocumentStore(sys.argv[1], lock_timeout=600)
threading.Thread(target=store.update, args=("K", has_got_it), daemon=True).start()
waited_for = f"{sys.argv[1]}/.lock"
while not any(os.path.realpath(f"/proc/self/fd/{each}") == waited_for for each in os.listdir("/proc/self/fd")):
    pass
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.read()  # it lives on, as a pool's worker does
    os._exit(0)
threading.Event().wait()
"""


@pytest.fixture
def root(tmp_path: Path) -> Directory:
    return Directory.open(str(tmp_path))


def take(root: Directory, timeout: float = 0) -> RootLock:
    lock = RootLock(root.descriptor)
    lock.acquire(root.descriptor, root.path, timeout)
    return lock


def is_free(root: Directory) -> bool:
    try:
        take(root).release()
    except LockTimeout:
        return False
    return True


def test_a_second_instance_waits_in_vain_for_a_lock_that_is_held(root: Directory) -> None:
    held = take(root)

    with pytest.raises(LockTimeout, match="not free within 0 s"):
        take(root)
    held.release()
    assert is_free(root)


def test_the_lock_file_is_private_and_stays(root: Directory, tmp_path: Path) -> None:
    take(root).release()

    assert (tmp_path / LOCK_FILE).stat().st_mode & 0o777 == 0o600


def test_closing_another_descriptor_of_the_lock_file_does_not_free_it(root: Directory, tmp_path: Path) -> None:
    held = take(root)
    (tmp_path / LOCK_FILE).read_bytes()
    os.close(os.open(tmp_path / LOCK_FILE, os.O_RDWR))

    assert not is_free_for_another_process(tmp_path)
    held.release()
    assert is_free_for_another_process(tmp_path)


def is_free_for_another_process(root: Path) -> bool:
    program = "import sys; from reference_store import *; DocumentStore(sys.argv[1], lock_timeout=0).put('K', {})"
    ran = subprocess.run([sys.executable, "-c", program, root], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 or "LockTimeout" in ran.stderr
    return ran.returncode == 0


def test_the_lock_of_a_killed_process_is_free_at_once(root: Directory, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not is_free(root)

        holder.send_signal(signal.SIGKILL)
        holder.wait()

    take(root).release()


def test_a_forked_child_does_not_inherit_the_lock(root: Directory) -> None:
    held = take(root)
    child = os.fork()
    if child == 0:
        os._exit(0 if not is_free(root) else 1)  # its own attempt must wait like anybody's

    assert os.waitpid(child, 0)[1] == 0
    held.release()
    assert is_free(root)


def test_a_child_forked_while_the_lock_was_held_does_not_keep_it(root: Directory) -> None:
    held = take(root)
    waiting, done = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(done)
        os.read(waiting, 1)
        os._exit(0)
    held.release()

    assert is_free(root)
    os.close(done)
    os.waitpid(child, 0)
    os.close(waiting)


@pytest.mark.parametrize("it_has_got", [False, True], ids=["killed-while-it-waits", "killed-when-it-has-got-it"])
def test_a_child_forked_while_its_parent_waits_for_the_lock_keeps_it_from_nobody_when_the_parent_is_killed(
    root: Directory, tmp_path: Path, it_has_got: bool
) -> None:
    held = take(root)
    command = [sys.executable, "-W", "ignore", "-c", FORKS_WHILE_IT_WAITS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "forked\n"
        if it_has_got:
            held.release()
            assert parent.stdout.readline() == "has it\n"
        parent.kill()
        parent.wait()
        if not it_has_got:
            held.release()

        DocumentStore(tmp_path, lock_timeout=0).put("OTHER", {"n": 1})  # the child is there still


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("name", [".", LOCK_FILE], ids=["the-turn", "the-lock"])
def test_a_child_forked_between_the_opening_and_the_return_from_it_has_no_copy_of_what_is_locked(
    root: Directory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """``os.open`` lets other threads run until the system has answered, and a while longer on a busy machine."""
    descriptors: list[int] = []
    listed = os.open(root.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)  # as a listing has the directory open
    opened, forked, really = threading.Event(), threading.Event(), os.open

    def slow_to_return(path: Any, *args: Any, **options: Any) -> int:
        descriptor = really(path, *args, **options)
        if path == name and not descriptors:
            descriptors.append(descriptor)
            opened.set()
            assert forked.wait(120)
        return descriptor

    monkeypatch.setattr(os, "open", slow_to_return)
    waiting = InTurn(root)
    assert opened.wait(120)
    child = os.fork()
    if child == 0:
        try:
            os.fstat(descriptors[0])
        except OSError:
            os._exit(0 if os.fstat(root.descriptor) and os.fstat(listed) else 2)
        finally:
            os._exit(1)
    forked.set()
    assert waiting.has.wait(120)
    waiting.end()
    os.close(listed)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_control_a_child_forked_before_the_system_has_opened_it_asks_nothing_of_files(
    root: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be on a server that is gone, for whose answer the thread in the parent waits in vain."""
    opening, forked, really = threading.Event(), threading.Event(), os.open
    asked: list[Any] = []

    def slow(path: Any, *args: Any, **options: Any) -> int:
        if path == "." and not opening.is_set():
            opening.set()
            assert forked.wait(120)
        return really(path, *args, **options)

    monkeypatch.setattr(os, "open", slow)
    waiting = InTurn(root)
    assert opening.wait(120)
    with monkeypatch.context() as patch:
        for name in ("stat", "fstat"):
            patch.setattr(os, name, counting(getattr(os, name), asked))
        child = os.fork()
        if child == 0:
            os._exit(len(asked))
    forked.set()
    assert waiting.has.wait(120)
    waiting.end()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def counting(really: Callable[..., Any], asked: list[Any]) -> Callable[..., Any]:
    """Let a call be counted where the store makes it; what the interpreter and pytest do in a child is their own."""

    def call(*args: Any, **options: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__") == locking.__name__:
            asked.append(args)
        return really(*args, **options)

    return call


def test_a_copy_of_its_descriptor_does_not_keep_the_lock(root: Directory) -> None:
    """As a child has one from its fork on, until it runs Python again or another program."""
    held = take(root)
    copy = os.dup(held._gate.held[0])
    held.release()

    assert is_free(root)
    os.close(copy)


def test_a_lock_file_that_was_replaced_excludes_nobody_so_the_new_one_is_taken(root: Directory, tmp_path: Path) -> None:
    held = take(root)
    (tmp_path / LOCK_FILE).unlink()
    held.release()
    held = take(root)

    assert not is_free_for_another_process(tmp_path)
    held.release()


def test_a_planted_lock_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / LOCK_FILE).symlink_to(victim)

    with pytest.raises(OSError, match="Too many levels"):
        DocumentStore(tmp_path / "root").put("K", {})
    assert not victim.exists()


def test_sixteen_threads_through_two_instances_take_turns(tmp_path: Path) -> None:
    stores = [DocumentStore(tmp_path, lock_timeout=120), DocumentStore(tmp_path, lock_timeout=120)]
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                stores[number % 2].put("SHARED", {"writer": number, "turn": turn})
                stores[number % 2].put(f"OWN-{number}", {"turn": turn})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert all(stores[0].get(f"OWN-{number}") == {"turn": 4} for number in range(16))
    assert len(stores[0].keys()) == 17
    assert stores[0].get("SHARED") in [{"writer": number, "turn": 4} for number in range(16)]


@pytest.mark.parametrize("timeout", [None, "10", True, float("nan")])
def test_a_lock_timeout_that_is_no_number_of_seconds_is_refused_when_the_store_is_opened(
    tmp_path: Path, timeout: Any
) -> None:
    with pytest.raises(InvalidRecord, match="lock_timeout"):
        DocumentStore(tmp_path, lock_timeout=timeout)


@pytest.mark.parametrize("timeout", [0, 1, float("inf")])
def test_control_any_number_of_seconds_is_a_lock_timeout(tmp_path: Path, timeout: float) -> None:
    DocumentStore(tmp_path, lock_timeout=timeout).put("K", {})


class InTurn:
    """A thread that takes the lock in its turn and says so, and gives it back when it is told to."""

    def __init__(self, root: Directory) -> None:
        self.lock = RootLock(root.descriptor)
        self.has, self.give_back = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._work, args=(root,))
        self.thread.start()

    def _work(self, root: Directory) -> None:
        self.lock.acquire_in_turn(root.descriptor)
        self.has.set()
        assert self.give_back.wait(120)
        self.lock.release()

    def end(self) -> None:
        self.give_back.set()
        self.thread.join(120)


def waiting_for(root: Path, count: int) -> None:
    """Return when so many wait for locks in the root, on the lock file or for their turn."""
    inodes = {str(root.stat().st_ino), str((root / LOCK_FILE).stat().st_ino)}
    while True:
        lines = Path("/proc/locks").read_text().splitlines()
        found = [line for line in lines if "->" in line and line.split()[6].split(":")[2] in inodes]
        if len(found) >= count:
            return


def test_who_waits_for_the_lock_has_it_when_it_is_given_back(root: Directory, tmp_path: Path) -> None:
    held = take(root)
    waiting = InTurn(root)
    waiting_for(tmp_path, 1)
    assert not waiting.has.is_set()

    held.release()

    assert waiting.has.wait(120)
    assert not is_free_for_another_process(tmp_path)
    waiting.end()
    assert is_free(root)


def test_who_waits_for_a_lock_file_that_is_replaced_takes_the_new_one(root: Directory, tmp_path: Path) -> None:
    held = take(root)
    waiting = InTurn(root)
    waiting_for(tmp_path, 1)
    (tmp_path / LOCK_FILE).unlink()

    held.release()

    assert waiting.has.wait(120)
    assert not is_free_for_another_process(tmp_path)
    waiting.end()


def test_who_gave_the_lock_back_comes_behind_those_who_wait(root: Directory, tmp_path: Path) -> None:
    first = InTurn(root)
    assert first.has.wait(120)
    second = InTurn(root)
    waiting_for(tmp_path, 1)
    again = InTurn(root)
    waiting_for(tmp_path, 2)

    first.end()

    assert second.has.wait(120)
    assert not again.has.is_set()
    second.end()
    assert again.has.wait(120)
    again.end()


def test_who_has_to_wait_for_its_turn_is_told_when_its_time_is_over(root: Directory, tmp_path: Path) -> None:
    held = take(root)
    waiting = InTurn(root)
    waiting_for(tmp_path, 1)

    with pytest.raises(LockTimeout):
        DocumentStore(tmp_path, lock_timeout=0.01).put("K", {})

    held.release()
    assert waiting.has.wait(120)
    waiting.end()
