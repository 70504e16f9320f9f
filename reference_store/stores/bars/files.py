"""The bars of many symbols in month files, ``<symbol>/<YYYY-MM>.parquet``; a write is whole, over however many months.

A write stages the new content of its months beside them, makes it durable, and then replaces the symbol's manifest: in
this one step all of it counts. Moving the files into their places comes after that, and whoever finds it undone does
it, so that a crash at any point, also of that, leaves the state before the write or the one after it. Readers take no
lock: they trust a manifest only together with content that has its digests. Why each step stands where it stands:
``docs/decisions/0121-multi-file-writes.md``.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial, reduce
from typing import Any

from reference_store.core import keys
from reference_store.core.access import Access
from reference_store.core.atomic import FILE_MODE, TEMPORARY, Directory, Found, NotARegularFile, NotPinned
from reference_store.core.descriptors import TooLarge
from reference_store.core.group_commit import ByKey, GroupCommit, Take
from reference_store.core.root import Place, Root
from reference_store.errors import CorruptData, InvalidRecord, shown
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars import parquet as bar_parquet
from reference_store.stores.bars.columns import Columns, by_month, columns_of, merged
from reference_store.stores.bars.manifest import (
    MANIFEST,
    MONTH_FILE,
    STAGED,
    Manifest,
    MonthFile,
    file_name,
    staged_name,
)

LARGEST = 1 << 30
"""Bytes of a month file or a manifest; more is neither written nor read."""

_REMEMBERED = 1024
_TAIL = 160
_log = logging.getLogger("reference_store")


class _Moved(Exception):  # noqa: N818 - says what is the case
    """A month's content is not where the manifest that was read says; ``damage`` is what that means if it stays so."""

    def __init__(self, damage: CorruptData) -> None:
        self.damage = damage
        super().__init__()


class BarFiles:
    """Bars by symbol below one directory, whose lock excludes all other writers; ``lock_timeout`` is in seconds."""

    def __init__(self, root: Place, lock_timeout: float) -> None:
        self.root = Root(root, lock_timeout)
        self._commits: ByKey[GroupCommit[Columns]] = ByKey(self._group)
        self._lock_timeout = lock_timeout
        # The manifests seen last; the end of the file, where its seal stands, tells whether it is still the same.
        self._manifests: dict[str, tuple[tuple[int, bytes], Manifest]] = {}

    def write(self, symbol: str, bars: Sequence[Any]) -> None:
        """Add ``bars``, in place of those with the same dates, durably and all or none; see ``columns_of``."""
        keys.encode(symbol)
        if bars:
            new = columns_of(symbol, bars)
            self._commits[symbol].commit(new)

    def _group(self, symbol: str) -> GroupCommit[Columns]:
        return GroupCommit(partial(self._write_all, symbol), self._lock_timeout, self.root.path, _go_together)

    def _write_all(self, symbol: str, _first: Columns, take: Take[Columns]) -> None:
        """Write the bars of several callers; what stands in the way of one of them is no concern of the others."""
        with self.root.updating("write_bars", symbol) as root:
            directory = _child(root, symbol, keys.encode(symbol), create=True)
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
                directory = _child(root, symbol, name)
            except FileNotFoundError:
                return []
            found = self._snapshot(directory, symbol, first, last, aware=aware)
        return [_decoded(symbol, month, data, first, last, aware=aware) for month, data in found]

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
                directory = _child(root, symbol, name)
            except FileNotFoundError:
                raise CorruptData(symbol, name, "there is no such directory") from None
            found = _regular(directory, symbol, MANIFEST)
            generation = 0
            with suppress(CorruptData):
                generation = bar_manifest.parse(found.data, symbol).generation if found else 0
            months: dict[str, MonthFile] = {}
            kinds: set[bool] = set()
            for file in sorted(directory.names()):
                if match := MONTH_FILE.fullmatch(file):
                    months[match[1]], aware = _vouched(directory, symbol, match[1])
                    kinds.add(aware)
            if len(kinds) > 1:
                raise CorruptData(symbol, name, "some of its dates have time zones and some have none")
            manifest = Manifest(generation + 1, kinds == {True}, months)
            directory.replace(MANIFEST, bar_manifest.dump(manifest, symbol), found)

    def _write(self, root: Directory, directory: Directory, symbol: str, new: Columns) -> None:
        manifest = self._manifest(directory, symbol)
        if manifest is None:
            if _month_files(directory):
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
            previous = _regular(directory, symbol, MANIFEST)
            # All months change here, together; durable on return.
            directory.replace(MANIFEST, bar_manifest.dump(after, symbol), previous)
        except NotPinned:
            raise  # the manifest is visible, but what it replaced may come back: nothing must be moved yet
        except BaseException:
            for month, file in staged.items():
                directory.discard(staged_name(month, file))
            raise
        for month, file in staged.items():
            _move_into_place(directory, symbol, month, file)

    def _stage(
        self, directory: Directory, symbol: str, month: str, before: MonthFile | None, bars: Columns
    ) -> MonthFile:
        if before is not None:
            try:
                found = _content(directory, symbol, month, before)
            except _Moved as moved:  # but nobody else moves anything: the lock is held
                raise moved.damage from None
            like: Access | None = found.access
            bars = merged(_decoded(symbol, month, found.data, aware=bars.aware), bars)
        else:
            like = directory.access(file_name(month))
            _keep_stranger(directory, symbol, month)
        data = bar_parquet.encode(symbol, bars)
        if len(data) > LARGEST:
            raise InvalidRecord("bars", f"make a month file of {len(data)} bytes, {LARGEST} is the limit")
        times = bars.times()
        file = bar_manifest.describe(data, len(bars), times[0], times[-1])
        directory.stage(staged_name(month, file), data, FILE_MODE, like)
        return file

    def _settle(self, directory: Directory, manifest: Manifest) -> None:
        """Finish what a writer that died had begun to move, and clear away what it had only staged."""
        names = [name for name in directory.names() if name.startswith((STAGED, TEMPORARY))]
        if not names:
            return
        pending = {staged_name(month, file): file_name(month) for month, file in manifest.months.items()}
        directory.sync()  # the manifest may not be durable yet, and must be before its content replaces other content
        for name in names:
            if name in pending:
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
                if not _month_files(directory):
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
                        seen[file.sha256] = _content(directory, symbol, month, file).data
                return [(month, seen[manifest.months[month].sha256]) for month in months]
            except _Moved as moved:
                # Another manifest excuses it; when that one is still in force, the content is gone.
                if missed is not None and missed.generation == manifest.generation:
                    raise moved.damage from None
                missed = manifest

    def _manifest(self, directory: Directory, symbol: str) -> Manifest | None:
        known = self._manifests.get(symbol)
        if known is not None and known[0] == _tail(directory):
            return known[1]
        found = _regular(directory, symbol, MANIFEST)
        if found is None:
            return None
        manifest = bar_manifest.parse(found.data, symbol)
        if len(self._manifests) >= _REMEMBERED:
            self._manifests.clear()
        self._manifests[symbol] = ((len(found.data), found.data[-_TAIL:]), manifest)
        return manifest


