"""Stores that claim to keep their files private, and do not, each in its own way."""

import os

from tests.sound_stores.private import PrivateDocument, PrivateDocuments, locked


class AsTheUmaskSays(PrivateDocument):
    """PERM-1: opens files as everybody does, and leaves their modes to the umask."""

    def _create(self, name, here):
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=here)

    def _mode(self, name, here):
        try:
            return os.stat(name, dir_fd=here, follow_symlinks=False).st_mode & 0o777
        except FileNotFoundError:
            return 0o644


class PrivateInTheEnd(PrivateDocument):
    """PERM-1: makes the file private once it is written; until then everybody can read it."""

    def _create(self, name, here):
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=here)


class DirectoriesForAll(PrivateDocuments):
    """PERM-1: os.makedirs with a mode, which holds for the last directory only."""

    def __init__(self, root):
        self.root = root
        with locked(root):
            os.makedirs(root / "data" / "documents", mode=0o750, exist_ok=True)
        super().__init__(root)


class GivesRightsBack(PrivateDocument):
    """PERM-2: gives every file the same mode, whatever the one that it replaces had."""

    def _mode(self, name, here):
        return 0o640


class ChangesTheUmask(PrivateDocument):
    """PERM-2: sets the umask for a moment, for all threads of the process."""

    def save(self, data):
        before = os.umask(0o077)
        try:
            super().save(data)
        finally:
            os.umask(before)


class PutsAsideForAll(PrivateDocument):
    """PERM-1: keeps what is damaged in a copy, which the umask alone protects."""

    def save(self, data):
        try:
            self.load()
        except ValueError:
            damaged = os.open(self.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            kept = os.open(f"{self.file}.damaged", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
            os.write(kept, os.read(damaged, 1 << 20))
            os.close(damaged)
            os.close(kept)
        super().save(data)
