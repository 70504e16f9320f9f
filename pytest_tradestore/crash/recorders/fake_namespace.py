"""Which paths lie on the fake disk, and which on the real one.

Everything under the root is on the fake disk. Outside it a file that exists already stays what it is, so that a store
reads its own configuration, its packages and its time zones; what is newly made there (temporary files that are then
moved in) comes to stand on the fake disk.
"""

import os
import threading
from types import SimpleNamespace
from typing import Any

from pytest_tradestore.crash.recorders.fake_descriptors import Descriptors
from pytest_tradestore.crash.recorders.fake_disk import Disk

_DEVICES = tuple(f"{os.sep}{name}{os.sep}" for name in ("dev", "proc", "sys"))


class Namespace:
    """Decides for each path a store names; knows the working directory, which may lie on the fake disk."""

    def __init__(self, disk: Disk, descriptors: Descriptors, real: SimpleNamespace, given: str) -> None:
        self._disk, self._descriptors, self._real = disk, descriptors, real
        self._roots = tuple(dict.fromkeys((disk.root, given)))
        self._following = threading.local()
        self.directory: str | None = None
        """The working directory, where it is one of the fake disk."""

    def place(self, path: Any, dir_fd: int | None = None, *, creates: bool = False, follow: bool = True) -> Any:
        """Return (path on the fake disk, None) or (None, what to hand to the real function in place of the path)."""
        if getattr(self._following, "links", False):
            return None, path
        text = os.fsdecode(path)
        absolute = self._absolute(text, dir_fd)
        if absolute is None:  # relative to a directory of the real disk
            return None, path
        moved = absolute != text
        inside = self._inside(absolute)
        if inside is None:
            inside = self._inside(self._real_name(absolute))
        if inside is not None:
            if not follow or not self._disk.has_symlinks:
                return inside, None
            target = self._disk.follow(inside)
            if self._inside(target) is not None or self._disk.exists(target) or not self._real_exists(target):
                return inside, None
            return None, os.fsencode(target) if isinstance(path, bytes) else target
        if self._on_disk_outside(absolute, creates):
            return absolute, None
        changed = moved and (dir_fd is not None or self.directory is not None)
        return None, (os.fsencode(absolute) if isinstance(path, bytes) else absolute) if changed else path

    def is_inside(self, path: str) -> bool:
        """Whether a path is that of the root or of something below it."""
        return self._inside(os.path.normpath(path)) is not None

    def real_names(self, path: str) -> list[str]:
        """Return what the real disk lists in a directory outside the root that stands on both."""
        if self._inside(path) is not None:
            return []
        try:
            return list(self._real.listdir(path))
        except OSError:
            return []

    def _absolute(self, path: str, dir_fd: int | None) -> str | None:
        if not os.path.isabs(path):
            if dir_fd is not None:
                file = self._descriptors.get(dir_fd)
                if file is None:
                    return None
                path = os.path.join(str(file.node.path), path)
            else:
                path = os.path.join(self.directory or self._real.getcwd(), path) if path else ""
        if not path:
            return ""
        ends = len(path) > 1 and path.endswith(os.sep)
        return os.path.normpath(path) + (os.sep if ends else "")

    def _inside(self, path: str) -> str | None:
        for root in self._roots:
            if path == root or path == root + os.sep:
                return self._disk.root
            if path.startswith(root + os.sep):
                return self._disk.root + path[len(root) :]
        return None

    def _real_name(self, path: str) -> str:
        """Return the path with the links of its directories followed on the real disk."""
        directory, name = os.path.split(path)
        if not name:
            return path
        self._following.links = True  # it asks with the functions that stand in: they must not follow links in turn
        try:
            return os.path.join(self._real.realpath(directory), name)
        finally:
            self._following.links = False

    def _real_exists(self, path: str) -> bool:
        try:
            self._real.lstat(path)
        except (OSError, ValueError):
            return False
        return True

    def _on_disk_outside(self, path: str, creates: bool) -> bool:
        if not path or "\0" in path or path.startswith(_DEVICES):
            return False
        if self._disk.exists(path) and not (self._real_exists(path) and self._is_mirror(path)):
            return True
        if not creates or self._real_exists(path):
            return False
        directory = os.path.dirname(path.rstrip(os.sep))
        if not self._disk.exists(directory):
            try:
                status = self._real.stat(directory)
            except OSError:
                return False
            self._disk.mirror_directory(directory, status.st_mode & 0o7777)
        return True

    def _is_mirror(self, path: str) -> bool:
        """Whether what stands at the path is only there to hold something else: the real one tells more."""
        node = self._disk.find(path, follow=False)
        return hasattr(node, "entries") and "trace_inode" not in node.__dict__
