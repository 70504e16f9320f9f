"""What ``os.scandir`` yields for a directory of the fake disk; how a file is looked at is said by whoever lists it."""

import os
import stat as stat_module
from collections.abc import Callable, Iterator
from typing import Any


class FakeDirEntry(os.PathLike[Any]):
    """What scandir yields for a directory of the fake disk."""

    def __init__(self, stat: Callable[..., os.stat_result], directory: Any, absolute: str, name: str) -> None:
        self._stat, self._absolute = stat, os.path.join(absolute, name)
        self.name: Any = os.fsencode(name) if isinstance(directory, bytes) else name
        self.path: Any = self.name if isinstance(directory, int) else os.path.join(directory, self.name)

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def inode(self) -> int:
        return self.stat(follow_symlinks=False).st_ino

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return self._stat(self._absolute, follow_symlinks=follow_symlinks)

    def _is(self, test: Any, follow: bool) -> bool:
        try:
            return bool(test(self.stat(follow_symlinks=follow).st_mode))
        except FileNotFoundError:
            return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._is(stat_module.S_ISDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._is(stat_module.S_ISREG, follow_symlinks)

    def is_symlink(self) -> bool:
        return self._is(stat_module.S_ISLNK, False)

    def is_junction(self) -> bool:
        return False


class FakeScandir:
    """The iterator that scandir returns: also a context manager."""

    def __init__(self, entries: Iterator[FakeDirEntry]) -> None:
        self._entries = entries

    def __iter__(self) -> "FakeScandir":
        return self

    def __next__(self) -> FakeDirEntry:
        return next(self._entries)

    def __enter__(self) -> "FakeScandir":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())
