"""A recorded program played back on a real file system, operation by operation.

Files are named by inode in a trace, so they are found again by path or held open. Whether a program closes a file
between two calls matters to some file systems; a trace does not say it, so each playing chooses.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from pytest_tradestore.crash.operations import (
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Mark,
    Operation,
    Rename,
    SetMode,
    Sync,
    SyncAll,
    Truncate,
    Unlink,
    Write,
)
from pytest_tradestore.crash.trace import Snapshot, Trace, Tree
from tests.kernel.system import SYNC, sync_filesystem

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
            os.symlink(node.target, place)
        else:
            with open(place, "wb") as file:
                file.write(node.content)


class Playing:
    """Plays a trace below ``root``; with ``holds`` it keeps files open as long as it can."""

    def __init__(self, trace: Trace, root: str, *, holds: bool) -> None:
        self._trace, self._root, self._holds = trace, root, holds
        self._tree = Tree(trace.initial)
        self._open: dict[Inode, int] = {}
        self._last_use = {inode: n for n, o in enumerate(trace.operations) for inode in _inodes(o)}

    def steps(self) -> Iterator[Operation]:
        """Yield each operation, and carry it out when the next one is asked for."""
        for number, operation in enumerate(self._trace.operations):
            yield operation
            if isinstance(operation, Mark):
                continue
            self._hold_what_loses_its_name(operation, number)
            self._do(operation)
            self._tree.apply(operation)
            for inode in list(self._open):
                if self._last_use.get(inode, -1) <= number or not (self._holds or self._nameless(inode)):
                    os.close(self._open.pop(inode))
        self.close()

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

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
            case Create(inode, Kind.FILE, None):
                self._open[inode] = os.open(self._root, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
            case Create(inode, Kind.FILE, Entry() as entry):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._open[inode] = os.open(self._place(entry), flags, 0o600)
            case Create(_, Kind.DIRECTORY, Entry() as entry):
                os.mkdir(self._place(entry))
            case Create(_, _, Entry() as entry, _, target):
                os.symlink(target, self._place(entry))
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
            case SetMode(inode, mode):
                with suppress(OSError):
                    os.chmod(self._path(inode), mode)
            case _:
                raise ValueError(f"cannot be played: {operation}")

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


def playable(trace: Trace) -> bool:
    """Say whether every operation can be carried out: exchanges and failed syncs cannot, nor what left the root."""
    return not any(
        (isinstance(o, Rename) and (o.exchange or o.source is None or o.target is None))
        or (isinstance(o, Sync) and o.failed)
        for o in trace.operations
    )


def _inodes(operation: Operation) -> Iterator[Inode]:
    inode = getattr(operation, "inode", None)
    if inode is not None:
        yield inode
