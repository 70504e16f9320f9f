"""One writer at a time in a root directory: among threads, tasks, instances and processes.

Two layers. Threads of one process wait at a gate that all instances on the same directory share; whoever has passed it
takes ``flock`` on the root's lock file. The kernel releases that lock when its holder dies, and it belongs to the open
file description, so that closing some other descriptor of the file cannot drop it (POSIX record locks would be).

The lock file is never deleted: a lock on a file that has lost its name excludes nobody. Readers do not come here.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from weakref import WeakValueDictionary

from reference_store.errors import LockTimeout

LOCK_FILE = ".lock"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.02
"""Seconds between two attempts at a lock that another process holds."""


class _Gate:
    """What the threads of this process share about one root; later also the place where their updates can meet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held: int | None = None


_gates: WeakValueDictionary[tuple[int, int], _Gate] = WeakValueDictionary()
_registry = threading.Lock()


class RootLock:
    """The lock of one root directory; instances on the same directory exclude each other."""

    def __init__(self, directory: int) -> None:
        found = os.fstat(directory)
        with _registry:
            self._gate = _gates.setdefault((found.st_dev, found.st_ino), _Gate())

    def acquire(self, directory: int, root: str, timeout: float) -> None:
        """Take the lock of the root that is open as ``directory``; it is not re-entrant.

        Waits at most ``timeout`` seconds and raises LockTimeout then; ``root`` names the directory in the message.
        """
        deadline = time.monotonic() + timeout
        gate = self._gate
        if not gate.lock.acquire(timeout=max(timeout, 0)):
            raise LockTimeout(root, timeout)
        try:
            gate.held = _locked(directory, deadline)
            if gate.held is None:
                raise LockTimeout(root, timeout)
        except BaseException:
            gate.lock.release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        gate = self._gate
        try:
            descriptor, gate.held = gate.held, None
            if descriptor is not None:
                # An error here says nothing about what was done under the lock, and must not be taken for one there.
                with suppress(OSError):
                    # Said aloud, not left to close: a child forked meanwhile keeps the description open.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                with suppress(OSError):
                    os.close(descriptor)
        finally:
            gate.lock.release()


def _locked(directory: int, deadline: float) -> int | None:
    """Return a descriptor that holds the file lock, or None when ``deadline`` (monotonic seconds) has passed."""
    pause = _FIRST_PAUSE
    while True:
        # A description of its own for each holder: one inherited through fork would count as the parent's.
        descriptor = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_the_lock_file(descriptor, directory):
                return descriptor
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)


def _is_the_lock_file(descriptor: int, directory: int) -> bool:
    """Whether the locked file still has its name: somebody outside may have replaced it since it was opened."""
    try:
        named = os.stat(LOCK_FILE, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    locked = os.fstat(descriptor)
    return named.st_ino == locked.st_ino and named.st_dev == locked.st_dev


def _after_fork_in_child() -> None:
    """The threads that held the gates do not exist in the child; its copies of their descriptors must not live on."""
    global _registry
    _registry = threading.Lock()
    for gate in list(_gates.values()):
        gate.lock = threading.Lock()
        descriptor, gate.held = gate.held, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


os.register_at_fork(after_in_child=_after_fork_in_child)
