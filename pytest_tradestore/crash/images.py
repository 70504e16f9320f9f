"""The directory tree that a reader finds after a crash, as a frozen fact; and the one place that writes it to disk."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from pytest_tradestore.crash.operations import Inode, Kind
from pytest_tradestore.crash.trace import NOBODYS

NO_INODE = Inode(-1)
THE_ROOT = "\0root"
"""Stands in the target of a symlink for the directory that the store was opened on, wherever that is."""

LONG_AGO = 1_000_000_000
"""Time stamp (seconds) of the oldest file of an image: leftovers are found old, as after a night with the power off."""

_AS_IT_IS = getattr(os, "O_BINARY", 0)
"""Has no end of a line translated, where the system does that."""
_HAS_OWNERS = hasattr(os, "geteuid")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One path of an image; paths with the same ``inode`` are hard links of one file."""

    path: str
    kind: Kind
    mode: int
    content: bytes = b""
    target: str = ""
    inode: Inode = NO_INODE
    owner: tuple[int, int] = NOBODYS
    attributes: tuple[tuple[str, bytes], ...] = ()
    changed: int = 0
    """When it was changed last: only how it compares with the other files of the image counts."""


Links = tuple[int, ...]
"""For each path of an image the first one that leads to the same file."""
Shown = tuple[str, object]
"""What a reader finds at one path: its content, or where it leads to."""


@dataclass(frozen=True, eq=False)
class DurableImage:
    """A directory tree below the root, parents before children, names in order.

    Two are equal if the same can be read in them. What stands beside the content of the files is said apart, by
    ``beside``; ``order`` are the ranks of the regular files by the time of their last change, the oldest first.
    """

    files: tuple[ImageFile, ...]
    order: tuple[int, ...] = field(init=False, repr=False)
    _identity: tuple[Links, tuple[Shown, ...]] = field(init=False, repr=False)
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Computed at once, and not by properties that are kept: images are made by the ten thousand to be compared.
        regular = Kind.FILE
        order = ranks([f.changed for f in self.files if f.kind is regular])
        self._know(order, links(f.inode for f in self.files), tuple([shown(f) for f in self.files]))

    def _know(self, order: tuple[int, ...], linked: Links, seen: tuple[Shown, ...]) -> None:
        set_once = object.__setattr__
        set_once(self, "order", order)
        set_once(self, "_identity", (linked, seen))
        set_once(self, "_hash", hash((linked, seen)))

    @classmethod
    def of(
        cls, files: tuple[ImageFile, ...], order: tuple[int, ...], linked: Links, seen: tuple[Shown, ...]
    ) -> "DurableImage":
        """Return the image of these files, of whom all is known already: ``ranks``, ``links``, ``shown`` of each."""
        image = object.__new__(cls)
        object.__setattr__(image, "files", files)
        image._know(order, linked, seen)
        return image

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DurableImage) and (
            self is other or (self._hash == other._hash and self._identity == other._identity)
        )

    def __reduce__(self) -> tuple[type["DurableImage"], tuple[tuple[ImageFile, ...]]]:
        return DurableImage, (self.files,)  # a hash holds in one process only

    @cached_property
    def beside(self) -> tuple[object, ...]:
        """What a reader can go by that is no content: the order of the files by time, modes, owners, attributes."""
        return self.order, tuple((f.mode, f.owner, f.attributes) for f in self.files)

    @cached_property
    def shape(self) -> tuple[object, ...]:
        """All but what is in the files: paths, kinds and sizes, which are links of one file, and what is beside."""
        files = tuple((f.path, f.kind, len(f.content), f.target) for f in self.files)
        return files, self._identity[0], self.beside

    @cached_property
    def stamps(self) -> Mapping[str, int]:
        """The time stamp (seconds) of each regular file: a second between one and the next newer one."""
        files = (f.path for f in self.files if f.kind is Kind.FILE)
        return {path: LONG_AGO + rank for path, rank in zip(files, self.order, strict=True)}

    def paths(self) -> tuple[str, ...]:
        return tuple(f.path for f in self.files)

    def without(self, globs: tuple[str, ...]) -> "DurableImage":
        """Return the image without the files that match one of ``globs``."""
        return DurableImage(tuple(f for f in self.files if not matches(f.path, globs)))

    def with_last_content(self, globs: tuple[str, ...], last: dict[str, bytes]) -> "DurableImage":
        """Return the image with the files that match one of ``globs`` holding what they held last."""
        return DurableImage(
            tuple(
                replace(f, content=last[f.path]) if matches(f.path, globs) and f.path in last else f for f in self.files
            )
        )

    def write(self, root: Path, held: dict[str, int] | None = None) -> None:
        """Write the tree below ``root``, an empty directory; links to ``THE_ROOT`` point to the same place below it.

        Descriptors of the files are put into ``held``, by path, where they are to stay open.
        """
        base = str(root)
        written: dict[Inode, str] = {}
        stamps = self.stamps
        for file in sorted(self.files, key=lambda f: stamps.get(f.path, 0)):  # the older first: so are their ctimes
            path = f"{base}/{file.path}"
            if file.kind is Kind.DIRECTORY:
                os.mkdir(path)
                os.chmod(path, file.mode | 0o700)  # whatever the mask of this process takes away
            elif file.kind is Kind.SYMLINK:
                os.symlink(file.target.replace(THE_ROOT, base), path)
            elif file.inode in written:
                os.link(written[file.inode], path)
            else:
                written[file.inode] = path
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_IT_IS, 0o600)
                try:
                    view = memoryview(file.content)
                    while view:
                        view = view[os.write(descriptor, view) :]
                    if _HAS_OWNERS and file.owner not in (NOBODYS, (os.geteuid(), os.getegid())):
                        with suppress(OSError):  # only root may give files away; a group that one is not in
                            os.fchown(descriptor, *file.owner)
                    for name, value in file.attributes:
                        os.setxattr(descriptor, name, value)
                    if hasattr(os, "fchmod"):
                        os.fchmod(descriptor, file.mode)
                    os.fstat(descriptor)  # of what has been looked at, Linux tells the next change by a finer clock
                    os.utime(descriptor if os.utime in os.supports_fd else path, (stamps[file.path],) * 2)
                finally:
                    if held is None:
                        os.close(descriptor)
                    else:
                        held[file.path] = descriptor


