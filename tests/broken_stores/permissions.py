"""Stores that claim to keep their files private, and do not, each in its own way."""

import os
from contextlib import suppress

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.private import PrivateDocument, PrivateDocuments, create, directory, locked, mode, replace


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


@breaks("document", PERM_3="'portfolio.json' had", recorders=IN_MEMORY)
class MakesItItsOwn(PrivateDocument):
    """keeps the mode of what it replaces, and nothing else: the new file belongs to whoever saves."""

    def _replace(self, text):
        with directory(self.root) as here:
            replace(here, self.file.name, text, create, mode, keep=lambda *_: None)


@breaks("document", PERM_3="had an access list that lets account 54321 read and has none", recorders=IN_MEMORY)
class ForgetsWhoElseMayRead(PrivateDocument):
    """gives owner and group back, and not the list of further accounts."""

    def _replace(self, text):
        def keep(descriptor, name, here):
            with suppress(FileNotFoundError):
                old = os.stat(name, dir_fd=here)
                os.fchown(descriptor, old.st_uid, old.st_gid)

        with directory(self.root) as here:
            replace(here, self.file.name, text, create, mode, keep=keep)


@breaks("document", PERM_3="had an access list that lets account 54321 read and has another one", recorders=IN_MEMORY)
class ForItsOwnerAlone(PrivateDocument):
    """makes every file private to its owner, whatever the one before it allowed: its group is locked out."""

    def _mode(self, name, here):
        return 0o600


@breaks("documents", PERM_3="had the setgid bit, mode 2750 and has 0750", recorders=IN_MEMORY)
class SetsTheModeOfItsDirectories(PrivateDocuments):
    """sets the mode of its directories whenever it is opened, and so takes the bit that hands their group on."""

    def _make(self, name, here):
        super()._make(name, here)
        os.chmod(name, 0o750, dir_fd=here)
