"""The one place on disk that the suite writes to: a private temporary directory, removed at the end.

It lies in memory (tmpfs) where there is enough of it: crash states are made by the thousand, and what is tested is
the order of operations, not the disk.

A run that is ended from outside cannot remove anything. So each sandbox has a lock file, locked as long as a process
of its run lives, and a later run sweeps away the sandboxes whose lock is free. Where there are no such locks nobody
sweeps.
"""

import atexit
import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - used only as a parent for a private directory
_ROOM = 512 * 1024 * 1024
_PREFIX = "tradestore-"
_LOCK = "owner.lock"
_MODES = (0o700, 0o711)
"""Those of a sandbox; the second is that of one in which a server has its data as another user."""
_LEAST_DESCRIPTOR = 500  # out of the way of programs that close or count their low descriptors


class Sandbox:
    """A private directory (mode 0700) that hands out empty roots and removes everything when it is left.

    Every root has the base name ``store`` in a directory of its own, so that whatever a store writes beside its root
    is caught too, and no two roots share a path that a store could have cached something under.
    """

    def __init__(self, parent: Path | None = None) -> None:
        if parent is None:
            _sweep_once()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent or _fastest_parent()))
        _OPEN[self.path] = (os.getpid(), _lock(self.path))
        self._count = 0

    def fresh_root(self) -> Path:
        """Return a new empty directory."""
        self._count += 1
        root = self.path / str(self._count) / "store"
        os.makedirs(root)
        return root

    def discard(self, root: Path) -> None:
        """Remove a root that ``fresh_root`` gave, whatever is in it and whatever its modes are."""
        remove_tree(root.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        _remove(self.path, _OPEN.pop(self.path, (0, None))[1])


_OPEN: dict[Path, tuple[int, int | None]] = {}
"""The sandboxes that nobody has left yet: the process that made each, and the descriptor that holds its lock."""


@atexit.register
def remove_open() -> None:
    """Remove the sandboxes that this process made and has not left; those of a parent are left to it."""
    for path, (owner, held) in list(_OPEN.items()):
        if owner == os.getpid():
            del _OPEN[path]
            _remove(path, held)


def sweep(parent: Path) -> None:
    """Remove the sandboxes below ``parent`` that ended runs of the same user have left."""
    for path in _candidates(parent):
        held = _taken_over(path)
        if held is not None:
            with contextlib.suppress(OSError):  # another time
                _remove(path, held)


@cache
def _sweep_once() -> None:
    """Sweep in both places: what was left in memory may be why there is no room there."""
    for parent in sorted({_SHARED_MEMORY, tempfile.gettempdir()}):
        sweep(Path(parent))


def _candidates(parent: Path) -> Iterator[Path]:
    """Yield what has the name, the owner and the modes of a sandbox, and is a directory, not a link to one."""
    with contextlib.suppress(OSError, AttributeError):
        for name in sorted(os.listdir(parent)):
            if name.startswith(_PREFIX):
                with contextlib.suppress(FileNotFoundError):
                    found = os.lstat(parent / name)
                    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) in _MODES
                    if private and found.st_uid == os.geteuid():
                        yield parent / name


def _lock(path: Path) -> int | None:
    """Put a lock file that is locked already into a new sandbox; return the descriptor that holds it, where possible.

    Processes that are forked from this one hold it too, so that they are not swept away from under their feet.
    """
    try:
        import fcntl

        first = os.open(path / (_LOCK + ".new"), os.O_RDWR | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except (ImportError, OSError):
        return None
    held = first
    try:
        with contextlib.suppress(OSError):
            held = fcntl.fcntl(first, fcntl.F_DUPFD_CLOEXEC, _LEAST_DESCRIPTOR)
            os.close(first)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(path / (_LOCK + ".new"), path / _LOCK)
    except OSError:
        os.close(held)
        return None
    return held


def _taken_over(path: Path) -> int | None:
    """Return a descriptor that now holds the lock of a sandbox, or nothing if it is no sandbox or somebody's."""
    try:
        import fcntl

        held = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (ImportError, OSError):
        return None
    try:
        found = os.fstat(held)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(found, os.lstat(path / _LOCK)):
                return held
    except OSError:
        pass
    os.close(held)
    return None


def _remove(path: Path, held: int | None) -> None:
    """Remove a sandbox, its lock file last: if this is cut short, a later run still knows what it is."""
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            for name in sorted(os.listdir(path)):
                if name != _LOCK:
                    remove_tree(path / name)
        remove_tree(path)
    finally:
        if held is not None:
            with contextlib.suppress(OSError):
                os.close(held)


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it, directories without permissions included; links are not followed."""

    def unlock(_function: object, name: str, _error: object) -> None:
        parent = os.path.dirname(name)
        for locked in (parent, name):
            if os.path.isdir(locked) and not os.path.islink(locked):
                os.chmod(locked, stat.S_IRWXU)
        if os.path.isdir(name) and not os.path.islink(name):
            shutil.rmtree(name, ignore_errors=True)
        elif os.path.lexists(name):
            os.unlink(name)

    if os.path.lexists(path):
        shutil.rmtree(path, onerror=unlock)


def _fastest_parent() -> str:
    """Return tmpfs where it is writable and roomy, else the ordinary place for temporary files."""
    try:
        room = os.statvfs(_SHARED_MEMORY)
        if os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) and room.f_bavail * room.f_frsize >= _ROOM:
            return _SHARED_MEMORY
    except (OSError, AttributeError):
        pass
    return tempfile.gettempdir()
