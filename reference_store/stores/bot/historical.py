"""Historical bars in ``historical/``: one Parquet file for a market, a granularity and a period."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core.closing import AsyncClosing, Closing
from reference_store.core.document_files import Recovery
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.sealed_files import SealedFiles
from reference_store.errors import InvalidIdentifier, InvalidRecord, StoreError
from reference_store.models import PriceBar
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio import reading
from reference_store.stores.aio_trading_bars import of_ours
from reference_store.stores.bars.checks import columns_of, columns_of_table, listed, span
from reference_store.stores.bars.columns import Columns, merged, objects, table_of
from reference_store.stores.bot.file_names import Granularity, HistoricalName
from reference_store.stores.bot.historical_files import FORM, adopt, key_of, lately, symbol_of
from reference_store.stores.bot.places import below
from reference_store.stores.documents import CLAIMS

DIRECTORY = "historical"


class _Historical:
    """The files, and what is read of them and written to them."""

    def __init__(self, root: str | Path, lock_timeout: float) -> None:
        self.files = SealedFiles(below(root, DIRECTORY), lock_timeout, FORM, lambda key: key, key_of)

    def write(self, name: HistoricalName, bars: Sequence[PriceBar]) -> int:
        return self.put(name, _columns(name, bars))

    def put(self, name: HistoricalName, columns: Columns) -> int:
        self.files.put("write", _key(name), columns)
        return len(columns)

    def add(self, name: HistoricalName, bars: Sequence[PriceBar]) -> int:
        columns = _columns(name, bars)

        def add(present: Columns | None) -> Columns:
            if present is not None and present.aware is not columns.aware:
                raise InvalidRecord("date", "has a time zone, or none, unlike the bars that are there")
            return lately(name, columns if present is None else merged(present, columns))

        return len(self.files.update("add", _key(name), add))

    def update(self, name: HistoricalName, function: Callable[[list[PriceBar]], Sequence[PriceBar]]) -> list[PriceBar]:
        if not callable(function):
            raise InvalidRecord("function", "cannot be called")
        symbol = symbol_of(_name(name))

        def update(present: Columns | None) -> Columns:
            return _some(symbol, function([] if present is None else objects(symbol, present)))

        return objects(symbol, self.files.update("update", _key(name), update))

    def read(
        self, operation: str, name: HistoricalName, start: datetime | None, end: datetime | None
    ) -> Columns | None:
        key = _key(name)
        bounds = None
        if start is not None or end is not None:
            bounds = span(end if start is None else start, start if end is None else end)
        found = self.files.read(operation, key)
        if found is None or bounds is None:
            return found
        if found.aware is not bounds[2]:
            raise InvalidRecord("start", "or end has a time zone, or none, unlike the bars that are there")
        times = found.times()
        return found.between(times[0] if start is None else bounds[0], times[-1] if end is None else bounds[1])

    def bars(self, name: HistoricalName, start: datetime | None, end: datetime | None) -> list[PriceBar]:
        found = self.read("read", name, start, end)
        return [] if found is None else objects(symbol_of(name), found)

    def table(self, name: HistoricalName, start: datetime | None, end: datetime | None) -> pa.Table:
        found = self.read("read_table", name, start, end)
        aware = found is not None and found.aware
        return table_of(symbol_of(name), [] if found is None else [found], aware=aware)

    def names(self, asset: str | None, base: str | None, granularity: str | None) -> list[HistoricalName]:
        if granularity is not None and granularity not in set(Granularity):
            raise InvalidRecord("granularity", f"is none of {', '.join(Granularity)}")
        found = [HistoricalName.parse(key) for key in self.files.keys("names")]
        return [
            name
            for name in found
            if (asset is None or name.asset == asset)
            and (base is None or name.base == base)
            and (granularity is None or name.granularity == granularity)
        ]

    def delete(self, name: HistoricalName) -> bool:
        return self.files.remove("delete", _key(name))

    def reseal(self, name: HistoricalName) -> None:
        key = _key(name)
        self.files.reseal("reseal", key, lambda data: adopt(key, key, data))


def _name(name: object) -> HistoricalName:
    if not isinstance(name, HistoricalName):
        raise InvalidIdentifier(name, "is no HistoricalName")
    return name


def _key(name: object) -> str:
    return str(_name(name))


def _columns(name: object, bars: object) -> Columns:
    """The bars, as nobody else holds them; raises InvalidRecord for those that cannot be given back unchanged."""
    return _some(symbol_of(_name(name)), bars)


def _some(symbol: str, bars: object) -> Columns:
    given = listed(bars)
    if not given:
        raise InvalidRecord("bars", "are none: delete removes a file")
    return columns_of(symbol, given)


def _columns_of_table(name: object, table: object) -> Columns:
    columns = columns_of_table(symbol_of(_name(name)), table)
    if not len(columns):
        raise InvalidRecord("table", "has no rows: delete removes a file")
    return columns


class HistoricalStore(Closing, Reopened):
    """Bars by ``HistoricalName`` in ``<root>/historical/``: ``BTC-EUR_hour_180d.parquet``, snappy, sealed.

    Each file is replaced whole, durably, and the version before stands in ``.bak``. Other programs may read the files
    while they are replaced. The bars have the symbol ``BTC-EUR``, stand as far apart as the granularity says at least,
    and span the period at most.

    Raises InvalidRecord for bars that are none of such a file, InvalidIdentifier for what is no name, CorruptData when
    neither file nor backup is sound, LockTimeout, StorageFailure, and StoreClosed after ``close``.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._historical = _Historical(root, lock_timeout)

    def write(self, name: HistoricalName, bars: Sequence[PriceBar]) -> int:
        """Replace the file by one of these bars, in any order, and return how many there are: after a download."""
        return self._historical.write(name, bars)

    def write_table(self, name: HistoricalName, table: object) -> int:
        """Replace the file by one of the rows of a table; see FileDataStore.write_bars_table."""
        return self._historical.put(name, _columns_of_table(name, table))

    def add(self, name: HistoricalName, bars: Sequence[PriceBar]) -> int:
        """Add bars, in place of those with the same dates, and return how many the file has now.

        Bars that are older than the period, counted from the newest one, are let go.
        """
        return self._historical.add(name, bars)

    def update(self, name: HistoricalName, function: Callable[[list[PriceBar]], Sequence[PriceBar]]) -> list[PriceBar]:
        """Replace the bars by what ``function`` makes of them, of ``[]`` if there are none, and return that."""
        return self._historical.update(name, function)

    def read(self, name: HistoricalName, start: datetime | None = None, end: datetime | None = None) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``, both included, by date; ``[]`` if there are none."""
        return self._historical.bars(name, start, end)

    def read_table(self, name: HistoricalName, start: datetime | None = None, end: datetime | None = None) -> pa.Table:
        """Return the same bars as a table of Arrow."""
        return self._historical.table(name, start, end)

    def names(
        self, asset: str | None = None, base: str | None = None, granularity: str | None = None
    ) -> builtins.list[HistoricalName]:
        """Return the names of the files that are there, sorted; of one asset, base or granularity if that is given."""
        return self._historical.names(asset, base, granularity)

    def delete(self, name: HistoricalName) -> bool:
        """Remove a file for good, and say whether there was one."""
        return self._historical.delete(name)

    def reseal(self, name: HistoricalName) -> None:
        """Accept a file as it stands: written by another program; raises CorruptData for what is no such file."""
        self._historical.reseal(name)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 reads of this instance that were answered from a backup."""
        return tuple(self._historical.files.recoveries)

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._historical.files.root.close()