def shown(file: ImageFile) -> Shown:
    """Return what a reader finds there."""
    if file.kind is Kind.FILE:
        return file.path, file.content
    return file.path, None if file.kind is Kind.DIRECTORY else file.target


def links(inodes: Iterable[Inode]) -> Links:
    """Return which of the paths lead to one file: the numbers of inodes matter only as far as they say that."""
    first: dict[Inode, int] = {}
    return tuple([first.setdefault(inode, position) for position, inode in enumerate(inodes)])


def ranks(times: Sequence[int]) -> tuple[int, ...]:
    """Return how times compare: the earliest is 0, equal ones are the same."""
    rank = {time: number for number, time in enumerate(sorted(set(times)))}
    return tuple([rank[time] for time in times])


def matches(path: str, globs: tuple[str, ...]) -> bool:
    """Say whether a path below the root matches one of ``globs``; one without a slash matches in any directory."""
    return any(fnmatchcase(path if "/" in glob else path.rpartition("/")[2], glob) for glob in globs)


def read_image(root: Path) -> Iterator[ImageFile]:
    """Yield what a real directory tree holds, in the order of an image."""
    from pytest_tradestore.crash.trace import Tree, snapshot_of

    snapshot, _ = snapshot_of(root)
    for path, inode in Tree(snapshot).walk():
        node = snapshot.nodes[inode]
        yield ImageFile(
            path,
            node.kind,
            node.mode,
            node.content,
            node.target,
            inode,
            node.owner,
            node.attributes,
            node.changed,
        )
