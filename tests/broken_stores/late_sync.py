"""Stores that call fsync, but when it is too late or on nothing."""

import asyncio
import os
from fcntl import F_GETFL, F_SETFL, fcntl

import aiofiles

from tests.broken_stores import breaks
from tests.broken_stores.bases import FileEach, OneFile, OneFileAwaited
from tests.sound_stores.files import encode, file_name, sync_directory


@breaks("document", ATOM_2="partly lost write portfolio.tmp")
class SyncAfterRename(OneFile):
    """between the rename and the fsync the new name may be on disk without its content."""

    def save(self, data):
        staged = self.file.with_suffix(".tmp")
        staged.write_text(encode(data))
        os.replace(staged, self.file)
        with open(self.file) as file:
            os.fsync(file.fileno())
        sync_directory(self.file.parent)


@breaks("document", ATOM_2="partly lost write portfolio.tmp")
class SyncAfterRenameAiofiles(OneFileAwaited):
    """the same through aiofiles, on the descriptor that is still open."""

    async def save(self, data):
        staged = self.file.with_suffix(".tmp")
        text = encode(data)
        async with aiofiles.open(staged, "w") as file:
            await file.write(text)
            await file.flush()
            os.replace(staged, self.file)
            await asyncio.to_thread(os.fsync, file.fileno())
        await asyncio.to_thread(sync_directory, self.file.parent)


@breaks("document", ATOM_2="partly lost write portfolio.tmp", DUR_2="partly lost write portfolio.tmp")
class SyncBeforeFlush(OneFile):
    """what Python still buffers when os.fsync is called is not synced by it."""

    def save(self, data):
        staged = self.file.with_suffix(".tmp")
        with open(staged, "w") as file:
            file.write(encode(data))
            os.fsync(file.fileno())
        os.replace(staged, self.file)
        sync_directory(self.file.parent)


@breaks("document", ATOM_2="partly lost write portfolio.tmp", DUR_2="partly lost write portfolio.tmp")
class SyncBeforeFlushAiofiles(OneFileAwaited):
    """the same through aiofiles."""

    async def save(self, data):
        staged = self.file.with_suffix(".tmp")
        text = encode(data)
        async with aiofiles.open(staged, "w") as file:
            await file.write(text)
            await asyncio.to_thread(os.fsync, file.fileno())
        os.replace(staged, self.file)
        sync_directory(self.file.parent)


@breaks("documents", ATOM_2="partly lost write AAPL.json.tmp", DUR_2="partly lost write AAPL.json.tmp")
class SyncFlagSetTooLate(FileEach):
    """Linux ignores O_DSYNC in fcntl(F_SETFL); it counts only when it is given to open."""

    def put(self, key, document):
        path = self.root / file_name(key)
        with open(f"{path}.tmp", "w") as file:
            fcntl(file.fileno(), F_SETFL, fcntl(file.fileno(), F_GETFL) | os.O_DSYNC)
            file.write(encode(document))
        os.replace(f"{path}.tmp", path)
        sync_directory(self.root)
