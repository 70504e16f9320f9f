"""Descriptor numbers for files of the fake disk.

Each is a real descriptor that holds the number, so that no real file gets it meanwhile; on Linux it is one (O_PATH) on
which any real call fails, so that a call that the recorder does not know is an error and not a silent loss.
"""

import errno
import os
import threading
from types import SimpleNamespace
from typing import Any

from pytest_tradestore.crash.recorders.fake_nodes import OpenFile

_PLACEHOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0)


class Descriptors:
    """The table of open fake files of this process, and the advisory locks that they hold."""

    def __init__(self, real: SimpleNamespace) -> None:
        self._real = real
        self.over = False
        self._table: dict[int, OpenFile] = {}
        self._unlocked = threading.Condition()
        self._holders: dict[int, dict[OpenFile, bool]] = {}

    def add(self, file: OpenFile) -> int:
        """Give an open file one more number."""
        number: int = self._real.open(os.devnull, _PLACEHOLDER)
        file.descriptors += 1
        self._table[number] = file
        return number

    def get(self, number: Any) -> OpenFile | None:
        """Return the fake file behind a number, or None when it is none of ours."""
        return self._table.get(number) if isinstance(number, int) else None

    def close(self, number: int) -> None:
        """Give a number back; with an open file's last one its lock ends."""
        file = self._table.pop(number)
        self._real.close(number)
        file.descriptors -= 1
        if not file.descriptors:
            self.unlock(file)

    def close_all(self) -> None:
        """End: give back every number that the store left open."""
        self.over = True
        for number in list(self._table):
            self.close(number)

    def duplicate_onto(self, number: int, target: int, inheritable: bool) -> None:
        """dup2."""
        file = self._table[number]
        if target in self._table:
            self.close(target)
        self._real.dup2(number, target, inheritable)
        file.descriptors += 1
        self._table[target] = file

    def lock(self, file: OpenFile, *, shared: bool, wait: bool) -> None:
        """flock: held by the open file, against every other one of the same inode."""
        with self._unlocked:
            holders = self._holders.setdefault(id(file.node), {})
            while any(other is not file and not (shared and theirs) for other, theirs in holders.items()):
                if not wait:
                    raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
                self._unlocked.wait()
            holders[file] = shared

    def unlock(self, file: OpenFile) -> None:
        """Let go of an advisory lock, if it is held."""
        with self._unlocked:
            self._holders.get(id(file.node), {}).pop(file, None)
            self._unlocked.notify_all()
