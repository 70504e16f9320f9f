"""Finds a place in a log without reading all that is before it: its end, and the record with a given number.

Every line says its number under its seal, so that a line anywhere is an anchor from which the rest can be checked.
What is before the anchor is not looked at here: going through the log from its beginning is what vouches for that.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_store.errors import CorruptData
from reference_store.stores.journal_lines import LogFile, Walk, sealed

NEAR = 16 << 10
"""Bytes at the end of a log that are checked before something is appended to what one knows nothing of."""
FAR = 4 * NEAR
"""Bytes that others may have appended and that are gone through; where they are more, only the end is looked at."""

_PROBE = 4 << 10
_PIECE = 128 << 10


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a sealed line begins, and the number that the line before it has."""

    sequence: int
    offset: int


_BEGINNING = Anchor(0, 0)


def end_of(log: LogFile, stream: str, file: str, known: Anchor | None = None) -> Walk:
    """Return a walk that has arrived at the end; all of the last append was looked at, and NEAR bytes of what is new.

    ``known`` is where the log ended once, nothing before which is looked at: what was added since is gone through if
    it has no more than FAR bytes. For all writers of the root wait meanwhile, and a program that does not append often
    must not make them wait longer than one that begins. An append is durable before the next one begins, so no crash
    leaves anything of an earlier one missing. Raises CorruptData for damage that was met.
    """
    if known is not None and log.size - known.offset <= FAR:
        return Walk(log, stream, file, known.sequence, known.offset).to_the_end()
    begin = known or _BEGINNING
    window = NEAR
    while window < log.size - begin.offset:
        anchor = _anchor_behind(log, stream, file, log.size - window)
        if anchor is not None:
            walk = Walk(log, stream, file, anchor.sequence, anchor.offset).to_the_end()
            if walk.first > anchor.sequence or _is_unbroken(log, stream, file, walk.first, anchor):
                return walk
        window *= 4
    return Walk(log, stream, file, begin.sequence, begin.offset).to_the_end()


def place_behind(log: LogFile, stream: str, file: str, since: int) -> Anchor:
    """Return an anchor not far before the record that follows record ``since``."""
    found, begin, end = _BEGINNING, 0, log.size
    while end - begin > NEAR:
        middle = (begin + end) // 2
        anchor = _anchor_behind(log, stream, file, middle)
        if anchor is None or anchor.offset >= end or anchor.sequence > since:
            end = middle
        else:
            found, begin = anchor, anchor.offset
    return found


def _anchor_behind(log: LogFile, stream: str, file: str, offset: int) -> Anchor | None:
    """The first line that begins behind ``offset``, if it is a whole and sealed one."""
    lines = log.lines(offset, _PROBE)
    next(lines, None)  # begins before it
    begin, raw, terminated = next(lines, (0, b"", False))
    if not terminated:
        return None
    try:
        return Anchor(sealed(raw, stream, file, 0).before, begin)
    except CorruptData:
        return None


def _is_unbroken(log: LogFile, stream: str, file: str, first: int, anchor: Anchor) -> bool:
    """Whether nothing is missing of an append from its record ``first`` up to the anchor.

    A page that did not reach the disk reads as zeros, which no text of a record has.
    """
    missing, begin, piece = anchor.sequence - first + 2, anchor.offset, b""
    while missing and begin:
        size = min(begin, _PIECE)
        begin -= size
        piece = log.at(begin, size)
        newlines = piece.count(b"\n")
        if newlines >= missing:
            cut = len(piece)
            for _ in range(missing):
                cut = piece.rindex(b"\n", 0, cut)
            begin += cut + 1
            piece, missing = piece[cut + 1 :], 0
        else:
            missing -= newlines
        if b"\x00" in piece:
            return False
    found = _anchor_behind(log, stream, file, begin - 1) if begin else _BEGINNING
    return found == Anchor(first - 1, begin)
