"""A root directory opened for one store: its pinned descriptor, its lock, and errors that say which call failed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from reference_store.core.atomic import TEMPORARY, Directory, NotPinned
from reference_store.core.locking import LOCK_FILE, RootLock
from reference_store.core.numbers import Inexact, exact_float
from reference_store.errors import InvalidRecord, LockTimeout, StorageFailure, StoreClosed, StoreError

LOCK_TIMEOUT = 10.0
"""Seconds that a writer waits for other writers unless the store is opened with something else."""

_log = logging.getLogger("reference_store")

Place: TypeAlias = str | Path | Directory
"""Where a store lives: a path, or a directory that is open already because it was found inside another root."""


class Root:
    """An open root directory; a store has one and every call on the store goes through it."""

    def __init__(self, place: Place, lock_timeout: float) -> None:
        self.path = place.path if isinstance(place, Directory) else os.fspath(place)
        self._lock_timeout = _seconds(lock_timeout)
        try:
            directory = place if isinstance(place, Directory) else Directory.open(self.path)
            self._lock = RootLock(directory.descriptor)
            self._directory: Directory | None = directory
            names = directory.names()
            # The lock file is made after the names that lead here are pinned: where it is, they are.
            self._pinned = LOCK_FILE in names
            if any(name.startswith(TEMPORARY) for name in names):
                self._sweep(directory)
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise StorageFailure("open", self.path, error) from error

    def _sweep(self, directory: Directory) -> None:
        """Clear away what writers left that died; a living one holds the lock, and its files stay."""
        try:
            self._lock.acquire(directory.descriptor, self.path, timeout=0)
            try:
                directory.sweep()
            finally:
                self._lock.release()
        except LockTimeout:
            return
        except OSError as error:
            # A root that cannot be written to can still be read.
            _log.info("leftovers in %r stay: %s", self.path, error.strerror)

    @contextmanager
    def reading(self, operation: str, identifier: str) -> Iterator[Directory]:
        """Give the directory to a reader. Readers take no lock: what they open is whole."""
        directory = self._opened(operation)
        try:
            yield directory
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise StorageFailure(operation, identifier, error) from error

    @contextmanager
    def updating(self, operation: str, identifier: str) -> Iterator[Directory]:
        """Give the directory to the one writer that may change it."""
        directory = self._opened(operation)
        try:
            if not self._pinned:
                directory.pin_name()
                self._pinned = True
            self._lock.acquire(directory.descriptor, self.path, self._lock_timeout)
            try:
                yield directory
            finally:
                self._lock.release()
        except NotPinned as error:
            raise StorageFailure(operation, identifier, error.cause, may_have_happened=True) from error.cause
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise StorageFailure(operation, identifier, error) from error

    def close(self) -> None:
        """Let go of the directory; calls that are under way end normally, later ones raise StoreClosed."""
        self._directory = None

    def _opened(self, operation: str) -> Directory:
        directory = self._directory
        if directory is None:
            raise StoreClosed(operation)
        return directory


def _seconds(lock_timeout: object) -> float:
    try:
        found = exact_float(lock_timeout)
    except Inexact:
        raise InvalidRecord(
            "lock_timeout", f"is of type {type(lock_timeout).__name__}, not a number of seconds"
        ) from None
    if found != found:
        raise InvalidRecord("lock_timeout", "is not a number of seconds")
    return min(found, threading.TIMEOUT_MAX / 2)
