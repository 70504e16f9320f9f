"""The same with aiofiles: every call that can block runs in a thread of the pool."""

import asyncio
import copy
import fcntl
import functools
import json
import os
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiofiles
import aiofiles.os

from tests.sound_stores.files import (
    cut_torn_tail,
    encode,
    file_name,
    key_of,
    log_line,
    make_directory,
    sync_directory,
    take_back,
    whole_lines,
)


def whole(update):
    """Run an update to its end, whoever is cancelled meanwhile: its threads cannot be called back.

    What it was given is the caller's, who may go on changing it meanwhile.
    """

    @functools.wraps(update)
    async def run(store, *arguments, **options):
        running = asyncio.ensure_future(update(store, *copy.deepcopy(arguments), **copy.deepcopy(options)))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    return run


@asynccontextmanager
async def locked(root: Path):
    """Hold the lock of a store without blocking the event loop."""
    async with aiofiles.open(root / ".lock", "a") as lock:
        await asyncio.to_thread(fcntl.flock, lock.fileno(), fcntl.LOCK_EX)
        yield


async def replace_durably(path: Path, text: str) -> None:
    staged = f"{path}.tmp"
    async with aiofiles.open(staged, "w", encoding="utf-8") as file:
        await file.write(text)
        await file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    await aiofiles.os.replace(staged, path)
    await asyncio.to_thread(sync_directory, path.parent)


async def read_document(path: Path):
    try:
        async with aiofiles.open(path, encoding="utf-8") as file:
            return json.loads(await file.read())
    except FileNotFoundError:
        return None
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None


class AsyncDocument:
    """One JSON file."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "state.json"

    @whole
    async def save(self, data):
        async with locked(self.root):
            await replace_durably(self.file, encode(data))

    async def load(self):
        return await read_document(self.file)


@asynccontextmanager
async def async_document(root: Path):
    """The same, opened and closed by ``async with``."""
    yield AsyncDocument(root)


class AsyncDocuments:
    """One JSON file per key."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "documents"
        make_directory(self.directory)

    @whole
    async def put(self, key, document):
        async with locked(self.root):
            await replace_durably(self.directory / file_name(key), encode(document))

    async def get(self, key):
        return await read_document(self.directory / file_name(key))

    @whole
    async def delete(self, key):
        async with locked(self.root):
            with suppress(FileNotFoundError):
                await aiofiles.os.remove(self.directory / file_name(key))
            await asyncio.to_thread(sync_directory, self.directory)

    async def keys(self):
        async with locked(self.root):
            return [key_of(name) for name in await aiofiles.os.listdir(self.directory) if name.endswith(".json")]


class AsyncJournal:
    """One file per stream, kept open by nobody."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "streams"
        make_directory(self.directory)
        self._repaired = set()

    @whole
    async def append(self, stream, record):
        line, path = log_line(record), self.directory / file_name(stream)
        async with locked(self.root):
            if stream not in self._repaired:
                await asyncio.to_thread(cut_torn_tail, path)
            self._repaired.discard(stream)
            size = await asyncio.to_thread(os.path.getsize, path)
            try:
                async with aiofiles.open(path, "ab") as log:
                    await log.write(line)
                    await log.flush()
                    await asyncio.to_thread(os.fsync, log.fileno())
            except OSError:
                await asyncio.to_thread(take_back, path, size)
                raise
            self._repaired.add(stream)

    async def read(self, stream):
        try:
            async with aiofiles.open(self.directory / file_name(stream), "rb") as log:
                return whole_lines(await log.read())[0]
        except FileNotFoundError:
            return []
