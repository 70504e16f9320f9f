"""The identifiers in a directory, from one listing of it to the next: only names that have come or gone are decoded.

Each listing is of the directory as it is; what is remembered is which identifier a name stands for, and their order.
"""

from __future__ import annotations

from collections.abc import Sequence

from reference_store.core import keys

_FEW = 4
"""If more than one name in so many has changed, beginning anew is cheaper."""


class Listing:
    """Turns the names of files into the identifiers that have a file: one of the names, followed by a suffix.

    Keeps the names of the last listing, about 150 bytes for each.
    """

    def __init__(self, suffixes: tuple[str, ...] = ("",)) -> None:
        self._suffixes = suffixes
        # Names and identifiers stand together in one reference: threads that list at once each see a whole pair.
        self._last: tuple[frozenset[str], list[str]] = (frozenset(), [])

    def identifiers(self, files: Sequence[str]) -> list[str]:
        """Return the identifiers, sorted by code point; the list is the caller's."""
        names = frozenset(files)
        before, known = self._last
        changed = names ^ before
        if changed:
            if len(changed) * _FEW > len(names):
                known = sorted(keys.decode_all(files, self._suffixes))
            else:
                known = self._brought_up_to_date(known, names, changed)
            self._last = names, known
        return known.copy()

    def _brought_up_to_date(self, known: list[str], names: frozenset[str], changed: frozenset[str]) -> list[str]:
        concerned = keys.decode_all(list(changed), self._suffixes)
        here = [each for each in concerned if any(keys.encode(each) + suffix in names for suffix in self._suffixes)]
        return sorted([each for each in known if each not in concerned] + here)  # nearly in order: that is quick
