"""The bars of many symbols in month files, ``<symbol>/<YYYY-MM>.parquet``; a write is whole, over however many months.

A write stages the new content of its months beside them, makes it durable, and then replaces the symbol's manifest: in
this one step all of it counts. Moving the files into their places comes after that, and whoever finds it undone does
it, so that a crash at any point, also of that, leaves the state before the write or the one after it. Readers take no
lock: they trust a manifest only together with content that has its digests. Why each step stands where it stands:
``docs/decisions/0121-multi-file-writes.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial, reduce
from typing import Any

from reference_store.core import keys
from reference_store.core.access import Access
from reference_store.core.atomic import FILE_MODE, TEMPORARY, Directory, Found, NotPinned
from reference_store.core.by_key import ByKey
from reference_store.core.group_commit import GroupCommit, Take
from reference_store.core.root import Place, Root
from reference_store.errors import CorruptData, InvalidRecord, shown
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars import parquet as bar_parquet
from reference_store.stores.bars.checks import columns_of, listed
from reference_store.stores.bars.columns import Columns, by_month, merged
from reference_store.stores.bars.manifest import (
    MANIFEST,
    MONTH_FILE,
    STAGED,
    Manifest,
    MonthFile,
    file_name,
    staged_name,
)
from reference_store.stores.bars.places import (
    LARGEST,
    TAIL,
    Moved,
    child,
    content,
    decoded,
    keep_evidence,
    manifest_end,
    month_files,
    move_into_place,
    regular,
)

_REMEMBERED = 1024
_log = logging.getLogger("reference_store")


class BarFiles:
    """Bars by symbol below one directory, whose lock excludes all other writers; ``lock_timeout`` is in seconds.

    ``negative_prices`` accepts prices below zero.
    """

    def __init__(self, root: Place, lock_timeout: float, *, negative_prices: bool = False) -> None:
        if not isinstance(negative_prices, bool):
            raise TypeError(f"negative_prices is of type {type(negative_prices).__name__}, not a bool")
        self._negative = negative_prices
        self.root = Root(root, lock_timeout)
        self._commits: ByKey[GroupCommit[Columns]] = ByKey(self._group)
        # The manifests seen last; the end of the file, where its seal stands, tells whether it is still the same.
        self._manifests: dict[str, tuple[tuple[int, bytes], Manifest]] = {}

    def write(self, symbol: str, bars: Iterable[Any]) -> None:
        """Add ``bars``, in place of those with the same dates, durably and all or none; see ``columns_of``."""
        keys.encode(symbol)
        given = listed(bars)
        if given:
            new = columns_of(symbol, given, negative=self._negative)
            self._commits[symbol].commit(new)

    def _group(self, symbol: str) -> GroupCommit[Columns]:
        return self.root.group(partial(self._write_all, symbol), _go_together)

    def _write_all(self, symbol: str, _first: Columns, take: Take[Columns]) -> None:
        """Write the bars of several callers; what stands in the way of one of them is no concern of the others."""
        with self.root.updating("write_bars", symbol) as root:
            directory = child(root, symbol, keys.encode(symbol), create=True)
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

    def read(self, operation: str, symbol: str, first: int, last: int, *, aware: bool) -> list[Columns]:
        """Return the bars from ``first`` to ``last`` (microseconds since 1970, both included), month by month.

        All of them are of one moment, whatever is written meanwhile. Raises InvalidRecord when the bars' dates have
        time zones and the bounds have none, or the reverse, and CorruptData.
        """
        name = keys.encode(symbol)

        with self.root.reading(operation, symbol) as root:
            try:
                directory = child(root, symbol, name)
            except FileNotFoundError:
                return []
            found = self._snapshot(directory, symbol, first, last, aware=aware)
        return [decoded(symbol, month, data, first, last, aware=aware) for month, data in found]

    def symbols(self, operation: str) -> list[str]:
        """Return the symbols that have a directory, sorted by code point."""
        with self.root.reading(operation, "symbols") as directory:
            names = [name for name in directory.names() if not name.startswith(".")]
        return sorted(symbol for name in names if (symbol := keys.decode(name)) is not None)

    def reseal(self, operation: str, symbol: str) -> None:
        """Vouch for the month files of a symbol as they stand; raises CorruptData for one that is no month of bars."""
        name = keys.encode(symbol)
        with self.root.updating(operation, symbol) as root:
            try:
                directory = child(root, symbol, name)
            except FileNotFoundError:
                raise CorruptData(symbol, name, "there is no such directory") from None
            found = regular(directory, symbol, MANIFEST)
            before = self._settled(directory, symbol, found)
            months: dict[str, MonthFile] = {}
            kinds: set[bool] = set()
            for file in sorted(directory.names()):
                if match := MONTH_FILE.fullmatch(file):
                    months[match[1]], aware = self._vouched(directory, symbol, match[1], before)
                    kinds.add(aware)
            if len(kinds) > 1:
                raise CorruptData(symbol, name, "some of its dates have time zones and some have none")
            manifest = Manifest(before.generation + 1, kinds == {True}, months)
            directory.replace(MANIFEST, bar_manifest.dump(manifest, symbol), found)

    def _settled(self, directory: Directory, symbol: str, found: Found | None) -> Manifest:
        """Return the manifest in force, empty if it is damaged or missing, when nothing waits for its place any more.

        What had been acknowledged and not yet moved takes its place first: else the older content there would be
        vouched for. Whatever has to go stays as evidence, edits of that older content and all that a damaged manifest
        may have named.
        """
        try:
            if found is not None:
                manifest = bar_manifest.parse(found.data, symbol)
                self._settle(directory, manifest, keep=symbol)
                return manifest
        except CorruptData as damage:
            keep_evidence(directory, symbol, MANIFEST, damage.reason)
        for name in directory.names():
            if name.startswith(STAGED):
                keep_evidence(directory, symbol, name, "no manifest says whether it counts")
        return Manifest(0, False, {})

    def _vouched(self, directory: Directory, symbol: str, month: str, before: Manifest) -> tuple[MonthFile, bool]:
        """Return what a manifest says about the month file as it stands, and whether its dates have time zones."""
        name = file_name(month)
        found = regular(directory, symbol, name)
        if found is None:
            raise CorruptData(symbol, name, "it is missing")
        known = before.months.get(month)
        if known is not None and known.is_content(found.data):
            return known, before.aware
        try:
            columns = bar_parquet.adopted(found.data, symbol, month, negative=self._negative)
        except bar_parquet.Unreadable as error:
            raise CorruptData(symbol, name, str(error)) from None
        times = columns.times()
        return bar_manifest.describe(found.data, len(columns), times[0], times[-1]), columns.aware

    def _write(self, root: Directory, directory: Directory, symbol: str, new: Columns) -> None:
        manifest = self._manifest(directory, symbol)
        if manifest is None:
            if month_files(directory):
                raise CorruptData(symbol, MANIFEST, "it is missing while month files are there")
            root.sync()  # whoever made the directory may have died before that
            manifest = Manifest(0, new.aware, {})
        _refuse_mixture("date", symbol, manifest, aware=new.aware)
        self._settle(directory, manifest)
        staged: dict[str, MonthFile] = {}
        try:
            for month, bars in by_month(new):
                staged[month] = self._stage(directory, symbol, month, manifest.months.get(month), bars)
            directory.sync()  # before the manifest: it must not name what a power loss can take away
            after = Manifest(manifest.generation + 1, manifest.aware, {**manifest.months, **staged})
            previous = regular(directory, symbol, MANIFEST)
            # All months change here, together; durable on return.
            directory.replace(MANIFEST, bar_manifest.dump(after, symbol), previous)
        except NotPinned:
            raise  # the manifest is visible, but what it replaced may come back: nothing must be moved yet
        except BaseException:
            for month, file in staged.items():
                directory.discard(staged_name(month, file))
            raise
        for month, file in staged.items():
            move_into_place(directory, symbol, month, file)

    def _stage(
        self, directory: Directory, symbol: str, month: str, before: MonthFile | None, bars: Columns
    ) -> MonthFile:
        if before is not None:
            try:
                found = content(directory, symbol, month, before)
            except Moved as moved:  # but nobody else moves anything: the lock is held
                raise moved.damage from None
            like: Access | None = found.access
            bars = merged(decoded(symbol, month, found.data, aware=bars.aware), bars)
        else:
            like = directory.access(file_name(month))
            keep_evidence(directory, symbol, file_name(month), "it was not written by this store")
        data = bar_parquet.encode(symbol, bars)
        if len(data) > LARGEST:
            raise InvalidRecord("bars", f"make a month file of {len(data)} bytes, {LARGEST} is the limit")
        times = bars.times()
        file = bar_manifest.describe(data, len(bars), times[0], times[-1])
        directory.stage(staged_name(month, file), data, FILE_MODE, like)
        return file

    def _settle(self, directory: Directory, manifest: Manifest, keep: str | None = None) -> None:
        """Finish what a writer that died had begun to move, and clear away what it had only staged.

        ``keep`` is the symbol if what has to go for it stays as evidence.
        """
        names = [name for name in directory.names() if name.startswith((STAGED, TEMPORARY))]
        if not names:
            return
        pending = {staged_name(month, file): file_name(month) for month, file in manifest.months.items()}
        directory.sync()  # the manifest may not be durable yet, and must be before its content replaces other content
        for name in names:
            if name in pending:
                if keep is not None:
                    keep_evidence(directory, keep, pending[name], "newer content waited for its place")
                directory.move(name, pending[name])
            else:
                directory.discard(name)

    def _snapshot(
        self, directory: Directory, symbol: str, first: int, last: int, *, aware: bool
    ) -> list[tuple[str, bytes]]:
        """Return the months in the range with their bytes, all as one manifest says."""
        missed: Manifest | None = None
        seen: dict[str, bytes] = {}
        while True:
            manifest = self._manifest(directory, symbol)
            if manifest is None:
                if not month_files(directory):
                    return []
                manifest = self._manifest(directory, symbol)  # the first write may have come between
                if manifest is None:
                    raise CorruptData(symbol, MANIFEST, "it is missing while month files are there")
            _refuse_mixture("start", symbol, manifest, aware=aware)
            months = manifest.overlapping(first, last)
            try:
                for month in months:
                    file = manifest.months[month]
                    if file.sha256 not in seen:  # a new manifest costs only the months that it changes
                        seen[file.sha256] = content(directory, symbol, month, file).data
                return [(month, seen[manifest.months[month].sha256]) for month in months]
            except Moved as moved:
                # Another manifest excuses it; when that one is still in force, the content is gone.
                if missed is not None and missed.generation == manifest.generation:
                    raise moved.damage from None
                missed = manifest

    def _manifest(self, directory: Directory, symbol: str) -> Manifest | None:
        known = self._manifests.get(symbol)
        if known is not None and known[0] == manifest_end(directory):
            return known[1]
        found = regular(directory, symbol, MANIFEST)
        if found is None:
            return None
        manifest = bar_manifest.parse(found.data, symbol)
        if len(self._manifests) >= _REMEMBERED:
            self._manifests.clear()
        self._manifests[symbol] = ((len(found.data), found.data[-TAIL:]), manifest)
        return manifest


def _go_together(first: Columns, second: Columns) -> bool:
    return first.aware is second.aware


def _refuse_mixture(field: str, symbol: str, manifest: Manifest, *, aware: bool) -> None:
    if manifest.aware is not aware and manifest.months:
        here, there = ("a", "none") if aware else ("no", "one")
        raise InvalidRecord(field, f"has {here} time zone, while the dates of {shown(symbol)} have {there}")
