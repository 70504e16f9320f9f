"""Reads, writes and syncs that are over only when all of it is done."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from types import ModuleType

try:
    import fcntl
except ImportError:  # no store is opened where there are no locks: see core.system
    fcntl = None  # type: ignore[assignment] # nothing below is reached there

_CHUNK = 1 << 20


class TooLarge(Exception):  # noqa: N818 - says what is the case
    """The file is larger than the reader allows."""


def read_from(descriptor: int, size: int, limit: int) -> bytes:
    """Return the file from the descriptor's position on; ``size`` (bytes) is a guess, ``limit`` is not."""
    if size > limit:
        raise TooLarge
    data = os.read(descriptor, size + 1)
    if len(data) == size:
        return data  # asked for one byte more: the end has been seen
    chunks = [data]
    total = len(data)
    while chunk := os.read(descriptor, _CHUNK):
        chunks.append(chunk)
        total += len(chunk)
        if total > limit:
            raise TooLarge
    return b"".join(chunks)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; the system may take less than it is given without calling that an error."""
    written = os.write(descriptor, data)
    while written < len(data):
        taken = os.write(descriptor, memoryview(data)[written:])
        if taken == 0:
            raise OSError(errno.EIO, "the system wrote nothing")
        written += taken


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Return up to ``length`` bytes from ``offset`` on, of a descriptor that no other thread reads meanwhile."""
    if _has("pread"):
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write ``data`` at ``offset``, in one call, to a descriptor that no other thread uses meanwhile."""
    if _has("pwrite"):
        os.pwrite(descriptor, data, offset)
        return
    os.lseek(descriptor, offset, os.SEEK_SET)
    os.write(descriptor, data)


def _has(call: str) -> bool:
    """Whether ``os`` has a call of its own: a stand-in of it (pyfakefs) hands on what it has not to the real files."""
    return isinstance(os, ModuleType) or hasattr(type(os), call)


def sync(descriptor: int) -> None:
    """Wait until the file or directory is on the medium; on macOS plain fsync stops at the drive's cache."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_data(descriptor: int) -> None:
    """Wait until what the file holds is on the medium, within the size that it had when it was last synced."""
    getattr(os, "fdatasync", sync)(descriptor)  # which macOS has not


def hand_over(descriptor: int) -> None:
    """Have the system begin to write a file, or forget what it has read of it, where it takes the hint."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
