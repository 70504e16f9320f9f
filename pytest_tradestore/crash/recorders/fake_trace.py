"""From the journal of the whole fake disk to the trace of what concerns the root."""

from dataclasses import replace

from pytest_tradestore.crash.operations import (
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Mark,
    Operation,
    Origin,
    Rename,
    SyncAll,
    Unlink,
)
from pytest_tradestore.crash.recorders.fake_disk import Disk
from pytest_tradestore.crash.recorders.fake_guard import ADVICE
from pytest_tradestore.crash.recorders.fake_journal import Noted
from pytest_tradestore.crash.recorders.fake_locations import location_of
from pytest_tradestore.crash.trace import Snapshot, Trace, replay


def operations_under_root(noted: list[Noted], initial: Snapshot) -> tuple[Operation, ...]:
    """Keep what happened to files that had, at some time, a name under the root; names elsewhere become None."""
    concerned = _concerned([each.operation for each in noted], initial)
    numbers: dict[Inode, Inode] = {inode: inode for inode in initial.nodes}
    threads: dict[int, int] = {}
    positions: dict[int, int] = {}
    locations = {line: location_of(line) for line in {each.line for each in noted}}
    kept: list[Operation] = []
    for each in noted:
        operation = _seen_from_root(each.operation, concerned)
        if operation is None:
            continue
        start = positions.setdefault(each.start, 2 * len(positions))
        thread = threads.setdefault(each.thread, len(threads))
        origin = Origin(thread, start, start + 1, locations[each.line], each.time)
        kept.append(replace(_renumbered(operation, numbers), origin=origin))
    return tuple(kept)


def difference_from_disk(trace: Trace, disk: Disk) -> str | None:
    """Compare the tree that the trace leads to with the disk's own: the trace must not say anything else."""
    tree = replay(trace)
    expected = {
        path: (node.kind, node.mode if node.kind is not Kind.SYMLINK else 0, bytes(node.content), node.target)
        for path, node in ((path, tree.nodes[inode]) for path, inode in tree.walk())
    }
    found = {
        path: (kind, mode if kind is not Kind.SYMLINK else 0, content, target)
        for path, _, kind, mode, content, target in disk.tree()
    }
    for path in sorted({*expected, *found}):
        if expected.get(path) != found.get(path):
            return f"The recorded operations do not lead to what {path!r} was at the end. {ADVICE}"
    return None


def _concerned(operations: list[Operation], initial: Snapshot) -> set[Inode]:
    """Follow all names, in and outside the root, and return the inodes that the root ever contained."""
    children = {inode: dict(node.entries) for inode, node in initial.nodes.items()}
    concerned = set(initial.nodes)

    def named(entry: Entry | None, inode: Inode) -> None:
        if entry is None:
            return
        children.setdefault(entry.directory, {})[entry.name] = inode
        if entry.directory in concerned:
            pending = [inode]
            while pending:
                each = pending.pop()
                concerned.add(each)
                pending.extend(child for child in children.get(each, {}).values() if child not in concerned)

    for operation in operations:
        match operation:
            case Create(inode, _, entry) | Link(inode, entry):
                named(entry, inode)
            case Unlink(_, entry):
                children.get(entry.directory, {}).pop(entry.name, None)
            case Rename(inode, source, target):
                if source is not None:
                    children.get(source.directory, {}).pop(source.name, None)
                named(target, inode)
            case _:
                pass
    return concerned


def _seen_from_root(operation: Operation, concerned: set[Inode]) -> Operation | None:
    if isinstance(operation, Mark | SyncAll):
        return operation
    if operation.inode not in concerned:
        return None

    def known(entry: Entry | None) -> Entry | None:
        return entry if entry is not None and entry.directory in concerned else None

    match operation:
        case Create():
            return replace(operation, entry=known(operation.entry))
        case Link() | Unlink():
            return operation if known(operation.entry) is not None else None
        case Rename():
            source, target = known(operation.source), known(operation.target)
            if source is None and target is None:
                return None
            return replace(operation, source=source, target=target, replaced=operation.replaced if target else None)
        case _:
            return operation


def _renumbered(operation: Operation, numbers: dict[Inode, Inode]) -> Operation:
    """Number the inodes in the order in which the trace names them."""

    def number(inode: Inode) -> Inode:
        return numbers.setdefault(inode, Inode(len(numbers)))

    def entry(old: Entry | None) -> Entry | None:
        return None if old is None else Entry(number(old.directory), old.name)

    match operation:
        case Mark() | SyncAll():
            return operation
        case Create():
            return replace(operation, inode=number(operation.inode), entry=entry(operation.entry))
        case Link() | Unlink():
            return replace(
                operation,
                inode=number(operation.inode),
                entry=Entry(number(operation.entry.directory), operation.entry.name),
            )
        case Rename():
            replaced = None if operation.replaced is None else number(operation.replaced)
            source, target = entry(operation.source), entry(operation.target)
            return replace(operation, inode=number(operation.inode), source=source, target=target, replaced=replaced)
        case _:
            return replace(operation, inode=number(operation.inode))
