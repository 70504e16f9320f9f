"""One month of bars as the bytes of a Parquet file: snappy, with page checksums, serialised and read in memory.

The file has the columns of ``columns.schema``, rows by date, and nothing else that a foreign reader would have to
know. The zones of dates stand in the file's metadata, as runs, under ``tradestore``. Volumes are ints, or floats if one
of them is a float; then a last column has those that are ints, so that they are read as what they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import repeat
from operator import lt
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord
from reference_store.stores.bars import arrays
from reference_store.stores.bars.checks import accepted
from reference_store.stores.bars.columns import (
    COLUMNS,
    FIRST,
    PRICES,
    WHOLE,
    Columns,
    joined,
    month_of,
    plain_volumes,
    schemas,
)
from reference_store.stores.bars.zones import zone, zone_runs

ROWS_IN_GROUP = 32_768
"""Rows that are read together; a range inside a month reads the groups that it touches."""
_METADATA = b"tradestore"


class Unreadable(Exception):  # noqa: N818 - says what is the case
    """Bytes that are not a month of bars; the message says why and shows none of them."""


def encode(symbol: str, columns: Columns, more: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a Parquet file with these bars, and with ``more`` in its metadata."""
    zones = None if columns.zones is None else zone_runs(columns.zones)
    table = plain_volumes(columns).table
    table = table.add_column(0, "symbol", pa.repeat(arrays.text(symbol), table.num_rows))
    metadata: dict[str | bytes, str] = {_METADATA: json.dumps({"zones": zones})}
    metadata.update(more or {})
    table = table.replace_schema_metadata(metadata)
    whole = {} if table.schema.field("volume").type == pa.float64() else {"volume": "DELTA_BINARY_PACKED"}
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="snappy",
        write_page_checksum=True,
        row_group_size=ROWS_IN_GROUP,
        # Half the size of the defaults, and faster both ways: prices stand on a grid, dates grow evenly.
        use_dictionary=["symbol", *PRICES],
        column_encoding={"date": "DELTA_BINARY_PACKED", **whole},
        write_statistics=["date"],
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(
    data: bytes, first: int | None = None, last: int | None = None, *, aware: bool, only: int | None = None
) -> Columns:
    """Return the bars that ``data`` holds from ``first`` to ``last``, both included, in microseconds since 1970.

    Row groups outside that range are not decoded; with ``only``, just the one of that number is. Raises Unreadable.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            schema = file.schema_arrow  # made anew each time it is asked for
            if not any(schema.equals(known, check_metadata=False) for known in schemas(aware=aware)):
                raise Unreadable("it does not have the columns of bars")
            names = frozenset(schema.names)
            columns = [name for name in (*COLUMNS, WHOLE) if name in names]
            groups = _groups(file.metadata, first, last) if only is None else [only]
            zones = _zones(file.metadata, groups) if aware else None
            # Not the symbol, which is known; and no threads, which cost more than they gain on one month.
            table = file.read_row_groups(groups, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        let_out(error)
        raise Unreadable(f"it is not a sound Parquet file ({type(error).__name__})") from None
    found = Columns(table.replace_schema_metadata(None), zones)
    if first is None or last is None:
        return found
    return found.between(first, last)


def is_aware(data: bytes) -> bool:
    """Whether the dates in ``data`` have a zone; raises Unreadable."""
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            return file.schema_arrow.field("date").type.tz is not None
    except (pa.ArrowException, OSError, KeyError, AttributeError, ValueError, TypeError) as error:
        let_out(error)
        raise Unreadable(f"it is not a sound Parquet file of bars ({type(error).__name__})") from None


def sound_groups(data: bytes, month: str, *, aware: bool) -> Columns | None:
    """Return the bars of the row groups that can be read whole, with all checksums, None if there are none."""
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            numbers = range(file.metadata.num_row_groups)
    except (pa.ArrowException, OSError, ValueError) as error:
        let_out(error)
        return None
    found: list[Columns] = []
    last = FIRST - 1
    for number in numbers:
        try:
            part = decode(data, aware=aware, only=number)
            accepted(part, negative=True)
        except (Unreadable, InvalidRecord):
            continue
        times = part.times().tolist()
        in_month = bool(times) and {month_of(times[0]), month_of(times[-1])} == {month}
        if in_month and last < times[0] and all(map(lt, times, times[1:])):
            found.append(part)
            last = times[-1]
    return joined(found)


def adopted(data: bytes, symbol: str, month: str, *, negative: bool) -> Columns:
    """Return the bars of a file that somebody else wrote, after checking all that is asked of bars that are written.

    Raises Unreadable when it is not a month of bars of this symbol as ``encode`` would have been given them.
    """
    columns = adopted_whole(data, symbol)
    times = columns.times()
    if {month_of(times[0]), month_of(times[-1])} != {month}:
        raise Unreadable("it has bars of another month")
    try:
        return accepted(columns, negative=negative)
    except InvalidRecord as error:
        raise Unreadable(f"it has a bar whose {error.field} {error.reason}") from None


def adopted_whole(data: bytes, symbol: str) -> Columns:
    """Return the bars of this symbol, of whatever time, in a file of somebody else; their values were not checked.

    Raises Unreadable.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            aware = file.schema_arrow.field("date").type.tz is not None
            symbols = pc.unique(file.read(["symbol"]).column(0)).to_pylist()
    except (pa.ArrowException, OSError, KeyError, AttributeError) as error:
        let_out(error)
        raise Unreadable(f"it is not a sound Parquet file of bars ({type(error).__name__})") from None
    columns = decode(data, aware=aware)
    table = columns.table
    if not len(columns) or any(table.column(name).null_count for name in COLUMNS):
        raise Unreadable("it has no bars, or bars with values missing")
    times = columns.times().tolist()
    if not all(map(lt, times, times[1:])):
        raise Unreadable("its dates are not in order, or one stands twice")
    if symbols != [symbol]:
        raise Unreadable("it has bars of another symbol")
    return columns


def _groups(metadata: Any, first: int | None, last: int | None) -> list[int]:
    every = list(range(metadata.num_row_groups))
    if first is None or last is None:
        return every
    date = metadata.schema.names.index("date")
    kept = []
    for number in every:
        found = metadata.row_group(number).column(date).statistics
        if found is None or not found.has_min_max or (found.min_raw <= last and found.max_raw >= first):
            kept.append(number)
    return kept


def _zones(metadata: Any, groups: list[int]) -> list[str]:
    """The zone of each row in the groups; the others are not written out."""
    own = (metadata.metadata or {}).get(_METADATA)
    runs = json.loads(own)["zones"] if own else [("UTC", metadata.num_rows)]
    for name in {name for name, _ in runs}:
        zone(name)  # unknown here: better said now than in the middle of a list
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    kept: list[str] = []
    for number in groups:
        start = sum(sizes[:number])
        kept += _rows(runs, start, start + sizes[number])
    return kept


def _rows(runs: list[tuple[str, int]], start: int, end: int) -> Iterator[str]:
    """The names of the rows from ``start`` to before ``end``."""
    position = 0
    for name, count in runs:
        yield from repeat(name, min(position + count, end) - max(position, start))
        position += count
