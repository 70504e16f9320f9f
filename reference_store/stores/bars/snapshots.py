"""What a symbol has at one moment: its manifest, and the months with the contents that the manifest names.

Readers take no lock; a busy writer cannot starve them.
"""

from __future__ import annotations

from dataclasses import replace

from reference_store.core.atomic import Directory
from reference_store.errors import CorruptData
from reference_store.stores.bars import backups
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars.backups import Recoveries
from reference_store.stores.bars.manifest import BACKUP, MANIFEST, Manifest, MonthFile
from reference_store.stores.bars.places import TAIL, Moved, content, manifest_end, month_files, regular

_REMEMBERED = 1024


class Snapshots:
    """Reads manifests, and remembers those seen last by the end of the file, where its seal stands."""

    def __init__(self, recoveries: Recoveries) -> None:
        self.recoveries = recoveries
        self._manifests: dict[str, tuple[tuple[int, bytes], Manifest]] = {}

    def manifest(self, directory: Directory, symbol: str, *, waiting: bool = False) -> Manifest | None:
        """Return the manifest in force, None if a symbol has neither one nor bars; raises CorruptData.

        ``waiting`` says that bars of it wait beside the months: there is a manifest before there is the first of them.
        """
        found = self._manifest(directory, symbol)
        if found is None and (waiting or month_files(directory) or directory.has(MANIFEST + BACKUP)):
            found = self._manifest(directory, symbol)  # the first write may have come between
            if found is None:
                raise CorruptData(symbol, MANIFEST, "it is missing while bars or its backup are there")
        return found

    def standing(self, directory: Directory, symbol: str, *, waiting: bool) -> Manifest | None:
        """Return the manifest in force as ``manifest`` does; if it is damaged, the one before, and that is said.

        The one before is of its own moment: no bars that came later and wait beside the months belong to it.
        """
        try:
            return self.manifest(directory, symbol, waiting=waiting)
        except CorruptData as damage:
            older = backups.manifest_before(directory, symbol)
            if older is None:
                raise
            self.recoveries.note(symbol, damage, older.generation)
            return replace(older, recent=False)

    def take(
        self, directory: Directory, symbol: str, first: int, last: int, *, waiting: bool
    ) -> tuple[Manifest | None, list[tuple[str, bytes]], set[str]]:
        """Return a manifest and the months with bars from ``first`` to ``last`` with their bytes, all as it says.

        A damaged month is as it was before it was written last, and that is said; which months are so comes last: they
        are of a moment of their own, and no bars that came later and wait beside the months belong to them.
        """
        missed: set[tuple[int, str]] = set()
        seen: dict[str, bytes] = {}
        older: set[str] = set()
        while True:
            manifest = self.standing(directory, symbol, waiting=waiting)
            if manifest is None:
                return None, [], set()
            months = manifest.overlapping(first, last)
            for month in months:
                file = manifest.months[month]
                if file.sha256 in seen:  # a new manifest costs only the months that it changes
                    continue
                try:
                    # Another manifest excuses what is not there; when that one is still in force, the content is gone.
                    gone = (manifest.generation, month) in missed
                    seen[file.sha256], stands_in = self._content(directory, symbol, month, file, gone=gone)
                    older.update([file.sha256] if stands_in else [])
                except Moved:
                    missed.add((manifest.generation, month))
                    break
            else:
                named = [(month, manifest.months[month].sha256) for month in months]
                return manifest, [(month, seen[sha]) for month, sha in named], {m for m, sha in named if sha in older}

    def _content(
        self, directory: Directory, symbol: str, month: str, file: MonthFile, *, gone: bool
    ) -> tuple[bytes, bool]:
        """Return what a month has, and whether that is its backup."""
        try:
            return content(directory, symbol, month, file).data, False
        except Moved as moved:
            if not gone:
                raise
            older = backups.month_before(directory, symbol, month, file)
            if older is None:
                raise moved.damage from None
            self.recoveries.note(symbol, moved.damage, older[1])
            return older[0], True

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
