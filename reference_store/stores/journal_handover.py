"""Tells the next writer of a log, in another process, up to where the log is durable already.

Without it a writer that finds records of others has to sync the file and its directory before it may add anything
behind them: three syncs for each append where several processes take turns. The note is believed only by an instance
that has written to this log itself, and so began after the last power loss, and only if the log ends exactly where
the note says. It is written after the sync that it tells of, and needs no sync itself: a note that is lost, damaged
or old costs two syncs.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress

from reference_store.core.atomic import Directory
from reference_store.core.descriptors import write_at
from reference_store.core.directory import NotARegularFile

PREFIX = ".synced-"
_SIZE = 256


def tell(directory: Directory, file: str, inode: int, length: int) -> None:
    """Note that the log ``file`` is durable up to ``length`` (bytes); the caller holds the lock, and has synced it."""
    with suppress(OSError, NotARegularFile):
        opened = directory.open_regular(PREFIX + file, os.O_WRONLY)
        if opened is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor, links = os.open(PREFIX + file, flags, 0o600, dir_fd=directory.descriptor), 1
        else:
            descriptor, links = opened[0], opened[1].st_nlink
        try:
            if links == 1:  # never through a second name that somebody gave to a file of another kind
                write_at(descriptor, _note(file, inode, length), 0)
        finally:
            os.close(descriptor)


def is_told(directory: Directory, file: str, about: os.stat_result) -> bool:
    """Whether all that the log ``file`` has by now is durable; ``about`` is its status, taken under the lock."""
    with suppress(OSError, NotARegularFile):
        found = directory.tail(PREFIX + file, _SIZE)
        return found is not None and found[1] == _note(file, about.st_ino, about.st_size)
    return False


def _note(file: str, inode: int, length: int) -> bytes:
    # One size for all: writing it again changes no metadata but times.
    text = f"{inode} {length} "
    return (text + hashlib.sha256(f"{text}{file}".encode()).hexdigest()).ljust(_SIZE - 1).encode() + b"\n"
