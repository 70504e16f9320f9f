"""Bars as the rows of a Delta table, and rows as bars.

A row has what a bar has, and ``time``, by which it is known: microseconds since 1970, in UTC, or by its own clock
where ``zone`` is null. ``date`` is the same for people. Volumes stand as floats, and where they were ints as
``whole_volume`` too. Partitions are ``of`` (the symbol, encoded as the names of files are), ``zoned`` (whether its
dates have zones) and ``month``.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from reference_store.core import keys
from reference_store.errors import CorruptData
from reference_store.stores.bars.columns import COLUMNS, PRICES, WHOLE, Columns, by_month, plain_volumes, with_whole

PARTITIONS = ("of", "zoned", "month")
_DATE = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("of", pa.string()),
        ("zoned", pa.string()),
        ("month", pa.string()),
        ("symbol", pa.string()),
        ("time", pa.int64()),
        ("date", _DATE),
        ("zone", pa.string()),
        *((name, pa.float64()) for name in (*PRICES, "volume")),
        (WHOLE, pa.int64()),
    ]
)


def zoned(*, aware: bool) -> str:
    """The partition of dates with a zone, or of those without."""
    return "yes" if aware else "no"


def rows_of(bars: Mapping[str, Columns]) -> pa.Table:
    """Return bars of many symbols as rows."""
    parts = [_rows(symbol, month, part) for symbol, columns in bars.items() for month, part in by_month(columns)]
    return pa.concat_tables(parts)


def _rows(symbol: str, month: str, part: Columns) -> pa.Table:
    table, count = with_whole(part.table), len(part)
    date = table.column("date")
    arrays = {
        "of": pa.repeat(pa.scalar(keys.encode(symbol)), count),
        "zoned": pa.repeat(pa.scalar(zoned(aware=part.aware)), count),
        "month": pa.repeat(pa.scalar(month), count),
        "symbol": pa.repeat(pa.scalar(symbol), count),
        "time": pc.cast(date, pa.int64()),
        "date": pc.cast(date, _DATE) if part.aware else pc.assume_timezone(date, "UTC"),
        "zone": pa.nulls(count, pa.string()) if part.zones is None else pa.array(part.zones, pa.string()),
    }
    columns = [arrays[name] if name in arrays else table.column(name) for name in SCHEMA.names]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def bars_of(symbol: str, rows: pa.Table, table: str) -> Columns | None:
    """Return the bars that rows of one symbol are, by date; None for no rows.

    Raises CorruptData where two rows have the same time, or some have a zone and others none.
    """
    if not rows.num_rows:
        return None
    rows = rows.sort_by("time").combine_chunks()
    times, zones = rows.column("time"), rows.column("zone")
    if pc.count_distinct(times).as_py() != rows.num_rows:
        raise CorruptData(symbol, table, "it has two bars of the same time")
    if 0 < zones.null_count < rows.num_rows:
        raise CorruptData(symbol, table, "some of its bars have time zones and others have none")
    aware = not zones.null_count
    date = pc.cast(times, pa.timestamp("us", tz="UTC" if aware else None))
    made = [date, *(rows.column(name) for name in (*COLUMNS[1:], WHOLE))]
    columns = Columns(
        pa.Table.from_arrays(made, names=[*COLUMNS, WHOLE]).combine_chunks(), zones.to_pylist() if aware else None
    )
    if rows.column(WHOLE).null_count == rows.num_rows:
        return Columns(columns.table.drop_columns([WHOLE]), columns.zones)
    return plain_volumes(columns)
