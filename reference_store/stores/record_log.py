"""The change log beside a file of records: what its bytes say, and whether its end is what a crash left of a write.

A log is made whole, of a ``size`` that never changes: a line that says what it goes on from, then a line for each
write, then zeros up to its size. So a log that was cut is noticed wherever it was cut. The lines are sealed and
numbered on from the generation of the file of records. A write goes into the zeros, and only one is under way at any
time: a crash leaves of it its beginning, or zeros in whole sectors of it. All else that is no sealed line is damage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from reference_store.core import integrity
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData
from reference_store.stores.record_index import Form, Operation, entry_of_checked

FORMAT = 1
SMALLEST = 64 << 10
"""Bytes of the log of a small store."""

_SECTOR = 512
_ZEROS = re.compile(rb"\x00+")


@dataclass(frozen=True, slots=True)
class Header:
    """What a log goes on from: the write number ``base``, after which the records had the digest ``holds``.

    ``line`` is the text of it, ``size`` the bytes that the log has for ever.
    """

    base: int
    holds: str
    size: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Lines:
    """What was read: the operations of each write, the number of the last one, and where the next one goes (bytes).

    ``clean`` is False when something stands there already, or the last line lacks its end: nothing is added then.
    """

    writes: list[list[Operation]]
    number: int
    end: int
    clean: bool


def encoded(operations: Iterable[Operation]) -> Encoded:
    """Return the operations of one write as the content of a line."""
    parts = (
        f'{{"put": {made.entry.text}}}' if made.entry is not None else f'{{"remove": {json.dumps(made.identifier)}}}'
        for made in operations
    )
    return Encoded(f'{{"changes": [{", ".join(parts)}]}}', {})


def line(content: Encoded, name: str, number: int) -> bytes:
    """Return the line of the write ``number``."""
    return integrity.seal_records([content], _identity(name), number)


def made(form: Form, base: int, holds: str, first: bytes, room: int) -> tuple[Header, bytes]:
    """Return a log that goes on from ``base``, with the line ``first`` in it, and ``room`` (bytes) for more."""
    size = 0
    head = b""
    while len(head) + len(first) + room > size or not head:
        size = max(len(head) + len(first) + room, SMALLEST)
        members = f'"format": {FORMAT}, "of": "{form.name}", "id": "{form.id_name}", "holds": "{holds}", "size": {size}'
        head = integrity.seal_records([Encoded(f"{{{members}}}", {})], _identity(form.name), base)
    return Header(base, holds, size, head), (head + first).ljust(size, b"\x00")


def header_of(data: bytes, name: str, file: str) -> Header:
    """Return what the log that begins with ``data`` goes on from; raises CorruptData."""
    end = data.find(b"\n") + 1
    found = integrity.sealed_record(data[: max(end - 1, 0)], _identity(name), file, 1)
    size, holds = found.content.get("size"), found.content.get("holds")
    if found.content.get("format") != FORMAT or type(size) is not int or type(holds) is not str:
        raise CorruptData(name, file, "it is a log of changes of another version", 1)
    return Header(found.number, holds, size, data[:end])


def whole(data: bytes, form: Form, file: str) -> tuple[Header, Lines]:
    """Read a log from its beginning to its end; raises CorruptData."""
    header = header_of(data, form.name, file)
    if len(data) != header.size:
        raise CorruptData(form.name, file, f"it has {len(data)} bytes instead of {header.size}")
    start = len(header.line)
    return header, read(data[start:], header, form, file, header.base, start)


def read(data: bytes, header: Header, form: Form, file: str, number: int, position: int) -> Lines:
    """Read ``data``, which stands at ``position`` (bytes) of the log after the write ``number``, to its end.

    Raises CorruptData for a line that is not the sealed one that belongs there, unless a crash can have left it.
    """
    writes: list[list[Operation]] = []
    start = int(data.startswith(b"\n"))  # the end of a line that lacked it when it was read
    filled = len(data.rstrip(b"\x00"))
    while start < filled:
        newline = data.find(b"\n", start, filled)
        end = newline if newline >= 0 else filled
        place = number - header.base + 2
        try:
            content = integrity.unseal_record(data[start:end], _identity(form.name), file, number + 1).content
        except CorruptData as damage:
            if _can_be_torn(data[start:filled], form.name, file, number + 1, position + start):
                return Lines(writes, number, position + start, False)
            raise CorruptData(form.name, file, damage.reason, place) from None
        writes.append(_operations(content, form, file, place))
        number += 1
        if newline < 0:
            return Lines(writes, number, position + end, False)
        start = end + 1
    return Lines(writes, number, position + start, True)


def _operations(content: Document, form: Form, file: str, place: int) -> list[Operation]:
    made: list[Operation] = []
    for change in content.get("changes", [None]):
        match change:
            case {"put": dict(record)} if type(record.get(form.id_name)) is str:
                made.append(Operation(record[form.id_name], entry_of_checked(record)))
            case {"remove": str(identifier)}:
                made.append(Operation(identifier, None))
            case _:
                raise CorruptData(form.name, file, "it holds a change that this version does not know", place)
    return made


def _can_be_torn(rest: bytes, name: str, file: str, number: int, offset: int) -> bool:
    """Whether the write ``number``, begun at ``offset`` (bytes) and cut short by a crash, can have left ``rest``."""
    if 0 <= rest.find(b"\n") < len(rest) - 1:
        return False  # more than one line
    for hole in _ZEROS.finditer(rest):
        # Sectors that never reached the disk, not a byte here or there.
        if (hole.start() and (offset + hole.start()) % _SECTOR) or (offset + hole.end()) % _SECTOR:
            return False
    if b"\x00" in rest:
        return True
    if rest.endswith(b"\n"):
        return False  # nothing of it is missing
    try:
        integrity.unseal_record(rest[:-1], _identity(name), file, number)
    except CorruptData:
        return True
    return False  # whole, and its newline became something else


def _identity(name: str) -> str:
    return f"changes of {name}"
