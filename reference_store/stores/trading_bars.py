"""What FileDataStore offers on its bars: written, read, listed, deleted, and vouched for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.errors import InvalidRecord, shown
from reference_store.models import PriceBar
from reference_store.stores.bars.checks import columns_of, columns_of_table, listed, span
from reference_store.stores.bars.columns import Columns, objects, table_of
from reference_store.stores.bars.files import BarFiles
from reference_store.stores.bars.salvage import SalvagedMonth


class TradingBars:
    """The part of FileDataStore that keeps bars; see there for promises and errors."""

    def _open_bars(self, prices: Directory, lock_timeout: float, *, negative_prices: bool) -> None:
        self._bars = BarFiles(prices, lock_timeout, negative_prices=negative_prices)

    def write_bars(self, symbol: str, bars: Sequence[PriceBar]) -> None:
        """Add ``bars`` of ``symbol``, in any order; one takes the place of an earlier one with the same date.

        All of them are durable on return; after any error or crash either all of them are there or none. No bars do
        nothing. Raises InvalidRecord for a bar that could not be given back unchanged, see ``bars.checks``, and
        CorruptData when a month that has to be read for it is damaged.
        """
        self._bars.write(symbol, bars)

    def write_bars_table(self, symbol: str, table: object) -> None:
        """Add the rows of a table as ``write_bars`` does: of Arrow, pandas, polars, all that has the Arrow interface.

        Its columns are ``date``, ``open``, ``high``, ``low``, ``close``, ``volume`` and, if it likes, ``symbol``.
        """
        keys.encode(symbol)
        new = columns_of_table(symbol, table, negative=self._bars.negative)
        if len(new):
            self._bars.add(symbol, new)

    def write_bars_of_many(self, bars: Mapping[str, Iterable[PriceBar]]) -> None:
        """Add bars of many symbols as ``write_bars`` does, durable all together: all of them are there, or none."""
        if not isinstance(bars, Mapping):
            raise InvalidRecord("bars", f"is of type {type(bars).__name__}, not a mapping of symbols to bars")
        new: dict[str, Columns] = {}
        for symbol, given in bars.items():
            keys.encode(symbol)
            if found := listed(given):
                try:
                    new[symbol] = columns_of(symbol, found, negative=self._bars.negative)
                except InvalidRecord as error:
                    reason = f"of {shown(symbol)} {error.reason}"
                    raise InvalidRecord(error.field, reason, error.position) from None
        self._bars.add_many("write_bars_of_many", new)

    def read_bars(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        """Return the bars from ``start`` to ``end``, both included, by date; ``[]`` if there are none.

        What is returned was there at one moment: a concurrent write shows whole or not at all. A damaged month is
        answered from its backup, as it was before its last write, which is logged as a warning and noted in
        ``recoveries``. Raises CorruptData when there is no backup of it.
        """
        first, last, aware = span(start, end)
        parts = self._bars.read("read_bars", symbol, first, last, aware=aware)
        found: list[PriceBar] = []
        for part in parts:
            found += objects(symbol, part)
        return found

    def read_bars_table(self, symbol: str, start: datetime, end: datetime) -> pa.Table:
        """Return the same bars as a table, without making objects of them.

        Its columns are those of PriceBar; dates have microseconds, and dates with time zones stand in UTC.
        """
        first, last, aware = span(start, end)
        parts = self._bars.read("read_bars_table", symbol, first, last, aware=aware)
        return table_of(symbol, parts, aware=aware)

    def symbols(self) -> list[str]:
        """Return the symbols that bars were written for, sorted."""
        return self._bars.symbols("symbols")

    def months(self, symbol: str) -> list[str]:
        """Return the months, as ``YYYY-MM``, in which ``symbol`` has bars, in order."""
        return self._bars.months("months", symbol)

    def delete_bars(self, symbol: str, start: datetime, end: datetime) -> int:
        """Remove the bars from ``start`` to ``end``, both included, durably, all or none, and say how many."""
        first, last, aware = span(start, end)
        return self._bars.delete("delete_bars", symbol, first, last, aware=aware)

    def fold_bars(self) -> None:
        """Move all bars that wait in ``prices/.recent.jsonl`` into their months, for programs that read only those."""
        self._bars.fold("fold_bars")

    def reseal_bars(self, symbol: str) -> None:
        """Accept the month files of ``symbol`` as they stand: after an edit by hand, or written by another program.

        Raises CorruptData when one of them is not a month of bars of this symbol; move it away first.
        """
        self._bars.reseal("reseal_bars", symbol)

    def salvage_bars(self, symbol: str) -> list[SalvagedMonth]:
        """Make the damaged months of ``symbol`` readable again, and say of each what is kept and what is lost.

        Kept are the row groups (32,768 bars) of which every page has its checksum, and of the backup what these do not
        have; of damaged recent bars each line that is sound. The damaged files stay beside as evidence. ``[]`` when no
        month is damaged. Raises CorruptData when the manifest is: see ``reseal_bars``.
        """
        return self._bars.salvage("salvage_bars", symbol)
