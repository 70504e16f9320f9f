"""What can become of files of the formats that are met most: JSON, lines of it, Parquet, gzip; by their content alone.

All of it still parses, or nearly: only a store that checks more than the format notices.
"""

import gzip
import hashlib
import json
import re
import zlib
from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import Any

from pytest_tradestore.damage.operators import Damage, Kind

_NUMBER = re.compile(rb"(?<=[\s:,\[])-?\d+(?:\.\d+)?(?=[\s,\]}])")
_VERSION = re.compile(rb'"(?:\w*version|schema)"\s*:\s*(\d+)')
_BOMB_MEMBER = 1 << 24
_BOMB_MEMBERS = 128
_BOMB_ROWS = 1_000_000
_BOMB_GROUPS = 20
_FOOTER_FLIPS = 8
_DIGESTS = ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s")


def format_damages(path: str, content: bytes) -> Iterator[Damage]:
    """Yield what can become of a file that still looks as its format demands."""
    for kind, how, made in _all(content):
        if made != content:
            yield Damage(path, kind, how, made)


def _all(content: bytes) -> Iterator[tuple[Kind, str, bytes]]:
    if content[:4] == b"PAR1" == content[-4:]:
        yield from _parquet(content)
    elif content[:2] == b"\x1f\x8b":
        yield Kind.UNPARSABLE, f"replaced by {_BOMB_MEMBER * _BOMB_MEMBERS >> 30} GiB of zeros, packed", _bomb()
    elif _is_utf8(content):
        yield from _lines(content)
        if content.lstrip()[:1] in (b"{", b"["):
            yield from _json(content)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def _json(content: bytes) -> Iterator[tuple[Kind, str, bytes]]:
    changed = Kind.OVERWRITTEN
    numbers = list(_NUMBER.finditer(content))
    if numbers:
        chosen = numbers[len(numbers) // 2]
        start, end = chosen.span()
        digit = b"7" if content[end - 1 : end] != b"7" else b"3"
        yield changed, f"edited: a digit at byte {end - 1:,}", content[: end - 1] + digit + content[end:]
        for word in (b"NaN", b"-Infinity", b"1e999"):
            yield changed, f"edited: {word.decode()} at byte {start:,}", content[:start] + word + content[end:]
    if version := _VERSION.search(content):
        start, end = version.span(1)
        yield changed, "of a version that is not there yet", content[:start] + b"999" + content[end:]
    if text := content.find(b'": "', len(content) // 2) + 1:
        start = text + 3
        yield changed, f"edited: a byte that is no UTF-8 at byte {start:,}", content[:start] + b"\xff" + content[start:]
        half = b"\\ud800"
        yield changed, f"edited: half of a character at byte {start:,}", content[:start] + half + content[start:]
    yield changed, "begun with a byte order mark", b"\xef\xbb\xbf" + content
    yield changed, "saved as UTF-16", content.decode("utf-8").encode("utf-16")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return
    yield changed, "laid out anew", json.dumps(found, indent=3, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if isinstance(found, dict) and found:
        twice = json.dumps(next(iter(found))).encode()
        yield changed, "given one of its keys twice", content.rstrip()[:-1] + b", " + twice + b": null}\n"


def _lines(content: bytes) -> Iterator[tuple[Kind, str, bytes]]:
    lines = content.splitlines(keepends=True)
    if len(lines) < 3:
        return
    middle = len(lines) // 2
    before, line, after = lines[:middle], lines[middle], lines[middle + 1 :]
    number = middle + 1
    swapped = [*lines[: middle - 1], line, lines[middle - 1], *after]
    for how, made in (
        (f"without line {number:,} of {len(lines):,}", [*before, *after]),
        ("without its first line", lines[1:]),
        (f"given line {number:,} twice", [*before, line, line, *after]),
        (f"given lines {number - 1:,} and {number:,} in the other order", swapped),
        (f"given an empty line before line {number:,}", [*before, b"\n", line, *after]),
        ("saved with carriage returns", [each.replace(b"\n", b"\r\n") for each in lines]),
    ):
        yield Kind.OVERWRITTEN, how, b"".join(made)


def _parquet(content: bytes) -> Iterator[tuple[Kind, str, bytes]]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError:
        return
    footer = int.from_bytes(content[-8:-4], "little") + 8
    for part in range(_FOOTER_FLIPS):
        at = len(content) - footer + (2 * part + 1) * footer // (2 * _FOOTER_FLIPS)
        made = content[:at] + bytes([content[at] ^ 1 << part % 8]) + content[at + 1 :]
        yield Kind.FLIPPED, f"changed in bit {part % 8} of byte {at:,}, in its footer", made
    try:
        table = pq.read_table(BytesIO(content), use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        return

    def written(changed: Any) -> bytes:
        made = BytesIO()
        pq.write_table(changed, made)
        return made.getvalue()

    changed, names = Kind.OVERWRITTEN, table.column_names
    yield changed, "written anew by another program", written(table)
    pair = next(
        (
            (one, other)
            for one in range(len(names))
            for other in range(one)
            if table.field(one).type == table.field(other).type and table.column(one) != table.column(other)
        ),
        None,
    )
    if pair is not None:
        one, other = pair
        order = [other if n == one else one if n == other else n for n in range(len(names))]
        swapped = table.select(order).rename_columns(names)
        yield changed, f"given its columns {names[other]} and {names[one]} in each other's place", written(swapped)
    yield changed, f"without its column {names[-1]}", written(table.select(names[:-1]))
    renamed = table.rename_columns([*names[:-1], f"{names[-1]}_2"])
    yield changed, f"given another name to its column {names[-1]}", written(renamed)
    yield changed, "given its last row twice", written(pa.concat_tables([table, table.slice(table.num_rows - 1)]))
    if table.num_rows > 1:
        yield changed, "without its first row", written(table.slice(1))
        backwards = table.take(list(range(table.num_rows - 1, -1, -1)))
        yield changed, "given its rows in the other order", written(backwards)
    yield changed, f"replaced by {_BOMB_ROWS * _BOMB_GROUPS:,} empty rows, packed", _packed_rows(table.schema)


@lru_cache(maxsize=4)
def _packed_rows(schema: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    bare = pa.schema([pa.field(field.name, field.type) for field in schema])
    rows = pa.table([pa.nulls(_BOMB_ROWS, field.type) for field in bare], schema=bare)
    made = BytesIO()
    with pq.ParquetWriter(made, bare) as writer:
        for _ in range(_BOMB_GROUPS):
            writer.write_table(rows)
    return made.getvalue()


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    return gzip.compress(bytes(_BOMB_MEMBER), mtime=0) * _BOMB_MEMBERS


def mentions(other: bytes, content: bytes) -> bool:
    """Say whether a file holds a digest of ``content``: as bytes, in hexadecimal, or in base64."""
    lowered = other.lower()
    for name in _DIGESTS:
        digest = hashlib.new(name, content, usedforsecurity=False).digest()
        if digest in other or digest.hex().encode() in lowered or b64encode(digest) in other:
            return True
    return f"{zlib.crc32(content):08x}".encode() in lowered
