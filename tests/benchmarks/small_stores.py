"""Small JSON document stores that lose updates, for the figures of schedulers: importable without anything else."""

import asyncio
import json
import os
import threading
from pathlib import Path


class ByReplace:
    """Read with ``open``, written beside and moved with ``os.replace``."""

    def __init__(self, root):
        self.root, self.file = str(root), os.path.join(root, "counter.json")

    def load(self):
        try:
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {"n": 0}

    def save(self, data):
        staged = f"{self.file}.{threading.get_ident()}"
        with open(staged, "w", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(staged, self.file)

    def increment(self):
        data = self.load()
        data["n"] += 1
        self.save(data)
        return data["n"]


class ByPathlib(ByReplace):
    """The same through ``pathlib``."""

    def load(self):
        path = Path(self.file)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"n": 0}

    def save(self, data):
        staged = Path(f"{self.file}.{threading.get_ident()}")
        staged.write_text(json.dumps(data), encoding="utf-8")
        staged.replace(self.file)


class ByAiofiles(ByReplace):
    """The same through ``aiofiles``."""

    async def load(self):
        import aiofiles

        try:
            async with aiofiles.open(self.file, encoding="utf-8") as file:
                return json.loads(await file.read())
        except FileNotFoundError:
            return {"n": 0}

    async def save(self, data):
        import aiofiles
        import aiofiles.os

        staged = f"{self.file}.{id(asyncio.current_task())}"
        async with aiofiles.open(staged, "w", encoding="utf-8") as file:
            await file.write(json.dumps(data))
        await aiofiles.os.replace(staged, self.file)

    async def increment(self):
        data = await self.load()
        data["n"] += 1
        await self.save(data)
        return data["n"]


class InOneJob(ByReplace):
    """Async, one thread hop for each whole call."""

    async def load(self):
        return await asyncio.to_thread(ByReplace.load, self)

    async def save(self, data):
        await asyncio.to_thread(ByReplace.save, self, data)

    async def increment(self):
        return await asyncio.to_thread(ByReplace.increment, ByReplace(self.root))


class InMemory:
    """Async, and never leaves the loop: what is left is the cost of the scheduler."""

    def __init__(self, root):
        self.n = 0

    async def load(self):
        return {"n": self.n}

    async def save(self, data):
        self.n = data["n"]

    async def increment(self):
        n = self.n + 1
        await asyncio.sleep(0)
        self.n = n
        return n
