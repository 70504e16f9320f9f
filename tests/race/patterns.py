"""The ten patterns of lock races, each as small as it can be, with the lock that cures it beside it."""

import asyncio
import contextlib
import fcntl
import json
import os
import queue
import tempfile
import threading
import uuid
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


class AsyncWhole:
    """7: one thread hop for each whole call, under one lock; correct until somebody is cancelled."""

    def __init__(self, root):
        self.lock = asyncio.Lock()
        self.inner = OwnTemp(root)

    async def save(self, data):
        async with self.lock:
            await asyncio.to_thread(self.inner.save, data)

    async def load(self):
        return await asyncio.to_thread(self.inner.load)


class AsyncWholeWithALockInside(AsyncWhole):
    """7 with a lock of threads around the write, which whoever comes later waits for."""

    def __init__(self, root):
        super().__init__(root)
        self.inner = LockedWrite(root)


class AsyncOwnThreads(AsyncWhole):
    """7 with threads of its own, which take their work from a queue and drop what was given up, as those of anyio."""

    async def save(self, data):
        async with self.lock:
            await self._in_a_thread(self.inner.save, data)

    def _in_a_thread(self, job, *arguments):
        loop, jobs = asyncio.get_running_loop(), queue.Queue()
        done = loop.create_future()

        def told():
            if not done.cancelled():
                done.set_result(None)

        def work():
            job, arguments = jobs.get()
            if not done.cancelled():
                job(*arguments)
                loop.call_soon_threadsafe(told)

        threading.Thread(target=work, daemon=True).start()
        jobs.put((job, arguments))
        return done


class AsyncShielded(AsyncWhole):
    """The cure of 7: who is cancelled leaves, but the write goes on, and keeps the lock until it is done."""

    async def save(self, data):
        await asyncio.shield(asyncio.ensure_future(super().save(data)))


class FixedTemp:
    """2: every save writes to the same temporary name. Keeps one document, and saves it blindly."""

    def __init__(self, root):
        self.file, self.temp = str(root / "doc.json"), str(root / "doc.tmp")

    def save(self, data):
        with open(self.temp, "w", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(self.temp, self.file)

    def load(self):
        try:
            with open(self.file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}


class OwnTemp(FixedTemp):
    """The cure of 2 and 3: a name for each save."""

    def save(self, data):
        number, temp = tempfile.mkstemp(dir=os.path.dirname(self.file))
        with open(number, "w", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(temp, self.file)


class LockedWrite(OwnTemp):
    def __init__(self, root):
        super().__init__(root)
        self.writing = threading.Lock()

    def save(self, data):
        with self.writing:
            super().save(data)


class InPlace(FixedTemp):
    """3: a reader can find the file empty."""

    def save(self, data):
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump(data, file)


class OwnTempCounter(Counter):
    """A counter whose instances do not share a temporary name."""

    def __init__(self, root):
        super().__init__(root)
        self.temp = str(root / f"{uuid.uuid4().hex}.tmp")


class FlockOnData(OwnTempCounter):
    """8: locks the data file itself, which replace swaps out under it."""

    def increment(self):
        with open(self.file, "a+b") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            locked.seek(0)
            n = json.loads(locked.read() or b"{}").get("n", 0) + 1
            self.save({"n": n})
            return n


class FlockBeside(OwnTempCounter):
    """The cure of 8 and 9: the lock is a file that stays."""

    def increment(self):
        with open(f"{self.file}.lock", "wb") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            return super().increment()


class LockFileRemoved(OwnTempCounter):
    """9: the file of the lock is removed on release."""

    def increment(self):
        with open(f"{self.file}.lock", "wb") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            try:
                return super().increment()
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{self.file}.lock")


class Lockf(OwnTempCounter):
    """10: a POSIX lock, which is none between the threads of one process."""

    def increment(self):
        with open(f"{self.file}.lock", "wb") as locked:
            fcntl.lockf(locked, fcntl.LOCK_EX)
            return super().increment()


class NoTempShared(OwnTempCounter):
    """1 alone: no lock, though every instance has a temporary name of its own."""

    def save(self, data):
        temp = f"{self.temp}.{data['n']}.{threading.get_ident()}"
        with open(temp, "w", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(temp, self.file)


class LockedOwnTemp(OwnTempCounter):
    """1 through several instances: each has a lock of its own."""

    def __init__(self, root):
        super().__init__(root)
        self.lock = threading.Lock()

    def increment(self):
        with self.lock:
            return super().increment()
