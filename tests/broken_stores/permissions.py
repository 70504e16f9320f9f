"""Stores that claim to keep their files private, and do not, each in its own way."""

import os
from pathlib import Path

from tests.sound_stores import plain
from tests.sound_stores.files import encode, locked, sync_directory


class _Private(plain.PlainDocument):
    """A document in a file that only its owner and its group can read, from the first moment on."""

    tradestore_claims = ("private-files",)

    def save(self, data):
        text = encode(data).encode()
        with locked(self.root):
            staged = f"{self.file}.tmp"
            descriptor = self._create(staged)
            with open(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fchmod(descriptor, self._mode())
                os.fsync(descriptor)
            os.replace(staged, self.file)
            sync_directory(self.root)

    def _create(self, path):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def _mode(self):
        return 0o640 & self.file.stat().st_mode if self.file.exists() else 0o640


class AsTheUmaskSays(_Private):
    """PERM-1: opens files as everybody does, and leaves their modes to the umask."""

    def _create(self, path):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    def _mode(self):
        return self.file.stat().st_mode & 0o777 if self.file.exists() else 0o644


class PrivateInTheEnd(_Private):
    """PERM-1: makes the file private once it is written; until then everybody can read it."""

    def _create(self, path):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)


class DirectoriesForAll(plain.PlainDocuments):
    """PERM-1: os.makedirs with a mode, which holds for the last directory only."""

    tradestore_claims = ("private-files",)

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "data" / "documents"
        os.makedirs(self.directory, mode=0o750, exist_ok=True)
        sync_directory(root)
        sync_directory(root / "data")

    def put(self, key, document):
        path = self.directory / self._name(key)
        with locked(self.root):
            staged = f"{path}.tmp"
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(encode(document))
                file.flush()
                os.fsync(descriptor)
            os.replace(staged, path)
            sync_directory(self.directory)

    def _name(self, key):
        return plain.file_name(key)


class GivesRightsBack(_Private):
    """PERM-2: gives every file the same mode, whatever the one that it replaces had."""

    def _mode(self):
        return 0o640


class ChangesTheUmask(_Private):
    """PERM-2: sets the umask for a moment, for all threads of the process."""

    def save(self, data):
        before = os.umask(0o077)
        try:
            super().save(data)
        finally:
            os.umask(before)
