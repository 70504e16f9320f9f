"""Locks that hold inside one process and not between several."""

import fcntl
import os
import threading
import time
from contextlib import contextmanager

from tests.broken_stores.races import Table

_GATES: dict[str, threading.Lock] = {}


class OneProcessOnly(Table):
    """RACE-3: one lock for all threads and instances of a process, none between processes."""

    tradestore_claims = ("processes",)

    @contextmanager
    def alone(self):
        with _GATES.setdefault(str(self.root), threading.Lock()):
            yield


class DroppedByClosing(Table):
    """RACE-3: POSIX locks are gone as soon as the process closes any descriptor of the file, here the one it reads."""

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


class ProcessesSwapTheLockedFile(Table):
    """RACE-3: holds flock on the file that it replaces, and a gate that keeps only the threads of one process apart."""

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


class LockFileByExistence(Table):
    """RACE-3: takes the existence of a file for a lock; when its holder is killed nobody gets it any more."""

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


class LockFileWithATimeout(LockFileByExistence):
    """RACE-3: the same; who comes after a killed holder does not wait for ever, but is refused for ever."""

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
