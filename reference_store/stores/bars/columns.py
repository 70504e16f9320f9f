"""Price bars as columns: checked when they come in, and turned into objects when they go out.

A symbol's bars are ordered by instant, each instant once. Prices are finite floats and come back bit for bit, volumes
whole numbers from 0 up to 2**63 - 1, dates have microseconds. Dates with a time zone count as instants and are kept
with the zone, or the offset from UTC, that they were given with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby, repeat
from math import isfinite
from operator import attrgetter, lt
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.errors import InvalidRecord, shown
from reference_store.models import PriceBar

PRICES = ("open", "high", "low", "close")
COLUMNS = ("date", *PRICES, "volume")

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the one of naive dates
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_VOLUME = 2**63 - 1
_Code: TypeAlias = Literal["d", "q"]
"""What 8 bytes of a column are: a float or an int."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars of one symbol, by date, each date once, in the columns of ``schema`` but for the symbol.

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
        return Columns(self.table.take(pa.array(numbers, pa.int64())), zones)

    def between(self, first: int, last: int) -> Columns:
        """The bars from ``first`` to ``last``, both included, in microseconds since 1970."""
        times = self.times()
        start, end = bisect_left(times, first), bisect_right(times, last)
        return self if (start, end) == (0, len(times)) else self.slice(start, end)


def schema(*, aware: bool) -> pa.Schema:
    """The columns of a table of bars, with their types; dates with a zone stand in UTC."""
    date = pa.timestamp("us", tz="UTC" if aware else None)
    types = (date, *(pa.float64() for _ in PRICES), pa.int64())
    return pa.schema([("symbol", pa.string()), *zip(COLUMNS, types, strict=True)])


def table_of(symbol: str, parts: Sequence[Columns], *, aware: bool) -> pa.Table:
    """Return bars as one table, the symbol included."""
    rows = sum(map(len, parts))
    table = pa.concat_tables([schema(aware=aware).remove(0).empty_table(), *(part.table for part in parts)])
    return table.add_column(0, "symbol", pa.repeat(pa.scalar(symbol, pa.string()), rows))


def microseconds(moment: datetime) -> int:
    """The distance of ``moment`` from 1970, by its own clock when it is naive."""
    return (moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)) // _MICROSECOND


def bound(moment: object, name: str) -> datetime:
    """Return ``moment`` if a range can begin or end there; raises InvalidRecord, naming the argument, if not."""
    if not isinstance(moment, datetime):
        raise InvalidRecord(name, f"is of type {type(moment).__name__}, not datetime")
    return moment


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
    old_times, new_times = old.times(), new.times()
    start, end = bisect_left(old_times, new_times[0]), bisect_right(old_times, new_times[-1])
    between = new
    replaced = set(new_times)
    kept = [number for number in range(start, end) if old_times[number] not in replaced]
    if kept:
        between = _joined((old.pick(kept), new))
        times = between.times().tolist()
        between = between.pick(sorted(range(len(times)), key=times.__getitem__))
    return _joined((old.slice(0, start), between, old.slice(end, len(old_times))))


def columns_of(symbol: str, bars: Sequence[Any]) -> Columns:
    """Return ``bars``, any objects with the attributes of a PriceBar, as columns; of two for a date the later counts.

    Raises InvalidRecord, with the position, for what is not a bar of this symbol that can be given back unchanged.
    """
    dates, aware = _dates(_attributes(bars, "date"))
    for position, other in enumerate(_attributes(bars, "symbol")):
        if other != symbol:
            raise InvalidRecord("symbol", f"is not {shown(symbol)}, which the bars are written for", position)
    arrays = [
        pa.array(dates, schema(aware=aware).field("date").type),
        *(pa.array(_prices(_attributes(bars, name), name), pa.float64()) for name in PRICES),
        pa.array(_volumes(_attributes(bars, "volume")), pa.int64()),
    ]
    columns = Columns(pa.Table.from_arrays(arrays, names=COLUMNS), _zones(dates) if aware else None)
    times = columns.times().tolist()
    if all(map(lt, times, times[1:])):
        return columns
    last = {time: number for number, time in enumerate(times)}
    return columns.pick([last[time] for time in sorted(last)])


def objects(symbol: str, columns: Columns) -> list[PriceBar]:
    """Return the bars as objects; nothing is checked again."""
    table = columns.table
    values = [_column(table, name, "d") for name in PRICES]
    return list(map(PriceBar, repeat(symbol), _moments(columns), *values, _column(table, "volume", "q")))


def zone_runs(zones: Sequence[str]) -> list[tuple[str, int]]:
    """The zones in order, each with the number of bars that have it."""
    if zones and zones.count(zones[0]) == len(zones):
        return [(zones[0], len(zones))]
    return [(zone, len(list(group))) for zone, group in groupby(zones)]


def zone(name: str) -> Any:
    """The time zone of this name; raises ValueError or KeyError when there is none."""
    if name == "UTC":
        return UTC
    if name[:1] in "+-":
        offset = datetime.strptime(name, "%z").utcoffset()
        return timezone(offset or timedelta(0))
    return ZoneInfo(name)


