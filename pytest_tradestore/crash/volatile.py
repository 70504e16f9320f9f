"""Files whose content after a crash does not matter: taken out of what a crash can vary."""

from dataclasses import replace

from pytest_tradestore.crash.images import matches
from pytest_tradestore.crash.operations import Allocate, Inode, Sync, Truncate, Write
from pytest_tradestore.crash.trace import Trace, Tree


def without_volatile(trace: Trace, globs: tuple[str, ...]) -> Trace:
    """Return the trace without what was written to files that ever had a name matching one of ``globs``.

    Their names stay: a volatile file may or may not exist after a crash.
    """
    inodes = volatile_inodes(trace, globs)
    if not inodes:
        return trace
    return replace(
        trace,
        operations=tuple(
            operation
            for operation in trace.operations
            if not (isinstance(operation, (Write, Truncate, Allocate, Sync)) and operation.inode in inodes)
        ),
    )


def volatile_inodes(trace: Trace, globs: tuple[str, ...]) -> frozenset[Inode]:
    """Return the inodes that ever had a matching name."""
    if not globs:
        return frozenset()
    tree = Tree(trace.initial)
    found = {inode for path, inode in tree.walk() if matches(path, globs)}
    for operation in trace.operations:
        tree.apply(operation)
        found.update(inode for path, inode in tree.walk() if matches(path, globs))
    return frozenset(found)
