"""The file system as the recorded calls shape it: exactly under the root, elsewhere as far as it is touched.

Below the root everything is known from the start. Outside, a directory that was there before is looked up on the disk
when a call first needs a name in it; what calls did to it since then is known here and goes before what the disk says.
"""

import os
import stat
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_tradestore.crash.operations import ROOT, Inode, Kind
from pytest_tradestore.crash.trace import Snapshot

_MOST_LINKS = 40  # the kernel's own limit


class OutOfOrderError(Exception):
    """A call that succeeded cannot have, in the state modelled so far: another one must have come before it."""


@dataclass(eq=False, slots=True)
class Node:
    """One inode. ``content`` is None where it is not known: a file outside the root that was there before."""

    number: int
    kind: Kind
    mode: int = 0o644
    content: bytearray | None = None
    entries: dict[str, "Node | None"] = field(default_factory=dict)
    """A name that is known to be absent maps to None."""
    target: str = ""
    parent: "Node | None" = None
    on_disk: str | None = None
    """Where an inode outside the root was before the recording."""
    inside: bool = False
    """Whether it ever had a name under the root."""
    before: bool = False
    """Whether it was there before the recording."""
    changed: bool = False
    """Whether calls wrote to content that is not known."""
    special: bool = False
    """A FIFO, socket or device: what is written to it is not kept."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: a name in a directory, and what is there.

    The name is empty where the path ends in ``.`` or ``..``.
    """

    directory: Node
    name: str
    node: Node | None


class FileSystem:
    """Directories, names and contents, changed by calls one at a time."""

    def __init__(self, root: str, initial: Snapshot, identities: Mapping[tuple[int, int], Inode]) -> None:
        nodes: dict[Inode, Node] = {
            inode: Node(
                int(inode),
                frozen.kind,
                frozen.mode,
                bytearray(frozen.content) if frozen.kind is Kind.FILE else None,
                target=frozen.target,
                inside=True,
                before=True,
            )
            for inode, frozen in initial.nodes.items()
        }
        for inode, frozen in initial.nodes.items():
            for name, entry in frozen.entries:
                nodes[inode].entries[name] = nodes[entry]
                if nodes[entry].kind is Kind.DIRECTORY:
                    nodes[entry].parent = nodes[inode]
        self.root = nodes[ROOT]
        self._next = max(nodes) + 1
        self.by_identity: dict[tuple[int, int], Node] = {
            identity: nodes[inode] for identity, inode in identities.items()
        }
        self.outside_before: list[Node] = []
        self.top = self._outside(Kind.DIRECTORY, "/")
        self.top.parent = self.top
        directory = self.top
        *ancestors, last = [part for part in root.split("/") if part]
        for part in ancestors:
            child = self.child(directory, part)
            if child is None or child.kind is not Kind.DIRECTORY:
                raise NotADirectoryError(root)
            directory = child
        directory.entries[last] = self.root
        self.root.parent = directory

    def new(self, kind: Kind, mode: int = 0o644, target: str = "") -> Node:
        """Return a new inode that has no name yet."""
        node = Node(self._next, kind, mode, bytearray() if kind is Kind.FILE else None, target=target)
        self._next += 1
        return node

    def _outside(self, kind: Kind, path: str | None, mode: int = 0o644, target: str = "") -> Node:
        node = self.new(kind, mode, target)
        node.before, node.on_disk, node.content = True, path, None
        self.outside_before.append(node)
        return node

    def child(self, directory: Node, name: str) -> Node | None:
        """Return what a name in a directory stands for now."""
        if directory.kind is not Kind.DIRECTORY:
            raise OutOfOrderError(f"{name!r} looked up in something that is no directory")
        if name in directory.entries or directory.on_disk is None:
            return directory.entries.get(name)
        path = os.path.join(directory.on_disk, name)
        try:
            status = os.lstat(path)
        except (OSError, ValueError):
            return None
        identity = (status.st_dev, status.st_ino)
        node = self.by_identity.get(identity)
        if node is None:
            node = self._from_disk(path, status)
            self.by_identity[identity] = node
            if node.kind is Kind.DIRECTORY:
                node.parent = directory
        directory.entries[name] = node
        return node

    def _from_disk(self, path: str, status: os.stat_result) -> Node:
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            return self._outside(Kind.DIRECTORY, path, mode)
        if stat.S_ISLNK(status.st_mode):
            try:
                return self._outside(Kind.SYMLINK, path, mode, os.readlink(path))
            except OSError:
                pass  # gone since: it stands for a file that nothing is known of
        node = self._outside(Kind.FILE, path, mode)
        node.special = not stat.S_ISREG(status.st_mode)
        return node

    def must_exist(self, place: Place) -> Node:
        """Return what stands at a place; outside the root it may have been there before and be gone by now."""
        if place.node is not None:
            return place.node
        if place.directory.on_disk is None or place.name in place.directory.entries:
            raise OutOfOrderError(f"{place.name!r} does not exist")
        node = self._outside(Kind.FILE, None)
        place.directory.entries[place.name] = node
        return node

    def resolve(self, start: Node, path: str, *, follow: bool = True) -> Place:
        """Follow a path from a directory, through symlinks on the way, and through one at its end if ``follow``."""
        if not path:
            raise OutOfOrderError("an empty path")
        parts = deque(path.split("/"))
        current = self.top if path.startswith("/") else start
        links = 0
        while parts:
            name = parts.popleft()
            if name in ("", "."):
                continue
            if name == "..":
                current = current.parent or current
                continue
            last = all(part == "" for part in parts)
            child = self.child(current, name)
            if child is not None and child.kind is Kind.SYMLINK and (follow or not last):
                links += 1
                if links > _MOST_LINKS:
                    raise OutOfOrderError(f"{path!r} leads through a circle of symlinks")
                if child.target.startswith("/"):
                    current = self.top
                parts.extendleft(reversed(child.target.split("/")))
                continue
            if last:
                return Place(current, name, child)
            if child is None:
                raise OutOfOrderError(f"{path!r} leads through {name!r}, which does not exist")
            current = child
        return Place(current.parent or current, "", current)

    def attach(self, directory: Node, name: str, node: Node) -> None:
        """Let a name stand for an inode."""
        directory.entries[name] = node
        if node.kind is Kind.DIRECTORY:
            node.parent = directory
        if directory.inside:
            _bring_inside(node)

    def detach(self, directory: Node, name: str) -> None:
        directory.entries[name] = None

    def entries_of(self, node: Node) -> list[str]:
        """Return the names known to be in a directory."""
        return [name for name, child in node.entries.items() if child is not None]


def _bring_inside(node: Node) -> None:
    pending = [node]
    while pending:
        current = pending.pop()
        if not current.inside:
            current.inside = True
            pending.extend(child for child in current.entries.values() if child is not None)
