"""Names that btrfs may bring back although they were taken away and their directory was synced.

A new name waits in memory (``btrfs_insert_delayed_dir_index``) and is put into the directory's tree when there is much
of that kind, at a time that a trace does not show. If it has been put there, and is then taken away, its removal waits
in turn. The first sync of the directory copies what is in the tree into the log, and logs the removal only as a range
(``log_delayed_deletions_full``): the name stays in the log. Replaying the log makes it again; it is removed only where
the log knows another name of the file in the same directory (``unlink_old_inode_refs``). A file that has no name left
makes the sync commit everything (``log_new_dir_dentries`` does not find it), and so does a rename of one that was not
synced before (``btrfs_record_unlink_dir``). Once forgotten, only a whole commit removes the name.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_tradestore.crash.operations import (
    ROOT,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Operation,
    Rename,
    Sync,
    SyncAll,
    Unlink,
    Write,
)
from pytest_tradestore.crash.trace import Snapshot


@dataclass(frozen=True, slots=True)
class _Removal:
    """A name taken from a file in step ``number``; ``alone`` where that was all that was done."""

    number: int
    entry: Entry
    inode: Inode
    alone: bool


class Forgotten:
    """Follows a program and says when names can come back that were taken away."""

    def __init__(self, initial: Snapshot) -> None:
        self._directories = {ROOT, *(i for i, node in initial.nodes.items() if node.kind is Kind.DIRECTORY)}
        self._names: dict[Inode, set[Entry]] = {}
        for directory in self._directories & initial.nodes.keys():
            for name, inode in initial.nodes[directory].entries:
                self._names.setdefault(inode, set()).add(Entry(directory, name))
        self._made: dict[Entry, Inode] = {}  # since the directory was synced last
        self._synced: set[Inode] = set()
        self._waiting: list[_Removal] = []  # for the first sync of their directory
        self._masked: list[_Removal] = []  # by another name of the file there

    def after(self, number: int, operation: Operation) -> list[tuple[int, Entry, Inode]]:
        """Take note of a step; return the names that it lets come back: the step that took it away, and its file."""
        match operation:
            case Create(inode, kind, entry):
                if kind is Kind.DIRECTORY:
                    self._directories.add(inode)
                if entry is not None:
                    self._give(inode, entry)
            case Link(inode, entry):
                self._give(inode, entry)
            case Unlink(inode, entry):
                return self._remove(number, inode, entry, alone=True)
            case Rename(inode, Entry() as source, Entry() as target, replaced, False):
                unmasked = (
                    [] if replaced is None else self._remove(number, replaced, target, alone=False, forgettable=False)
                )
                self._give(inode, target)
                return unmasked + self._remove(number, inode, source, alone=False, forgettable=inode in self._synced)
            case SyncAll():
                self._made.clear()
                self._waiting.clear()
                self._masked.clear()
            case Write(inode, _, _, True):
                self._synced.add(inode)
            case Sync(inode, _, False):
                self._synced.add(inode)
                return list(self._forgets(inode))
        return []

    def _give(self, inode: Inode, entry: Entry) -> None:
        self._names.setdefault(inode, set()).add(entry)
        self._made[entry] = inode

    def _remove(
        self, number: int, inode: Inode, entry: Entry, *, alone: bool, forgettable: bool = True
    ) -> list[tuple[int, Entry, Inode]]:
        own = self._names.setdefault(inode, set())
        own.discard(entry)
        new = self._made.get(entry) == inode
        if new:
            del self._made[entry]
            if forgettable and inode not in self._directories:
                self._waiting.append(_Removal(number, entry, inode, alone))
        if _any_in(own, entry.directory):
            return []
        unmasked = [r for r in self._masked if (r.inode, r.entry.directory) == (inode, entry.directory)]
        self._masked = [r for r in self._masked if r not in unmasked]
        return [(r.number, r.entry, r.inode) for r in unmasked if self._free(r.entry)]

    def _forgets(self, directory: Inode) -> Iterator[tuple[int, Entry, Inode]]:
        """Yield the names that a sync of the directory writes into the log although they are gone."""
        here = [r for r in self._waiting if r.entry.directory == directory]
        self._waiting = [r for r in self._waiting if r.entry.directory != directory]
        self._made = {entry: inode for entry, inode in self._made.items() if entry.directory != directory}
        for removal in here:
            names = self._names[removal.inode]
            if _any_in(names, directory):
                if removal.alone:
                    self._masked.append(removal)
            elif names and self._free(removal.entry):
                yield removal.number, removal.entry, removal.inode

    def _free(self, entry: Entry) -> bool:
        return not any(entry in names for names in self._names.values())


def _any_in(names: set[Entry], directory: Inode) -> bool:
    return any(entry.directory == directory for entry in names)
