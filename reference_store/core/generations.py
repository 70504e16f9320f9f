"""The highest generation of a document that was ever removed from a root, noted in the root's lock file.

A document that is made anew begins behind it, so that who has seen a generation before the removal never takes the new
document for that one. The note outlives processes; a power loss ends all who could have seen anything, and may take it.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress

from reference_store.core.atomic import Directory
from reference_store.core.descriptors import read_at, write_at
from reference_store.core.locking import LOCK_FILE

_NOTE = re.compile(rb"removed up to generation ([0-9]{20})\n")
_MOST = 64
_FULL = {errno.ENOSPC, errno.EDQUOT}


def removed_up_to(directory: Directory) -> int:
    """Return the highest generation that was removed, 0 if none was or nothing is known of it."""
    with suppress(OSError):
        descriptor = os.open(LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory.descriptor)
        try:
            found = _NOTE.fullmatch(read_at(descriptor, _MOST, 0))
            return int(found[1]) if found else 0
        finally:
            os.close(descriptor)
    return 0


def note_removed(directory: Directory, generation: int, backup: str) -> None:
    """Note that a document of this generation is removed; the caller holds the lock. Raises OSError.

    The first note of a root takes a block. On a full disk that is one of the ``backup``, which is to go anyway.
    """
    if generation <= removed_up_to(directory):
        return
    try:
        _note(directory, generation)
    except OSError as error:
        if error.errno not in _FULL or not directory.unlink(backup):
            raise
        directory.pin()  # its room is free when this is over
        _note(directory, generation)


def _note(directory: Directory, generation: int) -> None:
    descriptor = os.open(LOCK_FILE, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory.descriptor)
    try:
        if os.fstat(descriptor).st_nlink == 1:  # a planted link gives the name to a file that is not ours
            write_at(descriptor, b"removed up to generation %020d\n" % generation, 0)
    finally:
        os.close(descriptor)
