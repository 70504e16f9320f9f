"""Stores that rename a file into place whose content was never synced."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import aiofiles

from tests.broken_stores import breaks
from tests.broken_stores.bases import FileEach, FileEachAwaited, OneFile, OneFileAwaited
from tests.sound_stores.files import encode, file_name, read_document, sync_directory


@breaks("document", ATOM_2="partly lost write portfolio.tmp", DUR_2="partly lost write portfolio.tmp")
class RenameWithoutSync(OneFile):
    """temporary file and rename, and not one fsync."""

    def save(self, data):
        staged = self.file.with_suffix(".tmp")
        staged.write_text(encode(data))
        os.replace(staged, self.file)


@breaks(
    "document",
    ATOM_2="reads as nothing, although portfolio.json is there",
    DUR_2="the document is missing",
)
class UnreadableIsNothing(RenameWithoutSync):
    """the same, and takes what it cannot read for a store that was never saved to: damage looks like an older state."""

    def load(self):
        try:
            return read_document(self.file)
        except ValueError:
            return {}


@breaks("document", ATOM_2="partly lost write portfolio.json.tmp", DUR_2="partly lost write portfolio.json.tmp")
class RenameWithoutSyncAiofiles(OneFileAwaited):
    """the same through aiofiles."""

    async def save(self, data):
        staged = f"{self.file}.tmp"
        text = json.dumps(data)
        async with aiofiles.open(staged, "w") as file:
            await file.write(text)
        os.replace(staged, self.file)


@breaks("documents", ATOM_2="partly lost write AAPL.json.tmp", DUR_2="partly lost write AAPL.json.tmp")
class FlushIsNotSync(FileEach):
    """flush() hands the bytes to the kernel, not to the disk; only the directory is really synced."""

    def put(self, key, document):
        file_path = self.root / file_name(key)
        with open(f"{file_path}.tmp", "w") as file:
            file.write(encode(document))
            file.flush()
        os.replace(f"{file_path}.tmp", file_path)
        sync_directory(self.root)


@breaks("documents", ATOM_2="partly lost write AAPL.json.tmp", DUR_2="partly lost write AAPL.json.tmp")
class FlushIsNotSyncAiofiles(FileEachAwaited):
    """the same through aiofiles."""

    async def put(self, key, document):
        path = self.root / file_name(key)
        text = encode(document)
        async with aiofiles.open(f"{path}.tmp", "w") as file:
            await file.write(text)
            await file.flush()
        await asyncio.to_thread(os.replace, f"{path}.tmp", path)
        await asyncio.to_thread(sync_directory, self.root)


@breaks(
    "documents",
    ATOM_2="partly lost write jobs.tmp",
    DATA_ALIAS="what put() was given after the call shows",
    DUR_2="partly lost write jobs.tmp",
)
class JobsFile:
    """a job store as commonly described: one JSON file, loaded lazily, ``.tmp`` then os.replace."""

    def __init__(self, root: Path):
        self.file = root / "jobs.json"
        self._jobs = None

    async def _ensure_loaded(self):
        if self._jobs is None:
            stored = await asyncio.to_thread(read_document, self.file) or {"jobs": []}
            self._jobs = {job["id"]: job["data"] for job in stored["jobs"]}

    def _flush(self):
        jobs = [{"id": key, "data": data} for key, data in self._jobs.items()]
        staged = self.file.with_suffix(".tmp")
        staged.write_text(json.dumps({"jobs": jobs, "updated_at": datetime.now(UTC).isoformat()}))
        os.replace(staged, self.file)

    async def put(self, job_id, document):
        await self._ensure_loaded()
        self._jobs[job_id] = document
        await asyncio.to_thread(self._flush)

    async def get(self, job_id):
        await self._ensure_loaded()
        return self._jobs.get(job_id)
