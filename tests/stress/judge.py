"""Whether a store shows what its writers were told: nothing acknowledged lost, doubled or hidden, nothing late.

Pure functions of the ledgers and of what was seen. A part of a store is of one of three kinds: it keeps ``all``
changes, the ``last`` change of each writer, or ``one`` value that all writers replace.
"""

import errno
import os
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.stress.ledger import Entry

Seen = Sequence[tuple[int, int]]
"""Writer and number of each change that is there, in the order in which the store shows them."""


_CUT_OFF = "of an append that was never acknowledged are cut off"
_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EFBIG))


def is_expected(warning: str) -> bool:
    """Whether stores that are well may log this here, where writers are killed and disks are full.

    An append is cut short by a kill, and what need not be done at once waits for room. That something is damaged,
    does not belong to the rest, or was answered from a backup is never to be.
    """
    return _CUT_OFF in warning or any(error in warning for error in _FULL)


def problems(
    kind: str, entries: Iterable[Entry], before: float, seen: Seen, *, over: bool, ordered: bool = False
) -> list[str]:
    """Return what is wrong with what was ``seen`` by a look that began at ``before``, a sentence for each.

    ``over``: nobody is writing any more, so that what was refused must not be there.
    """
    known = {(entry.writer, entry.number): entry for entry in entries}
    found = [f"{change} is there, and nobody wrote it" for change in seen if change not in known]
    refused = [change for change in seen if over and change in known and known[change].outcome == "refused"]
    found += [f"{_told(known[change])} is there" for change in refused]
    judge = {"all": _all, "last": _last, "one": _one}[kind]
    found += judge(known, before, seen)
    if ordered:
        found += _out_of_order(seen)
    return found


def _acknowledged(known: dict[tuple[int, int], Entry], before: float) -> list[Entry]:
    return [entry for entry in known.values() if entry.outcome == "acknowledged" and entry.ended <= before]


def _all(known: dict[tuple[int, int], Entry], before: float, seen: Seen) -> list[str]:
    times = Counter(seen)
    lost = [entry for entry in _acknowledged(known, before) if not times[entry.writer, entry.number]]
    doubled = [change for change, count in times.items() if count > 1]
    return [f"{_told(entry)} is missing" for entry in lost] + [
        f"{change} is there more than once" for change in doubled
    ]


def _last(known: dict[tuple[int, int], Entry], before: float, seen: Seen) -> list[str]:
    there = dict(seen)
    newest: dict[int, Entry] = {}
    for entry in _acknowledged(known, before):
        if entry.writer not in newest or newest[entry.writer].number < entry.number:
            newest[entry.writer] = entry
    found = [
        f"{_told(entry)}, and {there.get(writer, 'nothing')} of this writer is there"
        for writer, entry in newest.items()
        if there.get(writer, -1) < entry.number
    ]
    return found + [
        f"writer {writer} is listed more than once" for writer, n in Counter(w for w, _ in seen).items() if n > 1
    ]


def _one(known: dict[tuple[int, int], Entry], before: float, seen: Seen) -> list[str]:
    acknowledged = _acknowledged(known, before)
    if not seen:
        return [f"{_told(entry)}, and nothing is there" for entry in acknowledged[:1]]
    shown = known.get(seen[0])
    if shown is None:
        return []
    after = [entry for entry in acknowledged if entry.began > shown.ended]
    return [f"{_told(shown)} is there, but {_told(entry)} later" for entry in after[:1]]


def _out_of_order(seen: Seen) -> list[str]:
    newest: dict[int, int] = {}
    found = []
    for writer, number in seen:
        if writer in newest and number < newest[writer]:
            found.append(f"change {number} of writer {writer} stands behind {newest[writer]}")
        newest[writer] = number
    return found


def _told(entry: Entry) -> str:
    return f"change {entry.number} of writer {entry.writer} ({entry.part}, {entry.outcome})"
