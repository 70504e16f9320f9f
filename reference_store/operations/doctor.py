"""Whether a directory is a place where these stores can keep what they promise, and what is to be done if not.

``verify`` looks at data; this looks at what is under them: the file system, its options, locks, links and syncs, room,
clocks, and what a killed program has left. What can be tried is tried, in a file of its own that is removed again.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

from reference_store.core.atomic import TEMPORARY, Directory
from reference_store.core.descriptors import sync
from reference_store.core.restoring import refuse_unfinished
from reference_store.core.signals import let_out
from reference_store.errors import RestoreUnfinished
from reference_store.operations.inspection import opened

try:
    import fcntl
    import resource
except ImportError:  # such systems have neither, and no store is opened there
    fcntl = resource = None  # type: ignore[assignment] # asked before it is used

_VOLATILE = {"tmpfs", "ramfs", "rootfs", "devtmpfs"}
_REMOTE = re.compile(r"nfs|cifs|smb|9p|fuse|ceph|gluster|lustre|virtiofs|vboxsf|prl_fs|drvfs")
_WITHOUT_RIGHTS = {"vfat", "msdos", "exfat", "ntfs", "ntfs3"}
_NO_BARRIER = {"nobarrier", "barrier=0"}
_LITTLE = 256 << 20
"""Bytes of room under which a directory of stores soon stands still."""
_FEW = 256
"""Descriptors; each store has two or three open, and each writer as many."""
_OLD = 3600.0
"""Seconds after which a temporary file is nobody's any more."""


class Verdict(StrEnum):
    """What a check has found: nothing, something to think about, or a reason why promises are not kept."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, the verdict, and a sentence."""

    name: str
    verdict: Verdict
    sentence: str


def examine(root: str) -> list[Check]:
    """Look at a directory that is there; raises StorageFailure if it is not."""
    directory = opened(root)
    around = [*_versions(), *_file_system(root)]
    return [*around, *_tried(directory), *_room(directory), *_rights(directory), *_left(directory)]


