"""A store of logs: records are appended and never rewritten, one readable JSONL file for each stream."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, ClassVar

from reference_store.core import integrity, keys
from reference_store.core.atomic import Directory, NotPinned
from reference_store.core.by_key import ByKey
from reference_store.core.closing import Closing
from reference_store.core.descriptors import sync, write_all
from reference_store.core.group_commit import GroupCommit, Take, Ticket
from reference_store.core.listing import Listing
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place, Root
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, InvalidRecord, JournalFull, StoreError, UnserialisableValue, shown
from reference_store.operations.log_retention import Evidence, ended, evidence_in, purge, remove
from reference_store.operations.log_salvage import SalvageReport, salvage
from reference_store.stores.documents import CLAIMS
from reference_store.stores.journal_ends import Anchor, end_of, place_behind
from reference_store.stores.journal_files import SUFFIX, Look, opened_log, streams_in
from reference_store.stores.journal_following import Follower
from reference_store.stores.journal_handover import is_told, tell
from reference_store.stores.journal_lines import Entry, LogFile, Walk
from reference_store.stores.recent import Recent

LARGEST = 4 << 30
"""Bytes that a log may have; an append that would exceed it is refused. Whatever is there is read."""
LONGEST = 64 << 20
"""Bytes that a record may have as JSON text."""

_REMEMBERED = 16384
_SEAL = 200
"""Bytes that a seal takes at most, its line's newline and the one before included."""
_SIGN = 80
"""Bytes at the end of a log by which it is known again: they hold the digest of the last record."""
_log = logging.getLogger("reference_store")


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where a log ends, as this instance left it: bytes, records, and whether the last line has its newline.

    ``sign`` is the end of the last line, and ``shared`` says that others write to this log in between.
    """

    inode: int
    length: int
    sequence: int
    sign: bytes = b""
    terminated: bool = True
    shared: bool = False


@dataclass(frozen=True, slots=True)
class _Unwanted:
    """An append that failed and could not be taken back: the file is cut to ``length`` if it still has ``size``."""

    inode: int
    length: int
    size: int


class JournalStore(Closing, Reopened):
    """Append-only logs by stream; every record is durable on return, numbered and sealed.

    A record that was acknowledged never shows without all before it. Records of an append that a crash cut short do
    not show; what is left of them is cut off before the next append and kept beside, under a name that begins with
    ``.damaged-``. ``root``, ``lock_timeout`` (seconds) and the errors of every method are those of DocumentStore.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = tuple(claim for claim in CLAIMS if claim != "backup")

    def __init__(
        self, root: Place, *, lock_timeout: float = LOCK_TIMEOUT, admit: Callable[[str, list[str]], None] | None = None
    ) -> None:
        self._root = Root(root, lock_timeout)
        self._admit = admit  # asked under the lock, with all streams, before a new one begins; raises if it must not
        self._commits: ByKey[GroupCommit[Encoded]] = ByKey(self._group)
        self._tails: Recent[_Tail] = Recent(_REMEMBERED)
        self._unwanted: dict[str, _Unwanted] = {}
        self._listing = Listing((SUFFIX,))

    def append(self, stream: str, record: dict[str, Any]) -> None:
        """Add ``record`` at the end of ``stream``; on return it, and all before it, outlive a power loss.

        Raises UnserialisableValue for what JSON would not give back equal or has more than LONGEST bytes, JournalFull
        when the log would have more than LARGEST, LockTimeout, and CorruptData when the end of the log is damaged. What
        is before the last 16 KiB is not looked at here: ``read`` and ``verify`` do that.
        """
        checked = self.checked(stream, record)
        self._commits[stream].commit(checked)

    def checked(self, stream: str, record: object) -> Encoded:
        """Return ``record`` as it will be appended, independent of what is done to it later; raises as ``append``."""
        keys.encode(stream)
        encoded = integrity.encode_record(record)
        if len(encoded.canonical) > LONGEST // 4 and (size := len(encoded.canonical.encode())) > LONGEST:
            raise UnserialisableValue(f"a record of {size} bytes, {LONGEST} is the limit")
        return encoded

    def group(self, stream: str) -> GroupCommit[Encoded]:
        """Where the appends to ``stream`` meet; they take what ``checked`` returned."""
        return self._commits[stream]

    def append_all(self, stream: str, records: Sequence[Encoded]) -> list[Ticket[Encoded]]:
        """Append what ``checked`` returned in one write; each ticket says what became of its record."""
        # Not to be found out in the middle of others' appends.
        if not isinstance(records, list | tuple) or not all(type(record) is Encoded for record in records):
            raise TypeError("records is not a list of what checked returned")
        return self._commits[stream].commit_all(records) if records else []

    def read(self, stream: str, since: int = 0, limit: int | None = None) -> list[Document]:
        """Return the records of ``stream`` in the order of their appends, ``[]`` if there are none.

        Records are numbered from 1 on. With ``since`` those behind that number, with ``limit`` at most so many; neither
        costs what is before or behind. ``entries`` gives the numbers; a log that was never salvaged has no gaps, so
        that who has read k records behind ``since`` goes on behind ``since + k``.

        Raises CorruptData for damage in what is read, but not for the remains of an append that was never acknowledged,
        and InvalidRecord for what is no number.
        """
        _count("limit", 0 if limit is None else limit)
        found: list[Document] = []
        if limit != 0:
            for entry in self.entries(stream, since):
                found.append(entry.record)
                if len(found) == limit:
                    break
        return found

    def entries(self, stream: str, since: int = 0) -> Generator[Entry, None, None]:
        """Yield the records behind number ``since`` with their numbers, in order; raises as ``read`` does.

        However long the log is, a part of it is in memory at a time. What is appended meanwhile may be among them.
        """
        file = keys.encode(stream) + SUFFIX
        _count("since", since)
        return self._entries(stream, file, since)

    def follow(self, stream: str, since: int = 0, *, pause: float = 0.2) -> Follower:
        """Return what hands out the records behind ``since`` and all that come later, also those of other processes.

        It looks every ``pause`` seconds, and reads only what is new; raises InvalidRecord for what is no number.
        """
        keys.encode(stream)
        _count("since", since)
        if not isinstance(pause, int | float) or not pause >= 0:
            raise InvalidRecord("pause", "is no number of seconds")
        return Follower(self.looking, stream, since, pause)

    def verify(self, stream: str) -> int:
        """Go through the whole log, beside all writers, and return how many records it holds; raises as ``read``."""
        return sum(1 for _entry in self.entries(stream))

    def streams(self) -> list[str]:
        """Return all streams, sorted by code point; damaged ones are among them."""
        return self._listing.identifiers(self._root.names("streams", "streams"))

    def salvage(self, stream: str) -> SalvageReport:
        """Make a damaged log readable again: what can be vouched for stays, the whole damaged file is kept as evidence.

        Every record keeps its number; those that are lost are given up, and the report tells which. A sound log is left
        alone. Raises LockTimeout, StorageFailure, and CorruptData for what is no regular file.
        """
        return salvage(self._root, stream, keys.encode(stream) + SUFFIX)

    def delete(self, stream: str) -> bool:
        """Remove a log for good, durably, and say whether there was one; raises as ``salvage`` does."""
        return remove(self._root, "delete", stream)

    def prune(self, before: date | str) -> list[str]:
        """Remove the logs that are named after a day or a month that ended before the day ``before``; return them.

        Such names are ``YYYY-MM-DD``, ``YYYY-MM`` and, for times in UTC, ``YYYY-MMZ``. All other logs stay, and so does
        evidence. Raises InvalidRecord for what is no day, and as ``salvage`` does.
        """
        streams = ended(self.streams(), before)
        return [stream for stream in streams if remove(self._root, "prune", stream)]

    def evidence(self) -> list[Evidence]:
        """Return what was kept of damaged logs and interrupted appends, by name."""
        with self._root.reading("evidence", "evidence") as directory:
            return evidence_in(directory)

    def purge_evidence(self, before: datetime | None = None) -> list[str]:
        """Remove evidence that is there since before ``before``, durably, all of it if that is None; return the names.

        Raises InvalidRecord for a time without a zone, LockTimeout and StorageFailure.
        """
        return purge(self._root, before)

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._root.close()

    @contextmanager
    def looking(self, operation: str, stream: str) -> Iterator[Look | None]:
        """Give the open log to a reader, None if there is none. Readers take no lock: what they need was synced."""
        file = keys.encode(stream) + SUFFIX
        with self._root.reading(operation, stream) as directory:
            opened = opened_log(directory, stream, file, os.O_RDONLY)
            if opened is None:
                yield None
                return
            descriptor, about = opened
            try:
                yield Look(directory, file, about.st_ino, LogFile(descriptor, about.st_size))
            finally:
                os.close(descriptor)

    def _entries(self, stream: str, file: str, since: int) -> Generator[Entry, None, None]:
        with self.looking("read", stream) as look:
            if look is not None:
                place = place_behind(look.log, stream, file, since)
                for entry in Walk(look.log, stream, file, place.sequence, place.offset):
                    if entry.number > since:
                        yield entry

    def _group(self, stream: str) -> GroupCommit[Encoded]:
        return self._root.group(partial(self._write, stream), about=lambda _: ("append", stream))

    def _write(self, stream: str, _first: Encoded, take: Take[Encoded]) -> None:
        file = keys.encode(stream) + SUFFIX
        with self._root.updating("append", stream) as directory:
            opened = opened_log(directory, stream, file, os.O_RDWR | os.O_APPEND)
            if opened is None:
                if self._admit is not None:
                    self._admit(stream, streams_in(directory.names()))
                records = _that_fit(take(), stream, 0)
                # Born whole with its first records: an empty log is damage, never a beginning.
                if records:
                    directory.replace(file, integrity.seal_records(records, stream, 1), None)
                return
            descriptor, about = opened
            try:
                tail = self._tail(directory, descriptor, about, stream, file)
                self._append(directory, descriptor, tail, stream, file, _that_fit(take(), stream, tail.length))
            finally:
                os.close(descriptor)

    def _append(
        self, directory: Directory, descriptor: int, tail: _Tail, stream: str, file: str, records: Sequence[Encoded]
    ) -> None:
        lines = b"" if tail.terminated else b"\n"
        lines += integrity.seal_records(records, stream, tail.sequence + 1)
        if not records:
            return
        self._tails.forget(stream)  # known again when the append has succeeded
        try:
            write_all(descriptor, lines)
            sync(descriptor)  # durability point
        except BaseException as error:
            if not self._taken_back(directory, stream, file, tail) and isinstance(error, OSError):
                raise NotPinned(error) from error
            raise
        length = tail.length + len(lines)
        if tail.shared:
            tell(directory, file, tail.inode, length)
        self._tails.put(
            stream, _Tail(tail.inode, length, tail.sequence + len(records), lines[-_SIGN:], shared=tail.shared)
        )

    def _tail(self, directory: Directory, descriptor: int, about: os.stat_result, stream: str, file: str) -> _Tail:
        """Return where the next record goes; what was appended last is sound, and all of it durable then."""
        unwanted = self._unwanted.get(stream)
        if unwanted and (unwanted.inode, unwanted.size) == (about.st_ino, about.st_size):
            _cut(descriptor, unwanted.length)
            about = os.fstat(descriptor)
        self._unwanted.pop(stream, None)
        log = LogFile(descriptor, about.st_size)
        known = self._tails.get(stream)
        if known and not (known.inode == about.st_ino and _ends_so(log, known)):
            known = None  # cut, or another file
        if known and known.length == about.st_size:
            return known
        walk = end_of(log, stream, file, Anchor(known.sequence, known.length) if known else None)
        if walk.torn:
            self._cut_off(directory, descriptor, stream, file, walk.torn, walk.length)
        # Others wrote this, and may have died before their syncs, or seen them fail: nothing is acknowledged behind a
        # hole, or in a file whose name can still be lost.
        if known is None or walk.torn or not is_told(directory, file, about):
            sync(descriptor)
            directory.sync()
        return _Tail(about.st_ino, walk.length, walk.sequence, b"", walk.terminated, shared=known is not None)

    def _cut_off(self, directory: Directory, descriptor: int, stream: str, file: str, torn: bytes, length: int) -> None:
        """Remove what an interrupted append left, after keeping it; a crash here lets the next append do it again."""
        if torn.strip(b"\x00"):
            evidence = directory.keep_bytes(file, torn, stat.S_IMODE(os.fstat(descriptor).st_mode))
            _log.warning(
                "%s: %d bytes of an append that was never acknowledged are cut off %r; kept as %r",
                shown(stream), len(torn), file, evidence,
            )  # fmt: skip
        _cut(descriptor, length)

    def _taken_back(self, directory: Directory, stream: str, file: str, tail: _Tail) -> bool:
        """Cut off an append that failed, and say whether it is gone for good; asks a new descriptor to sync."""
        with suppress(OSError, CorruptData):
            opened = opened_log(directory, stream, file, os.O_RDWR)
            if opened is not None:
                try:
                    self._unwanted[stream] = _Unwanted(tail.inode, tail.length, opened[1].st_size)
                    _cut(opened[0], tail.length)
                    del self._unwanted[stream]
                finally:
                    os.close(opened[0])
            return True
        return False


def _that_fit(tickets: Sequence[Ticket[Encoded]], stream: str, length: int) -> list[Encoded]:
    """The records for which a log of ``length`` bytes has room; the tickets of the others say that it has none."""
    fitting: list[Encoded] = []
    for ticket in tickets:
        size = length + len(ticket.change.canonical.encode()) + _SEAL
        if size > LARGEST:
            ticket.error = JournalFull(stream, size, LARGEST)
        else:
            length = size
            fitting.append(ticket.change)
    return fitting


def _ends_so(log: LogFile, known: _Tail) -> bool:
    """Whether what this instance knows of the log is still there."""
    return not known.sign or log.at(known.length - len(known.sign), len(known.sign)) == known.sign


def _count(name: str, count: object) -> None:
    if type(count) is not int or count < 0:
        raise InvalidRecord(name, "is not an int from 0 on")


def _cut(descriptor: int, length: int) -> None:
    os.ftruncate(descriptor, length)
    sync(descriptor)  # before new bytes go there: a later record must not grow together with the old ones
