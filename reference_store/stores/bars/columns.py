"""Price bars as columns: ordered, cut, merged, and turned into objects when they go out.

A symbol's bars are ordered by instant, each instant once. Prices are finite floats and come back bit for bit; volumes
come back as the ints or floats that they were given as; dates have microseconds. Dates with a time zone count as
instants and are kept with the zone, or the offset from UTC, that they were given with. What may come in is the business
of ``checks``.

A month is that of UTC for dates with a zone, and that of their own clock for those without.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import lt
from typing import Any, Literal, TypeAlias

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from reference_store.errors import InvalidRecord, StoreError, shown
from reference_store.models import PriceBar
from reference_store.stores.bars import arrays
from reference_store.stores.bars.zones import in_zones, zone_runs

PRICES = ("open", "high", "low", "close")
COLUMNS = ("date", *PRICES, "volume")
WHOLE = "whole_volume"
"""The ints among the volumes, where ints and floats stand together; null where the volume is a float."""

_EXACT = pa.scalar(2**53, pa.int64())
"""Up to here every int is a float."""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the one of naive dates
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_Code: TypeAlias = Literal["d", "q"]
"""What 8 bytes of a column are: a float or an int."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars of one symbol, by date, each date once, in the columns of ``schema`` but for the symbol.

    The volumes are ints or floats; where they are both, they stand as floats, and the ints in the column WHOLE too.
    ``zones`` has the zone of each date, None when the dates are naive.
    """

    table: pa.Table
    zones: Sequence[str] | None

    @property
    def aware(self) -> bool:
        return self.zones is not None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def times(self) -> memoryview[int]:
        """The dates in microseconds since 1970 (UTC, or by the same naive clock)."""
        column = self.table.column("date")
        return _values(column.chunk(0) if column.num_chunks == 1 else column.combine_chunks(), "q")

    def slice(self, start: int, end: int) -> Columns:
        """The bars from number ``start`` to before number ``end``."""
        return Columns(self.table.slice(start, end - start), None if self.zones is None else self.zones[start:end])

    def pick(self, numbers: Sequence[int]) -> Columns:
        """The bars with these numbers, in this order."""
        zones = None if self.zones is None else [self.zones[number] for number in numbers]
        return Columns(self.table.take(arrays.ints(numbers)), zones)

    def without(self, first: int, last: int) -> Columns:
        """The bars before ``first`` and those after ``last``, in microseconds since 1970."""
        times = self.times()
        start, end = bisect_left(times, first), bisect_right(times, last)
        return joined((self.slice(0, start), self.slice(max(start, end), len(times)))) or self.slice(0, 0)

    def between(self, first: int, last: int) -> Columns:
        """The bars from ``first`` to ``last``, both included, in microseconds since 1970."""
        times = self.times()
        start, end = bisect_left(times, first), bisect_right(times, last)
        return self if (start, end) == (0, len(times)) else self.slice(start, end)


def schema(*, aware: bool, volume: pa.DataType | None = None) -> pa.Schema:
    """The columns of a table of bars, with their types; dates with a zone stand in UTC."""
    date = pa.timestamp("us", tz="UTC" if aware else None)
    types = (date, *(pa.float64() for _ in PRICES), volume or pa.int64())
    return pa.schema([("symbol", pa.string()), *zip(COLUMNS, types, strict=True)])


def schemas(*, aware: bool) -> tuple[pa.Schema, ...]:
    """The columns of a month file: volumes are ints, or floats, or both."""
    floats = schema(aware=aware, volume=pa.float64())
    return schema(aware=aware), floats, floats.append(pa.field(WHOLE, pa.int64()))


def table_of(symbol: str, parts: Sequence[Columns], *, aware: bool) -> pa.Table:
    """Return bars as one table, the symbol included.

    Volumes are ints if all of these are, and floats otherwise; raises StoreError when an int among them has no float.
    """
    found = joined(parts)
    if found is None:
        return schema(aware=aware).empty_table()
    table = plain_volumes(found).table
    if WHOLE in table.column_names:
        whole = table.column(WHOLE)
        if any(int(float(number)) != number for number in whole.filter(pc.greater(whole, _EXACT)).to_pylist()):
            raise StoreError(
                f"volumes of {shown(symbol)} are ints that no float can hold, beside floats: read the bars as objects"
            )
        table = table.drop_columns([WHOLE])
    return table.add_column(0, "symbol", pa.repeat(arrays.text(symbol), table.num_rows))


def microseconds(moment: datetime) -> int:
    """The distance of ``moment`` from 1970, by its own clock when it is naive."""
    return (moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)) // _MICROSECOND


def bound(moment: object, name: str) -> datetime:
    """Return ``moment`` if a range can begin or end there; raises InvalidRecord, naming the argument, if not."""
    if not isinstance(moment, datetime) or moment != moment:
        raise InvalidRecord(name, f"is of type {type(moment).__name__}, not datetime")
    if moment.tzinfo is not None and moment.utcoffset() is None:
        raise InvalidRecord(name, "has a time zone that does not say how far it is from UTC")
    return moment


FIRST, LAST = microseconds(datetime.min), microseconds(datetime.max)  # noqa: DTZ901 - ends of the calendar
"""The first and the last instant that a date can stand for, in microseconds since 1970."""


def month_of(time: int) -> str:
    """The month, as ``YYYY-MM``, in which an instant lies (in UTC, or by its own clock when it is naive)."""
    moment = _EPOCH + timedelta(microseconds=time)
    return f"{moment.year:04d}-{moment.month:02d}"


def by_month(columns: Columns) -> Iterator[tuple[str, Columns]]:
    """Yield the months of the bars, in order, with the bars of each."""
    times = columns.times()
    start = 0
    while start < len(times):
        month = month_of(times[start])
        end = bisect_left(times, _end_of(month), start)
        yield month, columns.slice(start, end)
        start = end


def merged(old: Columns, new: Columns) -> Columns:
    """All bars of both; where both have one for a date, that of ``new``."""
    if not len(old) or not len(new):
        return new if len(new) else old
    old_times, new_times = old.times(), new.times()
    start, end = bisect_left(old_times, new_times[0]), bisect_right(old_times, new_times[-1])
    between = new
    replaced = set(new_times)
    kept = [number for number in range(start, end) if old_times[number] not in replaced]
    if kept:
        between = _concatenated((old.pick(kept), new))
        times = between.times().tolist()
        between = between.pick(sorted(range(len(times)), key=times.__getitem__))
    return _concatenated((old.slice(0, start), between, old.slice(end, len(old_times))))


def in_order(columns: Columns) -> Columns:
    """Return bars that stand in any order by date; of two for a date the later one stays."""
    times = columns.times().tolist()
    if all(map(lt, times, times[1:])):
        return columns
    last = {time: number for number, time in enumerate(times)}
    return columns.pick([last[time] for time in sorted(last)])


def joined(parts: Sequence[Columns]) -> Columns | None:
    """Return parts that follow each other as one; None if there are no bars in them."""
    return _concatenated(parts) if any(map(len, parts)) else None


def plain_volumes(columns: Columns) -> Columns:
    """Return the same bars without the column WHOLE if all of their volumes are of one type."""
    table = columns.table
    if WHOLE not in table.column_names:
        return columns
    whole = table.column(WHOLE)
    if 0 < whole.null_count < len(whole):
        return columns
    table = table.drop_columns([WHOLE])
    if not whole.null_count:
        table = table.set_column(table.schema.get_field_index("volume"), "volume", whole)
    return Columns(table, columns.zones)


def objects(symbol: str, columns: Columns) -> list[PriceBar]:
    """Return the bars as objects; nothing is checked again."""
    table = columns.table
    values = [_column(table, name, "d") for name in PRICES]
    return list(map(PriceBar, repeat(symbol), _moments(columns), *values, volumes(table)))


def volumes(table: pa.Table) -> list[int | float]:
    """The volumes as they were given."""
    code: _Code = "q" if table.schema.field("volume").type == pa.int64() else "d"
    found: list[int | float] = _column(table, "volume", code)
    if WHOLE not in table.column_names:
        return found
    whole = table.column(WHOLE).to_pylist()
    return [number if exact is None else exact for number, exact in zip(found, whole, strict=True)]


def _concatenated(parts: Sequence[Columns]) -> Columns:
    parts = [part for part in parts if len(part)]
    tables = [part.table for part in parts]
    if any(not table.schema.equals(tables[0].schema) for table in tables):
        tables = [with_whole(table) for table in tables]
    if not parts[0].aware:
        return Columns(pa.concat_tables(tables), None)
    return Columns(pa.concat_tables(tables), [zone for part in parts for zone in part.zones or ()])


def with_whole(table: pa.Table) -> pa.Table:
    """The table with floats for volumes, and the ints among them beside."""
    if WHOLE in table.column_names:
        return table
    place, volume = table.schema.get_field_index("volume"), table.column("volume")
    if volume.type == pa.int64():
        table = table.set_column(place, "volume", pc.cast(volume, pa.float64(), safe=False))
        return table.append_column(WHOLE, volume)
    return table.append_column(WHOLE, pa.nulls(table.num_rows, pa.int64()))


def _end_of(month: str) -> int:
    year, number = int(month[:4]), int(month[5:])
    if (year, number) == (9999, 12):
        return LAST + 1
    return microseconds(datetime(year + number // 12, number % 12 + 1, 1))  # noqa: DTZ001 - see month_of


def _moments(columns: Columns) -> Iterable[datetime]:
    times = _column(columns.table, "date", "q")
    distances = map(timedelta, repeat(0), repeat(0), times)
    if columns.zones is None:
        return map(_EPOCH.__add__, distances)
    moments = map(_EPOCH_UTC.__add__, distances)
    runs = zone_runs(columns.zones)
    if [name for name, _ in runs] == ["UTC"]:
        return moments
    return in_zones(moments, runs)


def _column(table: pa.Table, name: str, code: _Code) -> list[Any]:
    chunks = [_values(chunk, code).tolist() for chunk in table.column(name).chunks]
    if len(chunks) == 1:
        return chunks[0]
    return [value for chunk in chunks for value in chunk]


def _values(array: pa.Array, code: _Code) -> memoryview[Any]:
    """The values of a column without nulls, in place."""
    values: memoryview[Any] = memoryview(array.buffers()[1] if len(array) else b"").cast("B")
    return values[array.offset * 8 : (array.offset + len(array)) * 8].cast(code)
