"""What the bytes of a log say: its records, and whether its end is an append that a crash cut short.

An append adds one line, or several: those of callers that came at the same time. A crash leaves of it, in the pages
that the file grew by, what was written there or zeros, and maybe not all of the pages. Anything else that is not a
sealed record in its place is damage, and damage is never taken for the end of a log. Zeros before whole records are
the end of a log only if these say that they were written together with what is lost.

A log is gone through line by line; where to begin is ``journal_ends``'s business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from reference_store.core import integrity
from reference_store.core.descriptors import read_at
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData
from reference_store.stores.journal_gaps import gap_in

LONGEST_LINE = 256 << 20
"""Bytes of a line that are looked at; a record is far shorter (``journal.LONGEST``)."""

_SECTOR = 512
_CHUNK = 256 << 10
_HOLE = re.compile(rb"\x00+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and its number: the first one of a log has 1, and a number is never given twice."""

    number: int
    record: Document


@dataclass(frozen=True, slots=True)
class Line:
    """A sealed line: the number of its record, that of the first record of its append, and what it holds.

    ``before`` is the number that the line before it has. A line without a ``record`` stands for lost ones.
    """

    number: int
    first: int
    before: int
    record: Document | None


class LogFile:
    """The bytes of a log that is open as ``descriptor``, up to the ``size`` (bytes) that it had when it was asked."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor, self.size = descriptor, size

    def at(self, offset: int, length: int) -> bytes:
        """The bytes from ``offset`` on, at most ``length``; fewer only where the file ends."""
        data = read_at(self.descriptor, length, offset)
        while len(data) < length and (more := read_at(self.descriptor, length - len(data), offset + len(data))):
            data += more
        return data

    def lines(self, offset: int, chunk_size: int = _CHUNK) -> Iterator[tuple[int, bytes, bool]]:
        """Yield the lines from ``offset`` on: where each begins, its bytes, and whether its newline is there.

        A line longer than LONGEST_LINE comes in pieces, without their newline. ``chunk_size`` (bytes) is read at once.
        """
        begun = bytearray()
        position = offset
        while position < self.size and (chunk := self.at(position, min(chunk_size, self.size - position))):
            position += len(chunk)
            first, *others = chunk.split(b"\n")
            begun += first
            for line in others:
                yield offset, bytes(begun), True
                offset += len(begun) + 1
                begun = bytearray(line)
            if len(begun) > LONGEST_LINE:
                yield offset, bytes(begun), False
                offset, begun = position, bytearray()
        if begun:
            yield offset, bytes(begun), False

    def refresh(self) -> None:
        """Ask for the size again."""
        self.size = os.fstat(self.descriptor).st_size


def sealed(line: bytes, stream: str, file: str, place: int) -> Line:
    """Return what a line says, whatever its number; raises CorruptData, naming line ``place``, without its seal."""
    gap = gap_in(line, stream)
    if gap is not None:
        return Line(gap.number, gap.number, gap.number - gap.lost, None)
    found = integrity.sealed_record(line, stream, file, place)
    return Line(found.number, found.first, found.number - 1, found.content)


class Walk:
    """Goes through ``log`` from ``offset``, where the line behind record ``sequence`` begins, and counts along.

    ``length`` is the end of the sound part so far, ``sequence`` the number of its last record and ``first`` of the
    record with which the append of that began. ``last`` is where the last line begins. Afterwards ``terminated`` is
    False when the last record is whole but its newline is missing, and ``torn`` is what an interrupted append left.

    Iterating raises CorruptData, with the line, for a line that is not the sealed record that belongs there, unless it
    can be what a crash left of the last append. The first record is never that: a log is created whole with it.
    """

    def __init__(
        self, log: LogFile, stream: str, file: str, sequence: int = 0, offset: int = 0, chunk_size: int = _CHUNK
    ) -> None:
        self._log, self._stream, self._file, self._chunk_size = log, stream, file, chunk_size
        self.sequence, self.length, self.last, self.first = sequence, offset, offset, 0
        self.terminated = True
        self.torn = b""

    def __iter__(self) -> Iterator[Entry]:
        lines = self._log.lines(self.length, self._chunk_size)
        while (found := next(lines, None)) is not None:
            offset, raw, terminated = found
            try:
                line = self._in_its_place(raw)
            except CorruptData:
                if self._is_torn(offset, raw, terminated=terminated):
                    return
                # Somebody may have cut off an interrupted append, and appended, since these bytes were read.
                self._log.refresh()
                if self._log.at(offset, len(raw) + terminated) == raw + b"\n" * terminated:
                    raise
                lines = self._log.lines(offset, self._chunk_size)
                continue
            self.sequence, self.first, self.last = line.number, line.first, offset
            self.length, self.terminated = offset + len(raw) + terminated, terminated
            if line.record is not None:
                yield Entry(line.number, line.record)
        if self.sequence == 0:
            raise CorruptData(self._stream, self._file, "it is empty, which no journal ever is", 1)

    def to_the_end(self) -> Walk:
        """Go through what is left, and return this."""
        for _entry in self:
            pass
        return self

    def _in_its_place(self, raw: bytes) -> Line:
        place = self.sequence + 1
        line = sealed(raw, self._stream, self._file, place)
        if line.before != self.sequence:
            reason = f"record {line.number} stands where record {place} belongs"
            raise CorruptData(self._stream, self._file, reason, place)
        return line

    def _is_torn(self, offset: int, line: bytes, *, terminated: bool) -> bool:
        if not self.sequence:
            return False
        # Damage in the middle of a long log is told from its first line, without reading what is behind it.
        if terminated and not any(_on_sectors(hole, offset, None) for hole in _HOLE.finditer(line)):
            return False
        if self._log.size - offset > LONGEST_LINE:
            return False
        rest = self._log.at(offset, self._log.size - offset)
        if not _can_be_torn(rest, self._stream, self._file, self.sequence + 1, offset):
            return False
        self.torn, self.terminated = rest, True
        return True


def _on_sectors(hole: re.Match[bytes], offset: int, end: int | None) -> bool:
    """Whether these zeros, found in bytes from ``offset`` to ``end``, can be pages that never reached the disk."""
    return (hole.start() == 0 or (offset + hole.start()) % _SECTOR == 0) and (
        hole.end() == end or (offset + hole.end()) % _SECTOR == 0
    )


def _can_be_torn(rest: bytes, stream: str, file: str, sequence: int, offset: int) -> bool:
    """Whether a single append that began with record ``sequence``, or before it, can have left ``rest``."""
    holes = [hole.start() for hole in _HOLE.finditer(rest) if _on_sectors(hole, offset, len(rest))]
    position = 0
    while position < len(rest):
        newline = rest.find(b"\n", position)
        end = newline if newline >= 0 else len(rest)
        if any(position <= hole < end for hole in holes):
            pass
        elif newline < 0:
            if position == 0 and _is_whole(rest[:-1], stream, file, sequence):
                return False  # a whole record whose newline became something else
        elif position == 0 or not _is_whole(rest[position:end], stream, file, sequence):
            return False  # the first one is damaged, and nothing of it is missing
        position = end + 1
    return True


def _is_whole(line: bytes, stream: str, file: str, sequence: int) -> bool:
    """Whether the line is a sealed record from the append that record ``sequence`` belongs to."""
    try:
        found = integrity.sealed_record(line, stream, file, sequence)
    except CorruptData:
        return False
    return found.first <= sequence <= found.number
