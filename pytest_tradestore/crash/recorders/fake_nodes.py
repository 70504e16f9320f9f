"""A regular file of the fake disk, and one that is open: what ``fake_disk`` keeps of each."""

import os
import stat
import time
from dataclasses import dataclass
from typing import Any

from pyfakefs.fake_file import FakeFile
from pyfakefs.fake_filesystem import FakeFilesystem

_O_SYNC = getattr(os, "O_SYNC", 0)
_O_DSYNC = getattr(os, "O_DSYNC", 0)


class StoredFile(FakeFile):
    """A regular file of the fake disk; unlike its base it grows in place, so that many appends stay cheap."""

    def __init__(self, name: str, mode: int, filesystem: FakeFilesystem, content: bytes = b"") -> None:
        super().__init__(name, stat.S_IFREG | mode, "", filesystem=filesystem)
        self.content = bytearray(content)
        self.stat_result.st_size = len(content)

    @property
    def byte_contents(self) -> bytes:
        return bytes(self.content)

    @property  # type: ignore[misc]
    def size(self) -> int:
        return len(self.content)

    def changed(self) -> None:
        """Let the status tell of a change of the content."""
        self.stat_result.st_size = len(self.content)
        self.stat_result.st_mtime_ns = self.stat_result.st_ctime_ns = time.time_ns()


@dataclass(eq=False, slots=True)
class OpenFile:
    """An open file description: what descriptors made by dup share."""

    node: Any
    path: str
    flags: int
    offset: int = 0
    descriptors: int = 0

    @property
    def readable(self) -> bool:
        return self.flags & 3 in (os.O_RDONLY, os.O_RDWR)

    @property
    def writable(self) -> bool:
        return self.flags & 3 in (os.O_WRONLY, os.O_RDWR)

    @property
    def durable(self) -> bool:
        """Whether each write waits for the disk. O_SYNC contains O_DSYNC's bit, so either shows in this test."""
        return bool(self.flags & (_O_DSYNC or _O_SYNC))
