"""Locks that hold inside one process and not between several."""

import fcntl
import json
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from tests.broken_stores import breaks
from tests.broken_stores.races import Table
from tests.sound_stores.files import (
    encode,
    key_of,
    locked,
    read_document,
    remove_durably,
    replace_durably,
    sync_directory,
    write_synced,
)
from tests.sound_stores.guarded import Immediate
from tests.sound_stores.plain import PlainDocuments

_GATES: dict[str, threading.Lock] = {}


@breaks("documents", RACE_3="returned, but")
class OneProcessOnly(Table):
    """one lock for all threads and instances of a process, none between processes."""

    tradestore_claims = ("processes",)

    @contextmanager
    def alone(self):
        with _GATES.setdefault(str(self.root), threading.Lock()):
            yield


@breaks("documents", RACE_3="returned, but")
class DroppedByClosing(Table):
    """POSIX locks are gone as soon as the process closes any descriptor of the file, here the one it reads."""

    tradestore_claims = ("processes",)

    @contextmanager
    def alone(self):
        lock = self.root / ".lock"
        with _GATES.setdefault(str(self.root), threading.Lock()):
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
                lock.read_bytes()  # who held it last? closing this descriptor releases the lock
                yield
            finally:
                os.close(descriptor)


@breaks("documents", RACE_3="returned, but")
class ProcessesSwapTheLockedFile(Table):
    """holds flock on the file that it replaces, and a gate that keeps only the threads of one process apart."""

    tradestore_claims = ("processes",)

    @contextmanager
    def alone(self):
        with _GATES.setdefault(str(self.root), threading.Lock()):
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def load(self):
        try:
            return super().load()
        except ValueError:
            return {}


@breaks("documents", RACE_3="killed")
class LockFileByExistence(Table):
    """takes the existence of a file for a lock; when its holder is killed nobody gets it any more."""

    tradestore_claims = ("processes",)

    @contextmanager
    def alone(self):
        lock = self.root / "jobs.lock"
        with _GATES.setdefault(str(self.root), threading.Lock()):
            while True:
                try:
                    os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
                    break
                except FileExistsError:
                    threading.Event().wait(0.01)
            try:
                yield
            finally:
                lock.unlink()


@breaks("documents", RACE_3="with nobody else there, after")
class LockFileWithATimeout(LockFileByExistence):
    """the same; who comes after a killed holder does not wait for ever, but is refused for ever."""

    @contextmanager
    def alone(self):
        lock, until = self.root / "jobs.lock", time.monotonic() + 5
        with _GATES.setdefault(str(self.root), threading.Lock()):
            while True:
                try:
                    os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
                    break
                except FileExistsError:
                    if time.monotonic() > until:
                        raise TimeoutError("another process holds jobs.lock") from None
                    time.sleep(0.01)
            try:
                yield
            finally:
                lock.unlink()


@breaks("documents", RACE_2="returned, but", RACE_3="returned, but")
class SelectThenInsert(Immediate):
    """reads a row in one transaction and writes it back in another, in a database that several open."""

    tradestore_claims = ("processes",)

    def put(self, key, document):
        with self._lock:
            table = self._table() | {key: encode(document)}
            self._database.execute("INSERT OR REPLACE INTO documents VALUES ('all', ?)", (json.dumps(table),))


@breaks("documents", RACE_3="JSONDecodeError")
class SharedTemporaryName(Table):
    """one temporary name for all processes, and a lock that keeps only the threads of one apart."""

    tradestore_claims = ("processes",)

    def put(self, key, document):
        with _GATES.setdefault(str(self.root), threading.Lock()):
            replace_durably(self.root / f"{key}.json", encode(document))

    def get(self, key):
        return read_document(self.root / f"{key}.json")

    def delete(self, key):
        with _GATES.setdefault(str(self.root), threading.Lock()):
            remove_durably(self.root / f"{key}.json")


@breaks("document", RACE_3="JSONDecodeError", RACE_4="JSONDecodeError")
class ReadsAnothersWriting:
    """writes in place under flock; a reader in another process takes no lock."""

    tradestore_claims = ("processes",)

    def __init__(self, root: Path):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with locked(self.root):
            write_synced(self.file, encode(data))
            sync_directory(self.root)

    def load(self):
        return read_document(self.file)


@breaks("documents", RACE_3="returned, but")
class ProcessesUnlinkTheirLock(Table):
    """removes the lock file when done; between processes one waits on the old file, another makes a new one."""

    tradestore_claims = ("processes",)

    @contextmanager
    def alone(self):
        lock = self.root / ".lock"
        with _GATES.setdefault(str(self.root), threading.Lock()):
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
                lock.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


@breaks("documents", RACE_3="keys() gives")
class ListsWithItsChildren(PlainDocuments):
    """lists through a directory opened once, its threads in turn; children share the place where it is read."""

    tradestore_claims = ("processes",)

    def __init__(self, root: Path):
        super().__init__(root)
        self._listed, self._turn = os.open(self.directory, os.O_RDONLY), threading.Lock()

    def keys(self):
        with self._turn, reading(self.root):
            return [key_of(name) for name in sorted(os.listdir(self._listed)) if name.endswith(".json")]

    def close(self):
        os.close(self._listed)


@contextmanager
def reading(root):
    """Hold the lock of a store beside other readers."""
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
