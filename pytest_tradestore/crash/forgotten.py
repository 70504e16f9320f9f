"""Names that btrfs may bring back although they were taken away and their directory was synced.

A new name waits in memory (``btrfs_insert_delayed_dir_index``) and is put into the directory's tree when there is much
of that kind, at a time that a trace does not show. If it has been put there, and is then taken away, its removal waits
in turn. The first sync of the directory copies what is in the tree into the log, and logs the removal only as a range
(``log_delayed_deletions_full``): the name stays in the log. Replaying the log makes it again. It is hidden while
the log knows another name of the file in the same directory (``unlink_old_inode_refs``), or another file by that name:
so a temporary file that was renamed in its directory is back once the file is replaced in its turn. A file that has no
name left at the sync makes it commit everything (``log_new_dir_dentries`` does not find it), and so does a rename to
another directory of one that was not synced before (``btrfs_record_unlink_dir``). Once forgotten, only a whole commit
removes the name.

Of the syncs of one directory only the first in a transaction forgets, and the log of the one before is void by then:
names that two of them have forgotten are never back together.
"""

from dataclasses import dataclass, replace

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
class Removal:
    """A name taken from a file in step ``number``; ``forgot`` is the sync of its directory that did not log that."""

    number: int
    entry: Entry
    inode: Inode
    forgot: int = -1


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
        self._waiting: list[Removal] = []  # for the first sync of their directory
        self._forgotten: dict[Removal, bool] = {}  # in the log for good; whether nothing hides them

    def after(self, number: int, operation: Operation) -> list[Removal]:
        """Take note of a step; return the names that it lets come back."""
        self._note(number, operation)
        back = []
        for removal, shown in self._forgotten.items():
            self._forgotten[removal] = not self._hidden(removal)
            if self._forgotten[removal] and not shown:
                back.append(removal)
        return back

    def _note(self, number: int, operation: Operation) -> None:
        match operation:
            case Create(inode, kind, entry):
                if kind is Kind.DIRECTORY:
                    self._directories.add(inode)
                if entry is not None:
                    self._give(inode, entry)
            case Link(inode, entry):
                self._give(inode, entry)
            case Unlink(inode, entry):
                self._remove(number, inode, entry)
            case Rename(inode, Entry() as source, Entry() as target, replaced, False):
                if replaced is not None:
                    self._remove(number, replaced, target, forgettable=False)
                self._give(inode, target)
                within = source.directory == target.directory
                self._remove(number, inode, source, forgettable=within or inode in self._synced)
            case SyncAll():
                self._made.clear()
                self._waiting.clear()
                self._forgotten.clear()
            case Write(inode, _, _, True):
                self._synced.add(inode)
            case Sync(inode, _, False):
                self._synced.add(inode)
                self._forget(number, inode)

    def _give(self, inode: Inode, entry: Entry) -> None:
        self._names.setdefault(inode, set()).add(entry)
        self._made[entry] = inode

    def _remove(self, number: int, inode: Inode, entry: Entry, *, forgettable: bool = True) -> None:
        self._names.setdefault(inode, set()).discard(entry)
        if self._made.get(entry) == inode:
            del self._made[entry]
            if forgettable and inode not in self._directories:
                self._waiting.append(Removal(number, entry, inode))

    def _forget(self, number: int, directory: Inode) -> None:
        """Let a sync of the directory write into the log the names that have been taken away in it."""
        here = [r for r in self._waiting if r.entry.directory == directory]
        self._waiting = [r for r in self._waiting if r.entry.directory != directory]
        self._made = {entry: inode for entry, inode in self._made.items() if entry.directory != directory}
        self._forgotten |= {replace(r, forgot=number): False for r in here if self._names[r.inode]}

    def _hidden(self, removal: Removal) -> bool:
        own = self._names[removal.inode]
        if any(entry.directory == removal.entry.directory for entry in own):
            return True
        return any(removal.entry in names for names in self._names.values())
