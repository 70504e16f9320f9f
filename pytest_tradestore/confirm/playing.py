"""A recorded program played back on a real file system, operation by operation.

Files are named by inode in a trace, so they are found again by path or held open. Whether a program closes a file
between two calls matters to some file systems; a trace does not say it, so each playing chooses.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum

from pytest_tradestore.confirm.system import SYNC, sync_filesystem, write_back
from pytest_tradestore.crash.images import THE_ROOT
from pytest_tradestore.crash.operations import (
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Mark,
    Metadata,
    Operation,
    Rename,
    SetAttribute,
    SetMode,
    SetOwner,
    SetTime,
    Sync,
    SyncAll,
    Truncate,
    Unlink,
    Write,
)
from pytest_tradestore.crash.trace import Snapshot, Tree

_RWF_DSYNC = getattr(os, "RWF_DSYNC", 2)


def prepare(initial: Snapshot, root: str) -> None:
    """Make the tree that a program begins with below ``root``, an empty directory."""
    made: dict[Inode, str] = {}
    for path, inode in Tree(initial).walk():
        node, place = initial.nodes[inode], f"{root}/{path}"
        if inode in made:
            os.link(made[inode], place)
            continue
        made[inode] = place
        if node.kind is Kind.DIRECTORY:
            os.mkdir(place)
        elif node.kind is Kind.SYMLINK:
            os.symlink(node.target.replace(THE_ROOT, root), place)
        else:
            with open(place, "wb") as file:
                file.write(node.content)
            for name, value in node.attributes:
                os.setxattr(place, name, value)
            os.chmod(place, node.mode)
            if node.changed:
                os.utime(place, ns=(node.changed, node.changed))


class Holding(Enum):
    """How long a program keeps a file open that it has used."""

    NOT = "it closes it at once"
    IN_CALL = "it closes it after its last use in the call"
    ALWAYS = "it closes it after its last use"


class Playing:
    """Plays operations below ``root``, on the tree that ``prepare`` has made there."""

    def __init__(self, initial: Snapshot, operations: Sequence[Operation], root: str, holding: Holding) -> None:
        self._operations, self._root, self._holding = operations, root, holding
        self._tree = Tree(initial)
        self._open: dict[Inode, int] = {}
        self._last_use = {inode: n for n, o in enumerate(operations) for inode in _inodes(o)}
        self._last_in_call: dict[tuple[int, Inode], int] = {}
        self._call: list[int] = []
        for number, operation in enumerate(operations):
            call = self._call[-1] if self._call else 0
            self._call.append(call + isinstance(operation, Mark))
            for inode in _inodes(operation):
                self._last_in_call[self._call[-1], inode] = number

    def steps(self) -> Iterator[Operation]:
        """Yield each operation, and carry it out when the next one is asked for."""
        for number, operation in enumerate(self._operations):
            yield operation
            if isinstance(operation, Mark):
                continue
            self._hold_what_loses_its_name(operation, number)
            self._do(operation)
            self._tree.apply(operation)
            for inode in list(self._open):
                if not (self._needed(inode, number) or (self._nameless(inode) and self._last_use[inode] > number)):
                    os.close(self._open.pop(inode))
        self.close()

    def write_back(self, inode: Inode, start: int, length: int) -> None:
        """Let pages of a file be written now; one without a name is left to the kernel."""
        if not self._nameless(inode):
            write_back(self._path(inode), start, length, wait=True)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _needed(self, inode: Inode, number: int) -> bool:
        """Say whether a file that has a name stays open after an operation."""
        if self._holding is Holding.IN_CALL:
            return self._last_in_call.get((self._call[number], inode), -1) > number
        return self._holding is Holding.ALWAYS and self._last_use.get(inode, -1) > number

    def _path(self, inode: Inode) -> str:
        if inode == 0:
            return self._root
        return f"{self._root}/{next(path for path, which in self._tree.walk() if which == inode)}"

    def _place(self, entry: Entry) -> str:
        return f"{self._path(entry.directory)}/{entry.name}"

    def _nameless(self, inode: Inode) -> bool:
        return all(which != inode for _, which in self._tree.walk())

    def _descriptor(self, inode: Inode) -> int:
        if inode not in self._open:
            self._open[inode] = os.open(self._path(inode), os.O_RDWR | os.O_CLOEXEC)
        return self._open[inode]

    def _hold_what_loses_its_name(self, operation: Operation, number: int) -> None:
        lost = getattr(operation, "replaced", None) if isinstance(operation, Rename) else None
        if isinstance(operation, Unlink):
            lost = operation.inode
        if lost is not None and self._tree.nodes[lost].kind is Kind.FILE and self._last_use.get(lost, -1) > number:
            self._descriptor(lost)

    def _do(self, operation: Operation) -> None:
        match operation:
            case Create(inode, Kind.FILE, None, mode):
                self._open[inode] = os.open(self._root, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, mode)
            case Create(inode, Kind.FILE, Entry() as entry, mode):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._open[inode] = os.open(self._place(entry), flags, mode)
            case Create(_, Kind.DIRECTORY, Entry() as entry, mode):
                os.mkdir(self._place(entry), mode)
            case Create(_, _, Entry() as entry, _, target):
                os.symlink(target.replace(THE_ROOT, self._root), self._place(entry))
            case Write(inode, offset, data, durable):
                if data:
                    os.pwritev(self._descriptor(inode), [data], offset, _RWF_DSYNC if durable else 0)
            case Truncate(inode, size):
                os.ftruncate(self._descriptor(inode), size)
            case Allocate(inode, size):
                os.posix_fallocate(self._descriptor(inode), 0, size)
            case Link(inode, entry) if self._nameless(inode):
                self._link_nameless(self._open[inode], self._place(entry))
            case Link(inode, entry):
                os.link(self._path(inode), self._place(entry), follow_symlinks=False)
            case Unlink(inode, entry):
                directory = self._tree.nodes[inode].kind is Kind.DIRECTORY
                (os.rmdir if directory else os.unlink)(self._place(entry))
            case Rename(_, Entry() as source, Entry() as target, _, False):
                os.rename(self._place(source), self._place(target))
            case Sync(inode, kind, False):
                self._sync(inode, kind)
            case SyncAll():
                sync_filesystem(self._root)
            case SetMode() | SetOwner() | SetAttribute() | SetTime():
                with suppress(OSError):  # of a file without a name, for one
                    self._describe(self._path(operation.inode), operation)
            case _:
                raise ValueError(f"cannot be played: {operation}")

    def _describe(self, path: str, operation: Metadata) -> None:
        match operation:
            case SetMode(_, mode):
                os.chmod(path, mode)
            case SetOwner(_, owner, group):
                os.chown(path, owner, group, follow_symlinks=False)
            case SetAttribute(_, name, None):
                os.removexattr(path, name)
            case SetAttribute(_, name, bytes() as value):
                os.setxattr(path, name, value)
            case SetTime(_, None):
                os.utime(path)
            case SetTime(_, int() as time):
                os.utime(path, ns=(time, time))

    def _link_nameless(self, descriptor: int, place: str) -> None:
        descriptors = os.open("/proc/self/fd", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Only linkat follows the link that stands for an open file, and only with a descriptor Python calls it.
            os.link(str(descriptor), place, src_dir_fd=descriptors, follow_symlinks=True)
        finally:
            os.close(descriptors)

    def _sync(self, inode: Inode, kind: object) -> None:
        sync = next(call for known, call in SYNC.items() if known is kind)
        if self._tree.nodes[inode].kind is Kind.FILE:
            sync(self._descriptor(inode))
            return
        descriptor = os.open(self._path(inode), os.O_RDONLY | os.O_CLOEXEC)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)


def unplayable(operations: Iterable[Operation]) -> str:
    """Return why operations cannot be carried out again, nothing where they can."""
    for operation in operations:
        if isinstance(operation, Rename) and operation.exchange:
            return "two names are exchanged in it"
        if isinstance(operation, Rename) and (operation.source is None or operation.target is None):
            return "a file comes from outside of the root in it, or leaves it"
        if isinstance(operation, Sync) and operation.failed:
            return "a sync fails in it"
    return ""


def _inodes(operation: Operation) -> Iterator[Inode]:
    inode = getattr(operation, "inode", None)
    if inode is not None:
        yield inode
