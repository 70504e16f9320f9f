"""The line of a log that stands for records that were lost, and given up by a salvage.

So every record that could be kept keeps its number, a reader that goes on from a number misses nothing, and a line
that is merely missing is still damage. The line holds only a seal: how many were lost, up to which number.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from reference_store.core.integrity import RESERVED

_GAP = re.compile(
    rf'{{"{RESERVED}": {{"sequence": ([1-9][0-9]*), "lost": ([1-9][0-9]*), "sha256": "([0-9a-f]{{64}})"}}}}'.encode()
)
_BEGINNING = f'{{"{RESERVED}": '.encode()


@dataclass(frozen=True, slots=True)
class Gap:
    """``lost`` records, the last of them with ``number``."""

    number: int
    lost: int


def gap_line(gap: Gap, stream: str) -> bytes:
    """Return the line, with its newline, that stands for the gap."""
    seal = f'"sequence": {gap.number}, "lost": {gap.lost}, "sha256": "{_digest(gap, stream)}"'
    return f'{{"{RESERVED}": {{{seal}}}}}\n'.encode()


def gap_in(line: bytes, stream: str) -> Gap | None:
    """Return the gap that the line stands for, None if it is no such line or its seal does not vouch for it."""
    if not line.startswith(_BEGINNING) or (found := _GAP.fullmatch(line)) is None:
        return None
    gap = Gap(int(found[1]), int(found[2]))
    if gap.lost > gap.number or found[3].decode() != _digest(gap, stream):
        return None
    return gap


def _digest(gap: Gap, stream: str) -> str:
    return hashlib.sha256(f"gap {gap.number}-{gap.lost} {stream}\n".encode()).hexdigest()
