"""Three stores of a few lines: one that is sound, one that empties its file first, one that never syncs."""

import json
import os


class Durable:
    """Temporary file, fsync, rename, fsync of the directory."""

    def __init__(self, root):
        self.file = root / "f"
        self.staged = root / "t"

    def save(self, data):
        with open(self.staged, "w") as file:
            file.write(json.dumps(data))
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.staged, self.file)
        directory = os.open(self.file.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}


class Truncating(Durable):
    """Writes in place: the file is empty before it is full."""

    def save(self, data):
        with open(self.file, "w") as file:
            file.write(json.dumps(data))
            file.flush()
            os.fsync(file.fileno())
        directory = os.open(self.file.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


class BareRename(Durable):
    """Renames a file into place that was never synced."""

    def save(self, data):
        self.staged.write_text(json.dumps(data))
        os.replace(self.staged, self.file)
