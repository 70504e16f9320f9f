"""The files below a directory of stores, and all of its locks held at once.

No link is followed. A lock covers the directories below it that have none of their own; where there is no lock no
store has written.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from reference_store.core.atomic import Directory
from reference_store.core.descriptors import read_at
from reference_store.core.locking import LOCK_FILE
from reference_store.core.root import Borrowed, Root, as_failure
from reference_store.errors import LockTimeout
from reference_store.operations.backups.generations import is_left_out

T = TypeVar("T")

PIECE = 1 << 20
_AT_A_TIME = 1.0
"""Seconds that one lock is waited for while others are held; then all are given back, for a user of two might wait."""


@dataclass(frozen=True, slots=True)
class Place:
    """A directory by its ``path`` below the root (``""`` for that itself), and what is in it.

    ``others`` are neither files nor directories; locks, marks and temporary files are in none of these.
    """

    path: str
    directory: Directory
    mode: int
    files: dict[str, os.stat_result]
    others: tuple[str, ...]
    has_lock: bool

    def path_of(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


def walk(directory: Directory, path: str = "") -> Iterator[Place]:
    """Yield the directory and all below it, each before what is in it; names are in order."""
    files: dict[str, os.stat_result] = {}
    others, below = [], []
    names = directory.names()
    for name in sorted(names):
        if is_left_out(name):
            continue
        try:
            about = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            continue  # replaced or removed meanwhile
        if not _is_text(name):
            others.append(ascii(name))
        elif stat.S_ISDIR(about.st_mode):
            below.append(name)
        elif stat.S_ISREG(about.st_mode):
            files[name] = about
        else:
            others.append(name)
    mode = stat.S_IMODE(os.fstat(directory.descriptor).st_mode)
    yield Place(path, directory, mode, files, tuple(others), LOCK_FILE in names)
    for name in below:
        try:
            child = directory.child(name)
        except FileNotFoundError:
            continue
        yield from walk(child, f"{path}/{name}" if path else name)


class LocksHaveChanged(Exception):  # noqa: N818 - no error: it is done again
    """A store was used for the first time while all locks that there were are held."""


def under_all_locks(directory: Directory, timeout: float, do: Callable[[], T], *, unfinished: bool = False) -> T:
    """Return what ``do`` returns, with all locks of a directory and of those below it held; raises LockTimeout.

    If ``do`` raises LocksHaveChanged it is called again, with all of them.

    ``unfinished`` says that this is a restore: it may work where one was begun, and holds the lock of the directory
    itself also if none was ever held, which leaves a lock file there. The locks are lent to this very call: when it is
    over, however that came, they are free, whoever keeps a traceback of it.
    """
    deadline = time.monotonic() + timeout
    wanted = with_locks(directory)
    if unfinished and "" not in wanted:
        wanted = ["", *wanted]
    while True:
        held: list[Borrowed] = []
        try:
            try:
                for path in wanted:
                    left = max(min(deadline - time.monotonic(), _AT_A_TIME), 0.0)
                    root = Root(_below(directory, path), left, unfinished=unfinished)
                    held.append(root.borrowing("backup", root.path))
                    held[-1].enter(sys._getframe())
            except LockTimeout as error:
                if time.monotonic() >= deadline:
                    raise LockTimeout(error.root, timeout) from None
                continue
            if (found := with_locks(directory)) == wanted:
                with suppress(LocksHaveChanged):
                    return _done(directory, do, "restore" if unfinished else "backup")
                found = with_locks(directory)
            wanted = found  # a store was used for the first time meanwhile
        finally:
            while held:
                held.pop().__exit__(None, None, None)


def _done(directory: Directory, do: Callable[[], T], operation: str) -> T:
    """Return what ``do`` returns; what the system says meanwhile is said of this directory, not of the vault."""
    try:
        return do()
    except OSError as error:
        failure = as_failure(operation, directory.path, error)
        if failure is error:
            raise
        raise failure from error


def with_locks(directory: Directory) -> list[str]:
    """Return the paths of the directories that have a lock."""
    return [place.path for place in walk(directory) if place.has_lock]


def _below(directory: Directory, path: str) -> Directory:
    for name in path.split("/") if path else ():
        directory = directory.child(name)
    return directory


def digest_of(descriptor: int, size: int) -> str:
    """The SHA-256 of the first ``size`` bytes of a file."""
    digest = hashlib.sha256()
    for piece in pieces_of(descriptor, size):
        digest.update(piece)
    return digest.hexdigest()


def pieces_of(descriptor: int, size: int) -> Iterator[bytes]:
    """Read the first ``size`` bytes of a file, or what there is of them."""
    at = 0
    while at < size and (piece := read_at(descriptor, min(PIECE, size - at), at)):
        at += len(piece)
        yield piece


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