def _versions() -> Iterator[Check]:
    found = [f"Python {sys.version.split()[0]}"]
    for name in ("pytest-tradestore", "pydantic", "pyarrow", "aiofiles"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    yield Check("versions", Verdict.OK, ", ".join(found))
    if resource is None:
        return
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    few = limit != resource.RLIM_INFINITY and limit < _FEW
    said = "; raise it (ulimit -n)" if few else ""
    yield Check("open files", Verdict.WARNING if few else Verdict.OK, f"{limit} are allowed{said}")


def _file_system(root: str) -> Iterator[Check]:
    mount = mount_of(os.path.realpath(root), _mounts())
    if mount is None:
        yield Check("file system", Verdict.OK, "its kind cannot be found out here")
        return
    yield judged(*mount)


def judged(kind: str, options: set[str]) -> Check:
    """What is to be said of a kind of file system with these options."""
    if "ro" in options:
        return Check("file system", Verdict.FAILED, f"{kind} is mounted read-only: mount it for writing")
    if options & _NO_BARRIER:
        return Check("file system", Verdict.FAILED, f"{kind} is mounted without barriers: a sync reaches no disk")
    if kind in _VOLATILE:
        return Check("file system", Verdict.FAILED, f"{kind} is memory: nothing outlives a restart")
    if kind in _WITHOUT_RIGHTS:
        return Check("file system", Verdict.WARNING, f"{kind} keeps no permissions: use another one")
    if _REMOTE.search(kind):
        sentence = f"{kind}: whether locks and syncs count is up to whoever serves it; prefer a local disk"
        return Check("file system", Verdict.WARNING, sentence)
    return Check("file system", Verdict.OK, kind)


def _mounts() -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        let_out(error)
        return ""


def mount_of(path: str, mounts: str) -> tuple[str, set[str]] | None:
    """Kind and options of the file system that ``path`` is on, by the text of ``mountinfo``; None if unclear."""
    best: tuple[int, str, set[str]] | None = None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(rest) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        within = path == point or path.startswith(point.rstrip("/") + "/")
        if within and (best is None or len(point) >= best[0]):
            best = len(point), rest[0], {*fields[5].split(","), *rest[2].split(",")}
    return None if best is None else (best[1], best[2])


def _tried(directory: Directory) -> Iterator[Check]:
    """Write, sync, rename, link and lock a file, as stores do."""
    name = f"{TEMPORARY}doctor-{os.urandom(6).hex()}"
    second = f"{name}-2"
    made: dict[str, int] = {}

    def write() -> str:
        made["file"] = os.open(
            name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory.descriptor
        )
        os.write(made["file"], b"doctor")
        sync(made["file"])
        directory.sync()
        return "a file and its name can be made durable"

    def lock() -> str:
        fcntl.flock(made["file"], fcntl.LOCK_EX | fcntl.LOCK_NB)
        other = os.open(name, os.O_RDWR, dir_fd=directory.descriptor)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "a second writer is kept out"
        finally:
            os.close(other)
        raise OSError(0, "a second writer gets the lock of the first: two programs would overwrite each other")

    def link() -> str:
        if not directory.name_too(name, second):
            raise OSError(0, "files can have no second name: backups are copies, which is slower")
        return "a file can have a second name"

    def rename() -> str:
        directory.move(name, second)
        os.stat(second, dir_fd=directory.descriptor)
        return "a file can be replaced in one step"

    def rights() -> str:
        os.fchmod(made["file"], 0o640)
        if stat.S_IMODE(os.fstat(made["file"]).st_mode) != 0o640:
            raise OSError(0, "permissions are not kept: who may read the files is up to the mount")
        return "permissions are kept"

    def clock() -> str:
        ahead = os.fstat(made["file"]).st_mtime - time.time()
        if abs(ahead) > 2:
            raise OSError(0, f"its clock is {ahead:+.0f} s from this machine's: ages are wrong by that")
        return "its clock agrees with this machine's"

    steps: list[tuple[str, Callable[[], str], Verdict]] = [
        ("sync", write, Verdict.FAILED), ("lock", lock, Verdict.FAILED), ("rights", rights, Verdict.WARNING),
        ("clock", clock, Verdict.WARNING), ("link", link, Verdict.WARNING), ("rename", rename, Verdict.FAILED),
    ]  # fmt: skip
    try:
        for what, step, otherwise in steps:
            try:
                yield Check(what, Verdict.OK, step())
            except OSError as error:
                let_out(error)
                yield Check(what, otherwise, error.strerror or type(error).__name__)
                if what == "sync":
                    return
    finally:
        if "file" in made:
            os.close(made["file"])
        directory.discard(name)
        directory.discard(second)


def _room(directory: Directory) -> Iterator[Check]:
    found = os.fstatvfs(directory.descriptor)
    free = found.f_bavail * found.f_frsize
    names = found.f_favail if found.f_files else None
    if free < _LITTLE or (names is not None and names < 1000):
        yield Check(
            "room", Verdict.WARNING, f"{free >> 20} MiB and {names} files are left: make room, or purge evidence"
        )
    else:
        yield Check("room", Verdict.OK, f"{free >> 20} MiB are free")


def _rights(directory: Directory) -> Iterator[Check]:
    about = os.fstat(directory.descriptor)
    if stat.S_IMODE(about.st_mode) & 0o007:
        yield Check("others", Verdict.WARNING, "the directory is open to everybody: chmod 750")
    else:
        yield Check("others", Verdict.OK, "the directory is closed to others")


def _left(directory: Directory) -> Iterator[Check]:
    try:
        refuse_unfinished(directory)
        yield Check("restore", Verdict.OK, "none was left unfinished")
    except RestoreUnfinished as unfinished:
        yield Check("restore", Verdict.FAILED, str(unfinished))
    old = []
    for name in directory.names():
        if name.startswith(TEMPORARY):
            try:
                about = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if time.time() - about.st_mtime > _OLD:
                old.append(name)
    sentence = f"{len(old)} temporary files of dead writers: they go when a store is opened here" if old else "none"
    yield Check("leftovers", Verdict.WARNING if old else Verdict.OK, sentence)
