"""The file-system effects that a recorded program had, one frozen fact each.

Files are named by inode, so that a write stays a write to the same file whatever it is renamed to.
What a crash may make of these facts is the persistence model's business, not this module's.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import NewType

Inode = NewType("Inode", int)
"""Identity of a file within one trace; not the number that the kernel uses."""

ROOT = Inode(0)
"""The inode of the store's root directory, which exists and is durable before the recording begins."""


class Kind(Enum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


class SyncKind(Enum):
    FSYNC = "fsync"
    FDATASYNC = "fdatasync"
    FULL = "F_FULLFSYNC"


class MarkKind(Enum):
    """What the harness noted into the trace."""

    INVOKED = "invoked"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Location:
    """The line of the store that asked for an operation; ``inner`` is that of the library which it called for it."""

    file: str
    line: int
    function: str
    text: str = ""
    inner: "Location | None" = None

    def __str__(self) -> str:
        here = f"{self.file}:{self.line}"
        return here if self.inner is None else f"{here} > {self.inner}"

    @property
    def innermost(self) -> "Location":
        """The line that is nearest to the operation."""
        return self if self.inner is None else self.inner.innermost


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for an operation, and when.

    ``start`` and ``end`` are positions in one order of all call beginnings and returns of the recording: a call
    happened before another one for certain only if its ``end`` is smaller than the other's ``start``.
    ``thread`` counts threads (of whatever process) from 0 in order of their first operation. ``time`` is that of the
    clock (nanoseconds), 0 where it is not known.
    """

    thread: int = 0
    start: int = 0
    end: int = 0
    location: Location | None = None
    time: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory."""

    directory: Inode
    name: str


@dataclass(frozen=True, slots=True)
class Create:
    """A new inode; ``entry`` is None for a file made without a name (O_TMPFILE)."""

    inode: Inode
    kind: Kind
    entry: Entry | None
    mode: int = 0o644
    target: str = ""
    """What a symlink points to."""
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Write:
    """``data`` put at ``offset``; ``durable`` when the call itself waits for the disk (O_SYNC, O_DSYNC, RWF_DSYNC)."""

    inode: Inode
    offset: int
    data: bytes
    durable: bool = False
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Truncate:
    """The size set to exactly ``size``, shrinking or growing."""

    inode: Inode
    size: int
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Allocate:
    """The size set to at least ``size`` (fallocate); the new part reads as zeros."""

    inode: Inode
    size: int
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Link:
    """One more name for an inode that exists."""

    inode: Inode
    entry: Entry
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Unlink:
    """A name removed, of a file or of a directory (rmdir)."""

    inode: Inode
    entry: Entry
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Rename:
    """A name moved in one atomic step; with ``exchange`` the two names swap their inodes.

    ``source`` is None when the file came from outside the root, ``target`` when it left it.
    """

    inode: Inode
    source: Entry | None
    target: Entry | None
    replaced: Inode | None = None
    exchange: bool = False
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Sync:
    """An fsync or one of its relatives on a file or a directory; a failed one returned an error."""

    inode: Inode
    kind: SyncKind = SyncKind.FSYNC
    failed: bool = False
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class SyncAll:
    """sync or syncfs: everything issued before is durable."""

    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class SetMode:
    """chmod or fchmod."""

    inode: Inode
    mode: int
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class SetOwner:
    """chown or fchown; -1 leaves the owner or the group as it is."""

    inode: Inode
    owner: int
    group: int
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """An extended attribute set, or with None removed."""

    inode: Inode
    name: str
    value: bytes | None
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class SetTime:
    """utime and its like: when the file was changed last (nanoseconds), None for now."""

    inode: Inode
    time: int | None
    origin: Origin = field(default=Origin(), compare=False)


@dataclass(frozen=True, slots=True)
class Mark:
    """The harness's own note: update number ``update`` (from 1; 0 is the opening) was invoked or has returned."""

    moment: MarkKind
    update: int
    origin: Origin = field(default=Origin(), compare=False)


Metadata = SetMode | SetOwner | SetAttribute | SetTime
Operation = Create | Write | Truncate | Allocate | Link | Unlink | Rename | Sync | SyncAll | Metadata | Mark
