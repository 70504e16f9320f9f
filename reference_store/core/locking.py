"""One writer at a time in a root directory: among threads, tasks, instances and processes.

``flock`` on the root's lock file. The kernel releases it when its holder dies, and it belongs to the open file
description, so that it excludes the threads of one process too, and closing some other descriptor of the file cannot
drop it (POSIX record locks would be). Who waits for it does so in turn: holding a second lock, on the directory, that
everybody has to pass. So whoever gave the lock back and wants it again comes behind those who wait.

The lock file is never deleted: a lock on a file that has lost its name excludes nobody. Readers do not come here.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from weakref import WeakValueDictionary

from reference_store.core.system import flags
from reference_store.core.writer import Writer
from reference_store.errors import LockTimeout

try:
    import fcntl
except ImportError:  # no store is opened where there are no locks: see core.system
    fcntl = None  # type: ignore[assignment] # nothing below is reached there

LOCK_FILE = ".lock"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.02
"""Seconds between two attempts at a lock that another process holds."""
_OPEN = os.O_RDWR | os.O_CREAT | flags("O_NOFOLLOW", "O_NONBLOCK")


class _Gate:
    """What the stores of this process share about one root: who writes to it, and the lock if it is held."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.held: int | None = None


_gates: WeakValueDictionary[tuple[int, int], _Gate] = WeakValueDictionary()


class RootLock:
    """The lock of one root directory; instances on the same directory exclude each other."""

    def __init__(self, directory: int) -> None:
        found = os.fstat(directory)
        file = (found.st_dev, found.st_ino)
        gate = _gates.get(file)
        # No lock for this: one that a signal's exception left taken would end all. Two gates would still exclude.
        self._gate = gate if gate is not None else _gates.setdefault(file, _Gate())

    @property
    def writer(self) -> Writer:
        """Who changes the root for all stores of this process."""
        return self._gate.writer

    def acquire(self, directory: int, root: str, timeout: float) -> None:
        """Take the lock of the root that is open as ``directory``; it is not re-entrant.

        Waits at most ``timeout`` seconds and raises LockTimeout then; ``root`` names the directory in the message.
        """
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while (descriptor := _tried(directory)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LockTimeout(root, timeout)
            time.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._gate.held = descriptor

    def acquire_in_turn(self, directory: int) -> None:
        """Take the lock, however long that takes; whoever comes later waits behind this one."""
        turn = self._turn(directory)
        try:
            descriptor = _tried(directory)
            if descriptor is None:
                self.writer.waits = True
                descriptor = _waited_for(directory)
            self._gate.held = descriptor
        finally:
            _give_back(turn)

    def _turn(self, directory: int) -> int | None:
        """Wait until it is this process's turn to wait for the lock; None where directories cannot be locked."""
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the turn, if nobody waits
            except BlockingIOError:
                self.writer.waits = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # the turn
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def release(self) -> None:
        """Give the lock back."""
        descriptor, self._gate.held = self._gate.held, None
        _give_back(descriptor)


def _give_back(descriptor: int | None) -> None:
    if descriptor is not None:
        # An error here says nothing about what was done under the lock, and must not be taken for one there.
        with suppress(OSError):
            # Said aloud, not left to close: a child forked meanwhile keeps the description open.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        with suppress(OSError):
            os.close(descriptor)


def _tried(directory: int) -> int | None:
    """Return a descriptor that holds the file lock, or None when somebody else has it."""
    while True:
        # A description of its own for each holder: one inherited through fork would count as the parent's.
        descriptor = os.open(LOCK_FILE, _OPEN, 0o600, dir_fd=directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock
            if _is_the_lock_file(descriptor, directory):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _waited_for(directory: int) -> int:
    """Return a descriptor that holds the file lock."""
    while True:
        descriptor = os.open(LOCK_FILE, _OPEN, 0o600, dir_fd=directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # in the kernel's queue
            if _is_the_lock_file(descriptor, directory):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_the_lock_file(descriptor: int, directory: int) -> bool:
    """Whether the locked file still has its name: somebody outside may have replaced it since it was opened."""
    try:
        named = os.stat(LOCK_FILE, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    locked = os.fstat(descriptor)
    return named.st_ino == locked.st_ino and named.st_dev == locked.st_dev


def _after_fork_in_child() -> None:
    """The thread that held the lock does not exist in the child; its copy of the descriptor must not live on."""
    for gate in list(_gates.values()):
        descriptor, gate.held = gate.held, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


if hasattr(os, "register_at_fork"):  # elsewhere nothing forks
    os.register_at_fork(after_in_child=_after_fork_in_child)
