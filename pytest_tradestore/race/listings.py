"""Listings of directories, which the kernel reads piece by piece: others can come between two pieces.

Whoever lists through an open directory shares the place that it has been read to with all who do, and with forked
processes: that is the kernel's own doing here. A name that is given to another file meanwhile is passed over by btrfs
and tmpfs, where it moves in front of that place or behind the end that was known when the directory was opened; that is
played, so that two names stand for the thousand of which there are several pieces.
"""

import _thread
import os
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.race.in_force import Stopping, running

PASSED_OVER = "passes over "
"""How the note begins that names were passed over."""
_ident, _close, _open, _scandir = _thread.get_ident, os.close, os.open, os.scandir


def install(patches: Patches) -> None:
    """Put the stand-ins for ``listdir`` and ``scandir`` into ``os``."""
    for original, make in ((os.listdir, _listdir), (os.scandir, _opened)):
        made = make(original)
        made.__name__ = made.__qualname__ = original.__name__
        made.__doc__ = original.__doc__
        patches.replace(os, original.__name__, made)


def _listdir(original: Any) -> Any:
    def stand_in(path: Any = None) -> Any:
        actor, called = _asked(path)
        if actor is None:
            return original(path)
        return [entry.name for entry in _listed(actor, f"listdir {called}", path)]

    return stand_in


def _opened(original: Any) -> Any:
    def stand_in(path: Any = None) -> Any:
        actor, called = _asked(path)
        return original(path) if actor is None else _Entries(_listed(actor, f"scandir {called}", path))

    return stand_in


def _asked(path: Any) -> tuple[Stopping | None, str]:
    """Return which actor lists, and what it lists; none where nobody else could notice."""
    actor = running.get(_ident())
    called = None if actor is None else actor.in_force.names.name("." if path is None else path)
    return (None, "") if called is None else (actor, called)


def _listed(actor: Stopping, operation: str, path: Any) -> "list[os.DirEntry[Any]]":
    actor.reach(operation)
    with _scandir(path) as listing:
        first = next(listing, None)  # the first piece; one of nothing was the last
        if first is None:
            return []
        before = _files(path)
        actor.reach(f"{operation}, the rest")
        entries = [first, *listing]
    now = _files(path)
    others = {name for name, inode in before.items() if now.get(name, inode) != inode}
    if others and actor.watched:
        actor.did(f"{PASSED_OVER}{', '.join(sorted(map(os.fsdecode, others)))}")
    return [entry for entry in entries if entry.name not in others]


def _files(path: Any) -> dict[Any, int]:
    """Return which file each name of a directory stands for, read from a place of one's own; none if it is gone."""
    with suppress(OSError):
        if not isinstance(path, int):
            return _inodes(path)
        number = _open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=path)
        try:
            return _inodes(number)
        finally:
            _close(number)
    return {}


def _inodes(path: Any) -> dict[Any, int]:
    with _scandir(path) as listing:
        return {entry.name: entry.inode() for entry in listing}


class _Entries:
    """What ``scandir`` returns."""

    def __init__(self, entries: "list[os.DirEntry[Any]]") -> None:
        self._left = iter(entries)

    def __iter__(self) -> "Iterator[os.DirEntry[Any]]":
        return self

    def __next__(self) -> "os.DirEntry[Any]":
        return next(self._left)

    def __enter__(self) -> "_Entries":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def close(self) -> None:
        self._left = iter(())