def _joined(parts: Sequence[Columns]) -> Columns:
    parts = [part for part in parts if len(part)]
    table = pa.concat_tables([part.table for part in parts])
    if not parts[0].aware:
        return Columns(table, None)
    return Columns(table, [zone for part in parts for zone in part.zones or ()])


def _end_of(month: str) -> int:
    year, number = int(month[:4]), int(month[5:])
    if (year, number) == (9999, 12):
        return microseconds(datetime.max) + 1  # noqa: DTZ901 - see month_of
    return microseconds(datetime(year + number // 12, number % 12 + 1, 1))  # noqa: DTZ001 - see month_of


def _attributes(bars: Sequence[Any], name: str) -> list[Any]:
    try:
        return list(map(attrgetter(name), bars))
    except AttributeError:
        for position, bar in enumerate(bars):
            if not hasattr(bar, name):
                raise InvalidRecord(name, f"is missing: it is of type {type(bar).__name__}", position) from None
        raise


def _dates(dates: list[Any]) -> tuple[list[datetime], bool]:
    if set(map(type, dates)) != {datetime}:
        dates = [_plain(date, position) for position, date in enumerate(dates)]
    aware = dates[0].tzinfo is not None
    for position, date in enumerate(dates):
        if (date.tzinfo is not None) is not aware:
            raise InvalidRecord("date", "has no time zone while others have one, or the reverse", position)
        if aware and date.utcoffset() is None:
            raise InvalidRecord("date", "has a time zone that does not say how far it is from UTC", position)
    return dates, aware


def _plain(date: Any, position: int) -> datetime:
    if not isinstance(date, datetime):
        raise InvalidRecord("date", f"is of type {type(date).__name__}, not datetime", position)
    if getattr(date, "nanosecond", 0):
        raise InvalidRecord("date", "is finer than a microsecond", position)
    return datetime.combine(date.date(), date.timetz())


def _prices(values: list[Any], name: str) -> list[float]:
    if set(map(type, values)) != {float}:
        values = [_price(value, name, position) for position, value in enumerate(values)]
    if not all(map(isfinite, values)):
        raise InvalidRecord(name, "is not finite", next(n for n, value in enumerate(values) if not isfinite(value)))
    return values


def _price(value: Any, name: str, position: int) -> float:
    if isinstance(value, float):
        return float(value)
    if type(value) is not int:
        raise InvalidRecord(name, f"is of type {type(value).__name__}, not float", position)
    if abs(value) > 2**53:
        raise InvalidRecord(name, "is an int that no float can hold exactly", position)
    return float(value)


def _volumes(values: list[Any]) -> list[int]:
    for position, value in enumerate(values):
        if type(value) is not int:
            raise InvalidRecord("volume", f"is of type {type(value).__name__}, not int", position)
        if not 0 <= value <= _LARGEST_VOLUME:
            raise InvalidRecord("volume", "is not between 0 and 2**63 - 1", position)
    return values


def _zones(dates: list[datetime]) -> list[str]:
    names: dict[int, str | None] = {}
    zones: list[str] = []
    for date in dates:
        key = id(date.tzinfo)
        if key not in names:
            names[key] = _zone_name(date)
        zones.append(names[key] or _offset(date))
    return zones


def _zone_name(date: datetime) -> str | None:
    """The name by which the zone of ``date`` can be found again, None if only its offset can be kept."""
    if date.tzinfo is UTC:
        return "UTC"
    if isinstance(date.tzinfo, ZoneInfo) and date.tzinfo.key:
        try:
            return date.tzinfo.key if zone(date.tzinfo.key).utcoffset(date) == date.utcoffset() else None
        except (KeyError, ValueError):
            return None
    return None


def _offset(date: datetime) -> str:
    offset = date.utcoffset()
    return str(timezone(offset))[len("UTC") :] or "UTC" if offset else "UTC"


def _moments(columns: Columns) -> Iterable[datetime]:
    times = _column(columns.table, "date", "q")
    distances = map(timedelta, repeat(0), repeat(0), times)
    if columns.zones is None:
        return map(_EPOCH.__add__, distances)
    moments = map(_EPOCH_UTC.__add__, distances)
    runs = zone_runs(columns.zones)
    if [name for name, _ in runs] == ["UTC"]:
        return moments
    return _in_zones(moments, runs)


def _in_zones(moments: Iterator[datetime], runs: list[tuple[str, int]]) -> Iterator[datetime]:
    convert: Callable[[datetime, Any], datetime] = datetime.astimezone
    for name, count in runs:
        there = zone(name)
        for _ in range(count):
            yield convert(next(moments), there)


def _column(table: pa.Table, name: str, code: _Code) -> list[Any]:
    chunks = [_values(chunk, code).tolist() for chunk in table.column(name).chunks]
    if len(chunks) == 1:
        return chunks[0]
    return [value for chunk in chunks for value in chunk]


def _values(array: pa.Array, code: _Code) -> memoryview[Any]:
    """The values of a column without nulls, in place."""
    values: memoryview[Any] = memoryview(array.buffers()[1] if len(array) else b"").cast("B")
    return values[array.offset * 8 : (array.offset + len(array)) * 8].cast(code)
