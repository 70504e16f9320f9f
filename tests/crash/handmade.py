"""Traces made by hand: a program of file operations written down line by line, and what a crash can make of it."""

from dataclasses import replace

from pytest_tradestore.crash.lowering import PAGE, lower
from pytest_tradestore.crash.models import STRICT
from pytest_tradestore.crash.operations import (
    ROOT,
    Allocate,
    Create,
    Entry,
    Inode,
    Kind,
    Link,
    Mark,
    MarkKind,
    Origin,
    Rename,
    SetMode,
    Sync,
    SyncAll,
    SyncKind,
    Truncate,
    Unlink,
    Write,
)
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.trace import FrozenNode, Snapshot, Trace, Tree

DIRECTORY = None
"""What an image holds in the place of a directory's content."""


def page(letter, pages=1):
    """Whole pages of one letter."""
    return letter * (PAGE * pages)


class Story:
    """Notes operations one by one, by path; ``Story({"f": b"old"})`` begins with a durable file.

    Every call takes ``start`` and ``end`` where it matters when it began and returned.
    """

    def __init__(self, files=None):
        tree = Tree(Snapshot({ROOT: FrozenNode(Kind.DIRECTORY)}))
        self._tree = tree
        self.operations = []
        for path, content in (files or {}).items():
            directory, _, name = path.rpartition("/")
            if directory and directory not in dict(tree.walk()):
                tree.apply(Create(self._new(), Kind.DIRECTORY, self._entry(directory), 0o755))
            inode = self._new()
            kind = Kind.DIRECTORY if content is DIRECTORY else Kind.FILE
            tree.apply(Create(inode, kind, Entry(self.inode(directory), name)))
            if content is not DIRECTORY:
                tree.nodes[inode].content[:] = content
        self.initial = Snapshot(
            {
                inode: FrozenNode(n.kind, n.mode, bytes(n.content), tuple(n.entries.items()), n.target)
                for inode, n in tree.nodes.items()
            }
        )

    def inode(self, path):
        if isinstance(path, int):
            return path
        return ROOT if path == "" else dict(self._tree.walk())[path]

    def _new(self):
        return Inode(max(self._tree.nodes) + 1)

    def _entry(self, path):
        directory, _, name = path.rpartition("/")
        return Entry(self.inode(directory), name)

    def _note(self, operation, start=0, end=0, thread=0):
        operation = replace(operation, origin=Origin(thread, start, end))
        self._tree.apply(operation)
        self.operations.append(operation)
        return getattr(operation, "inode", None)

    def create(self, path, **when):
        return self._note(Create(self._new(), Kind.FILE, self._entry(path)), **when)

    def nameless(self, **when):
        return self._note(Create(self._new(), Kind.FILE, None), **when)

    def mkdir(self, path, **when):
        return self._note(Create(self._new(), Kind.DIRECTORY, self._entry(path), 0o755), **when)

    def symlink(self, path, target, **when):
        return self._note(Create(self._new(), Kind.SYMLINK, self._entry(path), 0o777, target), **when)

    def write(self, path, data, at=0, durable=False, **when):
        return self._note(Write(self.inode(path), at, data, durable), **when)

    def append(self, path, data, **when):
        return self.write(path, data, len(self._tree.nodes[self.inode(path)].content), **when)

    def truncate(self, path, size=0, **when):
        return self._note(Truncate(self.inode(path), size), **when)

    def allocate(self, path, size, **when):
        return self._note(Allocate(self.inode(path), size), **when)

    def link(self, path, new, **when):
        return self._note(Link(self.inode(path), self._entry(new)), **when)

    def unlink(self, path, **when):
        return self._note(Unlink(self.inode(path), self._entry(path)), **when)

    def rename(self, old, new, exchange=False, **when):
        replaced = dict(self._tree.walk()).get(new)
        return self._note(Rename(self.inode(old), self._entry(old), self._entry(new), replaced, exchange), **when)

    def chmod(self, path, mode, **when):
        return self._note(SetMode(self.inode(path), mode), **when)

    def fsync(self, path="", failed=False, kind=SyncKind.FSYNC, **when):
        return self._note(Sync(self.inode(path), kind, failed), **when)

    def fdatasync(self, path, **when):
        return self.fsync(path, kind=SyncKind.FDATASYNC, **when)

    def sync(self, **when):
        return self._note(SyncAll(), **when)

    def invoke(self, update=1, **when):
        return self._note(Mark(MarkKind.INVOKED, update), **when)

    def acknowledge(self, update=1, **when):
        return self._note(Mark(MarkKind.ACKNOWLEDGED, update), **when)

    @property
    def trace(self):
        return Trace("handmade", self.initial, tuple(self.operations))

    @property
    def program(self):
        return lower(self.trace)


def contents(image):
    """An image as {path: content}; directories hold ``DIRECTORY``, symlinks their target."""
    shown = {Kind.FILE: lambda f: f.content, Kind.DIRECTORY: lambda _: DIRECTORY, Kind.SYMLINK: lambda f: f.target}
    return {f.path: shown[f.kind](f) for f in image.files}


def enumerated(story, model=STRICT, **bounds):
    bounds = {"subsets_per_cut": 1 << 16, "images": 1 << 20} | bounds
    return enumerate_states(story.program, model, **bounds)


def found_after(story, model=STRICT):
    """What a power loss can leave once everything in the story has returned."""
    last = 1 + max((o.update for o in story.operations if isinstance(o, Mark)), default=0)
    story.acknowledge(last)
    found = enumerated(story, model)
    story.operations.pop()
    assert found.exhaustive
    return [contents(g.image) for g in found.groups if g.window.acknowledged == last and g.power is not None]


def found_anytime(story, model=STRICT):
    """What a power loss can leave at any moment of the story."""
    found = enumerated(story, model)
    assert found.exhaustive
    return [contents(g.image) for g in found.groups if g.power is not None]


def found_of_process(story):
    """What a process crash can leave at any moment of the story."""
    return [contents(g.image) for g in enumerated(story).groups if g.process is not None]
