"""A directory held open by its descriptor, and what can be found in it: names, files, and who may read and write them.

Every name is opened without following links, so that nothing planted or swapped in the meantime can lead a read out of
the directory. What is written, and that it is whole and durable, is the business of ``core.atomic``.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from types import ModuleType

from reference_store.core.access import Access, access_of
from reference_store.core.descriptors import read_at, read_from
from reference_store.core.system import flags

DIRECTORY = os.O_RDONLY | flags("O_DIRECTORY")
"""Flags with which a directory is opened, and nothing else."""
_CLOCK_REALTIME_COARSE = 5
_SAFELY = flags("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY")
"""Flags with which opening a planted link fails, and a planted pipe or terminal neither blocks nor takes over."""
_NOT_A_FILE = {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR}


class NotARegularFile(Exception):  # noqa: N818 - says what is the case
    """The name belongs to a link, directory, pipe, socket or device: nothing that a store has written."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it was read: its bytes and what replacing it must respect."""

    data: bytes
    mode: int
    inode: int
    links: int
    access: Access


class OpenDirectory:
    """A directory held open by descriptor; it is closed when the last user lets go of this object, or by ``close``.

    So an operation that is under way in another thread when a store is closed ends on the directory it began on.
    """

    _close: Callable[[], object] = int
    """Closes it; called again it does nothing."""

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor, self.path = descriptor, path
        # Bound now: whoever replaced os while this was opened must also be the one that closes it.
        self._close = partial(next, map(_closing(), (descriptor,)), None)

    # Python swallows what a signal's handler raises in code that runs because the last user has gone. So there is no
    # code of Python's here: the attribute is looked up and called, and the descriptor closed, in a single step.
    __del__ = property(attrgetter("_close"))

    def close(self) -> None:
        """Close it now: nobody else uses it."""
        with suppress(OSError):
            self._close()

    def names(self) -> list[str]:
        """The names in this directory, in no particular order.

        Where files are replaced meanwhile a name may be missing, as the system likes; see ``names_at_one_moment``.
        """
        # Opened for this listing alone: the position in a directory belongs to whoever shares the open one.
        listed = os.open(".", DIRECTORY, dir_fd=self.descriptor)
        try:
            return os.listdir(listed)
        finally:
            os.close(listed)

    def names_at_one_moment(self) -> list[str] | None:
        """The names in this directory if nothing has changed while they were listed; None if something may have.

        Changes are stamped with a clock that stands still for some milliseconds: one that came right before the listing
        hides those that come during it.
        """
        now = _stamp()
        before = os.fstat(self.descriptor).st_mtime_ns
        if before >= now:
            return None
        names = self.names()
        return names if os.fstat(self.descriptor).st_mtime_ns == before else None

    def has(self, name: str) -> bool:
        """Whether there is something of this name, a link too."""
        try:
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def inode(self, name: str) -> int | None:
        """The number of the file of this name, a link too; None if there is none."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None

    def read(self, name: str, limit: int) -> Found | None:
        """Return the file ``name``, or None if there is none.

        Raises NotARegularFile, TooLarge above ``limit`` bytes, and OSError when it cannot be read.
        """
        opened = self.open_regular(name, os.O_RDONLY)
        if opened is None:
            return None
        descriptor, about = opened
        try:
            data = read_from(descriptor, about.st_size, limit)
            access = access_of(descriptor, about)
            return Found(data, access.mode, about.st_ino, about.st_nlink, access)
        finally:
            os.close(descriptor)

    def tail(self, name: str, length: int) -> tuple[int, bytes] | None:
        """Return the size of the file ``name`` and its last ``length`` bytes, or None if there is none.

        Raises NotARegularFile, and OSError when it cannot be read.
        """
        opened = self.open_regular(name, os.O_RDONLY)
        if opened is None:
            return None
        descriptor, about = opened
        try:
            return about.st_size, read_at(descriptor, length, max(about.st_size - length, 0))
        finally:
            os.close(descriptor)

    def open_regular(self, name: str, flags: int) -> tuple[int, os.stat_result] | None:
        """Open the file ``name``: return its descriptor and status, or None if there is none.

        Raises NotARegularFile, and OSError when it cannot be opened.
        """
        try:
            descriptor = os.open(name, flags | _SAFELY, dir_fd=self.descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _NOT_A_FILE:
                raise NotARegularFile from error
            raise
        try:
            about = os.fstat(descriptor)
            if stat.S_ISREG(about.st_mode):
                return descriptor, about
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        raise NotARegularFile

    def access(self, name: str) -> Access | None:
        """Return who may read and write the file ``name``, None if there is no regular file of this name."""
        try:
            opened = self.open_regular(name, os.O_RDONLY)
        except NotARegularFile:
            return None
        if opened is None:
            return None
        try:
            return access_of(*opened)
        finally:
            os.close(opened[0])

    def _open(self, name: str) -> int:
        return os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=self.descriptor)


def is_settled(changed: int) -> bool:
    """Whether what comes now is stamped later than ``changed`` (ns), so that the two can be told apart."""
    return changed < _stamp()


def _closing() -> Callable[[int], None]:
    """``os.close``, without what a stand-in of ``os`` (pyfakefs) says when its files are gone before the directory."""
    close = os.close
    if isinstance(os, ModuleType):
        return close

    def closing(descriptor: int) -> None:
        with suppress(AssertionError):
            close(descriptor)

    return closing


def _stamp() -> int:
    """The time (ns) that the next change of a directory is stamped with, or one before it."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
    return time.time_ns() - 20_000_000
