"""A recorded workload: the tree it began with and the operations it made, in order; and the tree they lead to."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_tradestore.crash.operations import (
    ROOT,
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Operation,
    Rename,
    SetMode,
    Truncate,
    Unlink,
    Write,
)

NOBODYS = (-1, -1)
"""Owner and group of whoever creates the file."""


@dataclass(slots=True)
class Node:
    """One inode while a tree is being built: a file's content, a directory's entries, or a symlink's target."""

    kind: Kind
    mode: int = 0o644
    content: bytearray = field(default_factory=bytearray)
    entries: dict[str, Inode] = field(default_factory=dict)
    target: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A directory tree as frozen facts: what each inode holds. Inode 0 is the root directory."""

    nodes: Mapping[Inode, "FrozenNode"]


@dataclass(frozen=True, slots=True)
class FrozenNode:
    kind: Kind
    mode: int = 0o755
    content: bytes = b""
    entries: tuple[tuple[str, Inode], ...] = ()
    target: str = ""
    owner: tuple[int, int] = NOBODYS
    attributes: tuple[tuple[str, bytes], ...] = ()
    changed: int = 0
    """When it was changed last (nanoseconds)."""


EMPTY = Snapshot({ROOT: FrozenNode(Kind.DIRECTORY)})
"""The tree of a root that holds nothing yet."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a recorder saw.

    ``unseen`` says, one sentence each, why something may be missing; a trace with such a sentence decides nothing.
    ``notes`` are things worth telling the reader that do not weaken the trace (a recorder that was fallen back to).
    """

    recorder: str
    initial: Snapshot
    operations: tuple[Operation, ...]
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Tree:
    """A mutable tree of inodes that operations can be applied to: the meaning of each operation, in one place."""

    def __init__(self, initial: Snapshot) -> None:
        self.nodes: dict[Inode, Node] = {
            inode: Node(n.kind, n.mode, bytearray(n.content), dict(n.entries), n.target)
            for inode, n in initial.nodes.items()
        }

    def apply(self, operation: Operation) -> None:
        """Let one operation have its whole effect; syncs and marks have none on the tree."""
        match operation:
            case Create(inode, kind, entry, mode, target):
                self.nodes[inode] = Node(kind, mode, target=target)
                self._set(entry, inode)
            case Write(inode, offset, data):
                content = self.nodes[inode].content
                if len(content) < offset:
                    content.extend(bytes(offset - len(content)))
                content[offset : offset + len(data)] = data
            case Truncate(inode, size):
                content = self.nodes[inode].content
                del content[size:]
                content.extend(bytes(size - len(content)))
            case Allocate(inode, size):
                content = self.nodes[inode].content
                content.extend(bytes(max(0, size - len(content))))
            case Link(inode, entry):
                self._set(entry, inode)
            case Unlink(_, entry):
                self._remove(entry)
            case Rename(inode, source, target, replaced, exchange):
                if exchange and replaced is not None:
                    self._set(source, replaced)
                else:
                    self._remove(source)
                self._set(target, inode)
            case SetMode(inode, mode):
                self.nodes[inode].mode = mode
            case _:
                pass

    def _set(self, entry: Entry | None, inode: Inode) -> None:
        if entry is not None:
            self.nodes[entry.directory].entries[entry.name] = inode

    def _remove(self, entry: Entry | None) -> None:
        if entry is not None:
            self.nodes[entry.directory].entries.pop(entry.name, None)

    def walk(self) -> Iterator[tuple[str, Inode]]:
        """Yield (relative path, inode) of everything below the root, parents first, names in order."""
        pending: list[tuple[str, Inode]] = [("", ROOT)]
        while pending:
            path, inode = pending.pop()
            if path:
                yield path, inode
            node = self.nodes[inode]
            if node.kind is Kind.DIRECTORY:
                children = sorted(node.entries.items(), reverse=True)
                pending.extend((f"{path}/{name}" if path else name, child) for name, child in children)


def replay(trace: Trace) -> Tree:
    """Return the tree that the whole trace leads to when nothing is lost."""
    tree = Tree(trace.initial)
    for operation in trace.operations:
        tree.apply(operation)
    return tree


def attributes_of(path: str) -> tuple[tuple[str, bytes], ...]:
    """Return the extended attributes of a file that its owner may set, in order of their names."""
    if not hasattr(os, "listxattr"):
        return ()
    try:
        return tuple((name, os.getxattr(path, name)) for name in sorted(os.listxattr(path)) if name.startswith("user."))
    except OSError:  # a file system without them
        return ()


def snapshot_of(root: Path) -> tuple[Snapshot, dict[tuple[int, int], Inode]]:
    """Read a real directory tree; the second value maps (st_dev, st_ino) to the inode numbers given here."""
    nodes: dict[Inode, FrozenNode] = {}
    known: dict[tuple[int, int], Inode] = {}

    def read(path: str) -> Inode:
        status = os.lstat(path)
        identity = (status.st_dev, status.st_ino)
        if identity in known:
            return known[identity]
        inode = known[identity] = Inode(len(known))
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            nodes[inode] = FrozenNode(Kind.DIRECTORY, mode)  # takes its place before its children
            entries = tuple((name, read(os.path.join(path, name))) for name in sorted(os.listdir(path)))
            nodes[inode] = FrozenNode(Kind.DIRECTORY, mode, entries=entries)
        elif stat.S_ISLNK(status.st_mode):
            nodes[inode] = FrozenNode(Kind.SYMLINK, mode, target=os.readlink(path))
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                nodes[inode] = FrozenNode(
                    Kind.FILE,
                    mode,
                    content=file.read(),
                    owner=(status.st_uid, status.st_gid),
                    attributes=attributes_of(path),
                    changed=status.st_mtime_ns,
                )
        else:
            nodes[inode] = FrozenNode(Kind.FILE, mode)  # a FIFO, socket or device holds no content of its own
        return inode

    read(str(root))
    return Snapshot(nodes), known
