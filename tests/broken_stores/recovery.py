"""Stores whose recovery does the damage."""

import os
from pathlib import Path

import aiofiles

from tests.broken_stores import breaks
from tests.broken_stores.bases import FileEach
from tests.sound_stores.files import (
    append_synced,
    encode,
    file_name,
    key_of,
    log_line,
    make_directory,
    read_document,
    read_log,
    remove_durably,
    replace_durably,
    sync_directory,
    whole_lines,
    write_synced,
)
from tests.sound_stores.plain import TwoSlots


@breaks("document", ATOM_1="the document reads as nothing", ATOM_2="the document reads as nothing")
class CountsItsSlotsAnew(TwoSlots):
    """takes its two files in turn by a count that begins anew when it is opened, and may overwrite the newest one."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._saves = 0

    def _older(self, held):
        self._saves += 1
        return "ab"[self._saves % 2 - 1]


@breaks(
    "document",
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
    DUR_2="although its directory was synced",
)
class PromotesTemporary:
    """takes a temporary file that a crash left for the newest version, whole or not, or an old one that is back."""

    def __init__(self, root: Path):
        self.file, self.staged = root / "portfolio.json", root / "portfolio.json.tmp"
        if self.staged.exists():
            os.replace(self.staged, self.file)

    def save(self, data):
        write_synced(self.staged, encode(data))
        os.replace(self.staged, self.file)
        sync_directory(self.file.parent)

    def load(self):
        return read_document(self.file)


@breaks(
    "document",
    ATOM_1="JSONDecodeError: Expecting value: line 1 column 1",
    ATOM_2="JSONDecodeError: Expecting value: line 1 column 1",
    DUR_2="although its directory was synced",
)
class PromotesTemporaryAiofiles(PromotesTemporary):
    """the same through aiofiles."""

    async def save(self, data):
        text = encode(data)
        async with aiofiles.open(self.staged, "w") as file:
            await file.write(text)
            await file.flush()
            os.fsync(file.fileno())
        os.replace(self.staged, self.file)
        sync_directory(self.file.parent)


@breaks("documents", DUR_4="lost unlink backups/MSFT.json")
class ResurrectingBackup:
    """restores every document that has a backup and is missing; a deletion removes the backup unsynced."""

    def __init__(self, root: Path):
        self.documents, self.backups = root / "documents", root / "backups"
        for directory in (self.documents, self.backups):
            make_directory(directory)
        for backup in self.backups.glob("*.json"):
            if not (self.documents / backup.name).exists():
                replace_durably(self.documents / backup.name, backup.read_text())

    def put(self, key, document):
        for directory in (self.documents, self.backups):
            replace_durably(directory / file_name(key), encode(document))

    def get(self, key):
        return read_document(self.documents / file_name(key))

    def delete(self, key):
        (self.backups / file_name(key)).unlink(missing_ok=True)
        remove_durably(self.documents / file_name(key))

    def keys(self):
        return [key_of(path.name) for path in self.documents.glob("*.json")]


@breaks("documents", REC_3="the next update of AAPL was refused")
class ExclusiveTemporary(FileEach):
    """open("x") refuses the temporary file that a crash left behind, at every save from then on."""

    def put(self, key, document):
        path = self.root / file_name(key)
        with open(f"{path}.tmp", "x") as file:
            file.write(encode(document))
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
        sync_directory(self.root)


@breaks("documents", REC_3="the next update of AAPL was refused")
class ExclusiveTemporaryAiofiles(ExclusiveTemporary):
    """the same through aiofiles."""

    async def put(self, key, document):
        path = self.root / file_name(key)
        text = encode(document)
        async with aiofiles.open(f"{path}.tmp", "x") as file:
            await file.write(text)
            await file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
        sync_directory(self.root)


@breaks("document", REC_1="the store is in an unknown state")
class RefusesLeftovers:
    """takes a temporary file for a sign of damage and refuses to open."""

    def __init__(self, root: Path):
        self.file = root / "portfolio.json"
        if leftovers := list(root.glob("*.tmp")):
            raise RuntimeError(f"the store is in an unknown state: {leftovers[0].name}")

    def save(self, data):
        replace_durably(self.file, encode(data))

    def load(self):
        return read_document(self.file)


@breaks("journal", REC_2="after a crash while it recovered, orders reads as nothing, although orders+.json is there")
class RepairsInPlace:
    """drops a torn last line by writing the whole log over itself, so that a second crash loses all of it."""

    def __init__(self, root: Path):
        self.root = root
        for path in root.glob("*.json"):
            content = path.read_bytes()
            good = content[: whole_lines(content)[1]]
            if good != content:
                with open(path, "wb") as log:
                    log.write(good)
                    log.flush()
                    os.fsync(log.fileno())

    def append(self, stream, record):
        append_synced(self.root / file_name(stream), log_line(record))
        sync_directory(self.root)

    def read(self, stream):
        return read_log(self.root / file_name(stream))
