"""What may become a bar: objects and tables from outside are checked in bulk, and taken exactly or not at all.

Prices are finite, ``high`` is not below ``low``, and none is below zero unless the store was told that there are such.
That ``open`` and ``close`` lie between ``low`` and ``high`` is not asked: settlement prices and adjusted series do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from operator import attrgetter, ge
from typing import Any, TypeVar

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from reference_store.core.numbers import Inexact, exact_float, exact_number
from reference_store.core.records import all_of
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord, shown
from reference_store.stores.bars import arrays
from reference_store.stores.bars.columns import (
    COLUMNS,
    FIRST,
    LAST,
    PRICES,
    WHOLE,
    Columns,
    bound,
    in_order,
    microseconds,
    plain_volumes,
    schema,
)
from reference_store.stores.bars.zones import names_of, zone

_LARGEST_VOLUME = 2**63 - 1
_FEW = 64
T = TypeVar("T")


def span(start: object, end: object) -> tuple[int, int, bool]:
    """Return the ends of a range in microseconds since 1970, both included, and whether they have time zones."""
    first, last = bound(start, "start"), bound(end, "end")
    if (first.tzinfo is None) is not (last.tzinfo is None):
        raise InvalidRecord("end", "has a time zone while start has none, or the reverse")
    finer = bool(getattr(first, "nanosecond", 0))
    return microseconds(_whole(first)) + finer, microseconds(_whole(last)), first.tzinfo is not None


def listed(bars: object) -> Sequence[Any]:
    """Return ``bars`` as a sequence that is the caller's no more; raises InvalidRecord for what is none.

    What a generator of the caller's raises comes out as it is.
    """
    if hasattr(bars, "__arrow_c_stream__") or hasattr(bars, "__arrow_c_array__"):
        raise InvalidRecord("bars", f"is a table ({type(bars).__name__}): that is what write_bars_table takes")
    if isinstance(bars, (str, bytes, Mapping)) or not isinstance(bars, Iterable):
        raise InvalidRecord("bars", f"is of type {type(bars).__name__}, not a list of bars")
    return all_of("bars", bars)


def columns_of(symbol: str, bars: Sequence[Any], *, negative: bool = False) -> Columns:
    """Return ``bars``, any objects with the attributes of a PriceBar, as columns; of two for a date the later counts.

    Raises InvalidRecord, with the position, for what is not a bar of this symbol that can be given back unchanged.
    """
    dates, aware = _dates(_attributes(bars, "date"))
    for position, other in enumerate(_attributes(bars, "symbol")):
        if other != symbol:
            raise InvalidRecord("symbol", f"is not {shown(symbol)}, which the bars are written for", position)
    columns = [
        arrays.ints(map(microseconds, dates), schema(aware=aware).field("date").type),
        *(arrays.floats(_floats(_attributes(bars, name), name)) for name in PRICES),
    ]
    zones = names_of(dates) if aware else None
    table = with_volumes(pa.Table.from_arrays(columns, names=COLUMNS[:-1]), _attributes(bars, "volume"))
    return in_order(accepted(Columns(table, zones), negative=negative))


def columns_of_table(symbol: str, table: object, *, negative: bool = False) -> Columns:
    """Return the rows of a table of Arrow, pandas, polars or what else has the Arrow interface, as ``columns_of`` does.

    It has the columns of a bar; that of the symbol may be missing. Raises InvalidRecord, with the row.
    """
    given = _arrow(table)
    names = given.column_names
    wrong = sorted({name for name in names if names.count(name) > 1} | set(COLUMNS) ^ (set(names) - {"symbol"}))
    if wrong:
        raise InvalidRecord(wrong[0], f"is a column too many or too few: bars have {', '.join(COLUMNS)}, and symbol")
    for name in names:
        _refuse_unless(pc.is_valid(given.column(name)), name, "is missing")
    if "symbol" in names:
        symbols = _cast(given.column("symbol"), pa.string(), "symbol")
        of_symbol = pc.equal(symbols, arrays.text(symbol))
        _refuse_unless(of_symbol, "symbol", f"is not {shown(symbol)}, which the bars are written for")
    date, zone_name = _date_column(given.column("date"))
    columns = [date, *(_number(given.column(name), name) for name in PRICES)]
    volume = given.column("volume")
    whole = pa.types.is_integer(volume.type)
    columns.append(_cast(volume, pa.int64(), "volume") if whole else _number(volume, "volume"))
    zones = None if zone_name is None else [zone_name] * given.num_rows
    made = pa.Table.from_arrays(columns, names=COLUMNS).combine_chunks()
    return in_order(accepted(Columns(made, zones), negative=negative))


def _arrow(table: object) -> pa.Table:
    if not (hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__")):
        raise InvalidRecord("table", f"is of type {type(table).__name__}, which has no Arrow interface")
    try:
        return arrays.table_of(table)
    except (pa.ArrowException, ValueError, TypeError) as error:
        let_out(error)
        raise InvalidRecord("table", f"cannot be read through the Arrow interface ({type(error).__name__})") from None


def _date_column(column: Any) -> tuple[Any, str | None]:
    kind = column.type
    if not pa.types.is_timestamp(kind):
        raise InvalidRecord("date", f"is a column of {kind}, not of timestamps")
    if kind.tz is not None:
        try:
            zone(kind.tz)
        except (KeyError, ValueError, OSError) as error:
            let_out(error)
            raise InvalidRecord("date", f"has a time zone that is not known here: {shown(kind.tz)}") from None
    target = schema(aware=kind.tz is not None).field("date").type
    return _cast(column, target, "date"), "UTC" if kind.tz in ("Etc/UTC", "Z") else kind.tz


def _number(column: Any, name: str) -> Any:
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise InvalidRecord(name, f"is a column of {column.type}, not of floats")
    return _cast(column, pa.float64(), name)


def _cast(column: Any, kind: Any, name: str) -> Any:
    try:
        return pc.cast(column, kind)
    except pa.ArrowException:
        raise InvalidRecord(name, f"has a value that {kind} cannot hold exactly") from None


def accepted(columns: Columns, *, negative: bool) -> Columns:
    """Return bars of which every value can be kept; raises InvalidRecord, with the position, for the first that cannot.

    ``negative`` lets prices be below zero.
    """
    table = columns.table
    if len(columns) > _FEW or not _plainly_fine(table, negative=negative):
        _refuse_values(table, negative=negative)
    times = columns.times()
    if not FIRST <= min(times, default=FIRST) <= max(times, default=LAST) <= LAST:
        position = next(number for number, time in enumerate(times) if not FIRST <= time <= LAST)
        raise InvalidRecord("date", f"is outside the years 1 to 9999{' in UTC' if columns.aware else ''}", position)
    return columns


def _plainly_fine(table: pa.Table, *, negative: bool) -> bool:
    """Whether ``_refuse_values`` would find nothing: for a few rows this is faster than to set up a dozen kernels."""
    prices = {name: table.column(name).to_pylist() for name in PRICES}
    every = [price for column in prices.values() for price in column]
    try:
        return (
            all(map(isfinite, every))
            and (negative or all(price >= 0 for price in every))
            and all(map(ge, prices["high"], prices["low"]))
            and all(volume >= 0 and isfinite(volume) for volume in table.column("volume").to_pylist())
        )
    except TypeError as error:
        let_out(error)
        return False


def _refuse_values(table: pa.Table, *, negative: bool) -> None:
    for name in PRICES:
        _refuse_unless(pc.is_finite(table.column(name)), name, "is not finite")
        if not negative:
            _refuse_unless(
                pc.greater_equal(table.column(name), pa.scalar(0.0, pa.float64())),
                name,
                "is below zero; open the store with negative_prices=True if this market has such prices",
            )
    _refuse_unless(pc.greater_equal(table.column("high"), table.column("low")), "high", "is below low")
    volume = table.column("volume")
    if volume.type == pa.float64():
        _refuse_unless(pc.is_finite(volume), "volume", "is not finite")
    _refuse_unless(pc.greater_equal(volume, pa.scalar(0, volume.type)), "volume", "is below zero")


def _refuse_unless(fine: Any, field: str, reason: str) -> None:
    if (position := pc.index(fine, pa.scalar(False, pa.bool_())).as_py()) >= 0:
        raise InvalidRecord(field, reason, position)


def _attributes(bars: Sequence[Any], name: str) -> list[Any]:
    try:
        return list(map(attrgetter(name), bars))
    except AttributeError as error:
        let_out(error)
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
        if date.fold and not aware:
            raise InvalidRecord("date", "is the second of two equal times and has no time zone to tell them", position)
    return dates, aware


def _plain(date: Any, position: int) -> datetime:
    if not isinstance(date, datetime) or date != date:
        raise InvalidRecord("date", f"is of type {type(date).__name__}, not datetime", position)
    if getattr(date, "nanosecond", 0):
        raise InvalidRecord("date", "is finer than a microsecond", position)
    return _whole(date)


def _whole(date: datetime) -> datetime:
    return date if type(date) is datetime else datetime.combine(date.date(), date.timetz())


def _floats(values: list[Any], name: str) -> list[float]:
    return values if set(map(type, values)) == {float} else _each(values, exact_float, name)


def _each(values: Sequence[Any], exact: Callable[[object], T], name: str) -> list[T]:
    found: list[T] = []
    for position, value in enumerate(values):
        try:
            found.append(exact(value))
        except Inexact as error:
            raise InvalidRecord(name, str(error), position) from None
    return found


def with_volumes(table: pa.Table, values: list[Any]) -> pa.Table:
    """The table with a column of volumes, ints or floats, or with two if they are both."""
    kinds = set(map(type, values))
    if not kinds <= {int, float}:
        values = _each(values, exact_number, "volume")
        kinds = set(map(type, values))
    if int in kinds:
        for position, value in enumerate(values):
            if type(value) is int and not 0 <= value <= _LARGEST_VOLUME:
                raise InvalidRecord("volume", "is not between 0 and 2**63 - 1", position)
    if kinds == {int}:
        return table.append_column("volume", arrays.ints(values))
    table = table.append_column("volume", arrays.floats(map(float, values)))
    whole = arrays.ints_or_none([value if type(value) is int else None for value in values])
    return plain_volumes(Columns(table.append_column(WHOLE, whole), None)).table
