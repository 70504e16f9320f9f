"""The ten patterns of lock races, each as small as it can be, with the lock that cures it beside it."""

import _thread
import asyncio
import json
import os
import threading
from pathlib import Path


class Counter:
    """A document that is read, changed and replaced; subclasses say under which lock."""

    def __init__(self, root: Path):
        self.file, self.temp = str(root / "counter.json"), str(root / "counter.tmp")

    def load(self):
        try:
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def save(self, data):
        with open(self.temp, "w", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(self.temp, self.file)

    def increment(self):
        data = self.load()
        data["n"] = data.get("n", 0) + 1
        self.save(data)
        return data["n"]


class NoLock(Counter):
    """1: lost update."""


class Locked(Counter):
    """The cure of 1, 2 and 3 within one instance."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = threading.Lock()

    def increment(self):
        with self.lock:
            return super().increment()


class LockedSaveOnly(Counter):
    """1: the lock stands around the save alone."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = threading.Lock()

    def save(self, data):
        with self.lock:
            super().save(data)


class AsyncCounter(Counter):
    """The same with one thread hop for each load and save."""

    async def load(self):
        return await asyncio.to_thread(Counter.load, self)

    async def save(self, data):
        await asyncio.to_thread(Counter.save, self, data)

    async def increment(self):
        data = await self.load()
        data["n"] = data.get("n", 0) + 1
        await self.save(data)
        return data["n"]


class AsyncLocked(AsyncCounter):
    """The cure: one lock around the whole."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = asyncio.Lock()

    async def increment(self):
        async with self.lock:
            return await super().increment()


class AsyncLazyLock(AsyncCounter):
    """4: the lock is made when it is first needed, and an await lies between looking and making."""

    lock = None

    async def increment(self):
        if self.lock is None:
            await asyncio.to_thread(os.path.exists, self.file)
            self.lock = asyncio.Lock()
        async with self.lock:
            return await super().increment()


class InMemory:
    """5: a number in memory, read on one line and written on the next."""

    def __init__(self, root):
        self.n = 0

    def save(self, data):
        self.n = data["n"]

    def load(self):
        return {"n": self.n}

    def increment(self):
        n = self.n
        n = n + 1
        self.n = n
        return n


class InMemoryLocked(InMemory):
    """The cure of 5."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = threading.Lock()

    def increment(self):
        with self.lock:
            return super().increment()


class LockOrder(Counter):
    """6: two locks, taken in the order in which the callers need them."""

    def __init__(self, root):
        super().__init__(root)
        self.one, self.two = threading.Lock(), threading.Lock()
        self.calls = 0

    def increment(self):
        self.calls += 1
        first, second = (self.one, self.two) if self.calls % 2 else (self.two, self.one)
        with first:
            os.path.exists(self.file)
            with second:
                return super().increment()


class Reentry(Counter):
    """6: takes its lock again while it holds it."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = threading.Lock()

    def increment(self):
        with self.lock:
            return super().increment()

    def save(self, data):
        with self.lock:
            super().save(data)


class AsyncThreadLock(AsyncCounter):
    """6: holds a lock of threads across an await."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = threading.Lock()

    async def increment(self):
        with self.lock:
            return await super().increment()


_MADE_EARLY = _thread.allocate_lock()


class HiddenLock(Counter):
    """A lock that no stand-in reaches: correct, but out of control."""

    hidden = [_MADE_EARLY]

    def increment(self):
        with self.hidden[0]:
            return super().increment()
