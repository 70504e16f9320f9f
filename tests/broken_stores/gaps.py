"""Stores in which the file is missing for a moment, between two operations that each are atomic."""

import os
from pathlib import Path

import aiofiles
import aiofiles.os

from tests.broken_stores import breaks
from tests.broken_stores.bases import FileEach, OneFile
from tests.sound_stores.files import encode, file_name, read_document, sync_directory, write_synced


@breaks(
    "document",
    ATOM_1="the document is missing: neither its state before save({version: 2})",
    ATOM_2="the document is missing: neither its state before save({version: 2})",
)
class BackupFirst:
    """moves the old file away to keep it as a backup, and only then the new one into its place."""

    def __init__(self, root: Path):
        self.file, self.backup = root / "portfolio.json", root / "portfolio.json.bak"

    def save(self, data):
        write_synced(f"{self.file}.tmp", encode(data))
        if self.file.exists():
            os.replace(self.file, self.backup)
        os.replace(f"{self.file}.tmp", self.file)
        sync_directory(self.file.parent)

    def load(self):
        return read_document(self.file)


@breaks(
    "document",
    ATOM_1="the document is missing: neither its state before save({version: 2})",
    ATOM_2="the document is missing: neither its state before save({version: 2})",
)
class BackupFirstAiofiles:
    """the same through aiofiles."""

    def __init__(self, root: Path):
        self.file, self.backup = root / "portfolio.json", root / "portfolio.json.bak"

    async def save(self, data):
        text = encode(data)
        async with aiofiles.open(f"{self.file}.tmp", "w") as file:
            await file.write(text)
            await file.flush()
            os.fsync(file.fileno())
        if await aiofiles.os.path.exists(self.file):
            await aiofiles.os.replace(self.file, self.backup)
        await aiofiles.os.replace(f"{self.file}.tmp", self.file)
        sync_directory(self.file.parent)

    async def load(self):
        return read_document(self.file)


@breaks(
    "documents",
    ATOM_1="AAPL is missing: neither its state before put('AAPL', {version: 2})",
    ATOM_2="AAPL is missing: neither its state before put('AAPL', {version: 2})",
)
class RemoveThenRename(FileEach):
    """a habit from systems where rename refuses to replace a file."""

    def put(self, key, document):
        path = self.root / file_name(key)
        write_synced(f"{path}.tmp", encode(document))
        path.unlink(missing_ok=True)
        os.rename(f"{path}.tmp", path)
        sync_directory(self.root)


@breaks(
    "document",
    ATOM_1="the document is missing: neither its state before save({version: 2})",
    ATOM_2="the document is missing: neither its state before save({version: 2})",
)
class LinkSwap(OneFile):
    """link refuses to replace a file, so the old name has to go first."""

    def save(self, data):
        staged = self.file.with_suffix(".staged")
        write_synced(staged, encode(data))
        self.file.unlink(missing_ok=True)
        os.link(staged, self.file)
        staged.unlink()
        sync_directory(self.file.parent)
