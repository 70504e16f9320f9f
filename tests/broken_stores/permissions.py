"""Stores that claim to keep their files private, and do not, each in its own way."""

import os

from tests.broken_stores import breaks
from tests.sound_stores.private import PrivateDocument, PrivateDocuments, locked


@breaks("document", PERM_1="'portfolio.json.tmp' has mode 0666 during save({version: 1}), with umask 000")
class AsTheUmaskSays(PrivateDocument):
    """opens files as everybody does, and leaves their modes to the umask."""

    def _create(self, name, here):
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=here)

    def _mode(self, name, here):
        try:
            return os.stat(name, dir_fd=here, follow_symlinks=False).st_mode & 0o777
        except FileNotFoundError:
            return 0o644


@breaks(
    "document",
    name="private-only-in-the-end",
    PERM_1="'portfolio.json.tmp' has mode 0666 during save({version: 1}), with umask 000",
)
class PrivateInTheEnd(PrivateDocument):
    """makes the file private once it is written; until then everybody can read it."""

    def _create(self, name, here):
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=here)


@breaks(
    "documents",
    name="makes-directories-for-all",
    PERM_1="'data' has mode 0777 during opening the store, with umask 000",
)
class DirectoriesForAll(PrivateDocuments):
    """os.makedirs with a mode, which holds for the last directory only."""

    def __init__(self, root):
        self.root = root
        with locked(root):
            os.makedirs(root / "data" / "documents", mode=0o750, exist_ok=True)
        super().__init__(root)


@breaks("document", PERM_2="'portfolio.json' has mode 0640 during save({version: 1}), with umask 022")
class GivesRightsBack(PrivateDocument):
    """gives every file the same mode, whatever the one that it replaces had."""

    def _mode(self, name, here):
        return 0o640


@breaks(
    "document", PERM_2="the store changes the umask of the whole process: os.umask(0o077) during save({version: 1})"
)
class ChangesTheUmask(PrivateDocument):
    """sets the umask for a moment, for all threads of the process."""

    def save(self, data):
        before = os.umask(0o077)
        try:
            super().save(data)
        finally:
            os.umask(before)


@breaks("document", PERM_1="'portfolio.json.damaged' has mode 0666 during save({version: 1}), with umask 000")
class PutsAsideForAll(PrivateDocument):
    """keeps what is damaged in a copy, which the umask alone protects."""

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