class AsyncHistoricalStore(AsyncClosing, Reopened):
    """HistoricalStore for asyncio; see there."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *CLAIMS)

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._historical = _Historical(root, lock_timeout)

    async def write(self, name: HistoricalName, bars: Sequence[PriceBar]) -> int:
        """Replace the file by one of these bars; see HistoricalStore.write."""
        return await whole(self._historical.write, name, of_ours(bars))

    async def write_table(self, name: HistoricalName, table: object) -> int:
        """Replace the file by one of the rows of a table; see HistoricalStore.write_table."""
        return await whole(self._historical.put, name, _columns_of_table(name, table))

    async def add(self, name: HistoricalName, bars: Sequence[PriceBar]) -> int:
        """Add bars, and let go of those that are too old; see HistoricalStore.add."""
        return await whole(self._historical.add, name, of_ours(bars))

    async def update(
        self, name: HistoricalName, function: Callable[[list[PriceBar]], Sequence[PriceBar]]
    ) -> list[PriceBar]:
        """Replace the bars by what ``function``, called in a thread, makes of them; see HistoricalStore.update."""
        return await whole(self._historical.update, name, function)

    async def read(
        self, name: HistoricalName, start: datetime | None = None, end: datetime | None = None
    ) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``; see HistoricalStore.read."""
        return await reading(self._historical.bars, name, start, end)

    async def read_table(self, name: HistoricalName, start: datetime | None = None, end: datetime | None = None) -> Any:
        """Return the same bars as a table of Arrow."""
        return await reading(self._historical.table, name, start, end)

    async def names(
        self, asset: str | None = None, base: str | None = None, granularity: str | None = None
    ) -> builtins.list[HistoricalName]:
        """Return the names of the files that are there; see HistoricalStore.names."""
        return await whole(self._historical.names, asset, base, granularity)

    async def delete(self, name: HistoricalName) -> bool:
        """Remove a file for good, and say whether there was one."""
        return await whole(self._historical.delete, name)

    async def reseal(self, name: HistoricalName) -> None:
        """Accept a file as it stands; see HistoricalStore.reseal."""
        await whole(self._historical.reseal, name)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 reads of this instance that were answered from a backup."""
        return tuple(self._historical.files.recoveries)

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._historical.files.root.close()
