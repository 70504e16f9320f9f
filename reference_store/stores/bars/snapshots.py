"""What a symbol has at one moment: its manifest, and the months with the contents that the manifest names.

Readers take no lock; a busy writer cannot starve them.
"""

from __future__ import annotations

from reference_store.core.atomic import Directory
from reference_store.errors import CorruptData
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars.manifest import MANIFEST, Manifest
from reference_store.stores.bars.places import TAIL, Moved, content, manifest_end, month_files, regular

_REMEMBERED = 1024


class Snapshots:
    """Reads manifests, and remembers those seen last by the end of the file, where its seal stands."""

    def __init__(self) -> None:
        self._manifests: dict[str, tuple[tuple[int, bytes], Manifest]] = {}

    def manifest(self, directory: Directory, symbol: str) -> Manifest | None:
        """Return the manifest in force, None if a symbol has neither one nor months; raises CorruptData."""
        found = self._manifest(directory, symbol)
        if found is None and month_files(directory):
            found = self._manifest(directory, symbol)  # the first write may have come between
            if found is None:
                raise CorruptData(symbol, MANIFEST, "it is missing while month files are there")
        return found

    def take(
        self, directory: Directory, symbol: str, first: int, last: int
    ) -> tuple[Manifest | None, list[tuple[str, bytes]]]:
        """Return a manifest and the months with bars from ``first`` to ``last`` with their bytes, all as it says."""
        missed: Manifest | None = None
        seen: dict[str, bytes] = {}
        while True:
            manifest = self.manifest(directory, symbol)
            if manifest is None:
                return None, []
            months = manifest.overlapping(first, last)
            try:
                for month in months:
                    file = manifest.months[month]
                    if file.sha256 not in seen:  # a new manifest costs only the months that it changes
                        seen[file.sha256] = content(directory, symbol, month, file).data
                return manifest, [(month, seen[manifest.months[month].sha256]) for month in months]
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
