"""What of an inspection need not be made again, because what decides it has been seen before.

Two images that differ only in what nobody reads show the same; and so do two that are the same once the next update has
been made, when they are opened again. Whether a file was read is told by the time of its last access, where the
file system keeps that.
"""

import hashlib
import marshal
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pytest_tradestore.crash.images import LONG_AGO, DurableImage

_T = TypeVar("_T")
_WITHOUT_REFERENCES = 2
"""The version of the format in which equal values are equal bytes."""


@dataclass
class AsSeenBefore(Generic[_T]):
    """Answers by all that decides them: where the image lies in files of equal sizes, what was read of it.

    ``place`` is what an answer is about beside the image.
    """

    _answers: dict[tuple[object, ...], list[tuple[tuple[tuple[int, bytes], ...], _T]]] = field(default_factory=dict)

    def find(self, image: DurableImage, place: str) -> _T | None:
        """Return the answer for an image that was the same in all that was read."""
        for read, answer in self._answers.get((place, *image.shape), ()):
            if all(image.files[number].content == content for number, content in read):
                return answer
        return None

    def keep(self, image: DurableImage, place: str, unread: frozenset[str], answer: _T) -> None:
        """Remember an answer; the content of ``unread`` files has had no part in it."""
        first: dict[object, str] = {}
        read = tuple(
            (number, file.content)
            for number, file in enumerate(image.files)
            if first.setdefault(file.inode, file.path) not in unread
        )
        self._answers.setdefault((place, *image.shape), []).append((read, answer))


def unread(held: Mapping[str, int], stamps: Mapping[str, int], *, gone: bool = False) -> frozenset[str]:
    """Return which of the files of an image nobody has read since it was written; of ``gone`` ones only.

    ``held`` are their descriptors: what has no name any more is asked as well.
    """
    found = []
    for path, descriptor in held.items():
        with suppress(OSError):  # somebody has closed it
            status = os.fstat(descriptor)
            if status.st_atime_ns == stamps[path] * 1_000_000_000 and not (gone and status.st_nlink):
                found.append(path)
    return frozenset(found)


def notes_reading(directory: Path) -> bool:
    """Say whether the file system of a directory keeps when a file was last read, and lets it be kept open."""
    if not hasattr(os, "O_NOATIME"):  # elsewhere what is open cannot be removed, or looking counts as reading
        return False
    path = directory / f"read-{os.getpid()}"
    try:
        path.write_bytes(b"1")
        os.utime(path, (LONG_AGO, LONG_AGO))
        path.read_bytes()
        return path.stat().st_atime_ns != LONG_AGO * 1_000_000_000
    except OSError:
        return False
    finally:
        with suppress(OSError):
            path.unlink()


def fingerprint(root: str) -> bytes | None:
    """Return what is the same for two trees if nothing tells one from the other but times; None if it cannot be read.

    Of times only the order counts. The last access to a file stays as it was.
    """
    entries: list[tuple[object, ...]] = []
    inodes: dict[int, int] = {}
    times: list[int] = []

    def walk(prefix: str) -> None:
        for entry in sorted(os.scandir(f"{root}/{prefix}"), key=lambda entry: entry.name):
            path, status = prefix + entry.name, entry.stat(follow_symlinks=False)
            held: object = None
            if stat.S_ISLNK(status.st_mode):
                held = os.readlink(entry.path).replace(root, "")
            elif stat.S_ISREG(status.st_mode):
                held = _content(entry.path), tuple((name, os.getxattr(entry.path, name)) for name in _names(entry.path))
                times.append(status.st_mtime_ns)
            same = inodes.setdefault(status.st_ino, len(inodes))
            entries.append((path, status.st_mode, status.st_uid, status.st_gid, same, held))
            if stat.S_ISDIR(status.st_mode):
                walk(path + "/")

    try:
        walk("")
    except OSError:
        return None
    rank = {time: number for number, time in enumerate(sorted(set(times)))}
    return hashlib.blake2b(marshal.dumps((entries, [rank[time] for time in times]), _WITHOUT_REFERENCES)).digest()


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOATIME", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        pieces = []
        while piece := os.read(descriptor, 1 << 20):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _names(path: str) -> list[str]:
    return os.listxattr(path) if hasattr(os, "listxattr") else []
