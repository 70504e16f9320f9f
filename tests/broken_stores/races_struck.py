"""Stores that are right until something happens to one caller: a signal, a cancellation of all, ten slow minutes."""

import asyncio
import contextlib
import fcntl
import logging
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from tests.broken_stores import breaks
from tests.broken_stores.races import Table, replace_by_own_name
from tests.broken_stores.races_processes import _GATES
from tests.sound_stores.files import encode, locked, read_document, remove_durably, replace_durably, write_synced

logger = logging.getLogger(__name__)


class OneFileLocked:
    """A document in one file, replaced as a whole under the lock of the root."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with locked(self.root):
            replace_durably(self.file, encode(data))

    def load(self):
        return read_document(self.file)


@breaks("document", RACE_6="waits for ever")
class ReleasesOnExceptions(OneFileLocked):
    """gives its lock back when it is done and when an Exception comes; Ctrl-C is none."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = threading.Lock()

    def save(self, data):
        self._lock.acquire()
        try:
            replace_by_own_name(self.file, encode(data))
        except Exception:
            self._lock.release()
            raise
        self._lock.release()


@breaks("document", RACE_6="the last save is not over")
class StaysBusy(OneFileLocked):
    """says that it is busy while it saves; after an exception it says so for good."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock, self._busy = threading.Lock(), False

    def save(self, data):
        with self._lock:
            if self._busy:
                raise OSError("the last save is not over")
            self._busy = True
            super().save(data)
            self._busy = False


@breaks("document", RACE_6="returned, but load() then gives")
class LogsAnAlarm(OneFileLocked):
    """takes the exception of a time limit for one of its own that is not worth more than a line in the log."""

    def save(self, data):
        text = encode(data)
        try:
            with locked(self.root):
                replace_durably(self.file, text)
        except OSError:
            raise
        except Exception as error:
            logger.error("cannot save: %s", error)


@breaks("document", RACE_6="and every other task")
class ShieldsItsSave:
    """shields a save from the cancellation of its caller; when all tasks are cancelled, the shielded one is, too."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "state.json"

    async def save(self, data):
        await asyncio.shield(asyncio.ensure_future(self._save(encode(data))))

    async def _save(self, text):
        async with _LOCKS.setdefault(str(self.root), asyncio.Lock()):
            staged = f"{self.file}.tmp"
            await asyncio.to_thread(write_synced, staged, text)
            await asyncio.to_thread(remove_durably, self.file)
            await asyncio.to_thread(os.replace, staged, self.file)

    async def load(self):
        async with _LOCKS.setdefault(str(self.root), asyncio.Lock()):
            return await asyncio.to_thread(read_document, self.file)


_LOCKS: dict[str, asyncio.Lock] = {}


@breaks("documents", RACE_1="takes ten minutes", RACE_2="returned, but")
class GoesOnWithoutTheLock(Table):
    """waits five seconds for its lock and then goes on without."""

    def __init__(self, root: Path):
        super().__init__(root)
        self._lock = threading.Lock()

    @contextmanager
    def alone(self):
        held = self._lock.acquire(timeout=5)
        try:
            yield
        finally:
            if held:
                self._lock.release()


@breaks("documents", RACE_3="takes ten minutes")
class BreaksALockOfSeconds(Table):
    """takes a lock file that is older than half a minute for one that somebody left behind."""

    tradestore_claims = ("processes",)
    lease = 30.0

    @contextmanager
    def alone(self):
        lock, until = self.root / "jobs.lock", time.monotonic() + 5
        with _GATES.setdefault(str(self.root), threading.Lock()):
            while True:
                try:
                    os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
                    break
                except FileExistsError:
                    with contextlib.suppress(FileNotFoundError):
                        if time.time() - lock.stat().st_mtime > self.lease:
                            os.rename(lock, f"{lock}.broken")
                            continue
                    if time.monotonic() > until:
                        raise TimeoutError("another process holds jobs.lock") from None
                    time.sleep(1)
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)


@breaks("documents", RACE_3="forked")
class LocksOneDescriptor(Table):
    """opens its lock file once: who inherits the descriptor through fork holds the lock together with its parent."""

    tradestore_claims = ("processes",)

    def __init__(self, root: Path):
        super().__init__(root)
        self._gate = threading.Lock()
        self._descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)

    @contextmanager
    def alone(self):
        with self._gate:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self):
        os.close(self._descriptor)


@breaks("documents", RACE_3="its number given to another process")
class AsksWhetherItsHolderLives(Table):
    """its lock is a link to its number; it believes that the process of that number is the one that made it."""

    tradestore_claims = ("processes",)

    def is_the_holder(self, number, begun):
        return True

    @contextmanager
    def alone(self):
        lock, until = self.root / "jobs.lock", time.monotonic() + 5
        with _GATES.setdefault(str(self.root), threading.Lock()):
            while True:
                try:
                    os.symlink(f"{os.getpid()}-{begun_of(os.getpid())}", lock)
                    break
                except FileExistsError:
                    if self._is_of_the_dead(lock):
                        os.rename(lock, f"{lock}.of-the-dead")
                    elif time.monotonic() > until:
                        raise TimeoutError("another process holds jobs.lock") from None
                    else:
                        time.sleep(1)
            try:
                yield
            finally:
                lock.unlink()

    def _is_of_the_dead(self, lock):
        try:
            number, begun = os.readlink(lock).split("-")
        except FileNotFoundError:
            return False
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return True
        return not self.is_the_holder(int(number), begun)


def begun_of(number):
    """Return when a process began, in the system's ticks."""
    with open(f"/proc/{number}/stat") as file:
        return file.read().rpartition(")")[2].split()[19]
