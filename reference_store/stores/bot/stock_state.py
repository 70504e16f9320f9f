"""What is known about each stock between two runs, one readable file each in ``stock_state/``."""

from __future__ import annotations

from datetime import datetime

from reference_store.bot_models import StockState
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord
from reference_store.stores.bot.faces import Doing
from reference_store.stores.bot.keyed import AsyncKeyedModelStore, KeyedModelStore, Kind, Records

STATES = Kind(StockState, "symbol", "stock_state")


def _fetched(records: Records[StockState], symbol: str, what: str, at: datetime) -> Doing[StockState]:
    try:
        begun = StockState(symbol=symbol, fetched_at={what: at})
    except ValueError as error:
        let_out(error)
        raise InvalidRecord("at", "is no datetime of Python, or what was fetched no text") from error

    def note(state: StockState) -> StockState:
        before = state.fetched_at.get(what)
        if before is not None and (before.utcoffset() is None) is not (at.utcoffset() is None):
            raise InvalidRecord("at", "has a time zone, or none, unlike the time that is there")
        state.fetched_at[what] = at if before is None else max(before, at)
        return state

    return records.upserting("fetched", begun, note)


class StockStateStore(KeyedModelStore[StockState]):
    """The state of stocks by ``symbol`` in ``<root>/stock_state/``; errors and promises are those of DocumentStore."""

    kind = STATES

    def fetched(self, symbol: str, what: str, at: datetime) -> StockState:
        """Note that ``what`` of a stock was fetched at a time, and return its state; the time never goes back."""
        noted: StockState = self._done(_fetched(self._records, symbol, what, at))
        return noted


class AsyncStockStateStore(AsyncKeyedModelStore[StockState]):
    """StockStateStore for asyncio; see there."""

    kind = STATES

    async def fetched(self, symbol: str, what: str, at: datetime) -> StockState:
        """Note that ``what`` of a stock was fetched at a time; see StockStateStore.fetched."""
        noted: StockState = await self._done(_fetched(self._records, symbol, what, at))
        return noted
