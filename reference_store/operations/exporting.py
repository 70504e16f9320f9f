"""Bars as a file for other programs: CSV, Parquet or Arrow; nothing of the store is changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
import pyarrow.parquet as pa_parquet  # type: ignore[import-untyped]

from reference_store.core.atomic import Directory
from reference_store.core.root import as_failure
from reference_store.errors import InvalidRecord
from reference_store.operations.inspection import opened
from reference_store.stores.bars.checks import span
from reference_store.stores.bars.columns import table_of
from reference_store.stores.bars.files import BarFiles

_FIRST, _LAST = datetime.min, datetime.max  # noqa: DTZ901 - ends of the calendar
FORMATS = ("csv", "parquet", "arrow")


def bars_table(root: str, symbol: str, start: datetime | None = None, end: datetime | None = None) -> pa.Table:
    """Return the bars of a symbol of a FileDataStore in ``root``, from ``start`` to ``end``, both included.

    Where bars have no time zones those of the bounds are dropped, and where they have, bounds without are in UTC.
    Raises InvalidRecord if there are no bars of the symbol, and CorruptData if they are damaged and have no backup.
    """
    prices = opened(os.path.join(root, "prices"))
    files = BarFiles(prices, 10.0)
    try:
        if symbol not in files.symbols("export"):
            raise InvalidRecord("symbol", "is none of those that have bars here")
        try:
            return _read(files, symbol, _naive(start, _FIRST), _naive(end, _LAST))
        except InvalidRecord:
            return _read(files, symbol, _aware(start, _FIRST), _aware(end, _LAST))
    finally:
        files.root.close()


def written(table: pa.Table, form: str) -> bytes:
    """Return the table as a file of this format: one of FORMATS."""
    sink = pa.BufferOutputStream()
    writers: dict[str, Callable[[], object]] = {
        "csv": lambda: pa_csv.write_csv(table, sink),
        "parquet": lambda: pa_parquet.write_table(table, sink, compression="snappy"),
        "arrow": lambda: _write_arrow(table, sink),
    }
    if form not in writers:
        raise InvalidRecord("format", f"is none of {', '.join(FORMATS)}")
    writers[form]()
    return bytes(sink.getvalue())


def put(data: bytes, file: str) -> None:
    """Make ``data`` the content of ``file``, whole or not at all; raises StorageFailure."""
    parent, name = os.path.split(file)
    try:
        if not name or os.path.isdir(file):
            raise IsADirectoryError(21, "it is a directory")
        directory = Directory(os.open(parent or ".", os.O_RDONLY | os.O_DIRECTORY), parent or ".")
        directory.replace(name, data, None)
    except (OSError, ValueError) as error:
        cause = error if isinstance(error, OSError) else OSError(22, "it is no path")
        raise as_failure("export", file, cause) from error


def _read(files: BarFiles, symbol: str, start: datetime, end: datetime) -> pa.Table:
    first, last, aware = span(start, end)
    return table_of(symbol, files.read("export", symbol, first, last, aware=aware), aware=aware)


def _naive(bound: datetime | None, otherwise: datetime) -> datetime:
    return otherwise if bound is None else bound.replace(tzinfo=None)


def _aware(bound: datetime | None, otherwise: datetime) -> datetime:
    found = otherwise if bound is None else bound
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _write_arrow(table: pa.Table, sink: pa.BufferOutputStream) -> None:
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
