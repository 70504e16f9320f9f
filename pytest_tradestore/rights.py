"""Whose a store's files are, and whom somebody has let read them, once they have been replaced.

Files are made, given to another owner and another group, as far as this process may, and another account is let read
them; directories hand their group on. Then the updates are made once more. The store runs in a process of its own.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pytest_tradestore.crash.operations import MarkKind
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.isolation import Channel
from pytest_tradestore.permissions import NO_RIGHTS, UmaskCalls, drive, in_isolation
from pytest_tradestore.target import StoreUnderTest

STRANGER = 54_321
"""An account and a group that are nobody's here."""
_FILE, _DIRECTORY = 0o640, 0o2750
_LIST = "system.posix_acl_access"
_NOBODY = 0xFFFF_FFFF
_LETS_A_STRANGER_READ = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in ((0x01, 6, _NOBODY), (0x02, 4, STRANGER), (0x04, 4, _NOBODY), (0x10, 4, _NOBODY), (0x20, 0, _NOBODY))
)
"""Read and write for the owner, read for the stranger and the group, nothing for others; as the kernel writes it."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Those of one file or directory; ``listed`` is its access list, nothing where it has none."""

    owner: int
    group: int
    mode: int
    listed: bytes = b""


@dataclass(frozen=True, slots=True)
class Lost:
    """What one file had and its replacement does not: ``what`` of it, as it was and as it is."""

    path: str
    what: str
    was: str
    now: str
    during: str
    calls: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path!a} had {self.what} {self.was} and has {self.now} after {self.during}"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found on how many files; ``unasked`` names what this process may not give at all.

    ``undecided`` says why nothing could be looked at.
    """

    lost: tuple[Lost, ...] = ()
    looked_at: int = 0
    unasked: tuple[str, ...] = ()
    undecided: str = ""


@dataclass(frozen=True, slots=True)
class _Gifts:
    """What is given away: an owner and a group (-1: they stay), and whether an access list is set."""

    owner: int
    group: int
    listed: bool = True
    unasked: tuple[str, ...] = field(default=())


def gather(store: StoreUnderTest, workload: Workload) -> Kept:
    """Find out what of the rights of its files a store keeps; one that refuses what is not its own keeps its owner."""
    if not hasattr(os, "geteuid"):
        return Kept(undecided=NO_RIGHTS)
    gifts = _gifts()
    found = in_isolation(store, partial(_replaced, store, workload, gifts))
    if isinstance(found, str) and gifts.owner >= 0:
        gifts = replace(gifts, owner=-1, unasked=("another owner, whose files it refuses",))
        found = in_isolation(store, partial(_replaced, store, workload, gifts))
    if isinstance(found, str):
        return Kept(undecided=found)
    assert isinstance(found, Kept)
    return found


def _gifts() -> _Gifts:
    if os.geteuid() == 0:
        return _Gifts(STRANGER, STRANGER)
    groups = [group for group in os.getgroups() if group != os.getegid()]
    if groups:
        return _Gifts(-1, groups[0], unasked=("another owner, which only root may give",))
    return _Gifts(-1, -1, unasked=("another owner and another group, which this process may not give",))


def _replaced(
    store: StoreUnderTest, workload: Workload, gifts: _Gifts, channel: Channel, roots: Iterator[Path]
) -> "Kept | str":
    """Make files, give them away, and make the updates once more."""
    umask, root = 0o022, next(roots)
    os.umask(umask)
    calls = UmaskCalls()
    if problem := drive(store, workload.updates, root, channel, calls, umask):
        return problem
    given, unasked = _give(root, gifts)
    if not given:
        return "it leaves no file below its root that could be replaced"
    looked_at = len(given)
    lost: list[Lost] = []
    done = ("opening the store", *(update.rendered for update in workload.updates))

    def look(_: MarkKind, number: int) -> None:
        during = done[number - 1] if number else done[0]
        for path, was in list(given.items()):
            try:
                now = _rights_of(path)
            except FileNotFoundError:
                del given[path]  # what takes this name later replaces nothing
                continue
            if (told := _less(was, now)) is not None:
                lost.append(Lost(os.path.relpath(path, root), *told, during, done[1:number]))
                given[path] = now

    if problem := drive(store, workload.updates, root, channel, calls, umask, look):
        return problem
    return Kept(tuple(lost), looked_at, (*gifts.unasked, *unasked))


def _give(root: Path, gifts: _Gifts) -> tuple[dict[str, Rights], tuple[str, ...]]:
    """Give everything below ``root`` away; return what is then so, and what the file system does not know."""
    given: dict[str, Rights] = {}
    unasked: dict[str, None] = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(folder, name)
            kind = os.lstat(path).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                continue
            with suppress(OSError):
                os.chown(path, gifts.owner, gifts.group)
            os.chmod(path, _DIRECTORY if stat.S_ISDIR(kind) else _FILE)
            if stat.S_ISREG(kind):
                try:
                    os.setxattr(path, _LIST, _LETS_A_STRANGER_READ)
                except (OSError, AttributeError):
                    unasked["access lists, which this file system does not know"] = None
            given[path] = _rights_of(path)
    return given, tuple(unasked)


def _rights_of(path: str) -> Rights:
    found = os.lstat(path)
    listed = b""
    with suppress(OSError, AttributeError):
        listed = os.getxattr(path, _LIST, follow_symlinks=False)
    return Rights(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), listed)


def _less(was: Rights, now: Rights) -> tuple[str, str, str] | None:
    """Return the first thing that is no longer there, as it was and as it is."""
    if now.owner != was.owner:
        return "the owner", str(was.owner), str(now.owner)
    if now.group != was.group:
        return "the group", str(was.group), str(now.group)
    if was.mode & stat.S_ISGID & ~now.mode:
        return "the setgid bit, mode", f"{was.mode:04o}", f"{now.mode:04o}"
    if now.listed != was.listed:
        return "an access list that lets", f"account {STRANGER} read", "none" if not now.listed else "another one"
    if was.mode & 0o070 & ~now.mode:
        return "mode", f"{was.mode:04o}", f"{now.mode:04o}"
    return None
