"""Locks that do not hold between tasks, and calls that do not survive their cancellation."""

import asyncio
import contextlib
import json
import os
import threading
from pathlib import Path

import aiofiles
import aiofiles.os

from tests.broken_stores import breaks
from tests.broken_stores.races import replace_by_own_name
from tests.sound_stores.files import encode, file_name, read_document, remove_durably, sync_directory
from tests.sound_stores.plain_aiofiles import AsyncDocuments, whole


async def read_table(path: Path):
    try:
        async with aiofiles.open(path, encoding="utf-8") as file:
            return json.loads(await file.read())
    except FileNotFoundError:
        return {}


async def write_table(path: Path, table) -> None:
    await asyncio.to_thread(replace_by_own_name, path, encode(table))


class AsyncTable:
    """All keys in one JSON file; whoever derives from it says how an update is kept apart from others."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"

    @contextlib.asynccontextmanager
    async def alone(self):
        yield

    async def put(self, key, document):
        async with self.alone():
            table = await read_table(self.file)
            await write_table(self.file, table | {key: document})

    async def get(self, key):
        return (await read_table(self.file)).get(key)


@breaks("documents", RACE_1="returned, but", RACE_2="returned, but", RACE_6="returned, but")
class AsyncNoLock(AsyncTable):
    """another task reads the table between this one's reading and writing."""


@breaks("documents", RACE_2="returned, but", RACE_6="is cancelled at its await")
class AsyncLockPerInstance(AsyncTable):
    """an asyncio.Lock of its own for each instance, which a cancelled caller gives back too early."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def alone(self):
        async with self._lock:
            yield


@breaks("documents", RACE_1="returned, but", RACE_2="returned, but", RACE_6="returned, but")
class LazyLock(AsyncTable):
    """makes its lock when it is first needed, across an await; two callers make two."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = None

    @contextlib.asynccontextmanager
    async def alone(self):
        if self._lock is None:
            await aiofiles.os.makedirs(self.root, exist_ok=True)
            self._lock = asyncio.Lock()
        async with self._lock:
            yield


@breaks(
    "document", RACE_1="JSONDecodeError", RACE_2="JSONDecodeError", RACE_4="JSONDecodeError", RACE_6="JSONDecodeError"
)
class AsyncFixedTemporary:
    """writes ``<file>.tmp`` and renames it, as the guideline shows."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "my_data.json"

    async def load(self):
        try:
            async with aiofiles.open(self.file) as file:
                return json.loads(await file.read())
        except FileNotFoundError:
            return {}

    async def save(self, data):
        staged = f"{self.file}.tmp"
        text = encode(data)
        async with aiofiles.open(staged, "w") as file:
            await file.write(text)
            await file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        os.replace(staged, self.file)
        sync_directory(self.root)


@breaks("document", RACE_4="JSONDecodeError", RACE_6="is cancelled and every other task")
class AsyncReadsWhileWriting:
    """writes in place through aiofiles, one after the other; who reads meanwhile finds half."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "my_data.json"

    async def load(self):
        return (await read_table(self.file)) or None

    @whole
    async def save(self, data):
        async with _LOCKS.setdefault(str(self.root), asyncio.Lock()), aiofiles.open(self.file, "w") as file:
            await file.write(encode(data))


@breaks("documents", RACE_2="returned, but", RACE_5="wait for ever", RACE_6="returned, but")
class ThreadLockAcrossAwait(AsyncTable):
    """a threading.Lock across an await; the second task stops the loop that the first needs."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = threading.Lock()

    @contextlib.asynccontextmanager
    async def alone(self):
        with self._lock:
            yield


_LOCKS: dict[str, asyncio.Lock] = {}


@breaks("document", RACE_6="returned, but load() then gives")
class ReleasesWhenCancelled:
    """a cancelled save gives its lock back while its thread still writes; it lands on top of a newer one."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "state.json"

    async def save(self, data):
        async with _LOCKS.setdefault(str(self.root), asyncio.Lock()):
            await asyncio.to_thread(replace_by_own_name, self.file, encode(data))

    async def load(self):
        return await asyncio.to_thread(read_document, self.file)


@breaks("documents", RACE_6="returned, but keys() then gives []")
class DeletesLate(AsyncDocuments):
    """a cancelled deletion gives its lock back while its thread still removes; what is newer goes with it."""

    def alone(self):
        return _LOCKS.setdefault(str(self.root), asyncio.Lock())

    @whole
    async def put(self, key, document):
        async with self.alone():
            await asyncio.to_thread(replace_by_own_name, self.directory / file_name(key), encode(document))

    async def delete(self, key):
        async with self.alone():
            await asyncio.to_thread(remove_durably, self.directory / file_name(key))


@breaks("document", RACE_6="waits for ever")
class KeepsItsLockWhenCancelled:
    """a save that is cancelled never gives its lock back."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "state.json"

    async def save(self, data):
        lock = _LOCKS.setdefault(str(self.root), asyncio.Lock())
        await lock.acquire()
        saving = asyncio.ensure_future(asyncio.to_thread(replace_by_own_name, self.file, encode(data)))
        await asyncio.shield(saving)
        lock.release()

    async def load(self):
        return await asyncio.to_thread(read_document, self.file)


@breaks("document", RACE_6="raised TimeoutError with nobody else there, after")
class KeepsItsLockAndTimesOut(KeepsItsLockWhenCancelled):
    """the same; those who come later do not wait for ever, but are refused for ever."""

    async def save(self, data):
        lock = _LOCKS.setdefault(str(self.root), asyncio.Lock())
        await asyncio.wait_for(lock.acquire(), 5)
        saving = asyncio.ensure_future(asyncio.to_thread(replace_by_own_name, self.file, encode(data)))
        await asyncio.shield(saving)
        lock.release()


@breaks(
    "documents",
    RACE_1="returned, but",
    RACE_2="returned, but",
    RACE_4="get('AAPL') gives nothing, and no order of the calls explains that",
    RACE_6="returned, but",
)
class LoadsOnFirstUse:
    """loads its jobs at first use, across an await; the slower load forgets the save."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"
        self._jobs = None
        self._lock = asyncio.Lock()

    async def _ensure_loaded(self):
        if self._jobs is None:
            self._jobs = await read_table(self.file)

    async def put(self, key, document):
        await self._ensure_loaded()
        async with self._lock:
            self._jobs[key] = document
            await write_table(self.file, self._jobs)

    async def get(self, key):
        await self._ensure_loaded()
        return self._jobs.get(key)
