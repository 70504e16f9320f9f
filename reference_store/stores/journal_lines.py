"""What the bytes of a journal file say: its records, and whether its end is an append that a crash cut short.

An append adds one line, or several: those of callers that came at the same time. A crash leaves of it, in the pages
that the file grew by, what was written there or zeros, and maybe not all of the pages. Anything else that is not a
sealed record in its place is damage, and damage is never taken for the end of a journal. Zeros before whole records
are the end of a journal only if these say that they were written together with what is lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reference_store.core import integrity
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData

_SECTOR = 512
_HOLE = re.compile(rb"\x00+")


@dataclass(frozen=True, slots=True)
class Scan:
    """The sound part of a journal: its ``records``, the ``length`` (bytes) that they take, and what comes after it.

    ``terminated`` is False when the last record is whole but its newline is missing; ``torn`` is what an interrupted
    append left.
    """

    records: list[Document]
    length: int
    sequence: int
    terminated: bool
    torn: bytes


def scan(data: bytes, stream: str, file: str, sequence: int = 0, offset: int = 0) -> Scan:
    """Read ``data``, which begins after record ``sequence`` at ``offset`` (bytes) of the file.

    Raises CorruptData, with the line, for a line that is not the sealed record that belongs there, unless it can be
    what a crash left of the last append. The first record is never that: a journal is created whole with it.
    """
    records: list[Document] = []
    position = 0
    terminated = True
    while position < len(data):
        newline = data.find(b"\n", position)
        terminated = newline >= 0
        end = newline if terminated else len(data)
        try:
            records.append(integrity.unseal_record(data[position:end], stream, file, sequence + 1).content)
        except CorruptData:
            rest = data[position:]
            if sequence and _can_be_torn(rest, stream, file, sequence + 1, offset + position):
                return Scan(records, position, sequence, True, rest)
            raise
        sequence += 1
        position = end + terminated
    if sequence == 0:
        raise CorruptData(stream, file, "it is empty, which no journal ever is", 1)
    return Scan(records, position, sequence, terminated, b"")


def _can_be_torn(rest: bytes, stream: str, file: str, sequence: int, offset: int) -> bool:
    """Whether a single append that began with record ``sequence``, or before it, can have left ``rest``."""
    holes = [
        hole.start()
        for hole in _HOLE.finditer(rest)
        # Pages that never reached the disk, not a byte here or there.
        if (hole.start() == 0 or (offset + hole.start()) % _SECTOR == 0)
        and (hole.end() == len(rest) or (offset + hole.end()) % _SECTOR == 0)
    ]
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
