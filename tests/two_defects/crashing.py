"""Stores with two defects each that crashes show, the worse of which a simpler one hides; and their sound twins."""

import json
import os
from pathlib import Path
from zlib import crc32

from tests.sound_stores.files import file_name, key_of, read_document, remove_durably, sync_directory, write_synced
from tests.two_defects import two


class OneFile:
    """A document in ``state.json``, replaced whole and durable."""

    def __init__(self, root: Path):
        self.file = root / "state.json"
        self.staged = root / "state.tmp"

    def load(self):
        return read_document(self.file) or {}

    def save(self, data):
        self._stage(json.dumps(data))
        self._make_room()
        os.replace(self.staged, self.file)
        self._settle()

    def _stage(self, text):
        write_synced(self.staged, text)

    def _make_room(self):
        pass

    def _settle(self):
        sync_directory(self.file.parent)


@two(
    OneFile,
    "document",
    ("file removed before its replacement is there", "destroyed", {"ATOM-1"}),
    ("fsync of the directory missing", "destroyed", {"DUR-2"}),
)
class RemovesAndForgetsTheDirectory(OneFile):
    """removes the old file first; and never syncs the directory."""

    def _make_room(self):
        self.file.unlink(missing_ok=True)

    def _settle(self):
        pass


@two(
    OneFile,
    "document",
    ("fsync missing", "destroyed", {"ATOM-2", "DUR-2"}),
    ("fsync of the directory missing", "lost", {"DUR-2"}),
)
class SyncsNothing(OneFile):
    """syncs neither the file nor the directory: two lines are missing, not one."""

    def _stage(self, text):
        self.staged.write_text(text)

    def _settle(self):
        pass


class ReadsWhenOpened(OneFile):
    """Reads its file when it is opened, and never again; one temporary name."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.data = read_document(self.file) or {}

    def load(self):
        return json.loads(json.dumps(self.data))

    def save(self, data):
        super().save(data)
        self.data = json.loads(json.dumps(data))


@two(
    ReadsWhenOpened,
    "document",
    ("fsync missing", "destroyed", {"ATOM-2", "DUR-2", "REC-1"}),
    ("leftovers that nothing removes", "leftover", {"ATOM-4"}),
)
class ReadsWhenOpenedAndLitters(ReadsWhenOpened):
    """renames what it never synced, which it finds out when it is opened; and each crash leaves another file."""

    def _stage(self, text):
        self.staged = self.file.with_name(f"state.{os.urandom(8).hex()}.tmp")
        self.staged.write_text(text)


class FileEach:
    """A file for each key."""

    def __init__(self, root: Path):
        self.root = root

    def get(self, key):
        return read_document(self.root / file_name(key))

    def put(self, key, document):
        path = self.root / file_name(key)
        self._write(f"{path}.tmp", json.dumps(document))
        os.replace(f"{path}.tmp", path)
        sync_directory(self.root)

    def delete(self, key):
        remove_durably(self.root / file_name(key))

    def keys(self):
        return [key_of(name) for name in os.listdir(self.root) if self._is_data(name)]

    def _write(self, path, text):
        write_synced(path, text)

    def _is_data(self, name):
        return name.endswith(".json")


@two(
    FileEach,
    "documents",
    ("fsync missing", "destroyed", {"ATOM-2", "DUR-2"}),
    ("fsync of the directory missing", "wrong", {"DUR-4"}),
)
class LosesWhatItPutsAndKeepsWhatItDeletes(FileEach):
    """put() syncs no content, delete() no directory."""

    def _write(self, path, text):
        Path(path).write_text(text)

    def delete(self, key):
        (self.root / file_name(key)).unlink(missing_ok=True)


class Locked(FileEach):
    """Writers exclude each other by a file that only one can make; who finds an old one takes it over."""

    def put(self, key, document):
        lock = self.root / "lock"
        self._take(lock)
        try:
            super().put(key, document)
        finally:
            lock.unlink()

    def _take(self, lock):
        lock.unlink(missing_ok=True)
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


@two(
    Locked,
    "documents",
    ("something left in the way", "unreadable", {"REC-3"}),
    ("leftover taken for data", "leftover", {"ATOM-4"}),
)
class StaleLockAndListedLeftovers(Locked):
    """nobody removes the lock of who has died; and temporary files are listed as keys."""

    def _take(self, lock):
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))

    def _is_data(self, name):
        return ".json" in name


class Log:
    """One record a line, the last one cut off if it is torn."""

    def __init__(self, root: Path):
        self.root = root

    def append(self, stream, record):
        path = self.root / file_name(stream)
        new = not path.exists()
        with open(path, "r+b" if not new else "x+b") as file:
            self._cut_back(file)
            file.seek(0, os.SEEK_END)
            text = json.dumps(record)
            file.write(f"{crc32(text.encode()):08x} {text}\n".encode())
            file.flush()
            self._sync(file)
        if new:
            sync_directory(self.root)

    def read(self, stream):
        path = self.root / file_name(stream)
        if not path.exists():
            return []
        lines = (line.partition(b" ") for line in path.read_bytes().split(b"\n")[:-1])
        return [json.loads(text) for number, _, text in lines if number == f"{crc32(text):08x}".encode()]

    def _cut_back(self, file):
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
            os.fsync(file.fileno())

    def _sync(self, file):
        os.fsync(file.fileno())


@two(
    Log,
    "journal",
    ("fsync missing", "lost", {"DUR-2"}),
    ("torn record that the next append is glued to", "lost", {"REC-3"}),
)
class GluesAndForgets(Log):
    """appends behind a torn record; and never syncs."""

    def _cut_back(self, file):
        pass

    def _sync(self, file):
        pass
