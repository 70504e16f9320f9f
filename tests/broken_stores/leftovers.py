"""Stores that leave temporary files behind, or show them."""

import os
import tempfile

import aiofiles.tempfile

from tests.broken_stores import breaks
from tests.broken_stores.bases import FileEach, OneFile
from tests.sound_stores.files import encode, file_name, key_of, replace_durably, sync_directory


@breaks("documents", ATOM_4="lists 'AAPL.json.tmp'")
class ListsTemporaries(FileEach):
    """every file in the directory is taken for a document, also the temporary one of a crashed save."""

    def put(self, key, document):
        replace_durably(self.root / file_name(key), encode(document))

    def keys(self):
        return [key_of(name) for name in os.listdir(self.root)]


@breaks("documents", ATOM_4="lists 'AAPL.json.tmp'")
class ListsTemporariesAsync(ListsTemporaries):
    """the same with async methods."""

    async def put(self, key, document):
        super().put(key, document)

    async def keys(self):
        return super().keys()


@breaks("document", ATOM_4="leaves one more file that nothing removes")
class RandomTemporaries(OneFile):
    """each crash leaves a temporary file with another name, and nobody ever removes them."""

    def save(self, data):
        text = encode(data)
        descriptor, staged = tempfile.mkstemp(suffix=".tmp", dir=self.file.parent)
        with open(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(staged, self.file)
        sync_directory(self.file.parent)


@breaks("document", ATOM_4="leaves one more file that nothing removes")
class RandomTemporariesAiofiles(RandomTemporaries):
    """the same through aiofiles."""

    async def save(self, data):
        text = encode(data)
        async with aiofiles.tempfile.NamedTemporaryFile("w", dir=self.file.parent, delete=False) as file:
            await file.write(text)
            await file.flush()
            os.fsync(file.fileno())
        os.replace(str(file.name), self.file)
        sync_directory(self.file.parent)
