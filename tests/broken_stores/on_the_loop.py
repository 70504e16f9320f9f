"""Asynchronous stores that are right in all they keep, and let everybody wait while they keep it."""

import os

import aiofiles
import aiofiles.os

from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores.files import encode, read_document, sync_directory
from tests.sound_stores.plain_aiofiles import AsyncDocument, locked, whole


@breaks("document", ASYNC_1="does file work on the event loop: fsync portfolio.tmp", recorders=IN_MEMORY)
class SyncsOnTheLoop(AsyncDocument):
    """writes by aiofiles, which has no fsync; that is called as ever, and is the slowest of all calls."""

    @whole
    async def save(self, data):
        staged = self.root / "portfolio.tmp"
        async with locked(self.root):
            async with aiofiles.open(staged, "w", encoding="utf-8") as file:
                await file.write(encode(data))
                await file.flush()
                os.fsync(file.fileno())
            await aiofiles.os.replace(staged, self.file)
            sync_directory(self.root)


@breaks("document", ASYNC_1="load() does file work on the event loop: open state.json", recorders=IN_MEMORY)
class AwaitsInNameOnly(AsyncDocument):
    """reads in a coroutine as in any function: nothing in it is awaited."""

    async def load(self):
        return read_document(self.file)
