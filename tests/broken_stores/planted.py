"""Stores that claim to be private, and do what somebody has planted in their root."""

import fcntl
import json
import os
import stat
from contextlib import contextmanager

from tests.broken_stores.permissions import _Private
from tests.sound_stores.files import encode, sync_directory


@contextmanager
def locked(root):
    """Hold the lock of a store, by a file that is no link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(root / ".lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class FollowsLinks(_Private):
    """NAME-2: opens its file by name, wherever that leads."""


class _Careful(_Private):
    def _create(self, path):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)

    def save(self, data):
        with locked(self.root):
            self._save(encode(data).encode())

    def _save(self, text):
        staged = f"{self.file}.tmp"
        descriptor = self._create(staged)
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, self._mode())
            os.fsync(descriptor)
        os.replace(staged, self.file)
        sync_directory(self.root)

    def _mode(self):
        try:
            found = os.lstat(self.file)
        except FileNotFoundError:
            return 0o640
        return 0o640 & found.st_mode if stat.S_ISREG(found.st_mode) else 0o600


class LooksBeforeItOpens(_Careful):
    """NAME-2: asks whether the file is a link, and opens it then: between the two it can become one."""

    def load(self):
        try:
            if not stat.S_ISREG(os.lstat(self.file).st_mode):
                raise ValueError("not a file of ours")
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None


class WritesIntoFiles(_Careful):
    """ATOM-1, ATOM-2, NAME-2: opens the file without following links, and writes into it: its other names see that."""

    def _save(self, text):
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o640)
        with open(descriptor, "wb") as file:
            file.truncate(0)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        sync_directory(self.root)

    def load(self):
        try:
            descriptor = os.open(self.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with open(descriptor, encoding="utf-8") as file:
            return json.load(file)
