"""Logs that only grow: what one holds at a moment can be read later, while its writers go on.

Without that all writers of a log of a gigabyte would wait until it is read, written into the vault and read again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.descriptors import read_at
from reference_store.core.directory import NotARegularFile
from reference_store.errors import CorruptData
from reference_store.stores.journal_ends import end_of
from reference_store.stores.journal_files import SUFFIX
from reference_store.stores.journal_lines import LogFile

SMALLEST = 4 << 20
"""Bytes; a smaller log is read at once."""
_TAIL = 1 << 14
"""Bytes at the end that are looked at once more."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A log that is open: what its status said when it was noted, and with which bytes it ended then."""

    descriptor: int
    about: os.stat_result
    tail: bytes

    def is_as_it_was(self) -> bool:
        """Whether its bytes are still those that were noted.

        Who cuts off an append that failed, and could not be taken back at once, cuts from where that append began: the
        end is another then, whatever was added since.
        """
        return _tail(self.descriptor, self.about.st_size) == self.tail


def _tail(descriptor: int, size: int) -> bytes:
    return read_at(descriptor, min(_TAIL, size), max(0, size - _TAIL))


def is_large_log(name: str, about: os.stat_result) -> bool:
    """Whether a file may be one that ``opened`` can open."""
    return name.endswith(SUFFIX) and about.st_size >= SMALLEST


def opened(directory: Directory, name: str) -> Noted | None:
    """Open a large log that ends with a whole append; None for any other file. The caller holds its lock.

    Its bytes, as many as its status says, do not change any more: stores add behind them, and where a log is removed
    or salvaged, what is open stays. Of an append that was cut short they would be cut off; of one that is whole, though
    its sync failed, ``is_as_it_was`` tells.
    """
    stream = keys.decode(name.removesuffix(SUFFIX))
    try:
        found = None if stream is None else directory.open_regular(name, os.O_RDONLY)
    except NotARegularFile:
        return None
    if stream is None or found is None:
        return None
    try:
        if is_large_log(name, found[1]):
            walk = end_of(LogFile(found[0], found[1].st_size), stream, name)
            if walk.terminated and not walk.torn:
                return Noted(*found, _tail(found[0], found[1].st_size))
    except CorruptData:
        pass
    except BaseException:
        os.close(found[0])
        raise
    os.close(found[0])
    return None


def ends_whole(directory: Directory, name: str) -> bool:
    """Whether a log can be opened so as it is now, though it may change at once."""
    noted = opened(directory, name)
    if noted is not None:
        os.close(noted.descriptor)
    return noted is not None
