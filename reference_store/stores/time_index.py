"""Which parts of a log of events a range of time can be in, so that all others need not be read.

For each block of records the index has the earliest and the latest time. It stands in memory, and beside the log in a
file whose name begins with ``.times-``; that file is made by readers, can be deleted at any time, and counts only if
its digest is right and it is about this very file: same inode, same records at its end and at places in between. A
log is only ever appended to, so an index that was true stays true. What it points to is checked as always.
"""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import le

from reference_store.core.atomic import Directory, NotPinned
from reference_store.core.descriptors import TooLarge
from reference_store.core.directory import NotARegularFile
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData
from reference_store.stores.journal_lines import LogFile, sealed

PREFIX = ".times-"
BLOCK = 4
"""Records of a block."""
ALWAYS = (-(1 << 63), (1 << 63) - 1)
"""The times of a block that is looked at whatever the range is."""

_LARGEST = 256 << 20
_SIGN = 80
_PROBES = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a log, ``size`` bytes: they begin at ``offset`` behind record ``sequence``, and end with ``number``."""

    sequence: int
    offset: int
    number: int
    size: int


class TimeIndex:
    """The blocks at the beginning of the log with this inode; what comes behind ``length`` (bytes) is not indexed.

    Threads share it once it was published, and it does not change any more: who has more to add makes a ``copy``.
    """

    def __init__(self, inode: int) -> None:
        self.inode, self.sequence, self.length = inode, 0, 0
        self.sign = b""
        self._sequences, self._offsets = array("q"), array("q")
        self._earliest, self._latest = array("q"), array("q")
        self._ordered = True  # as events mostly come

    def __len__(self) -> int:
        return len(self._offsets)

    def copy(self) -> TimeIndex:
        """Return an index like this one."""
        other = TimeIndex(self.inode)
        other.sequence, other.length, other.sign = self.sequence, self.length, self.sign
        other._sequences, other._offsets = self._sequences[:], self._offsets[:]
        other._earliest, other._latest, other._ordered = self._earliest[:], self._latest[:], self._ordered
        return other

    def add(self, earliest: int, latest: int, number: int, length: int) -> None:
        """Add the block that reaches up to record ``number`` and ``length`` (bytes)."""
        if len(self):
            self._ordered &= self._earliest[-1] <= earliest and self._latest[-1] <= latest
        self._sequences.append(self.sequence)
        self._offsets.append(self.length)
        self._earliest.append(earliest)
        self._latest.append(latest)
        self.sequence, self.length = number, length

    def sign_with(self, log: LogFile) -> None:
        """Take down how the last indexed record ends, so that the log is known again."""
        size = min(self.length, _SIGN)
        self.sign = log.at(self.length - size, size)

    def is_about(self, log: LogFile, inode: int) -> bool:
        """Whether the log that is open now is the one that was indexed."""
        if inode != self.inode or log.size < self.length:
            return False
        return log.at(self.length - len(self.sign), len(self.sign)) == self.sign

    def parts(self, first: int, last: int) -> Iterator[Part]:
        """Yield what has to be read to find all that happened from ``first`` to ``last`` in the indexed part."""
        if self._ordered:
            begin, end = bisect_left(self._latest, first), bisect_right(self._earliest, last)
            runs = [(begin, end)] if begin < end else []
        else:
            runs = _runs(
                place
                for place, (earliest, latest) in enumerate(zip(self._earliest, self._latest, strict=True))
                if earliest <= last and first <= latest
            )
        for begin, end in runs:
            inside = end < len(self)
            number = self._sequences[end] if inside else self.sequence
            size = (self._offsets[end] if inside else self.length) - self._offsets[begin]
            yield Part(self._sequences[begin], self._offsets[begin], number, size)

    def save(self, directory: Directory, stream: str, file: str) -> None:
        """Keep the index beside the log, if that is possible."""
        header: dict[str, int | str] = {"inode": self.inode, "sequence": self.sequence, "length": self.length}
        header |= {"sign": self.sign.hex(), "blocks": len(self), "order": sys.byteorder}
        columns = (self._sequences, self._offsets, self._earliest, self._latest)
        content = json.dumps(header).encode() + b"\n" + b"".join(column.tobytes() for column in columns)
        with suppress(OSError, NotPinned):
            directory.replace(PREFIX + file, _sealed(stream, content), None)


def load(directory: Directory, stream: str, file: str, log: LogFile, inode: int) -> TimeIndex | None:
    """Return the index that stands beside the log; None if there is none, or if nothing vouches for it."""
    try:
        found = directory.read(PREFIX + file, _LARGEST)
        if found is None or _sealed(stream, found.data[_DIGEST:]) != found.data:
            return None
        header_line, _, columns = found.data[_DIGEST:].partition(b"\n")
        header = json.loads(header_line)
        if header["order"] != sys.byteorder:
            return None
        index, size = TimeIndex(header["inode"]), 8 * header["blocks"]
        index.sequence, index.length = header["sequence"], header["length"]
        index.sign = bytes.fromhex(header["sign"])
        for number, column in enumerate((index._sequences, index._offsets, index._earliest, index._latest)):
            column.frombytes(columns[number * size : (number + 1) * size])
    except (OSError, NotARegularFile, TooLarge, ValueError, KeyError, TypeError) as error:
        let_out(error)
        return None
    index._ordered = _is_sorted(index._earliest) and _is_sorted(index._latest)
    return index if index.is_about(log, inode) and _is_seen_in(index, log, stream, file) else None


def _runs(places: Iterator[int]) -> list[tuple[int, int]]:
    """The numbers, which ascend, as ranges: where each begins, and before what it ends."""
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and runs[-1][1] == place:
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    return runs


def _is_sorted(times: array[int]) -> bool:
    return all(map(le, times, times[1:]))


def _is_seen_in(index: TimeIndex, log: LogFile, stream: str, file: str) -> bool:
    """Whether blocks, taken here and there, begin where the index says."""
    for place in range(0, len(index), max(len(index) // _PROBES, 1)):
        _offset, raw, terminated = next(log.lines(index._offsets[place], 4096), (0, b"", False))
        try:
            if not terminated or sealed(raw, stream, file, 0).before != index._sequences[place]:
                return False
        except CorruptData:
            return False
    return True


_DIGEST = 32


def _sealed(stream: str, content: bytes) -> bytes:
    return hashlib.sha256(f"times {stream}\n".encode() + content).digest() + content
