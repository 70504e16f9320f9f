"""Stores that keep something for good, or use temporary files: as many after a thousand calls as after a few."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

from tests.sound_stores.files import encode, locked, sync_directory
from tests.sound_stores.plain import PlainDocument


class KeepsADescriptorAndAPool(PlainDocument):
    """Opens its directory once, and hands each save to one of four threads."""

    def __init__(self, root):
        super().__init__(root)
        self._directory = os.open(root, os.O_RDONLY)
        self._pool = ThreadPoolExecutor(4)

    def save(self, data):
        job = self._pool.submit(super().save, data)
        try:
            job.result()
        except BaseException:
            job.exception()  # its thread cannot be called back: whoever is interrupted waits until it is done
            raise

    def close(self):
        self._pool.shutdown()
        os.close(self._directory)


class DraftsBesideTheFile(PlainDocument):
    """Makes its temporary file, with a name drawn by lot, in the directory of the file that it will replace."""

    def save(self, data):
        text = encode(data)
        with locked(self.root):
            for left in self.root.glob("*.tmp"):
                left.unlink()
            descriptor, name = tempfile.mkstemp(".tmp", dir=self.root)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, self.file)
            sync_directory(self.root)
