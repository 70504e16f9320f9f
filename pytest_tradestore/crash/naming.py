"""The directory trees that a power loss can leave, as far as names go: which name leads to which file.

What the files hold is left to ``content``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from math import prod

from pytest_tradestore.crash.lowering import Name, Program
from pytest_tradestore.crash.operations import ROOT, Entry, Inode, Kind
from pytest_tradestore.crash.pages import Loss

Paths = tuple[tuple[str, Inode], ...]
"""A tree as (path, inode), parents first."""
_Entries = tuple[Inode | None, ...]
"""What each entry leads to, in the order of ``Naming``'s own list of them."""
_Return = tuple[Inode, int]
"""A directory, and the sync of it that has forgotten that names are gone from it."""
_Reached = tuple[_Entries, frozenset[int], frozenset[_Return]]
"""What the entries lead to, what of the losses is to be made good for, and of which syncs names are back."""


class Naming:
    """The names of one program. Trees that have been walked are kept: many losses lead to one."""

    def __init__(self, program: Program, kinds: Mapping[Inode, tuple[Kind, str]]) -> None:
        initial = {
            Entry(directory, name): inode
            for directory, node in program.initial.nodes.items()
            if node.kind is Kind.DIRECTORY
            for name, inode in node.entries
        }
        made = {entry: None for part in program.micros if isinstance(part, Name) for entry, _ in part.changes}
        self._entries = tuple(initial | made)
        self._initial: _Entries = tuple(initial.get(entry) for entry in self._entries)
        at = {entry: position for position, entry in enumerate(self._entries)}
        self._names = [
            (m, part.about, tuple((at[entry], inode) for entry, inode in part.changes))
            for m, part in enumerate(program.micros)
            if isinstance(part, Name)
        ]
        self._returns = {
            m: (part.changes[0][0].directory, part.forgot)
            for m, part in enumerate(program.micros)
            if isinstance(part, Name) and part.forgot is not None and not part.half
        }
        touched = Counter(at for _, _, changes in self._names for at, _ in changes)
        self._apart = {m for m, _, changes in self._names if all(touched[at] == 1 for at, _ in changes)}
        self._directories = {inode for inode, (kind, _) in kinds.items() if kind is Kind.DIRECTORY}
        self._walked: dict[_Entries, Paths] = {}

    def without(self, end: int, lost: Set[int]) -> Paths:
        """Return the tree of what was issued before ``end``, the names in ``lost`` aside."""
        entries = list(self._initial)
        for m, about, changes in self._names:
            if m >= end:
                break
            if m not in lost:
                _change(entries, about, changes)
        return self._tree(tuple(entries))

    def left(
        self, end: int, gone: Set[int], free: Set[int], bound: Mapping[int, Set[int]], limit: int
    ) -> list[tuple[Paths, Loss]] | None:
        """Return every tree left without ``gone`` and any of ``free``, with the fewest of ``free`` that leave it.

        What is ``bound`` can be lost only if one of others has arrived, and names that are back are of one sync in
        each directory. Losses that have led to the same entries are one from there on; None where these are more than
        ``limit``. The fewest losses come first.
        """
        if len(self._apart & free) >= limit.bit_length():  # each of these doubles them
            return None
        reached: dict[_Reached, Loss] = {(self._initial, frozenset(), frozenset()): ()}
        for m, about, changes in self._names:
            if m >= end:
                break
            if m in gone:
                continue
            following: dict[_Reached, Loss] = {}
            for (entries, owed, back), lost in reached.items():
                paid = frozenset(other for other in owed if m not in bound[other]) if owed else owed
                _keep(following, (_after(entries, about, changes), paid, back), lost)
                if m in free:
                    stays = self._back(m, back, lost)
                    if stays is not None:
                        _keep(following, (entries, owed | {m} if m in bound else owed, stays), (*lost, m))
            reached = following
            if len(reached) > limit:
                return None
        trees: dict[Paths, Loss] = {}
        for (entries, owed, _), lost in sorted(reached.items(), key=lambda entry: (len(entry[1]), entry[1])):
            if not owed:
                trees.setdefault(self._tree(entries), lost)
        return list(trees.items())

    def subsets(self, losable: Sequence[int]) -> int:
        """Return how many sets of losses there are of these; names that are back are of one sync in each directory."""
        pairs = {m for m in losable if m in self._returns or m + 1 in self._returns}
        of_syncs: dict[Inode, Counter[int]] = {}
        for m in pairs & self._returns.keys():
            directory, sync = self._returns[m]
            of_syncs.setdefault(directory, Counter())[sync] += 1
        back = prod(1 + sum(2**count - 1 for count in syncs.values()) for syncs in of_syncs.values())
        return int(2 ** (len(losable) - len(pairs)) * back)

    def _back(self, m: int, back: frozenset[_Return], lost: Loss) -> frozenset[_Return] | None:
        """Return what is back when ``m`` is lost after ``lost``; None where that cannot be together."""
        name = self._returns.get(m)
        if name is None or name in back or (lost and lost[-1] == m - 1):  # that one was the name itself
            return back
        return None if any(directory == name[0] for directory, _ in back) else back | {name}

    def _tree(self, entries: _Entries) -> Paths:
        known = self._walked.get(entries)
        if known is None:
            known = self._walked[entries] = self._walk(entries)
        return known

    def _walk(self, entries: _Entries) -> Paths:
        below: dict[Inode, list[tuple[str, Inode]]] = {}
        for entry, inode in zip(self._entries, entries, strict=True):
            if inode is not None:
                below.setdefault(entry.directory, []).append((entry.name, inode))
        found: list[tuple[str, Inode]] = []

        def walk(prefix: str, directory: Inode, above: tuple[Inode, ...]) -> None:
            for name, inode in sorted(below.get(directory, ())):
                path = prefix + name
                found.append((path, inode))
                if inode in self._directories and inode not in above:
                    walk(path + "/", inode, (*above, inode))

        walk("", ROOT, (ROOT,))
        return tuple(found)


def forgotten_by_one(program: Program, lost: Set[int]) -> bool:
    """Say whether of the syncs of each directory not more than one has forgotten what comes back (``forgotten``)."""
    syncs: dict[Inode, int] = {}
    for m in lost:
        part = program.micros[m]
        if isinstance(part, Name) and part.forgot is not None and not part.half and m - 1 not in lost:
            directory = part.changes[0][0].directory
            if syncs.setdefault(directory, part.forgot) != part.forgot:
                return False
    return True


def _after(entries: _Entries, about: Inode, changes: tuple[tuple[int, Inode | None], ...]) -> _Entries:
    """Return what the entries lead to when a name has arrived."""
    changed = list(entries)
    _change(changed, about, changes)
    return tuple(changed)


def _change(entries: list[Inode | None], about: Inode, changes: tuple[tuple[int, Inode | None], ...]) -> None:
    """Let a name arrive; an entry is removed only where it leads to ``about``."""
    for at, inode in changes:
        if inode is not None or entries[at] == about:
            entries[at] = inode


def _keep(found: dict[_Reached, Loss], key: _Reached, lost: Loss) -> None:
    """Note a way to ``key`` unless a simpler one is known."""
    known = found.get(key)
    if known is None or (len(lost), lost) < (len(known), known):
        found[key] = lost
