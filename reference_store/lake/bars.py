"""Bars by symbol in a Delta table, for threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]
from deltalake import CommitProperties, DeltaTable

from reference_store.core import keys
from reference_store.core.closing import Closing
from reference_store.errors import InvalidRecord, StoreClosed, StoreError, shown
from reference_store.lake.probing import keeps_conditions
from reference_store.lake.rows import bars_of, rows_of, zoned
from reference_store.lake.table import LakeTable, hours
from reference_store.models import PriceBar
from reference_store.stores.bars.checks import columns_of, columns_of_table, listed, span
from reference_store.stores.bars.columns import Columns, month_of, objects, table_of

KEPT = timedelta(days=7)


class LakeBarStore(Closing):
    """The bars of a FileDataStore in a Delta table; see there for the methods.

    ``place`` is a path or a URL (``s3://``, ``gs://``, ``az://``), ``storage_options`` what deltalake takes for it.
    A bucket that ignores conditions is refused when it is opened, because two writers could replace each other's
    commits there; ``probe=False`` does without that look. ``version``, a number or a time with a zone, opens the table
    as it was.

    A write is a merge by time and happened whole or not at all, over all of its symbols and months. Several machines
    may write at the same time, to the same day too: who comes second does his merge again, for at most ``retry_for``
    seconds, and LakeFailure is raised then. A commit whose answer was lost is found in the history and not done again;
    doing a merge again would lead to the same bars anyhow, and whoever gets a LakeFailure may simply repeat the call.

    In a bucket, what was acknowledged stays. On a local path deltalake syncs nothing: a power loss can take back what
    was acknowledged, and FileDataStore is the store to take. A mixture of bars with and without time zones is refused
    where it is seen; two first writes of a symbol to different months at the same moment are not.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("process-crash", "threads", "processes")

    def __init__(
        self,
        place: str | Path,
        *,
        storage_options: Mapping[str, str] | None = None,
        retry_for: float = 60.0,
        negative_prices: bool = False,
        probe: bool = True,
        version: int | datetime | None = None,
    ) -> None:
        if isinstance(version, datetime) and version.utcoffset() is None:
            raise InvalidRecord("version", "is a time without a zone")
        self._table = LakeTable(place, storage_options, retry_for, version)
        self._negative = negative_prices
        self._closed = False
        if probe:
            keeps_conditions(self._table.uri, self._table.name, storage_options)

    def write_bars(self, symbol: str, bars: Sequence[PriceBar]) -> None:
        """Add ``bars`` of ``symbol``; one takes the place of an earlier one with the same date."""
        keys.encode(symbol)
        if given := listed(bars):
            self._merge("write_bars", {symbol: columns_of(symbol, given, negative=self._negative)})

    def write_bars_table(self, symbol: str, table: object) -> None:
        """Add the rows of a table as ``write_bars`` does; see FileDataStore.write_bars_table."""
        keys.encode(symbol)
        new = columns_of_table(symbol, table, negative=self._negative)
        if len(new):
            self._merge("write_bars_table", {symbol: new})

    def write_bars_of_many(self, bars: Mapping[str, Iterable[PriceBar]]) -> None:
        """Add bars of many symbols: all of them are there, or none."""
        if not isinstance(bars, Mapping):
            raise InvalidRecord("bars", f"is of type {type(bars).__name__}, not a mapping of symbols to bars")
        new: dict[str, Columns] = {}
        for symbol, given in bars.items():
            keys.encode(symbol)
            if found := listed(given):
                try:
                    new[symbol] = columns_of(symbol, found, negative=self._negative)
                except InvalidRecord as error:
                    reason = f"of {shown(symbol)} {error.reason}"
                    raise InvalidRecord(error.field, reason, error.position) from None
        if new:
            self._merge("write_bars_of_many", new)

    def read_bars(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``, both included, by date, as they were at one moment."""
        found, _ = self._between("read_bars", symbol, start, end)
        return [] if found is None else objects(symbol, found)

    def read_bars_table(self, symbol: str, start: datetime, end: datetime) -> pa.Table:
        """Return the same bars as a table; only the files of these months of this symbol are read."""
        found, aware = self._between("read_bars_table", symbol, start, end)
        return table_of(symbol, [] if found is None else [found], aware=aware)

    def symbols(self) -> list[str]:
        """Return the symbols that have bars, sorted."""
        names = self._read("symbols", "symbols", lambda table: {part["of"] for part in table.partitions()}, set())
        return sorted(symbol for name in names if (symbol := keys.decode(name)) is not None)

    def months(self, symbol: str) -> list[str]:
        """Return the months, as ``YYYY-MM``, in which ``symbol`` has bars, in order."""
        name = keys.encode(symbol)

        def months(table: DeltaTable) -> set[str]:
            return {part["month"] for part in table.partitions() if part["of"] == name}

        return sorted(self._read("months", symbol, months, set()))

    def delete_bars(self, symbol: str, start: datetime, end: datetime) -> int:
        """Remove the bars from ``start`` to ``end``, both included, all or none, and say how many."""
        first, last, aware = span(start, end)
        name = keys.encode(symbol)
        where = (
            f"of = {_text(name)} AND month >= '{month_of(first)}' AND month <= '{month_of(last)}'"
            f" AND time >= {first} AND time <= {last}"
        )

        def delete(table: DeltaTable, facts: CommitProperties) -> int:
            _refuse_mixture("start", symbol, table, aware=aware)
            return int(table.delete(where, commit_properties=facts)["num_deleted_rows"])

        def told(commit: Mapping[str, Any]) -> int:
            return int((commit.get("operationMetrics") or {}).get("num_deleted_rows", 0))

        deleted: int = self._change("delete_bars", symbol, delete, told)
        return deleted

    def versions(self) -> list[int]:
        """Return the numbers of the versions of which the history tells, the newest last."""
        return sorted(
            self._read("versions", "versions", lambda table: [commit["version"] for commit in table.history()], [])
        )

    def compact(self) -> None:
        """Write the small files that many merges have left of each month together into larger ones; no bar changes."""

        def compact(table: DeltaTable, facts: CommitProperties) -> None:
            table.optimize.compact(commit_properties=facts)

        self._change("compact", "table", compact, lambda _: None)

    def vacuum(self, keep: timedelta = KEPT) -> int:
        """Remove the files that no version younger than ``keep`` needs, and say how many; older versions go.

        A reader or writer that began before, and takes longer than ``keep``, may miss a file: it begins anew.
        """

        def vacuum(table: DeltaTable) -> int:
            return len(table.vacuum(hours(keep), dry_run=False, enforce_retention_duration=False))

        hours(keep)
        removed: int = self._read("vacuum", "table", vacuum, 0)
        return removed

    def close(self) -> None:
        """Nothing is held open; calls after this raise StoreClosed."""
        self._closed = True

    def _merge(self, operation: str, new: Mapping[str, Columns]) -> None:
        rows = rows_of(new)
        names = ", ".join(sorted({_text(name) for name in rows.column("of").unique().to_pylist()}))
        months = ", ".join(sorted({_text(month) for month in rows.column("month").unique().to_pylist()}))
        # The lists say which partitions are looked at, and so with which other changes this one can collide.
        where = f"t.of IN ({names}) AND t.month IN ({months}) AND t.of = s.of AND t.month = s.month AND t.time = s.time"

        def merge(table: DeltaTable, facts: CommitProperties) -> None:
            for symbol, columns in new.items():
                _refuse_mixture("date", symbol, table, aware=columns.aware)
            merger = table.merge(rows, where, source_alias="s", target_alias="t", commit_properties=facts)
            merger.when_matched_update_all().when_not_matched_insert_all().execute()

        self._change(operation, next(iter(new)), merge, lambda _: None)

    def _between(self, operation: str, symbol: str, start: object, end: object) -> tuple[Columns | None, bool]:
        first, last, aware = span(start, end)
        name = keys.encode(symbol)

        def read(table: DeltaTable) -> Columns | None:
            _refuse_mixture("start", symbol, table, aware=aware)
            files: list[tuple[str, str, Any]] = [
                ("of", "=", name), ("month", ">=", month_of(first)), ("month", "<=", month_of(last)),
            ]  # fmt: skip
            times = (ds.field("time") >= first) & (ds.field("time") <= last)
            rows = table.to_pyarrow_dataset(file_pruning_predicate=files).to_table(filter=times)
            return bars_of(symbol, rows, self._table.name)

        return self._read(operation, symbol, read, None), aware

    def _read(self, operation: str, identifier: str, use: Any, none: Any) -> Any:
        if self._closed:
            raise StoreClosed(operation)
        return self._table.read(operation, identifier, use, none)

    def _change(self, operation: str, identifier: str, make: Any, told: Any) -> Any:
        if self._closed:
            raise StoreClosed(operation)
        return self._table.change(operation, identifier, make, told)


def _refuse_mixture(field: str, symbol: str, table: DeltaTable, *, aware: bool) -> None:
    """Raise InvalidRecord for ``field`` when a symbol has bars of the other kind."""
    other: list[tuple[str, str, Any]] = [("of", "=", keys.encode(symbol)), ("zoned", "=", zoned(aware=not aware))]
    if table.file_uris(file_pruning_predicate=other):
        here, there = ("a", "none") if aware else ("no", "one")
        raise InvalidRecord(field, f"has {here} time zone, while the dates of {shown(symbol)} have {there}")


def _text(value: str) -> str:
    """A text of SQL; what it holds are names of files and months, and never a quote."""
    return "'" + value.replace("'", "''") + "'"
