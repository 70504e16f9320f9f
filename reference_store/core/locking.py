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
from functools import partial
from typing import TypeAlias
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
_MARK = flags("O_NONBLOCK", "O_APPEND")
"""By these, what is open to be locked is told from what else is open of the same directory: nobody lists with both."""
_OPEN = os.O_RDWR | os.O_CREAT | flags("O_NOFOLLOW") | _MARK
_OPEN_DIRECTORY = os.O_RDONLY | flags("O_DIRECTORY") | _MARK
_DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_Opened: TypeAlias = list[int]
"""The descriptor of what is locked, once it is known."""


class _Gate:
    """What the stores of this process share about one root: who writes to it, and the lock if it is held."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.held: _Opened | None = None
        self.opened: dict[int, tuple[_Opened, int, str]] = {}
        """All that is open for a lock, held or waited for, or about to be: with the directory that its name is in."""

    def open(self, directory: int, name: str, mode: int) -> _Opened:
        """Open the file or directory ``name`` to lock it: a description of its own for each holder.

        One inherited through fork would count as the parent's, and would be: what a process waits for is taken for
        all that have the description. So a child closes its copy, and it is known what is opened before it is there.
        """
        opened: _Opened = []
        self.opened[id(opened)] = opened, directory, name
        try:
            # In a single step, in which nothing is interrupted. A thread can fork this process all the same, while the
            # system opens it and while this thread waits for its turn after that: see _not_noted.
            opened.extend(map(partial(os.open, dir_fd=directory), (name,), (mode,), (0o600,)))
        except BaseException:
            self.opened.pop(id(opened), None)
            raise
        return opened

    def give_back(self, opened: _Opened | None) -> None:
        """Let go of the lock, or of waiting for it."""
        if opened is None:
            return
        # An error here says nothing about what was done under the lock, and must not be taken for one there.
        with suppress(OSError):
            # Said aloud, not left to close: a child forked meanwhile keeps the description open.
            fcntl.flock(opened[0], fcntl.LOCK_UN)
        self.opened.pop(id(opened), None)  # first: a child must not close what has this number by then
        with suppress(OSError):
            os.close(opened[0])

    def begin_anew(self, known: set[int]) -> None:
        """In a child: the threads that held locks, or waited for them, are not there, and neither must these be.

        ``known`` are the descriptors that any gate has noted.
        """
        noted, self.opened, self.held = self.opened, {}, None
        for opened, directory, name in noted.values():
            for descriptor in opened or _not_noted(directory, name, known):
                with suppress(OSError):
                    os.close(descriptor)


def _not_noted(directory: int, name: str, known: set[int]) -> list[int]:
    """Return, in a child, what a thread that is not there had opened to lock it, and did not come to note.

    Of files nothing is asked unless there is such a descriptor: one on a server that is gone never answers.
    """
    with suppress(OSError):
        if marked := [each for each in map(int, os.listdir(_DESCRIPTORS)) if each not in known and _is_marked(each)]:
            locked = os.stat(name, dir_fd=directory, follow_symlinks=False)
            return [each for each in marked if os.path.samestat(os.fstat(each), locked)]
    return []


def _is_marked(descriptor: int) -> bool:
    with suppress(OSError):
        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & _MARK == _MARK
    return False


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
        while (opened := self._tried(directory)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LockTimeout(root, timeout)
            time.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._gate.held = opened

    def acquire_in_turn(self, directory: int) -> None:
        """Take the lock, however long that takes; whoever comes later waits behind this one."""
        turn = self._turn(directory)
        try:
            opened = self._tried(directory)
            if opened is None:
                self.writer.waits = True
                opened = self._waited_for(directory)
            self._gate.held = opened
        finally:
            self._gate.give_back(turn)

    def _turn(self, directory: int) -> _Opened | None:
        """Wait until it is this process's turn to wait for the lock; None where directories cannot be locked."""
        opened = self._gate.open(directory, ".", _OPEN_DIRECTORY)
        descriptor = opened[0]
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the turn, if nobody waits
            except BlockingIOError:
                self.writer.waits = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # the turn
        except OSError:
            self._gate.give_back(opened)
            return None
        return opened

    def release(self) -> None:
        """Give the lock back."""
        opened, self._gate.held = self._gate.held, None
        self._gate.give_back(opened)

    def _tried(self, directory: int) -> _Opened | None:
        """Return what holds the file lock, or None when somebody else has it."""
        while True:
            opened = self._gate.open(directory, LOCK_FILE, _OPEN)
            descriptor = opened[0]
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock
                if _is_the_lock_file(descriptor, directory):
                    return opened
            except BlockingIOError:
                self._gate.give_back(opened)
                return None
            except BaseException:
                self._gate.give_back(opened)
                raise
            self._gate.give_back(opened)

    def _waited_for(self, directory: int) -> _Opened:
        """Return what holds the file lock."""
        while True:
            opened = self._gate.open(directory, LOCK_FILE, _OPEN)
            descriptor = opened[0]
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # in the kernel's queue
                if _is_the_lock_file(descriptor, directory):
                    return opened
            except BaseException:
                self._gate.give_back(opened)
                raise
            self._gate.give_back(opened)


def _is_the_lock_file(descriptor: int, directory: int) -> bool:
    """Whether the locked file still has its name: somebody outside may have replaced it since it was opened."""
    try:
        named = os.stat(LOCK_FILE, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    locked = os.fstat(descriptor)
    return named.st_ino == locked.st_ino and named.st_dev == locked.st_dev


def _after_fork_in_child() -> None:
    gates = list(_gates.values())
    known = {each for gate in gates for opened, _, _ in list(gate.opened.values()) for each in opened}
    for gate in gates:
        gate.begin_anew(known)


if hasattr(os, "register_at_fork"):  # elsewhere nothing forks
    os.register_at_fork(after_in_child=_after_fork_in_child)
