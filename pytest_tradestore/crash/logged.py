"""What btrfs may have put into its log: the log is written by whoever syncs next, ahead of the transaction.

An fsync or a synchronous write logs its file, the directories on the way to it and inodes that its names collide with;
the fsync of a directory logs its entries and what they lead to (``btrfs_log_inode_parent``, ``log_new_dir_dentries``).
From then on renames, links and unlinks of these go into the log as well (``btrfs_log_new_name``,
``btrfs_del_dir_entries_in_log``). The kernel forgets this with each transaction, at a time that a trace does not show:
so once logged is always logged here.
"""

from dataclasses import dataclass
from functools import lru_cache

from pytest_tradestore.crash.lowering import Extent, Name, Program, WriteThrough
from pytest_tradestore.crash.operations import Inode, Link, Rename, Sync
from pytest_tradestore.crash.trace import Tree


@dataclass(frozen=True, slots=True)
class Logged:
    """``files`` whose content, and ``names`` (steps) whose changes can arrive by the log."""

    files: frozenset[Inode]
    names: frozenset[int]


@lru_cache(maxsize=16)
def logged(program: Program) -> Logged:
    """Return what the log can bring in this program."""
    inodes = _synced(program)
    names: set[int] = set()
    grew = True
    while grew:  # what is renamed in a logged directory is logged itself, and its other names with it
        grew = False
        for part in program.micros:
            if not isinstance(part, Name) or part.operation in names:
                continue
            step = program.steps[part.operation]
            moved = {new for _, new in part.changes} | {getattr(step, "inode", None), getattr(step, "replaced", None)}
            involved = moved | {entry.directory for entry, _ in part.changes}
            if involved & inodes:
                names.add(part.operation)
                grew = True
                inodes |= {inode for inode in moved if inode is not None}
                if isinstance(step, (Rename, Link)):  # with the new directories above the new name
                    inodes |= {entry.directory for entry, _ in part.changes}
    return Logged(frozenset(inodes), frozenset(names))


def _synced(program: Program) -> set[Inode]:
    """Return what a sync has put into the log: the file or directory, its directories, and what is in it."""
    found: set[Inode] = set()
    tree = Tree(program.initial)
    parents: dict[Inode, set[Inode]] = {}
    for directory, node in tree.nodes.items():
        for child in node.entries.values():
            parents.setdefault(child, set()).add(directory)
    for number, step in enumerate(program.steps):
        if isinstance(step, (Sync, WriteThrough)):
            found.update(tree.nodes[step.inode].entries.values())
            pending = [step.inode]
            while pending:
                found.add(inode := pending.pop())
                pending += parents.get(inode, set()) - found
        elif not isinstance(step, Extent):
            tree.apply(step)
            for part in program.micros[program.starts[number] : program.starts[number + 1]]:
                for entry, named in part.changes if isinstance(part, Name) else ():
                    if named is not None:
                        parents.setdefault(named, set()).add(entry.directory)
    return found
