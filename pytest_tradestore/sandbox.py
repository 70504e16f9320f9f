"""The one place on disk that the suite writes to: a private temporary directory, removed at the end.

It lies in memory (tmpfs) where there is enough of it: crash states are made by the thousand, and what is tested is
the order of operations, not the disk.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - used only as a parent for a private directory
_ROOM = 512 * 1024 * 1024


class Sandbox:
    """A private directory (mode 0700) that hands out empty roots and removes everything when it is left.

    Every root has the base name ``store`` in a directory of its own, so that whatever a store writes beside its root
    is caught too, and no two roots share a path that a store could have cached something under.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="tradestore-", dir=parent or _fastest_parent()))
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
        remove_tree(self.path)


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
    except OSError:
        pass
    return tempfile.gettempdir()
