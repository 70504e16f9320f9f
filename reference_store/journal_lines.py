"""What the bytes of a journal file say: its records, and whether its end is an append that a crash cut short.

An append adds one line. A crash leaves of it, in the pages that the file grew by, its beginning or zeros. Anything else
that is not a sealed record in its place is damage, and damage is never taken for the end of a journal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reference_store import integrity
from reference_store.errors import CorruptData
from reference_store.strict_json import Document

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
            last = not terminated or newline + 1 == len(data)
            if sequence and last and _can_be_torn(rest, stream, file, sequence + 1, offset + position):
                return Scan(records, position, sequence, True, rest)
            raise
        sequence += 1
        position = end + terminated
    if sequence == 0:
        raise CorruptData(stream, file, "it is empty, which no journal ever is", 1)
    return Scan(records, position, sequence, terminated, b"")


def _can_be_torn(line: bytes, stream: str, file: str, sequence: int, offset: int) -> bool:
    if _has_hole(line, offset):
        return True
    if line.endswith(b"\n"):
        return False
    try:
        integrity.unseal_record(line[:-1], stream, file, sequence)
    except CorruptData:
        return True
    return False  # a whole record whose newline became something else


def _has_hole(line: bytes, offset: int) -> bool:
    """Whether pages of the line never reached the disk: zeros between page boundaries, not a byte here or there."""
    return any(
        (hole.start() == 0 or (offset + hole.start()) % _SECTOR == 0)
        and (hole.end() == len(line) or (offset + hole.end()) % _SECTOR == 0)
        for hole in _HOLE.finditer(line)
    )
