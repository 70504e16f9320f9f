"""Bars in a Delta table, for asyncio: one hop to a thread for each whole operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core.closing import AsyncClosing
from reference_store.errors import StoreError
from reference_store.lake.bars import KEPT, LakeBarStore
from reference_store.models import PriceBar
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio_trading_bars import each_of_ours, of_ours


class AsyncLakeBarStore(AsyncClosing):
    """LakeBarStore for asyncio; see there. A cancelled call has happened whole or not at all, and is over then."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("process-crash", "tasks", "processes")

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
        self._store = LakeBarStore(
            place, storage_options=storage_options, retry_for=retry_for, negative_prices=negative_prices,
            probe=probe, version=version,
        )  # fmt: skip

    async def write_bars(self, symbol: str, bars: Sequence[PriceBar]) -> None:
        """Add bars, all or none; see LakeBarStore.write_bars."""
        await whole(self._store.write_bars, symbol, of_ours(bars))

    async def write_bars_table(self, symbol: str, table: object) -> None:
        """Add the rows of a table, all or none; see LakeBarStore.write_bars_table."""
        await whole(self._store.write_bars_table, symbol, table)

    async def write_bars_of_many(self, bars: Mapping[str, Iterable[PriceBar]]) -> None:
        """Add bars of many symbols, all or none; see LakeBarStore.write_bars_of_many."""
        await whole(self._store.write_bars_of_many, each_of_ours(bars))

    async def read_bars(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``, both included, by date."""
        return await whole(self._store.read_bars, symbol, start, end)

    async def read_bars_table(self, symbol: str, start: datetime, end: datetime) -> pa.Table:
        """Return the same bars as a table."""
        return await whole(self._store.read_bars_table, symbol, start, end)

    async def symbols(self) -> list[str]:
        """Return the symbols that have bars, sorted."""
        return await whole(self._store.symbols)

    async def months(self, symbol: str) -> list[str]:
        """Return the months in which ``symbol`` has bars, in order."""
        return await whole(self._store.months, symbol)

    async def delete_bars(self, symbol: str, start: datetime, end: datetime) -> int:
        """Remove bars, all or none, and say how many."""
        return await whole(self._store.delete_bars, symbol, start, end)

    async def versions(self) -> list[int]:
        """Return the numbers of the versions of which the history tells."""
        return await whole(self._store.versions)

    async def compact(self) -> None:
        """Write small files together into larger ones; see LakeBarStore.compact."""
        await whole(self._store.compact)

    async def vacuum(self, keep: timedelta = KEPT) -> int:
        """Remove the files that no version younger than ``keep`` needs; see LakeBarStore.vacuum."""
        return await whole(self._store.vacuum, keep)

    async def aclose(self) -> None:
        """Nothing is held open; calls after this raise StoreClosed."""
        self._store.close()
