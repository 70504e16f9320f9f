"""The bars of many symbols in month files, ``<symbol>/<YYYY-MM>.parquet``; a write is whole, over however many months.

A write stages the new content of its months beside them, makes it durable, and then replaces the symbol's manifest: in
this one step all of it counts (``months``). A few bars into large months, and bars of many symbols, count when the file
of recent bars has been replaced (``recent``), and are folded into the months later. Readers take no lock: they trust a
manifest only together with content that has its digests.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial, reduce
from typing import Any

from reference_store.core import keys
from reference_store.core.atomic import Directory, NotPinned
from reference_store.core.by_key import ByKey
from reference_store.core.group_commit import GroupCommit, Take
from reference_store.core.root import Place, Root
from reference_store.errors import CorruptData, InvalidRecord, StoreError, shown
from reference_store.stores.bars import upkeep
from reference_store.stores.bars.awareness import go_together, refuse_mixture
from reference_store.stores.bars.backups import Recoveries
from reference_store.stores.bars.checks import columns_of, listed
from reference_store.stores.bars.columns import Columns, by_month, joined, merged
from reference_store.stores.bars.folding import folded_up_to, into_months, symbols_by_need
from reference_store.stores.bars.manifest import Manifest
from reference_store.stores.bars.months import publish, without
from reference_store.stores.bars.places import child, decoded
from reference_store.stores.bars.recent import OUTGROWN, RECENT, Recent, RecentFile, sound, waits
from reference_store.stores.bars.salvage import SalvagedMonth, salvage
from reference_store.stores.bars.snapshots import Snapshots

FEW, LARGE = 512, 4096
"""So many bars into months that have so many are not worth rewriting those."""

_log = logging.getLogger("reference_store")


class BarFiles:
    """Bars by symbol below one directory, whose lock excludes all other writers; ``lock_timeout`` is in seconds.

    ``negative_prices`` accepts prices below zero.
    """

    def __init__(self, root: Place, lock_timeout: float, *, negative_prices: bool = False) -> None:
        if not isinstance(negative_prices, bool):
            raise TypeError(f"negative_prices is of type {type(negative_prices).__name__}, not a bool")
        self.negative = negative_prices
        self.root = Root(root, lock_timeout)
        self._commits: ByKey[GroupCommit[Columns]] = ByKey(self._group)
        self.recoveries = Recoveries()
        self._snapshots = Snapshots(self.recoveries)
        self._recent = RecentFile()

    def write(self, symbol: str, bars: Iterable[Any]) -> None:
        """Add ``bars``, in place of those with the same dates, durably and all or none; see ``columns_of``."""
        keys.encode(symbol)
        given = listed(bars)
        if given:
            self.add(symbol, columns_of(symbol, given, negative=self.negative))

    def add(self, symbol: str, new: Columns) -> None:
        """Add bars that were checked; those of callers that meet are written together."""
        self._commits[symbol].commit(new)

    def add_many(self, operation: str, new: Mapping[str, Columns]) -> None:
        """Add bars that were checked to many symbols, all or none, durably."""
        if new:
            self.root.alone(operation, next(iter(new)), partial(self._add_many, new))

    def _add_many(self, new: Mapping[str, Columns], root: Directory) -> None:
        states: dict[str, tuple[Directory, Manifest]] = {}
        directories = {symbol: self._directory(root, symbol) for symbol in new}
        recent = self._recent.load(root, next(iter(new)))
        for symbol, directory in directories.items():
            manifest = self._known(root, directory, symbol, new[symbol])
            recent = self._relied_on(root, symbol, manifest, recent)
            refuse_mixture("date", symbol, manifest, recent, aware=new[symbol].aware)
            states[symbol] = directory, manifest
        assert recent is not None, "it is relied on"
        for symbol, (directory, manifest) in states.items():
            if not manifest.recent:
                publish(directory, symbol, manifest, {}, folded=manifest.folded, recent=True)
        self._fold_some(root, self._recent.add(root, recent, new))

    def _group(self, symbol: str) -> GroupCommit[Columns]:
        return self.root.group(partial(self._write_all, symbol), go_together, lambda _: ("write_bars", symbol))

    def _write_all(self, symbol: str, _first: Columns, take: Take[Columns]) -> None:
        """Write the bars of several callers; what stands in the way of one of them is no concern of the others."""
        with self.root.updating("write_bars", symbol) as root:
            directory = self._directory(root, symbol)
            tickets = take()
            try:
                self._write(root, directory, symbol, reduce(merged, [ticket.change for ticket in tickets]))
            except (CorruptData, InvalidRecord):
                if len(tickets) == 1:
                    raise
                for ticket in tickets:
                    try:
                        self._write(root, directory, symbol, ticket.change)
                    except (CorruptData, InvalidRecord) as error:
                        ticket.error = error

    def _write(self, root: Directory, directory: Directory, symbol: str, new: Columns) -> None:
        manifest = self._known(root, directory, symbol, new)
        recent: Recent | None = None
        changes = dict(by_month(new))
        large = all(month in manifest.months and manifest.months[month].rows >= LARGE for month in changes)
        few = large and len(new) <= FEW
        if few or manifest.recent:
            recent = self._relied_on(root, symbol, manifest, self._recent.load(root, symbol))
        refuse_mixture("date", symbol, manifest, recent, aware=new.aware)
        if recent is None:
            publish(directory, symbol, manifest, changes, folded=manifest.folded, recent=False)
        elif few and manifest.recent and recent.rows(symbol, manifest.folded) < FEW:
            self._fold_some(root, self._recent.add(root, recent, {symbol: new}))
        else:
            recent = self._dropped(root, directory, recent, symbol, manifest)
            waiting = recent.of(symbol, manifest.folded)
            if waiting is not None:
                changes = dict(by_month(merged(waiting, new)))
            folded = max(manifest.folded, recent.newest(symbol))
            publish(directory, symbol, manifest, changes, folded=folded, recent=True)
            if waiting is not None:
                self._clear_after(root, recent, [symbol])

    def delete(self, operation: str, symbol: str, first: int, last: int, *, aware: bool) -> int:
        """Remove the bars from ``first`` to ``last``, both included, durably and all or none; say how many."""
        name = keys.encode(symbol)

        def delete(root: Directory) -> int:
            try:
                directory = child(root, symbol, name)
            except FileNotFoundError:
                return 0
            self._fold(root, symbol)
            manifest = self._snapshots.manifest(directory, symbol)
            if manifest is None:
                return 0
            refuse_mixture("start", symbol, manifest, None, aware=aware)
            left, count = without(directory, symbol, manifest, first, last)
            if count:
                self._recent.forget_before(root, symbol)
                folded, recent = manifest.folded, manifest.recent
                publish(directory, symbol, manifest, left, folded=folded, recent=recent, forgetting=True)
            return count

        return self.root.alone(operation, symbol, delete)

    def fold(self, operation: str) -> None:
        """Move all recent bars into their months."""

        def fold(root: Directory) -> None:
            recent = self._recent.load(root, RECENT)
            for symbol in sorted({symbol for line in recent.lines for symbol in line.bars} if recent else ()):
                self._fold(root, symbol)

        self.root.alone(operation, RECENT, fold)

    def read(self, operation: str, symbol: str, first: int, last: int, *, aware: bool) -> list[Columns]:
        """Return the bars from ``first`` to ``last`` (microseconds since 1970, both included), month by month.

        All of them are of one moment, whatever is written meanwhile. Raises InvalidRecord when the bars' dates have
        time zones and the bounds have none, or the reverse, and CorruptData.
        """
        name = keys.encode(symbol)
        with self.root.reading(operation, symbol) as root:
            recent = self._recent.standing(root, symbol)  # before the manifest: see there
            there = waits(recent, symbol)
            try:
                opened = closing(child(root, symbol, name))
            except FileNotFoundError:
                return []
            with opened as directory:
                manifest, found, older = self._snapshots.take(directory, symbol, first, last, waiting=there)
        if manifest is None:
            return []
        recent = self._found(symbol, manifest, recent)
        refuse_mixture("start", symbol, manifest, recent, aware=aware)
        parts = [decoded(symbol, month, data, first, last, aware=aware) for month, data in found]
        waiting = recent.of(symbol, manifest.folded) if recent is not None and manifest.recent else None
        waiting = None if waiting is None else waiting.between(first, last)
        if waiting is not None and older:
            waiting = joined([bars for month, bars in by_month(waiting) if month not in older])
        if waiting is None or not len(waiting):
            return parts
        together = joined(parts)
        return [waiting if together is None else merged(together, waiting)]

    def symbols(self, operation: str) -> list[str]:
        """Return the symbols that have a directory, sorted by code point."""
        with self.root.reading(operation, "symbols") as directory:
            return sorted(keys.decode_all(directory.names()))

    def months(self, operation: str, symbol: str) -> list[str]:
        """Return the months, as ``YYYY-MM``, in which a symbol has bars, in order."""
        found = self._state(operation, symbol)
        if found is None:
            return []
        manifest, waiting = found
        return sorted({*manifest.months, *(month for month, _ in by_month(waiting))} if waiting else manifest.months)

    def reseal(self, operation: str, symbol: str) -> None:
        """Vouch for the month files of a symbol as they stand; raises CorruptData for one that is no month of bars.

        Recent bars still count; of a damaged or lost file of them what ``salvage`` would keep.
        """
        name = keys.encode(symbol)

        def reseal(root: Directory) -> None:
            try:
                directory = child(root, symbol, name)
            except FileNotFoundError:
                raise CorruptData(symbol, name, "there is no such directory") from None
            recent = None
            try:
                self._recent.mend(root, symbol)
                recent = self._recent.load(root, symbol)
                if recent is not None and (manifest := self._snapshots.manifest(directory, symbol)) is not None:
                    self._dropped(root, directory, recent, symbol, manifest)
            except CorruptData as damage:
                _log.warning("%s: %s", shown(symbol), damage)
            upkeep.reseal(directory, symbol, negative=self.negative, recent=recent is not None)

        self.root.alone(operation, symbol, reseal)

    def salvage(self, operation: str, symbol: str) -> list[SalvagedMonth]:
        """Replace the damaged months of a symbol by what of them can be vouched for; see ``salvage``."""

        def mend(root: Directory) -> list[SalvagedMonth]:
            self._recent.mend(root, symbol)
            try:
                directory = child(root, symbol, keys.encode(symbol))
            except FileNotFoundError:
                return []
            waiting = waits(self._recent.standing(root, symbol), symbol)
            manifest = self._snapshots.manifest(directory, symbol, waiting=waiting)
            return [] if manifest is None else salvage(directory, symbol, manifest)

        return self.root.alone(operation, symbol, mend)

    def _state(self, operation: str, symbol: str) -> tuple[Manifest, Columns | None] | None:
        with self.root.reading(operation, symbol) as root:
            recent = self._recent.standing(root, symbol)
            try:
                opened = closing(child(root, symbol, keys.encode(symbol)))
            except FileNotFoundError:
                return None
            with opened as directory:
                manifest = self._snapshots.standing(directory, symbol, waiting=waits(recent, symbol))
            if manifest is None:
                return None
        recent = self._found(symbol, manifest, recent)
        return manifest, recent.of(symbol, manifest.folded) if recent is not None and manifest.recent else None

    def _found(self, symbol: str, manifest: Manifest, recent: Recent | CorruptData | None) -> Recent | None:
        """The recent bars of a symbol that is read, from their backup if need be, and then that is said."""
        try:
            found = sound(symbol, manifest, recent)
        except CorruptData as damage:
            with self.root.reading("read", symbol) as root:
                again = self._recent.standing(root, symbol)
                undamaged = isinstance(again, Recent) and again.damage is None and again.generation >= manifest.folded
                if undamaged and (recent is None or (isinstance(recent, Recent) and recent.damage is None)):
                    return recent  # written between two looks: what the first has not is in the months, or came later
                found = sound(symbol, manifest, self._recent.before(root, symbol, damage))
        if found is not None and found.damage is not None:
            self.recoveries.note(symbol, found.damage, found.generation)
        return found

    def _directory(self, root: Directory, symbol: str) -> Directory:
        """The directory of a symbol that is written to; where somebody has taken it away, its recent bars go first."""
        with suppress(FileNotFoundError):
            return child(root, symbol, keys.encode(symbol))
        if waits(self._recent.standing(root, symbol), symbol):
            recent = self._recent.load(root, symbol)
            assert recent is not None, "it holds some"
            self._clear(root, recent, [symbol])
        return child(root, symbol, keys.encode(symbol), create=True)

    def _known(self, root: Directory, directory: Directory, symbol: str, new: Columns) -> Manifest:
        """The manifest of a symbol that is written to, a new one if it has none yet."""
        manifest = self._snapshots.manifest(directory, symbol)
        if manifest is None:
            self._snapshots.manifest(directory, symbol, waiting=waits(self._recent.standing(root, symbol), symbol))
            root.sync()  # whoever made the directory may have died before that
            return Manifest(0, new.aware, {})
        return manifest if manifest.months else replace(manifest, aware=new.aware)

    def _relied_on(self, root: Directory, symbol: str, manifest: Manifest, recent: Recent | None) -> Recent:
        """The file of recent bars as it was loaded, or made, if no manifest of this symbol relies on it yet."""
        if manifest.recent:
            found = sound(symbol, manifest, recent)
            assert found is not None, "it relies on it"
            return found
        if recent is None:
            return self._recent.put(root, None, [])
        return self._clear(root, recent, [symbol]) if recent.newest(symbol) else recent  # those are given up

    def _dropped(
        self, root: Directory, directory: Directory, recent: Recent, symbol: str, manifest: Manifest
    ) -> Recent:
        """Clear away lines that are in the months already, before these change again and the lines are outdated."""
        if 0 < recent.newest(symbol) <= manifest.folded:
            directory.sync()  # whoever folded them may have died before that
            return self._clear(root, recent, [symbol])
        return recent

    def _clear(self, root: Directory, recent: Recent, symbols: Iterable[str]) -> Recent:
        """Clear away the lines of these symbols; those of others count as before."""
        folded = partial(folded_up_to, self._snapshots, root)
        return self._recent.put(root, recent, recent.without(symbols, folded))

    def _clear_after(self, root: Directory, recent: Recent, symbols: Iterable[str]) -> None:
        """Clear away the lines of these symbols after a write, which is done; else they would soon be outdated."""
        try:
            self._clear(root, recent, symbols)
        except (OSError, NotPinned, StoreError) as error:
            _log.warning("recent bars that are in their months already could not be cleared away: %s", error)

    def _fold(self, root: Directory, symbol: str) -> None:
        """Move the recent bars of a symbol into its months, and clear them away."""
        recent = self._recent.load(root, symbol)
        if recent is None or not recent.newest(symbol):
            return
        into_months(self._snapshots, root, recent, symbol)
        self._clear(root, recent, [symbol])

    def _fold_some(self, root: Directory, recent: Recent) -> None:
        """Make room, when there are too many recent bars, with the symbols that have most; the write itself is done."""
        rows = symbols_by_need(recent, OUTGROWN)
        left = total = sum(number for _, number in rows)
        folded: list[str] = []
        for symbol, number in rows:
            if recent.size * left <= total * (OUTGROWN - OUTGROWN // 8):
                break
            try:
                into_months(self._snapshots, root, recent, symbol)
            except (OSError, NotPinned, StoreError) as error:
                _log.warning("%s: recent bars stay where they are, and are read from there: %s", shown(symbol), error)
            else:
                folded.append(symbol)
                left -= number
        if folded:
            self._clear_after(root, recent, folded)
