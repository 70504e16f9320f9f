"""Which names lead where after a power loss: every tree that losses of names can leave, and what a single loss leaves.

What the files hold is left to others.
"""

from collections import Counter
from collections.abc import Mapping, Set

from pytest_tradestore.crash.lowering import Name, Program
from pytest_tradestore.crash.operations import ROOT, Entry, Inode, Kind
from pytest_tradestore.crash.pages import Loss

Paths = tuple[tuple[str, Inode], ...]
"""A tree as (path, inode), parents first."""
_Entries = tuple[Inode | None, ...]
"""What each entry leads to, in the order of ``Naming``'s own list of them."""


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

        What is ``bound`` can be lost only if one of others has arrived. Losses that have led to the same entries are
        one from there on; None where these are more than ``limit``. The fewest losses come first.
        """
        if len(self._apart & free) >= limit.bit_length():  # each of these doubles them
            return None
        reached: dict[tuple[_Entries, frozenset[int]], Loss] = {(self._initial, frozenset()): ()}
        for m, about, changes in self._names:
            if m >= end:
                break
            if m in gone:
                continue
            following: dict[tuple[_Entries, frozenset[int]], Loss] = {}
            for (entries, owed), lost in reached.items():
                paid = frozenset(other for other in owed if m not in bound[other]) if owed else owed
                _keep(following, (_after(entries, about, changes), paid), lost)
                if m in free:
                    _keep(following, (entries, owed | {m} if m in bound else owed), (*lost, m))
            reached = following
            if len(reached) > limit:
                return None
        trees: dict[Paths, Loss] = {}
        for (entries, owed), lost in sorted(reached.items(), key=lambda entry: (len(entry[1]), entry[1])):
            if not owed:
                trees.setdefault(self._tree(entries), lost)
        return list(trees.items())

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


def _keep(found: dict[tuple[_Entries, frozenset[int]], Loss], key: tuple[_Entries, frozenset[int]], lost: Loss) -> None:
    """Note a way to ``key`` unless a simpler one is known."""
    known = found.get(key)
    if known is None or (len(lost), lost) < (len(known), known):
        found[key] = lost
