"""Stores with two defects each that failing calls show, the worse of which a harmless one hides; and a sound twin."""

import os
from pathlib import Path

from tests.sound_stores.files import encode, read_document, sync_directory
from tests.two_defects import two


class Careful:
    """Writes beside, syncs, renames; what fails is cleaned up and told."""

    def __init__(self, root: Path):
        self.file = root / "queue.json"
        self._open()

    def _open(self):
        read_document(self.file)

    def load(self):
        return read_document(self.file) or {}

    def save(self, data):
        text = encode(data).encode()
        staged = f"{self.file}.staged"
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            self._fill(descriptor, text)
            self._publish(staged)
        except BaseException:
            self._clean(staged)
            raise

    def _fill(self, descriptor, text):
        try:
            view = memoryview(text)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _publish(self, staged):
        os.replace(staged, self.file)
        sync_directory(self.file.parent)

    def _clean(self, staged):
        Path(staged).unlink(missing_ok=True)


@two(
    Careful,
    "document",
    ("read error taken for damage", "destroyed", {"FAULT-3"}),
    ("file left behind", "leftover", {"FAULT-5"}),
)
class StartsAnewAndLitters(Careful):
    """one read error at opening empties the queue; and a failed save leaves its temporary file, each time another."""

    def _open(self):
        try:
            read_document(self.file)
        except OSError:
            self.file.write_text("{}")

    def save(self, data):
        text = encode(data).encode()
        staged = f"{self.file}.{os.urandom(8).hex()}.staged"
        self._fill(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), text)
        self._publish(staged)


@two(
    Careful,
    "document",
    ("failed update that leaves the old value damaged", "destroyed", {"FAULT-1"}),
    ("descriptor left open", "leftover", {"FAULT-5"}),
)
class MakesRoomInVain(Careful):
    """where the rename fails the old file is taken away, which does not help; and a failed sync leaks a descriptor."""

    def _fill(self, descriptor, text):
        view = memoryview(text)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
        os.close(descriptor)

    def _publish(self, staged):
        try:
            os.replace(staged, self.file)
        except OSError:
            self.file.unlink(missing_ok=True)
            raise
        sync_directory(self.file.parent)
