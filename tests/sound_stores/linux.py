"""Right by other means that Linux offers: synchronous descriptors, and temporary files that never have a name."""

import os
from pathlib import Path

from tests.sound_stores.files import (
    cut_torn_tail,
    encode,
    file_name,
    locked,
    log_line,
    make_directory,
    read_document,
    read_log,
)


class SynchronousJournal:
    """Appends through O_APPEND | O_DSYNC: durable when write returns, without a call of fsync."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "streams"
        make_directory(self.directory)
        self._open = {}

    def append(self, stream, record):
        path = self.directory / file_name(stream)
        with locked(self.root):
            if stream not in self._open:
                cut_torn_tail(path)
                self._open[stream] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_DSYNC)
            rest = log_line(record)
            try:
                while rest:
                    rest = rest[os.write(self._open[stream], rest) :]
            except OSError:
                os.close(self._open.pop(stream))  # the next append begins with what this one has left
                raise

    def read(self, stream):
        return read_log(self.directory / file_name(stream))

    def close(self):
        while self._open:
            os.close(self._open.popitem()[1])


class UnnamedTemporary:
    """Writes to a file without a name (O_TMPFILE), which a crash removes, and links it in when it is whole."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        text, linked = encode(data).encode(), self.root / "portfolio.json.tmp"
        directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with locked(self.root):
                self._replace(directory, linked, text)
        finally:
            os.close(directory)

    def _replace(self, directory, linked, text):
        descriptor = os.open(self.root, os.O_WRONLY | os.O_TMPFILE, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
            linked.unlink(missing_ok=True)
            # Only with a dir_fd does Python call linkat, which can follow the link in /proc to the file itself.
            os.link(f"/proc/self/fd/{descriptor}", linked.name, dst_dir_fd=directory)
        os.replace(linked, self.file)
        os.fsync(directory)

    def load(self):
        return read_document(self.file)
