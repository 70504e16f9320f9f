"""What most broken stores have in common and are not broken in: where their files lie, and how these are read."""

from pathlib import Path

from tests.sound_stores.files import file_name, read_document


class Rooted:
    """Keeps all below its root."""

    def __init__(self, root: Path):
        self.root = root


class OneFile(Rooted):
    """A single document in ``portfolio.json``."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.file = root / "portfolio.json"

    def load(self):
        return read_document(self.file)


class OneFileAwaited(OneFile):
    async def load(self):
        return read_document(self.file)


class FileEach(Rooted):
    """Documents by key, in a file each."""

    def get(self, key):
        return read_document(self.root / file_name(key))


class FileEachAwaited(Rooted):
    async def get(self, key):
        return read_document(self.root / file_name(key))
