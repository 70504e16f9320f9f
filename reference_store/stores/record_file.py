"""A list of records in one sealed JSON file, with a log of changes beside it, for several threads and processes.

``{"jobs": [...], "updated_at": "ISO string", "_integrity": {...}}``: one line for each record, the previous version of
the file beside it. A change is one line in the log and one sync, however many records there are. When the log is full,
which it is when it has become about as long as the file, the file is written anew, and once more when a store that has
changed it is closed. Records are kept in memory; a read looks at what the log has got since.

No crash comes between the steps badly. A log that goes on from the file is there before the file says that it belongs
to one. A file that has all of a log is there before the log gives way to its successor, and the log stays, as the
version before the file does, until the next one: so a damaged file is put together from these two.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet, WeakValueDictionary

from reference_store.core.atomic import Directory
from reference_store.core.by_key import ByKey
from reference_store.core.document_files import LARGEST
from reference_store.core.group_commit import GroupCommit, Take
from reference_store.core.root import Place, Root
from reference_store.errors import CorruptData, InvalidRecord, NewerRecord, StoreClosed, StoreError, UnserialisableValue
from reference_store.stores import record_log, record_view
from reference_store.stores.record_appending import Appender
from reference_store.stores.record_index import Change, Draft, Entry, Form, Index, Operation, digest, merged
from reference_store.stores.record_reading import LARGEST_LOG, RecordReader
from reference_store.stores.record_view import View

Clock = Callable[[], datetime]
T = TypeVar("T")

_LEFT = 1 << 10
"""Bytes of the largest file that its records leave to what stands around them."""
_log = logging.getLogger("reference_store")


def now_of(clock: Clock) -> datetime:
    """Return what the clock says; raises InvalidRecord when that is no time."""
    now = clock()
    if not isinstance(now, datetime):
        raise InvalidRecord("clock", f"gives a value of type {type(now).__name__}, not a datetime")
    if now != now:  # NaT says that it is a datetime
        raise InvalidRecord("clock", "gives what is no time")
    return now


LATELY = 0.05
"""Seconds in which the changes of other processes may go unnoticed where nothing is read from the disk."""


class _Writes:
    """How often this process has changed one file of records."""

    __slots__ = ("__weakref__", "count")

    def __init__(self) -> None:
        self.count = 0


_counts: WeakValueDictionary[tuple[str, str], _Writes] = WeakValueDictionary()


def _writes_to(root: str, name: str) -> _Writes:
    return _counts.setdefault((os.path.realpath(root), name), _Writes())


class RecordFile:
    """The records of ``<root>/<name>.json``; changes that meet are written together."""

    def __init__(self, root: Place, form: Form, lock_timeout: float, clock: Clock) -> None:
        self.root = Root(root, lock_timeout)
        self.form, self._clock = form, clock
        self._reader = RecordReader(form)
        self._names = self._reader.names
        self.recoveries = self._reader.recoveries
        self._commits: ByKey[GroupCommit[Change]] = ByKey(self._group)
        self._writes = _writes_to(self.root.path, form.name)
        self._wrote = False
        self._appender = Appender(self._reader)
        self.forget()
        _alive.add(self)

    def forget(self) -> None:
        """Begin anew: the threads that had the lock, or were at work on what is known, are not there any more."""
        self._mutex = threading.RLock()
        self._reader.view = None
        self._seen = (-1, 0.0)  # the writes of this process, and the time (monotonic seconds), when it was looked

    def read(self, operation: str, use: Callable[[Index], T], *, roughly: bool = False) -> T:
        """Return what ``use`` makes of the records as they are now; it must be quick, and leave them alone.

        ``roughly``: files whose status (times and size) is what it was are taken for unchanged, and not opened.
        Raises CorruptData when neither the file nor what stands in for it is sound.
        """
        with self.root.reading(operation, self.form.name) as directory, self._mutex:
            seen = self._writes.count, time.monotonic()
            view = self._reader.current(directory, roughly=roughly)
            self._reader.view = None  # out of the way of a signal's handler that reads too
            result = use(view.index)
            self._reader.view, self._seen = view, seen
            return result

    def glance(self, use: Callable[[Index], T]) -> T | None:
        """Return what ``use`` makes of the records, without a look at the disk; None if they may be others by now.

        What this process has changed is always known, what another one has changed within LATELY may not be.
        """
        if not self._mutex.acquire(blocking=False):
            return None
        try:
            count, moment = self._seen
            if self._reader.view is None or count != self._writes.count or time.monotonic() - moment > LATELY:
                return None
            return use(self._reader.view.index)
        finally:
            self._mutex.release()

    def listed(self, operation: str, page: Callable[[Index], list[Entry]], record_of: Callable[[Entry], T]) -> list[T]:
        """Return the records of a page; one that turns out not to be understood is left out of every listing."""
        while True:
            found = self.read(operation, page)
            try:
                return [record_of(each) for each in found]
            except NewerRecord as newer:
                strange = next(each for each in found if each.identifier == newer.identifier)
                self.read(operation, partial(Index.set_aside, found=strange))
                _log.warning("%s", newer)

    def commit(self, change: Change) -> Any:
        """Make ``change`` durable and return its result; raises what stood in its way, or LockTimeout."""
        return self.commits().commit(change)

    def commits(self) -> GroupCommit[Change]:
        """Return where the changes meet."""
        return self._commits[self.form.name]

    def close(self) -> None:
        """Bring the file up to date if this instance has changed anything, and let go of the root.

        When the file cannot be written that is no loss: the log has it all, and the log ``reference_store`` says so.
        """
        try:
            if self._wrote:
                self.root.alone("close", self.form.name, self._settle)
        except StoreClosed:
            return
        except StoreError as error:
            _log.warning("%r stays as it was, with its changes in a log beside it: %s", self._names.file, error)
        self.root.close()

    # -- writing: the lock of the root is held ------------------------------------------------------------------------

    def _group(self, _name: str) -> GroupCommit[Change]:
        return self.root.group(self._write_all, about=lambda _: ("update", self.form.name))

    def _write_all(self, _first: Change, take: Take[Change]) -> None:
        with self.root.updating("update", self.form.name) as directory:
            with self._mutex:
                view = self._reader.current(directory)
            draft = Draft(view.index, self.form)
            for ticket in take():
                try:
                    ticket.result = draft.attempt(ticket.change, _fits)
                except BaseException as error:  # concerns its caller only: a function of theirs may raise anything
                    ticket.error = error
            if not draft.operations and view.sound:
                return
            try:
                after = self._persist(directory, view, draft.operations)
            except BaseException:
                self._writes.count += 1
                with self._mutex:
                    self._reader.view = None
                raise
            self._writes.count += 1
            with self._mutex:
                if self._reader.view is view:
                    self._reader.view = None  # known again when it is whole
                    if view.number < after.number:  # a reader of this instance may have met the line in the log
                        view.index.make(draft.operations)
                    self._reader.view, self._seen = after, (self._writes.count, time.monotonic())
                    self._reader.note(directory)

    def _persist(self, directory: Directory, view: View, operations: list[Operation]) -> View:
        """Make the operations durable and return what the files stand for then, but for the index."""
        first, self._wrote = not self._wrote, True
        if not view.sound:
            view = self._with_file(directory, view, view.number, view.index.entries.values())
            if not operations:
                return view
        line = record_log.line(record_log.encoded(operations), self.form.name, view.number + 1)
        header = view.header
        if header is not None and view.counts and view.opened and view.clean and self._appender.trusts(header):
            if view.end + len(line) <= header.size:
                return self._appender.append(directory, view, header, line)
        elif (first or view.tail is None) and not view.opened and not view.counts:
            return self._at_once(directory, view, line, operations)
        return self._begin_log(directory, view, line)

    def _at_once(self, directory: Directory, view: View, line: bytes, operations: list[Operation]) -> View:
        """Write the file with the change in it: a program that makes one change and ends needs no log."""
        if view.number:
            # With the version before it gives what the file has, should that be damaged one day.
            base = digest(view.index.entries.values())
            _, data = record_log.made(self.form, view.number, base, line, 0)
            directory.replace(self._names.log_before, data, self._reader.file_found(directory))
        if view.header is not None:
            directory.discard(self._names.log)  # the file has all of it
        entries = merged(self.form, view.index.entries, operations)
        return self._with_file(directory, view, view.number + 1, entries)

    def _begin_log(self, directory: Directory, view: View, line: bytes) -> View:
        """Bring the file up to the last write and begin a log with ``line``."""
        entries = view.index.entries.values()
        full = view.opened or view.counts
        if full:
            view = self._with_file(directory, view, view.number, entries, opened=True)
        assert view.tail is not None
        room = max(view.tail[0], record_log.SMALLEST)
        header, data = record_log.made(self.form, view.number, digest(entries), line, room)
        if full:
            before = self._reader.regular(directory, self._names.log, LARGEST_LOG)
            directory.replace(self._names.log, data, before, self._names.log_before)
        else:
            tail = view.tail
            directory.replace(self._names.log, data, self._reader.file_found(directory))
            try:
                view = self._with_file(directory, view, view.number, entries, opened=True)
            except OSError:
                if self._reader.tail(directory) == tail:  # the file is still complete without it
                    directory.discard(self._names.log)
                raise
        end = len(header.line) + len(line)
        return replace(
            view,
            number=view.number + 1, header=header, counts=True, end=end, pinned=end, clean=True,
            mark=data[max(end - record_view.MARK, 0) : end],
        )  # fmt: skip

    def _with_file(
        self, directory: Directory, view: View, number: int, entries: Iterable[Entry], *, opened: bool = False
    ) -> View:
        """Write the file with ``entries``, after the write ``number``, and return what the files stand for then."""
        found = self._reader.file_found(directory)
        known = found is not None and view.sound and hashlib.sha256(found.data).digest() == view.digest
        if found is not None and not known and not record_view.is_sound(self.form, found.data):
            evidence = directory.preserve(self._names.file, found.data)
            _log.warning("%s: %r was damaged; kept as %r", self.form.name, self._names.file, evidence)
            found = None
        data = record_view.sealed(self.form, entries, now_of(self._clock).isoformat(), number, opened=opened)
        directory.replace(self._names.file, data, found, self._names.backup if found is not None else None)
        if found is None and self._reader.is_there(directory, self._names.backup):
            # What is kept as the version before has lost its connection to this one.
            directory.replace(self._names.file, data, self._reader.file_found(directory), self._names.backup)
        return replace(
            view,
            number=number, tail=record_view.tail_of(data), digest=hashlib.sha256(data).digest(), opened=opened,
            sound=True, header=None, counts=False,
        )  # fmt: skip

    def reseal(self) -> None:
        """Vouch for the file as somebody has edited or written it; what the log has beyond it is kept on top.

        Raises CorruptData when it is no strict JSON with a list of records.
        """
        self.root.alone("reseal", self.form.name, self._reseal)

    def _reseal(self, directory: Directory) -> None:
        with self._mutex:
            self._reader.view = None
        found = self._reader.regular(directory, self._names.file, LARGEST)
        if found is None:
            raise CorruptData(self.form.name, self._names.file, "there is no such file")
        log = self._reader.regular(directory, self._names.log, LARGEST_LOG)
        index, number, used = record_view.edited(self.form, found.data, log.data if log is not None else None)
        if log is not None and not used:
            evidence = directory.preserve(self._names.log, log.data)
            _log.warning("%s: %r does not belong to the file; kept as %r", self.form.name, self._names.log, evidence)
        number = max(number, self._backup_number(directory)) + 1
        entries = index.entries.values()
        data = record_view.sealed(self.form, entries, now_of(self._clock).isoformat(), number, opened=False)
        self._writes.count += 1
        directory.replace(self._names.file, data, found)
        directory.remove(self._names.log)

    def _backup_number(self, directory: Directory) -> int:
        with suppress(CorruptData):
            backup = self._reader.regular(directory, self._names.backup, LARGEST)
            return record_view.number_of(self.form, backup.data) if backup is not None else 0
        return 0

    def _settle(self, directory: Directory) -> None:
        with self._mutex:
            view, self._reader.view = self._reader.current(directory), None
        if view.opened or view.counts or not view.sound:
            self._with_file(directory, view, view.number, view.index.entries.values())
        if view.header is not None:
            # No sync: should it come back, it has nothing that the file lacks.
            directory.move(self._names.log, self._names.log_before)


def _fits(draft: Draft) -> None:
    """Refuse a change with which the file could not be written any more; its caller alone hears of it."""
    if draft.size > LARGEST - _LEFT:
        raise UnserialisableValue(f"with it the file would have {draft.size} bytes, {LARGEST} is the limit")


_alive: WeakSet[RecordFile] = WeakSet()


def _after_fork_in_child() -> None:
    for file in list(_alive):
        file.forget()


if hasattr(os, "register_at_fork"):  # elsewhere nothing forks
    os.register_at_fork(after_in_child=_after_fork_in_child)
