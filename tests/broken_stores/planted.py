"""Stores that claim to be private, and do what somebody has planted in their root."""

import json
import os
import stat

from tests.broken_stores import breaks
from tests.sound_stores.files import file_name, key_of
from tests.sound_stores.private import PrivateDocument, PrivateDocuments, directory, read, replace


@breaks("document", NAME_2="a link to a file outside in the place of 'portfolio.json' is followed")
class FollowsLinks(PrivateDocument):
    """opens its file by name, wherever that leads."""

    def load(self):
        try:
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None


@breaks("document", NAME_2="a link that takes the place of 'portfolio.json' for moments is followed")
class LooksBeforeItOpens(PrivateDocument):
    """asks whether the file is a link, and opens it then: between the two it can become one."""

    def load(self):
        try:
            if not stat.S_ISREG(os.lstat(self.file).st_mode):
                raise ValueError("not a file of ours")
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None


@breaks("document", NAME_2="a link that takes the place of 'portfolio.json' for moments is followed")
class ResolvesBeforeItOpens(PrivateDocument):
    """asks where the path leads in the end, and opens it then: between the two it can lead elsewhere."""

    def load(self):
        real = os.path.realpath(self.file)
        if os.path.dirname(real) != os.path.realpath(self.root) or (not os.path.isfile(real) and os.path.lexists(real)):
            raise ValueError("not a file of ours")
        try:
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None


@breaks("documents", NAME_2="a link to a directory outside in the place of 'data")
class FollowsLinkedDirectories(PrivateDocuments):
    """takes care that the file is no link, and none that its directories are none."""

    def get(self, key):
        descriptor = os.open(self.root / "data" / "documents", os.O_RDONLY | os.O_DIRECTORY)
        try:
            return read(descriptor, file_name(key))
        finally:
            os.close(descriptor)


@breaks("documents", NAME_2="a link that takes the place of 'data' for moments is followed")
class LooksAtDirectoriesFirst(FollowsLinkedDirectories):
    """asks whether its directories are links, and walks through them then."""

    def get(self, key):
        if any(os.path.islink(self.root / path) for path in ("data", "data/documents")):
            raise ValueError("not a directory of ours")
        return super().get(key)


@breaks("documents", NAME_4="with a file of somebody else in the root, '\\udcff.json', '\\udcff' is listed")
class ListsWhatItFinds(PrivateDocuments):
    """takes every file that ends as its own do for one of its own."""

    def keys(self):
        with self._documents() as here:
            return [key_of(name) for name in sorted(os.listdir(here)) if name.endswith(".json")]


@breaks("document", NAME_2="a link to a file outside in the place of 'portfolio.json.tmp' is followed")
class WritesThroughItsTemporaryFile(PrivateDocument):
    """opens a temporary file of always the same name, whatever stands there already."""

    def _replace(self, text):
        with directory(self.root) as here:
            replace(here, self.file.name, text, self._create, self._mode, fresh=False)

    def _create(self, name, here):
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=here)


@breaks(
    "document",
    ATOM_1="JSONDecodeError",
    ATOM_2="JSONDecodeError",
    NAME_2="a hard link to a file outside in the place of 'portfolio.json' is followed",
)
class WritesIntoFiles(PrivateDocument):
    """opens the file without following links, and writes into it: its other names see that."""

    def _replace(self, text):
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o640)
        with open(descriptor, "wb") as file:
            file.truncate(0)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        descriptor = os.open(self.root, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
