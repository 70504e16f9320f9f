"""Bars that were written last and are not in their months yet: one sealed file for all symbols, replaced whole.

A few bars into a large month, or the next bar of many symbols, are one line here, durable at once, instead of as many
months rewritten. A line has a number that grows; a symbol's manifest says up to which number its lines are in its
months. So a reader who takes this file first and the manifest then sees one moment, and whoever folds lines into months
may die anywhere. The last line is the seal of the file: a symbol whose manifest relies on it is not read without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core import integrity
from reference_store.core.atomic import Directory
from reference_store.core.directory import NotARegularFile
from reference_store.core.records import members_of
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord
from reference_store.stores.bars.checks import with_volumes
from reference_store.stores.bars.columns import COLUMNS, PRICES, Columns, in_order, joined, schema, volumes
from reference_store.stores.bars.places import LARGEST, TAIL, regular
from reference_store.stores.bars.zones import zone_runs

RECENT = ".recent.jsonl"
OUTGROWN = 1 << 20
"""Bytes of lines from which on some are folded into their months; what is left has at most seven eighths of it."""

_WHO = "recent bars"


@dataclass(frozen=True, slots=True)
class Line:
    """The bars of one write, of one or more symbols."""

    number: int
    raw: bytes
    bars: Mapping[str, Columns]


@dataclass(frozen=True, slots=True)
class Recent:
    """The file as it was read or written."""

    generation: int
    lines: tuple[Line, ...]

    @property
    def size(self) -> int:
        return sum(len(line.raw) for line in self.lines)

    def of(self, symbol: str, folded: int) -> Columns | None:
        """The bars of a symbol that are not in its months yet, None if there are none."""
        found = joined(self._parts(symbol, folded))
        return None if found is None else in_order(found)

    def rows(self, symbol: str, folded: int) -> int:
        """How many bars of a symbol wait to be folded into its months, those written twice counted twice."""
        return sum(map(len, self._parts(symbol, folded)))

    def aware(self, symbol: str, folded: int) -> bool | None:
        """Whether the dates of these bars have time zones, None if there are none."""
        parts = self._parts(symbol, folded)
        return parts[0].aware if parts else None

    def _parts(self, symbol: str, folded: int) -> list[Columns]:
        return [line.bars[symbol] for line in self.lines if line.number > folded and symbol in line.bars]

    def newest(self, symbol: str) -> int:
        """The number of the last line that has bars of a symbol, 0 if none has."""
        return max((line.number for line in self.lines if symbol in line.bars), default=0)

    def without(self, symbols: Iterable[str]) -> list[Line]:
        """The lines without these symbols, one for each symbol that stays."""
        gone = set(symbols)
        staying = {symbol: None for line in self.lines for symbol in line.bars if symbol not in gone}
        kept = []
        for symbol in staying:
            bars = self.of(symbol, 0)
            assert bars is not None, "it is in a line"
            kept.append(line_of(self.newest(symbol), {symbol: bars}))
        return sorted(kept, key=lambda line: line.number)


class RecentFile:
    """The file of recent bars in a directory; what was read last is remembered."""

    def __init__(self) -> None:
        self._known: tuple[tuple[int, bytes], Recent] | None = None

    def load(self, root: Directory, symbol: str) -> Recent | None:
        """Return what the file has, None if there is none; raises CorruptData, for ``symbol``, if it is damaged."""
        try:
            end = root.tail(RECENT, TAIL)
        except NotARegularFile:
            raise CorruptData(symbol, RECENT, "it is not a regular file") from None
        if end is None:
            return None
        known = self._known
        if known is not None and known[0] == end:
            return known[1]
        found = regular(root, symbol, RECENT)
        if found is None:
            return None
        recent = _parsed(found.data, symbol, {line.raw: line for line in known[1].lines} if known else {})
        self._known = ((len(found.data), found.data[-TAIL:]), recent)
        return recent

    def forget(self) -> None:
        """Read the file again, all of it, when it is asked for next."""
        self._known = None

    def put(self, root: Directory, before: Recent | None, lines: Sequence[Line]) -> Recent:
        """Make ``lines`` the content of the file, durably."""
        generation = before.generation + 1 if before is not None else 1
        body = b"".join(line.raw for line in lines)
        about = {"lines": len(lines), "sha256": hashlib.sha256(body).hexdigest()}
        data = body + integrity.seal_records([integrity.encode_record(about)], _WHO, generation)
        if len(data) > LARGEST:
            raise InvalidRecord("bars", f"make a file of {len(data)} bytes, {LARGEST} is the limit")
        root.replace(RECENT, data, None)
        recent = Recent(generation, tuple(lines))
        self._known = ((len(data), data[-TAIL:]), recent)
        return recent

    def add(self, root: Directory, before: Recent, bars: Mapping[str, Columns]) -> Recent:
        """Add bars of one or more symbols, all or none, durably."""
        return self.put(root, before, [*before.lines, line_of(before.generation + 1, bars)])


def line_of(number: int, bars: Mapping[str, Columns]) -> Line:
    """The line for these bars."""
    content = {"bars": {symbol: _plain(columns) for symbol, columns in bars.items()}}
    return Line(number, integrity.seal_records([integrity.encode_record(content)], _WHO, number), bars)


def _parsed(data: bytes, symbol: str, known: Mapping[bytes, Line]) -> Recent:
    *raws, last = data.splitlines(keepends=True) or [b""]
    seal = integrity.sealed_record(last, _WHO, RECENT, len(raws) + 1) if last.endswith(b"\n") else None
    body = data[: len(data) - len(last)]
    if seal is None or seal.content != {"lines": len(raws), "sha256": hashlib.sha256(body).hexdigest()}:
        raise CorruptData(symbol, RECENT, "its last line does not vouch for the others")
    lines = [known.get(raw) or _line(raw, number, symbol) for number, raw in enumerate(raws, 1)]
    return Recent(seal.number, tuple(lines))


def _line(raw: bytes, number: int, symbol: str) -> Line:
    found = integrity.sealed_record(raw, _WHO, RECENT, number)
    try:
        bars = {name: _columns(members_of(about)) for name, about in members_of(found.content["bars"]).items()}
    except (KeyError, TypeError, ValueError, pa.ArrowException):
        raise CorruptData(symbol, RECENT, "it has a line that is none of bars", number) from None
    return Line(found.number, raw, bars)


def _plain(columns: Columns) -> Document:
    table = columns.table
    values = [table.column(name).to_pylist() for name in PRICES]
    rows = [list(row) for row in zip(columns.times().tolist(), *values, volumes(table), strict=True)]
    zones: Any = None if columns.zones is None else [list(run) for run in zone_runs(columns.zones)]
    return {"zones": zones, "rows": rows}


def _columns(about: Document) -> Columns:
    times, *prices, numbers = zip(*about["rows"], strict=True)
    zones = about["zones"]
    date = schema(aware=zones is not None).field("date").type
    arrays = [pa.array(times, pa.int64()).cast(date), *(pa.array(column, pa.float64()) for column in prices)]
    table = with_volumes(pa.Table.from_arrays(arrays, names=COLUMNS[:-1]), list(numbers))
    return Columns(table, None if zones is None else [name for name, count in zones for name in [name] * count])
