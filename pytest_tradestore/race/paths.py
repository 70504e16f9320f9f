"""What files are called in operations: relative to the root of the store, whatever number or path they came by."""

import os
import sys
import sysconfig
from typing import Any

_FOREIGN = tuple(
    os.path.join(path, "")
    for path in sorted(
        {"/proc", "/sys", "/dev", "/usr", "/etc", "/lib", sys.prefix, sys.base_prefix}
        | {path for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")) if path}
    )
)
_SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - where the sandbox lies, if it can
_fspath, _fsdecode, _scandir = os.fspath, os.fsdecode, os.scandir


class Names:
    """Of one execution: where its root lies, and which file each descriptor number was opened on."""

    def __init__(self, root: str, *, remember: bool = False) -> None:
        """``remember``: for ``unseen``."""
        self._root, self._below, self._above = root, root + os.sep, os.path.dirname(root)
        self.of_number: dict[int, str] = {}
        self._seen: set[str] | None = set() if remember else None
        """What was named; None where nobody will ask."""

    def name(self, path: Any) -> str | None:
        """Return what to call the file; None if it is no business of a store (the interpreter's own files)."""
        if type(path) is not str:
            if isinstance(path, int):
                return self.of_number.get(path, "a file")
            try:
                path = _fsdecode(_fspath(path))
            except TypeError:
                return None  # the real function says what is wrong with it
        if path.startswith(self._below):
            called = str(path[len(self._below) :])
            if self._seen is not None:
                self._seen.add(called.rpartition("/")[2])
            return called
        if path == self._root:
            return "the root"
        if path == self._above:
            return "the directory of the root"
        if f"{path}{os.sep}".startswith(_FOREIGN) and not path.startswith(_SHARED_MEMORY):
            return None
        called = str(path.rpartition("/")[2])
        if self._seen is not None:
            self._seen.add(called)
        return called or str(path)

    def unseen(self) -> list[str]:
        """Return the files under the root that appeared under no name that an actor used: somebody else made them."""
        found: list[str] = []
        pending = [self._root]
        while pending:
            with _scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif entry.name not in (self._seen or ()):
                        found.append(entry.name)
        return sorted(found)
