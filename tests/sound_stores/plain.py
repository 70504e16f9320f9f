"""Plain files done right: temporary file, fsync, rename, fsync of the directory; logs cut back to their last record."""

import json
import logging
import os
import tempfile
from pathlib import Path
from zlib import crc32

from tests.sound_stores.files import (
    append_or_take_back,
    cut_torn_tail,
    encode,
    file_name,
    key_of,
    locked,
    log_line,
    make_directory,
    read_document,
    read_log,
    remove_durably,
    replace_durably,
    sync_directory,
    sync_file,
    write_synced,
)

_log = logging.getLogger(__name__)


class PlainDocument:
    """One JSON file, replaced through a temporary file with one fixed name."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with locked(self.root):
            replace_durably(self.file, encode(data))

    def load(self):
        return read_document(self.file)


class WhateverJsonTakes(PlainDocument):
    """Leaves it to Python's json what can be stored: numbers as keys become text, but no two of them one."""

    def save(self, data):
        text = json.dumps(data)
        json.loads(text, object_pairs_hook=self._each_once)
        with locked(self.root):
            replace_durably(self.file, text)

    def _each_once(self, pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("two keys of this document are one in JSON")
        return found


class TwoSlots:
    """Two files in turn: a save overwrites the older one in place, and checksums tell which is the newest whole one."""

    def __init__(self, root: Path):
        self.root = root

    def save(self, data):
        text = encode(data)
        with locked(self.root):
            held = {name: self._slot(name)[0] for name in "ab"}
            self._write(self.root / self._older(held), json.dumps({"generation": max(held.values()) + 1, "data": text}))

    def close(self):
        """Nothing is kept open; but who opens it again is in a new session."""

    def load(self):
        with locked(self.root):
            generation, text = max(map(self._slot, "ab"))
        return json.loads(text) if generation else None

    def _older(self, held):
        return min(held, key=held.__getitem__)

    def _slot(self, name):
        try:
            checksum, _, text = (self.root / name).read_bytes().partition(b" ")
        except FileNotFoundError:
            return 0, ""
        if checksum != b"%08x" % crc32(text):
            _log.warning("slot %s is torn, by a crash or worse: the other one counts", name)
            return 0, ""
        found = json.loads(text)
        return found["generation"], found["data"]

    def _write(self, path, text):
        try:
            write_synced(path, f"{crc32(text.encode()):08x} {text}")
            sync_directory(self.root)
        except OSError:
            remove_durably(path)  # it must not be the newest of the two when that is not on the disk
            raise


class PlainDocuments:
    """One JSON file per key, in a directory of their own that is synced into its parent."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "documents"
        make_directory(self.directory)

    def put(self, key, document):
        with locked(self.root):
            replace_durably(self.directory / file_name(key), encode(document))

    def get(self, key):
        return read_document(self.directory / file_name(key))

    def delete(self, key):
        with locked(self.root):
            remove_durably(self.directory / file_name(key))

    def keys(self):
        with locked(self.root):  # a directory is read in pieces: a name that is replaced meanwhile may be in none
            return [key_of(name) for name in sorted(os.listdir(self.directory)) if name.endswith(".json")]


class SweptDocuments(PlainDocuments):
    """Temporary files with random names; what a crash leaves of them is removed when the store is opened."""

    def __init__(self, root: Path):
        super().__init__(root)
        with locked(root):
            for leftover in self.directory.glob("*.staged"):
                leftover.unlink()

    def put(self, key, document):
        text, path = encode(document), self.directory / file_name(key)
        with locked(self.root):
            descriptor, staged = tempfile.mkstemp(suffix=".staged", dir=self.directory)
            os.close(descriptor)
            try:
                write_synced(staged, text)
                os.replace(staged, path)
            except OSError:
                os.unlink(staged)
                raise
            sync_directory(self.directory)


class OneFileDocuments:
    """All keys in one JSON file that is replaced as a whole: a small table of settings or jobs."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"

    def _all(self):
        return read_document(self.file) or {}

    def put(self, key, document):
        with locked(self.root):
            replace_durably(self.file, encode(self._all() | {key: document}))

    def get(self, key):
        return self._all().get(key)

    def delete(self, key):
        with locked(self.root):
            replace_durably(self.file, encode({k: v for k, v in self._all().items() if k != key}))

    def keys(self):
        return list(self._all())


class PlainJournal:
    """One file per stream; a torn tail is cut off before the first append of each instance."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "streams"
        make_directory(self.directory)
        self._repaired = set()

    def append(self, stream, record):
        line, path = log_line(record), self.directory / file_name(stream)
        with locked(self.root):
            if stream not in self._repaired:
                cut_torn_tail(path)
            self._repaired.discard(stream)  # an append that fails may leave a torn tail
            append_or_take_back(path, line)
            self._repaired.add(stream)

    def read(self, stream):
        return read_log(self.directory / file_name(stream))


class DataSyncedDocument(PlainDocument):
    """fdatasync instead of fsync, through a second descriptor: as good as the usual way."""

    def save(self, data):
        staged = self.root / "portfolio.new"
        with locked(self.root):
            staged.write_text(encode(data), encoding="utf-8")
            descriptor = os.open(staged, os.O_RDONLY)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(staged, self.file)
            sync_directory(self.root)


class KeptBackupDocument(PlainDocument):
    """Keeps the previous version as a second link, and never lets the file be missing."""

    def save(self, data):
        backup, link = self.root / "portfolio.json.bak", self.root / "portfolio.json.bak.tmp"
        with locked(self.root):
            link.unlink(missing_ok=True)
            if self.file.exists():
                os.link(self.file, link)
                os.replace(link, backup)
            replace_durably(self.file, encode(data))


class NewestByItsTime(PlainDocument):
    """Two files in turn, of which the one that was changed last counts; never are both of one time."""

    def __init__(self, root):
        super().__init__(root)
        self._files = [root / "portfolio-a.json", root / "portfolio-b.json"]

    def _by_age(self):
        return sorted(self._files, key=lambda file: file.stat().st_mtime_ns if file.exists() else 0)

    def save(self, data):
        text = encode(data)
        with locked(self.root):
            older, newer = self._by_age()
            write_synced(staged := f"{older}.tmp", text)
            if newer.exists() and os.stat(staged).st_mtime_ns <= newer.stat().st_mtime_ns:
                os.utime(staged, ns=(newer.stat().st_mtime_ns + 1_000_000,) * 2)
                sync_file(staged)
            os.replace(staged, older)
            sync_directory(self.root)

    def load(self):
        with locked(self.root):
            return read_document(self._by_age()[-1])
