"""What can become of a file: pure functions from its content to damaged contents, the plainest ones first.

Nothing here knows a format; whether a damage matters shows when the store reads it.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

SMALL = 600
"""Bytes: in files up to this size every offset is tried before any is tried twice."""
_BLOCKS = (512, 4096)
_DIGITS = 5000
_DEPTH = 100_000
_GARBAGE = b"\x89 garbage \xff\n\x00 garbage"


class Kind(Enum):
    """What happened to a file; the words are those of reports."""

    EMPTIED = "emptied"
    CUT = "cut off"
    ZEROED = "overwritten with zeros"
    UNPARSABLE = "no longer of its format"
    FLIPPED = "changed by a bit"
    OVERWRITTEN = "partly overwritten"
    FOREIGN = "replaced by the file of another key"
    OLDER = "replaced by an older version of itself"
    GONE = "gone"


PLAIN = frozenset({Kind.EMPTIED, Kind.CUT, Kind.ZEROED, Kind.UNPARSABLE, Kind.GONE})
"""What any store can be asked about; the rest takes checksums."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged file: which, how, in words, and what it holds now.

    ``at_the_end`` says that all before some offset is as it was, and nothing comes after it: what a torn append leaves.
    ``mentioned`` is another file that holds a digest of what this one held; ``also`` is another file that is damaged
    with it, its backup, and what that holds now.
    """

    path: str
    kind: Kind
    how: str
    content: bytes
    at_the_end: bool = False
    mentioned: str = ""
    also: tuple[str, bytes] | None = None

    def __str__(self) -> str:
        return f"{self.path} is {self.how}"


def plain_damages(path: str, content: bytes, others: Mapping[str, bytes]) -> Iterator[Damage]:
    """Yield one damage of each sort; ``others`` are files of the same kind that belong to something else."""
    size = len(content)

    def damage(kind: Kind, how: str, made: bytes, *, at_the_end: bool = False) -> Iterator[Damage]:
        if made != content:
            yield Damage(path, kind, how, made, at_the_end)

    yield from damage(Kind.EMPTIED, "emptied", b"")
    half = size // 2
    yield from damage(Kind.CUT, f"cut off after {half:,} of {size:,} bytes", content[:half], at_the_end=True)
    yield from damage(Kind.ZEROED, "overwritten with zeros", bytes(size), at_the_end=True)
    yield from damage(
        Kind.UNPARSABLE, "replaced by text of another format", b"\x89not what it was\r\n" * 3, at_the_end=True
    )
    yield from damage(Kind.UNPARSABLE, "replaced by bytes that are no text", bytes(range(128, 256)), at_the_end=True)
    if _is_text(content) and size > 3 * len(_GARBAGE):
        made = content[:half] + _GARBAGE + content[half + len(_GARBAGE) :]
        yield from damage(Kind.UNPARSABLE, f"overwritten with garbage at byte {half:,}", made)
    if _is_json(content):
        yield from damage(
            Kind.UNPARSABLE, f"nested {_DEPTH:,} levels deep", b"[" * _DEPTH + b"]" * _DEPTH, at_the_end=True
        )
        nested = b'{"a":' * _DEPTH + b"0" + b"}" * _DEPTH
        yield from damage(Kind.UNPARSABLE, f"made of {_DEPTH:,} nested objects", nested, at_the_end=True)
        digits = b'{"version": ' + b"9" * _DIGITS + b"}"
        yield from damage(Kind.UNPARSABLE, f"made of a number of {_DIGITS:,} digits", digits, at_the_end=True)
        yield from damage(Kind.OVERWRITTEN, "replaced by null", b"null\n")
        yield from damage(Kind.OVERWRITTEN, "replaced by an empty list", b"[]\n")
        yield from damage(Kind.OVERWRITTEN, "replaced by an empty object", b"{}\n")
    yield from damage(Kind.OVERWRITTEN, "followed by its own last half", content + content[half:])
    yield from damage(Kind.OVERWRITTEN, "followed by garbage", content + b"\x00\xff garbage")
    for block in _BLOCKS:
        if size > 2 * block:
            start = (half // block) * block
            zeroed = content[:start] + bytes(block) + content[start + block :]
            yield from damage(Kind.OVERWRITTEN, f"zeroed from byte {start:,} to {start + block:,}", zeroed[:size])
            moved = content[:start] + content[:block] + content[start + block :]
            yield from damage(Kind.OVERWRITTEN, f"overwritten at byte {start:,} with its first {block:,}", moved[:size])
    for name, other in others.items():
        yield from damage(Kind.FOREIGN, f"replaced by {name}", other)


def drawn_damages(path: str, content: bytes, draw: random.Random) -> Iterator[Damage]:
    """Yield flipped bits and cuts for ever, at every offset of a small file and at drawn ones of a large one."""
    size = len(content)
    if not size:
        return
    while True:
        offsets = list(range(size)) if size <= SMALL else [draw.randrange(size) for _ in range(SMALL)]
        draw.shuffle(offsets)
        for turn, offset in enumerate(offsets):
            if turn % 3 == 2:
                how = f"cut off after {offset:,} of {size:,} bytes"
                yield Damage(path, Kind.CUT if offset else Kind.EMPTIED, how, content[:offset], at_the_end=bool(offset))
                continue
            bit = 1 << draw.randrange(8)
            changed = bytes([content[offset] ^ bit])
            how = f"changed in bit {bit.bit_length() - 1} of byte {offset:,}"
            yield Damage(path, Kind.FLIPPED, how, content[:offset] + changed + content[offset + 1 :])


def _is_text(content: bytes) -> bool:
    try:
        return content.decode("utf-8").isprintable() or b"\n" in content
    except UnicodeDecodeError:
        return False


def _is_json(content: bytes) -> bool:
    return content.lstrip()[:1] in (b"{", b"[")
