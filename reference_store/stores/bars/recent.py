"""Bars that were written last and are not in their months yet: one sealed file for all symbols, replaced whole.

A few bars into a large month, or the next bar of many symbols, are one line here, durable at once, instead of as many
months rewritten. A line has a number that grows; a symbol's manifest says up to which number its lines are in its
months. So a reader who takes this file first and the manifest then sees one moment, and whoever folds lines into months
may die anywhere. The last line is the seal of the file: a symbol whose manifest relies on it is not read without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core import integrity
from reference_store.core.atomic import Directory
from reference_store.core.directory import NotARegularFile
from reference_store.core.records import members_of
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord
from reference_store.stores.bars import arrays
from reference_store.stores.bars.checks import with_volumes
from reference_store.stores.bars.columns import COLUMNS, PRICES, Columns, in_order, joined, schema, volumes
from reference_store.stores.bars.manifest import BACKUP, Manifest
from reference_store.stores.bars.places import LARGEST, TAIL, keep_evidence, regular
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
    """The file as it was read or written; ``damage`` is what was wrong with it if this is from its backup."""

    generation: int
    lines: tuple[Line, ...]
    data: bytes
    damage: CorruptData | None = None

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

    def without(self, symbols: Iterable[str], folded: Callable[[str], int | None]) -> list[Line]:
        """The lines without these symbols, those of each symbol that stays made one as far as this is safe.

        ``folded`` returns the number up to which the lines of a symbol are in its months, None if nobody can say: those
        lines stay apart, for one with a higher number would count again, over bars that were written later.
        """
        gone = set(symbols)
        staying: dict[str, list[Line]] = {}
        for line in self.lines:
            for symbol in line.bars:
                if symbol not in gone:
                    staying.setdefault(symbol, []).append(line)
        kept = []
        for symbol, found in staying.items():
            end = folded(symbol) if len(found) > 1 else 0
            apart = [line for line in found if end is None or line.number <= end]
            kept += [line_of(line.number, {symbol: line.bars[symbol]}) for line in apart]
            if end is not None and (waiting := self.of(symbol, end)) is not None:
                kept.append(line_of(found[-1].number, {symbol: waiting}))
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
        if end is None and root.has(RECENT + BACKUP):
            end = root.tail(RECENT, TAIL)  # the first two writes may have come between
            if end is None:
                raise CorruptData(symbol, RECENT, "it is missing while its backup is there")
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

    def standing(self, root: Directory, symbol: str) -> Recent | CorruptData | None:
        """Return what ``load`` does; if the file is damaged or lost, what the backup has, with what is wrong with it.

        What is wrong is returned by itself where there is no backup that could answer.
        """
        try:
            return self.load(root, symbol)
        except CorruptData as damage:
            return self.before(root, symbol, damage)

    def before(self, root: Directory, symbol: str, damage: CorruptData) -> Recent | CorruptData:
        """Return what the backup of a file with this ``damage`` has; the damage itself if that is nothing."""
        try:
            before = regular(root, symbol, RECENT + BACKUP)
            return damage if before is None else replace(_parsed(before.data, symbol, {}), damage=damage)
        except CorruptData:
            return damage

    def forget_before(self, root: Directory, symbol: str) -> None:
        """Let the backup hold no bars of a symbol of which the file itself holds none, durably."""
        recent = self.load(root, symbol)
        if recent is None or not root.has(RECENT + BACKUP):
            return
        before = self.before(root, symbol, CorruptData(symbol, RECENT, "it is not wanted"))
        if not isinstance(before, Recent) or before.newest(symbol):
            self.put(root, recent, recent.lines)  # what becomes the backup is the file as it stands

    def forget(self) -> None:
        """Read the file again, all of it, when it is asked for next."""
        self._known = None

    def mend(self, root: Directory, symbol: str) -> None:
        """Put a damaged or lost file together again of the sound lines of it and its backup; it stays as evidence.

        Raises CorruptData if no seal of either can be read: nobody could say then which lines are in months already.
        """
        self.forget()
        try:
            found = self.load(root, symbol)
            wrong = CorruptData(symbol, RECENT, "it is older than its backup")
            older = self.before(root, symbol, wrong)
            if found is None or isinstance(older, CorruptData) or older.generation <= found.generation:
                return
            raise wrong
        except CorruptData as damage:
            keep_evidence(root, symbol, RECENT, damage.reason)
            raws = [raw for name in (RECENT + BACKUP, RECENT) for raw in _raws(root, symbol, name)]
            newest = max((number for raw in raws if (number := _generation(raw)) is not None), default=None)
            if newest is None:
                raise
        lines = {raw: line for raw in raws if (line := _sound_line(raw, symbol)) is not None}
        # One more than that of the backup may be that of the damaged file: no number is given twice.
        mended = Recent(newest + 1, (), b"")
        self.put(root, mended, sorted(lines.values(), key=lambda line: line.number), keep=False)

    def put(self, root: Directory, before: Recent | None, lines: Sequence[Line], *, keep: bool = True) -> Recent:
        """Make ``lines`` the content of the file, durably; what it had becomes the backup if it is to be kept."""
        generation = before.generation + 1 if before is not None else 1
        body = b"".join(line.raw for line in lines)
        about = {"lines": len(lines), "sha256": hashlib.sha256(body).hexdigest()}
        data = body + integrity.seal_records([integrity.encode_record(about)], _WHO, generation)
        if len(data) > LARGEST:
            raise InvalidRecord("bars", f"make a file of {len(data)} bytes, {LARGEST} is the limit")
        previous = regular(root, _WHO, RECENT)
        if keep and previous is not None and (before is None or previous.data != before.data):
            _parsed(previous.data, _WHO, {})  # what is damaged never takes the place of a good backup
        root.replace(RECENT, data, previous, RECENT + BACKUP if keep else None)
        recent = Recent(generation, tuple(lines), data)
        self._known = ((len(data), data[-TAIL:]), recent)
        return recent

    def add(self, root: Directory, before: Recent, bars: Mapping[str, Columns]) -> Recent:
        """Add bars of one or more symbols, all or none, durably."""
        return self.put(root, before, [*before.lines, line_of(before.generation + 1, bars)])


def waits(recent: Recent | CorruptData | None, symbol: str) -> bool:
    """Whether bars of a symbol are known to be in the file of recent bars."""
    return isinstance(recent, Recent) and recent.newest(symbol) > 0


def sound(symbol: str, manifest: Manifest, recent: Recent | CorruptData | None) -> Recent | None:
    """The recent bars as a reader found them; raises CorruptData if the symbol needs them and they are not sound."""
    if not manifest.recent:
        return None
    if recent is None:
        raise CorruptData(symbol, RECENT, "it is missing while manifests rely on it")
    if isinstance(recent, CorruptData):
        raise recent
    if recent.generation < manifest.folded:
        raise CorruptData(symbol, RECENT, "it is older than manifests say")
    return recent


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
    return Recent(seal.number, tuple(lines), data)


def _raws(root: Directory, symbol: str, name: str) -> list[bytes]:
    try:
        found = regular(root, symbol, name)
    except CorruptData:
        return []
    return [] if found is None else found.data.splitlines(keepends=True)


def _generation(raw: bytes) -> int | None:
    """The generation of a file of which this is the last line, None if it is none."""
    try:
        seal = integrity.sealed_record(raw, _WHO, RECENT, 0)
    except CorruptData:
        return None
    return seal.number if "sha256" in seal.content else None


def _sound_line(raw: bytes, symbol: str) -> Line | None:
    try:
        return _line(raw, 0, symbol)
    except CorruptData:
        return None


def _line(raw: bytes, number: int, symbol: str) -> Line:
    found = integrity.sealed_record(raw, _WHO, RECENT, number)
    try:
        bars = {name: _columns(members_of(about)) for name, about in members_of(found.content["bars"]).items()}
    except (KeyError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        let_out(error)
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
    columns = [arrays.ints(times, date), *(arrays.floats(column) for column in prices)]
    table = with_volumes(pa.Table.from_arrays(columns, names=COLUMNS[:-1]), list(numbers))
    return Columns(table, None if zones is None else [name for name, count in zones for name in [name] * count])