def _go_together(first: Columns, second: Columns) -> bool:
    return first.aware is second.aware


def _child(directory: Directory, symbol: str, name: str, *, create: bool = False) -> Directory:
    try:
        return directory.child(name, create=create)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise CorruptData(symbol, name, "it is not a directory") from None
        raise


def _regular(directory: Directory, symbol: str, file: str) -> Found | None:
    try:
        return directory.read(file, LARGEST)
    except NotARegularFile:
        raise CorruptData(symbol, file, "it is not a regular file") from None
    except TooLarge:
        raise CorruptData(symbol, file, f"it is larger than {LARGEST} bytes") from None


def _tail(directory: Directory) -> tuple[int, bytes] | None:
    try:
        return directory.tail(MANIFEST, _TAIL)
    except NotARegularFile:
        return None


def _content(directory: Directory, symbol: str, month: str, file: MonthFile) -> Found:
    """Return the month's content, from its place or from where it was staged; raises _Moved if it is in neither."""
    damage: CorruptData | None = None
    # Looked for in its place a second time: it may have been moved there just before it was looked for elsewhere.
    for name in (file_name(month), staged_name(month, file), file_name(month)):
        try:
            found = _regular(directory, symbol, name)
        except CorruptData as error:
            damage = error
            continue
        if found is not None and file.is_content(found.data):
            return found
        if name == file_name(month):
            reason = "it is missing" if found is None else "its content is not what the manifest says"
            damage = CorruptData(symbol, name, reason)
    raise _Moved(damage or CorruptData(symbol, file_name(month), "it is missing"))


def _decoded(
    symbol: str, month: str, data: bytes, first: int | None = None, last: int | None = None, *, aware: bool
) -> Columns:
    try:
        return bar_parquet.decode(data, first, last, aware=aware)
    except bar_parquet.Unreadable as error:
        raise CorruptData(symbol, file_name(month), str(error)) from None


def _move_into_place(directory: Directory, symbol: str, month: str, file: MonthFile) -> None:
    try:
        directory.move(staged_name(month, file), file_name(month))
    except OSError as error:
        # The write counts, and readers here find it; the next writer tries again.
        _log.warning("%s: the new %r could not be moved into its place: %s", shown(symbol), month, error.strerror)


def _keep_stranger(directory: Directory, symbol: str, month: str) -> None:
    """Keep as evidence a month file that no write of this store has put there."""
    try:
        found = _regular(directory, symbol, file_name(month))
        if found is None:
            return
        data: bytes | None = found.data
    except CorruptData:
        data = None
    evidence = directory.preserve(file_name(month), data)
    _log.warning("%s: %r was not written by this store; kept as %r", shown(symbol), file_name(month), evidence)


def _month_files(directory: Directory) -> list[str]:
    return [name for name in directory.names() if MONTH_FILE.fullmatch(name)]


def _refuse_mixture(field: str, symbol: str, manifest: Manifest, *, aware: bool) -> None:
    if manifest.aware is not aware and manifest.months:
        here, there = ("a", "none") if aware else ("no", "one")
        raise InvalidRecord(field, f"has {here} time zone, while the dates of {shown(symbol)} have {there}")


def _vouched(directory: Directory, symbol: str, month: str) -> tuple[MonthFile, bool]:
    """Return what a manifest says about the month file as it stands, and whether its dates have time zones."""
    name = file_name(month)
    found = _regular(directory, symbol, name)
    if found is None:
        raise CorruptData(symbol, name, "it is missing")
    try:
        columns = bar_parquet.adopted(found.data, symbol, month)
    except bar_parquet.Unreadable as error:
        raise CorruptData(symbol, name, str(error)) from None
    times = columns.times()
    return bar_manifest.describe(found.data, len(columns), times[0], times[-1]), columns.aware
