"""The bars of a FileDataStore for asyncio: one hop to a thread for each whole operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import fields
from datetime import datetime
from operator import attrgetter

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord
from reference_store.models import PriceBar
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio import reading
from reference_store.stores.bars.checks import listed
from reference_store.stores.bars.salvage import SalvagedMonth
from reference_store.stores.trading_bars import TradingBars


class AsyncTradingBars:
    """TradingBars for asyncio; see there."""

    def _open_bars(self, bars: TradingBars) -> None:
        self._of_bars = bars

    async def write_bars(self, symbol: str, bars: Sequence[PriceBar]) -> None:
        """Add bars, all or none, durable on return; see FileDataStore.write_bars."""
        await whole(self._of_bars.write_bars, symbol, of_ours(bars))

    async def write_bars_table(self, symbol: str, table: object) -> None:
        """Add the rows of a table, all or none, durable on return; see FileDataStore.write_bars_table."""
        await whole(self._of_bars.write_bars_table, symbol, table)

    async def write_bars_of_many(self, bars: Mapping[str, Iterable[PriceBar]]) -> None:
        """Add bars of many symbols, all or none, durable on return; see FileDataStore.write_bars_of_many."""
        await whole(self._of_bars.write_bars_of_many, each_of_ours(bars))

    async def read_bars(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``, both included, by date; see FileDataStore.read_bars."""
        return await reading(self._of_bars.read_bars, symbol, start, end)

    async def read_bars_table(self, symbol: str, start: datetime, end: datetime) -> pa.Table:
        """Return the same bars as a table; see FileDataStore.read_bars_table."""
        return await reading(self._of_bars.read_bars_table, symbol, start, end)

    async def symbols(self) -> list[str]:
        """Return the symbols that bars were written for, sorted."""
        return await reading(self._of_bars.symbols)

    async def months(self, symbol: str) -> list[str]:
        """Return the months in which ``symbol`` has bars, in order."""
        return await reading(self._of_bars.months, symbol)

    async def delete_bars(self, symbol: str, start: datetime, end: datetime) -> int:
        """Remove bars, all or none, durable on return; see FileDataStore.delete_bars."""
        return await whole(self._of_bars.delete_bars, symbol, start, end)

    async def fold_bars(self) -> None:
        """Move all recent bars into their months; see FileDataStore.fold_bars."""
        await whole(self._of_bars.fold_bars)

    async def reseal_bars(self, symbol: str) -> None:
        """Accept the month files of ``symbol`` as they stand; see FileDataStore.reseal_bars."""
        await whole(self._of_bars.reseal_bars, symbol)

    async def salvage_bars(self, symbol: str) -> list[SalvagedMonth]:
        """Make the damaged months of ``symbol`` readable again; see FileDataStore.salvage_bars."""
        return await whole(self._of_bars.salvage_bars, symbol)


_of_bar = attrgetter(*(field.name for field in fields(PriceBar)))


def of_ours(bars: Iterable[PriceBar]) -> list[PriceBar]:
    """Return copies: the caller may go on changing its bars while a thread writes them."""
    given = listed(bars)
    try:
        return [PriceBar(*_of_bar(bar)) if type(bar) is PriceBar else copy(bar) for bar in given]
    except Exception as error:
        let_out(error)
        raise InvalidRecord("bars", f"cannot be copied ({type(error).__name__})") from error


def each_of_ours(bars: Mapping[str, Iterable[PriceBar]]) -> Mapping[str, Iterable[PriceBar]]:
    if not isinstance(bars, Mapping):
        return bars  # which the store refuses
    try:
        of_symbols = dict(bars.items())
    except Exception as error:
        let_out(error)
        raise InvalidRecord("bars", f"cannot be gone through ({type(error).__name__})") from error
    return {symbol: of_ours(some) for symbol, some in of_symbols.items()}
