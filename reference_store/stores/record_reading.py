"""Reads the files of a store of records, and keeps what they hold in memory: a later read costs what has come since.

Which files count is said by ``record_view``; this module brings it their bytes, once more when they change meanwhile.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import suppress

from reference_store.core import integrity
from reference_store.core.atomic import Directory
from reference_store.core.descriptors import TooLarge, read_at
from reference_store.core.directory import Found, NotARegularFile
from reference_store.core.document_files import LARGEST, Recovery
from reference_store.errors import CorruptData
from reference_store.stores import record_log, record_view
from reference_store.stores.record_index import Form, Index, digest
from reference_store.stores.record_view import View

LARGEST_LOG = 4 * LARGEST
"""Bytes of a log that are read; none is made as long."""

_FIRST_LOOK = 4 << 10
_log = logging.getLogger("reference_store")


class RecordReader:
    """The files of one store of records. One thread at a time asks for what they hold."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.names = record_view.names_of(form)
        self.view: View | None = None
        self.recoveries: deque[Recovery] = deque(maxlen=100)
        self._statuses: tuple[tuple[int, ...], ...] = ()

    def current(self, directory: Directory, *, roughly: bool = False) -> View:
        """Return what the files stand for now, ``roughly`` at the last change of their status; raises CorruptData."""
        view, self.view = self.view, None  # known again when it is whole
        before = self._statuses
        self.note(directory)
        if roughly and view is not None and before == self._statuses:
            self.view = view
            return view
        # A file without the log that belongs to it is there when somebody died, or the disk was full, between the two.
        other = before[1:] != self._statuses[1:]
        if view is None or not self._refreshed(directory, view, other_file=other):
            view = self._load(directory)
        self.view = view
        return view

    def note(self, directory: Directory) -> None:
        """Note the status of the files as that of what is known."""
        self._statuses = tuple(self._status(directory, file) for file in (self.names.log, self.names.file))

    def _status(self, directory: Directory, file: str) -> tuple[int, ...]:
        try:
            about = os.stat(file, dir_fd=directory.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return ()
        return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns

    def _refreshed(self, directory: Directory, view: View, *, other_file: bool) -> bool:
        """Take over what the log has got; say False when it is another log, or the file another one.

        ``other_file`` says that the file is not the one that was there when the view was taken: then it goes on only
        with the log that belongs to the new one.
        """
        opened = self.opened_log(directory, os.O_RDONLY)
        if opened is None:
            return view.header is None and view.tail is not None and self.tail(directory) == view.tail
        descriptor, size = opened
        try:
            head = read_at(descriptor, _FIRST_LOOK, 0)
            if view.header is None:
                return False
            if head.startswith(view.header.line):
                if other_file and view.counts:
                    return False
            elif not self._succeeded(directory, view, head):
                return False
            header = view.header
            if size != header.size:
                return False
            if not view.counts:
                return view.tail is not None and self.tail(directory) == view.tail
            before = view.end - len(view.mark)
            data = _filled(descriptor, before, len(view.mark))
            if not data.startswith(view.mark):
                return False  # a write that failed was taken back
        finally:
            os.close(descriptor)
        if len(data) > len(view.mark):
            lines = record_log.read(data[len(view.mark) :], header, self.form, self.names.log, view.number, view.end)
            for operations in lines.writes:
                view.index.make(operations)
            consumed = lines.end - before
            view.number, view.end, view.clean = lines.number, lines.end, lines.clean
            view.mark = data[max(consumed - record_view.MARK, 0) : consumed]
        return True

    def _succeeded(self, directory: Directory, view: View, head: bytes) -> bool:
        """Go over to the log that begins with ``head`` if it goes on from what is known: only files are new then."""
        with suppress(CorruptData):
            header = record_log.header_of(head, self.form.name, self.names.log)
            known = view.counts and header.base == view.number and header.holds == digest(view.index.entries.values())
            # The file may have left this log behind as well, and whoever was to begin the next one failed or died.
            tail = self.tail(directory) if known else None
            if tail is not None and integrity.generation_at_end(tail[1]) == header.base:
                view.header, view.digest, view.tail, view.opened = header, b"", None, True
                view.end = len(header.line)
                view.mark, view.clean, view.pinned = header.line[-record_view.MARK :], True, 0
                return True
        return False

    def _load(self, directory: Directory) -> View:
        seen: tuple[Found | CorruptData | None, Found | None] | None = None
        while True:
            before = seen
            log = self.regular(directory, self.names.log, LARGEST_LOG)  # first: whatever it lacks the file has by then
            file = self._file_or_damage(directory)
            seen = file, log
            try:
                if isinstance(file, CorruptData):
                    raise file
                if file is not None:
                    return record_view.view_of(self.form, file.data, log.data if log is not None else None)
                if log is None and not self.is_there(directory, self.names.backup, self.names.log_before):
                    return View(Index(self.form), 0)
                raise CorruptData(self.form.name, self.names.file, "it is missing while others of the store are there")
            except CorruptData as damage:
                # Somebody may have been at work between the two reads: what stays the same is believed.
                if seen == before or isinstance(file, CorruptData):
                    return self._rebuilt(directory, log.data if log is not None else None, damage)

    def _file_or_damage(self, directory: Directory) -> Found | CorruptData | None:
        try:
            return self.regular(directory, self.names.file, LARGEST)
        except CorruptData as damage:
            return damage

    def _rebuilt(self, directory: Directory, log: bytes | None, damage: CorruptData) -> View:
        """Put the records together from other files when the file is damaged; raises ``damage`` when it is not that."""
        if damage.file != self.names.file:
            raise damage
        try:
            backup = self.regular(directory, self.names.backup, LARGEST)
            log_before = self.regular(directory, self.names.log_before, LARGEST_LOG)
            if backup is None:
                raise damage
            view, complete = record_view.rebuilt(
                self.form, backup.data, log_before.data if log_before is not None else None, log
            )
        except CorruptData:
            raise damage from None
        self.recoveries.append(Recovery(self.form.name, damage.file, damage.reason, view.number))
        _log.warning(
            "%s: %r is damaged (%s); answered from the version before and %s, generation %d: check it and save again",
            self.form.name, damage.file, damage.reason,
            "the log of all changes since" if complete else "nothing else, so that the last changes may be missing",
            view.number,
        )  # fmt: skip
        return view

    def file_found(self, directory: Directory) -> Found | None:
        """Return the file as replacing it must know it; what is no file is kept as evidence, and None returned."""
        try:
            return directory.read(self.names.file, LARGEST)
        except (NotARegularFile, TooLarge):
            evidence = directory.preserve(self.names.file, None)
            _log.warning("%s: %r was no file of this store; kept as %r", self.form.name, self.names.file, evidence)
            return None

    def regular(self, directory: Directory, file: str, limit: int) -> Found | None:
        """Return a file, None if there is none; raises CorruptData for what is no regular file or too large."""
        try:
            return directory.read(file, limit)
        except NotARegularFile:
            raise CorruptData(self.form.name, file, "it is not a regular file") from None
        except TooLarge:
            raise CorruptData(self.form.name, file, f"it is larger than {limit} bytes") from None

    def opened_log(self, directory: Directory, flags: int) -> tuple[int, int] | None:
        """Open the log: return its descriptor and its size, or None if there is none."""
        try:
            opened = directory.open_regular(self.names.log, flags)
        except NotARegularFile:
            raise CorruptData(self.form.name, self.names.log, "it is not a regular file") from None
        return None if opened is None else (opened[0], opened[1].st_size)

    def tail(self, directory: Directory) -> tuple[int, bytes] | None:
        """Return the size of the file and its end, which tell one version from another; None if there is none."""
        try:
            return directory.tail(self.names.file, record_view.TAIL)
        except NotARegularFile:
            return None

    def is_there(self, directory: Directory, *files: str) -> bool:
        """Say whether one of these names is taken."""
        return any(self._status(directory, file) for file in files)


def _filled(descriptor: int, position: int, least: int) -> bytes:
    """Return what stands at ``position`` (bytes) up to the first zeros behind it, or a little more."""
    length = max(_FIRST_LOOK, 2 * least)
    while True:
        data = read_at(descriptor, length, position)
        if len(data) < length or data.endswith(b"\x00"):
            return data if data[least : least + 1] != b"\x00" else data[:least]
        length *= 4
