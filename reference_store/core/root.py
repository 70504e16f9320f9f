"""A root directory opened for one store: its pinned descriptor, its lock, and errors that say which call failed."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TypeAlias, TypeVar
from weakref import ref

from reference_store.core import telling
from reference_store.core.atomic import TEMPORARY, Directory, NotPinned
from reference_store.core.by_key import ByKey
from reference_store.core.group_commit import GroupCommit, Take, Ticket
from reference_store.core.locking import LOCK_FILE, RootLock
from reference_store.core.numbers import Inexact, exact_float
from reference_store.core.restoring import RESTORING, refuse_unfinished
from reference_store.core.signals import is_from_a_signal
from reference_store.core.writer import Loan, Writer
from reference_store.errors import CalledInside, InvalidRecord, LockTimeout, StorageFailure, StoreClosed, StoreError

LOCK_TIMEOUT = 10.0
"""Seconds that a writer waits for other writers unless the store is opened with something else."""

_A_MOMENT = 0.05
"""Seconds that a listing waits for its turn before it looks once more whether it can do without."""
_BETWEEN = 0.005
"""Seconds between two looks: more than the clock takes that stamps changes."""
_LOOK = 0.05
"""Seconds between two looks whether whoever has borrowed the lock is still there."""
_SUSPENDED = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
_log = logging.getLogger("reference_store")
C = TypeVar("C")
T = TypeVar("T")

Place: TypeAlias = str | Path | Directory
"""Where a store lives: a path, or a directory that is open already because it was found inside another root."""


@dataclass(frozen=True, slots=True)
class _Task:
    """Something to be done under the lock, by itself, for ``operation``."""

    operation: str
    identifier: str
    do: Callable[[Directory, Ticket[_Task]], None]


class Root:
    """An open root directory; a store has one and every call on the store goes through it.

    One into which a restore was begun and not finished is refused (RestoreUnfinished), except to a restore.
    """

    def __init__(self, place: Place, lock_timeout: float, *, unfinished: bool = False) -> None:
        self._unfinished = unfinished
        self.path = place.path if isinstance(place, Directory) else os.fspath(place)
        self.lock_timeout = _seconds(lock_timeout)
        try:
            directory = place if isinstance(place, Directory) else Directory.open(self.path)
            self._lock = RootLock(directory.descriptor)
            self._directory: Directory | None = directory
            names = directory.names()
            if RESTORING in names:
                self.refuse_unfinished(directory)
            # The lock file is made after the names that lead here are pinned: where it is, they are.
            self._pinned = LOCK_FILE in names
            self.writer: Writer = self._lock.writer
            """Who makes the changes of this root; what GroupCommit takes as its writer."""
            self._glances: ByKey[GroupCommit[tuple[str, str]]] = ByKey(self._glance)
            if any(name.startswith(TEMPORARY) for name in names):
                self._sweep()
        except OSError as error:
            if isinstance(error, StoreError) or is_from_a_signal(error):
                raise
            raise StorageFailure("open", self.path, error) from error

    def refuse_unfinished(self, directory: Directory) -> None:
        """Raise RestoreUnfinished if files of two moments are in the directory, and this is no restore."""
        if not self._unfinished:
            refuse_unfinished(directory)

    def _sweep(self) -> None:
        """Clear away what writers left that died; a living one holds the lock, and its files stay."""
        try:
            self._alone(0).commit(_Task("open", self.path, _sweep))
        except (LockTimeout, CalledInside):
            return
        except StorageFailure as error:
            # A root that cannot be written to can still be read.
            _log.info("leftovers in %r stay: %s", self.path, error.strerror)

    @contextmanager
    def reading(self, operation: str, identifier: str) -> Iterator[Directory]:
        """Give the directory to a reader. Readers take no lock: what they open is whole."""
        directory = self._opened(operation)
        began = telling.begun(telling.READ)
        try:
            yield directory
        except BaseException as error:
            failure = as_failure(operation, identifier, error)
            telling.ended(telling.READ, began, self.path, operation, identifier, failure)
            if failure is error:
                raise
            raise failure from error
        telling.ended(telling.READ, began, self.path, operation, identifier, None)

    def updating(self, operation: str, identifier: str) -> AbstractContextManager[Directory]:
        """Give the directory to the one writer that may change it.

        Meant for what the writer's thread does (the ``write`` of a GroupCommit, ``alone``). In any other thread it
        lends the lock, for as long as the ``with`` statement is there.
        """
        return _Held(self, operation, identifier) if self.writer.is_here() else self.borrowing(operation, identifier)

    def borrowing(self, operation: str, identifier: str) -> Borrowed:
        """Return what lends the lock to a ``with`` statement, or to the frame that ``enter`` is given."""
        return Borrowed(self, operation, identifier)

    def group(
        self,
        write: Callable[[C, Take[C]], None],
        together: Callable[[C, C], bool] | None = None,
        about: Callable[[C], tuple[str, str]] | None = None,
    ) -> GroupCommit[C]:
        """Return a group of changes of this root; ``write`` is as GroupCommit says, and works within ``updating``.

        ``about`` says of a change which operation it is, and of what; one that has both need not be asked about.
        """
        return GroupCommit(write, self.lock_timeout, self.path, together, self.writer, about or _told_itself)

    def alone(self, operation: str, identifier: str, change: Callable[[Directory], T]) -> T:
        """Return what ``change`` does with the directory under the lock, in the writer's thread.

        Raises LockTimeout, CalledInside, and what ``change`` raises. Interrupted, it has not begun or is over.
        """
        self._opened(operation)

        def do(directory: Directory, ticket: Ticket[_Task]) -> None:
            ticket.result = change(directory)

        result: T = self._alone(self.lock_timeout).commit(_Task(operation, identifier, do))
        return result

    def names(self, operation: str, identifier: str) -> list[str]:
        """Return the names in the directory as they were at one moment.

        A system may pass over a name that is given to another file while it lists. So a listing counts if nothing
        has changed meanwhile; if something may have, it is made again while no writer is at work. Raises LockTimeout if
        neither comes about in ``lock_timeout`` seconds.
        """
        deadline = time.monotonic() + max(self.lock_timeout, 1.0)
        while True:
            with self.reading(operation, identifier) as directory:
                found = directory.names_at_one_moment()
                if found is not None or not directory.has(LOCK_FILE):  # where there is no lock nobody has written yet
                    return directory.names() if found is None else found
                if self.writer.is_here() and self.writer.holds:
                    return directory.names()
            try:
                return list(self._glances["names"].commit((operation, identifier)))
            except (LockTimeout, CalledInside):
                if time.monotonic() > deadline:
                    raise
            except StorageFailure:
                # Who may not take the lock has to wait for a quiet moment.
                if time.monotonic() > deadline:
                    raise
            time.sleep(_BETWEEN)

    def _glance(self, _key: str) -> GroupCommit[tuple[str, str]]:
        return GroupCommit(self._list, _A_MOMENT, self.path, writer=self.writer)

    def _list(self, first: tuple[str, str], take: Take[tuple[str, str]]) -> None:
        with self.updating(*first) as directory:
            tickets = take()
            names = directory.names()
            for ticket in tickets:
                ticket.result = names

    def _alone(self, timeout: float) -> GroupCommit[_Task]:
        return GroupCommit(self._one, timeout, self.path, writer=self.writer, about=_told_itself)

    def _one(self, first: _Task, take: Take[_Task]) -> None:
        with self.updating(first.operation, first.identifier) as directory:
            for ticket in take():
                ticket.change.do(directory, ticket)

    def close(self) -> None:
        """Let go of the directory; calls that are under way end normally, later ones raise StoreClosed."""
        self._directory = None

    def _opened(self, operation: str) -> Directory:
        directory = self._directory
        if directory is None:
            raise StoreClosed(operation)
        return directory


class _Held:
    """The lock, taken and given back by the writer's thread itself."""

    def __init__(self, root: Root, operation: str, identifier: str) -> None:
        self._root, self._operation, self._identifier = root, operation, identifier

    def __enter__(self) -> Directory:
        root = self._root
        directory = root._opened(self._operation)
        if root.writer.holds:
            raise CalledInside(root.path)
        try:
            if not root._pinned:
                directory.pin_name()
                root._pinned = True
            root._lock.acquire_in_turn(directory.descriptor)
            try:
                root.refuse_unfinished(directory)
            except BaseException:
                root._lock.release()
                raise
            root.writer.holds = True
        except OSError as error:
            raise StorageFailure(self._operation, self._identifier, error) from error
        return directory

    def __exit__(self, _type: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        self._root.writer.holds = False
        self._root._lock.release()
        _translate(self._operation, self._identifier, error)


class Borrowed:
    """The lock, held by the writer's thread for as long as the ``with`` statement goes on that has this object.

    An exception between any two steps of the borrower leaves nothing behind: the lender looks whether it is there. Of a
    generator it cannot tell, which may wait outside of the stack, as may a traceback that somebody keeps: so whoever
    takes locks for others (``operations.backups``) names the frame that has them.
    """

    def __init__(self, root: Root, operation: str, identifier: str) -> None:
        self._root, self._operation, self._identifier = root, operation, identifier
        self._back = threading.Lock()
        self._back.acquire()

    def __enter__(self) -> Directory:
        return self.enter(sys._getframe(1))

    def enter(self, frame: FrameType) -> Directory:
        """Take the lock for as long as ``frame``, one of this thread's, is there, or until the exit."""
        self._root._opened(self._operation)
        loan = Loan(threading.get_ident(), _identity(frame), ref(self), self._back)
        task = _Task(self._operation, self._identifier, partial(_lend, self._root.writer, loan))
        directory: Directory = self._root._alone(self._root.lock_timeout).commit(task)
        return directory

    def __exit__(self, _type: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        self._back.release()
        _translate(self._operation, self._identifier, error)


def _told_itself(change: Any) -> tuple[str, str]:
    """What a change says of itself."""
    return change.operation, getattr(change, "identifier", None) or change.key


def _identity(frame: FrameType) -> int:
    """What a frame is known by while it is there; 0 for one that may wait outside of the stack."""
    return 0 if frame.f_code.co_flags & _SUSPENDED else id(frame)


def _lend(writer: Writer, loan: Loan, directory: Directory, ticket: Ticket[_Task]) -> None:
    ticket.result = directory
    writer.loan = loan
    try:
        ticket.end()
        while not loan.back.acquire(timeout=_LOOK) and loan.is_needed():
            pass
    finally:
        writer.loan = None


def _sweep(directory: Directory, _ticket: object) -> None:
    directory.sweep()


def as_failure(operation: str, identifier: str, error: BaseException) -> BaseException:
    """Return what the system said as the error of the store that it is for this call; any other error as it is."""
    if isinstance(error, NotPinned):
        cause, visible = error.cause, True
    elif isinstance(error, OSError) and not isinstance(error, StoreError) and not is_from_a_signal(error):
        cause, visible = error, False
    else:
        return error
    failure = StorageFailure(operation, identifier, cause, may_have_happened=visible)
    failure.__cause__ = cause
    return failure


def _translate(operation: str, identifier: str, error: BaseException | None) -> None:
    if error is not None and (failure := as_failure(operation, identifier, error)) is not error:
        raise failure


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
