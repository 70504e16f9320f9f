"""Stores that sync their files but not the directories in which the names of the files stand."""

import asyncio
import os
import shutil
from copy import deepcopy
from pathlib import Path

import aiofiles
import aiofiles.os

from tests.broken_stores import breaks
from tests.broken_stores.bases import FileEach, OneFile, OneFileAwaited, Rooted
from tests.sound_stores.files import (
    encode,
    file_name,
    key_of,
    make_directory,
    read_document,
    replace_durably,
    sync_directory,
    write_synced,
)


@breaks("document", DUR_2="lost rename portfolio.json.tmp -> portfolio.json")
class NoDirectorySync(OneFile):
    """the rename that publishes the new content may be lost after the call has returned."""

    def save(self, data):
        write_synced(f"{self.file}.tmp", encode(data))
        os.replace(f"{self.file}.tmp", self.file)


@breaks("document", DUR_2="lost rename portfolio.json.tmp -> portfolio.json")
class NoDirectorySyncAiofiles(OneFileAwaited):
    """the same through aiofiles."""

    async def save(self, data):
        text = encode(data)
        async with aiofiles.open(f"{self.file}.tmp", "w") as file:
            await file.write(text)
            await file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        await aiofiles.os.replace(f"{self.file}.tmp", self.file)


@breaks("document", DUR_2="lost rename portfolio.tmp -> portfolio.json")
class DataSyncedNotTheName(OneFile):
    """O_DSYNC makes each write durable, but not the rename that follows."""

    def save(self, data):
        staged = self.file.with_suffix(".tmp")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_DSYNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(encode(data))
        os.replace(staged, self.file)


@breaks("documents", DUR_2="lost mkdir documents")
class UnsyncedParent:
    """the directory of the documents is synced, but not the root in which its own name stands."""

    def __init__(self, root: Path):
        self.directory = root / "documents"
        self.directory.mkdir(exist_ok=True)

    def put(self, key, document):
        replace_durably(self.directory / file_name(key), encode(document))

    def get(self, key):
        return read_document(self.directory / file_name(key))


@breaks("documents", DUR_2="lost mkdir documents")
class UnsyncedParentAsync(UnsyncedParent):
    """the same with async methods, one thread hop each."""

    async def put(self, key, document):
        await asyncio.to_thread(super().put, key, deepcopy(document))

    async def get(self, key):
        return await asyncio.to_thread(super().get, key)


@breaks("documents", DUR_4="lost unlink MSFT.json")
class UnsyncedDelete(FileEach):
    """a deletion is durable only when the directory is synced."""

    def put(self, key, document):
        replace_durably(self.root / file_name(key), encode(document))

    def delete(self, key):
        (self.root / file_name(key)).unlink(missing_ok=True)

    def keys(self):
        return [key_of(path.name) for path in self.root.glob("*.json")]


@breaks("documents", DUR_4="lost unlink MSFT.json")
class UnsyncedDeleteAiofiles(UnsyncedDelete):
    """the same through aiofiles."""

    async def put(self, key, document):
        await asyncio.to_thread(super().put, key, deepcopy(document))

    async def delete(self, key):
        if await aiofiles.os.path.exists(self.root / file_name(key)):
            await aiofiles.os.remove(self.root / file_name(key))


@breaks(
    "document",
    ATOM_1="the document is missing: neither its state before save({version: 2})",
    ATOM_2="the document is missing: neither its state before save({version: 2})",
)
class SwappedDirectories:
    """a directory cannot be replaced by a rename, so between the two renames there is none."""

    def __init__(self, root: Path):
        self.root, self.current = root, root / "current"

    def save(self, data):
        staged, old = self.root / "next", self.root / "old"
        for leftover in (staged, old):
            shutil.rmtree(leftover, ignore_errors=True)
        make_directory(staged)
        replace_durably(staged / "portfolio.json", encode(data))
        if self.current.exists():
            os.rename(self.current, old)
        os.rename(staged, self.current)
        sync_directory(self.root)

    def load(self):
        return read_document(self.current / "portfolio.json")


@breaks("document", ATOM_2="lost create staged/portfolio.json", DUR_2="lost create staged/portfolio.json")
class EmptyVersions(Rooted):
    """each version is a directory whose own entries are never synced, so the newest may be empty."""

    def _versions(self):
        return sorted(path for path in self.root.iterdir() if path.name.startswith("version-"))

    def save(self, data):
        old, staged = self._versions(), self.root / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        make_directory(staged)
        write_synced(staged / "portfolio.json", encode(data))
        number = int(old[-1].name.removeprefix("version-")) + 1 if old else 1
        os.rename(staged, self.root / f"version-{number:06}")
        sync_directory(self.root)
        for version in old:
            shutil.rmtree(version)

    def load(self):
        versions = self._versions()
        return existing_document(versions[-1] / "portfolio.json") if versions else None


def existing_document(path: Path):
    """Read a document that has to be there."""
    document = read_document(path)
    if document is None:
        raise ValueError(f"{path.parent.name} has no document in it")
    return document
