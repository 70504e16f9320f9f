"""A store of logs: records are appended and never rewritten, one readable JSONL file for each stream."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from reference_store.core import integrity, keys
from reference_store.core.atomic import Directory, Found, NotARegularFile
from reference_store.core.descriptors import TooLarge, read_from, sync, write_all
from reference_store.core.group_commit import ByKey, GroupCommit, Take, Ticket
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place, Root
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, StoreError, shown
from reference_store.stores.documents import CLAIMS
from reference_store.stores.journal_lines import scan

SUFFIX = ".jsonl"
LARGEST = 4 << 30
"""Bytes of a journal file that are read; start a new stream (a day, a month) long before."""

_REMEMBERED = 1024
_log = logging.getLogger("reference_store")


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where a journal ends, as this instance left it: bytes, records, and whether the last line has its newline."""

    inode: int
    length: int
    sequence: int
    terminated: bool = True


@dataclass(frozen=True, slots=True)
class _Unwanted:
    """An append that failed and could not be taken back: the file is cut to ``length`` if it still has ``size``."""

    inode: int
    length: int
    size: int


class JournalStore(Reopened):
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
        self._lock_timeout = lock_timeout
        self._tails: dict[str, _Tail] = {}
        self._unwanted: dict[str, _Unwanted] = {}

    def append(self, stream: str, record: dict[str, Any]) -> None:
        """Add ``record`` at the end of ``stream``; on return it, and all before it, outlive a power loss.

        Raises UnserialisableValue for what JSON would not give back equal, LockTimeout, and CorruptData when the
        journal is damaged: nothing is added to a log that cannot be vouched for.
        """
        checked = self.checked(stream, record)
        self._commits[stream].commit(checked)

    def checked(self, stream: str, record: object) -> Encoded:
        """Return ``record`` as it will be appended, independent of what is done to it later; raises as ``append``."""
        keys.encode(stream)
        return integrity.encode_record(record)

    def append_all(self, stream: str, records: Sequence[Encoded]) -> list[Ticket[Encoded]]:
        """Append what ``checked`` returned in one write; each ticket says what became of its record."""
        return self._commits[stream].commit_all(records)

    def read(self, stream: str) -> list[Document]:
        """Return all records of ``stream`` in the order of their appends, ``[]`` if there are none.

        Raises CorruptData for any damage but the remains of an append that was never acknowledged.
        """
        file = keys.encode(stream) + SUFFIX
        with self._root.reading("read", stream) as directory:
            found = _regular(directory, stream, file)
            return [] if found is None else scan(found.data, stream, file).records

    def streams(self) -> list[str]:
        """Return all streams, sorted by code point; damaged ones are among them."""
        with self._root.reading("streams", "streams") as directory:
            return _streams(directory)

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._root.close()

    def _group(self, stream: str) -> GroupCommit[Encoded]:
        return GroupCommit(partial(self._write, stream), self._lock_timeout, self._root.path)

    def _write(self, stream: str, _first: Encoded, take: Take[Encoded]) -> None:
        file = keys.encode(stream) + SUFFIX
        with self._root.updating("append", stream) as directory:
            opened = _opened(directory, stream, file, os.O_RDWR | os.O_APPEND)
            if opened is None:
                if self._admit is not None:
                    self._admit(stream, _streams(directory))
                # Born whole with its first records: an empty journal is damage, never a beginning.
                directory.replace(file, integrity.seal_records(_taken(take), stream, 1), None)
                return
            descriptor, about = opened
            try:
                tail = self._tail(directory, descriptor, about, stream, file)
                self._append(directory, descriptor, tail, stream, file, _taken(take))
            finally:
                os.close(descriptor)

    def _append(
        self, directory: Directory, descriptor: int, tail: _Tail, stream: str, file: str, records: Sequence[Encoded]
    ) -> None:
        lines = integrity.seal_records(records, stream, tail.sequence + 1)
        if not tail.terminated:
            lines = b"\n" + lines
        self._tails.pop(stream, None)  # known again when the append has succeeded
        try:
            write_all(descriptor, lines)
            sync(descriptor)  # durability point
        except BaseException:
            self._take_back(directory, stream, file, tail)
            raise
        if len(self._tails) >= _REMEMBERED:
            self._tails.clear()
        self._tails[stream] = _Tail(tail.inode, tail.length + len(lines), tail.sequence + len(records))

    def _tail(self, directory: Directory, descriptor: int, about: os.stat_result, stream: str, file: str) -> _Tail:
        """Return where the next record goes; whatever is before it is sound and durable then."""
        unwanted = self._unwanted.pop(stream, None)
        if unwanted and (unwanted.inode, unwanted.size) == (about.st_ino, about.st_size):
            _cut(descriptor, unwanted.length)
            about = os.fstat(descriptor)
        known = self._tails.get(stream)
        if known and (known.inode, known.length) == (about.st_ino, about.st_size):
            return known
        if known is None or known.inode != about.st_ino or known.length > about.st_size:
            known = _Tail(about.st_ino, 0, 0)
        os.lseek(descriptor, known.length, os.SEEK_SET)
        data = read_from(descriptor, about.st_size - known.length, LARGEST)
        found = scan(data, stream, file, known.sequence, known.length)
        length = known.length + found.length
        if found.torn:
            self._cut_off(directory, descriptor, stream, file, found.torn, length)
        # Others wrote this, and may have died before their syncs, or seen them fail: nothing is acknowledged behind a
        # hole, or in a file whose name can still be lost.
        sync(descriptor)
        directory.sync()
        return _Tail(about.st_ino, length, found.sequence, found.terminated)

    def _cut_off(self, directory: Directory, descriptor: int, stream: str, file: str, torn: bytes, length: int) -> None:
        """Remove what an interrupted append left, after keeping it; a crash here lets the next append do it again."""
        if torn.strip(b"\x00"):
            evidence = directory.keep_bytes(file, torn, stat.S_IMODE(os.fstat(descriptor).st_mode))
            _log.warning(
                "%s: %d bytes of an append that was never acknowledged are cut off %r; kept as %r",
                shown(stream), len(torn), file, evidence,
            )  # fmt: skip
        _cut(descriptor, length)

    def _take_back(self, directory: Directory, stream: str, file: str, tail: _Tail) -> None:
        """Cut off an append that failed. After a failed sync only a new descriptor is asked to sync again."""
        with suppress(OSError, CorruptData):
            opened = _opened(directory, stream, file, os.O_RDWR)
            if opened is None:
                return
            descriptor, about = opened
            try:
                self._unwanted[stream] = _Unwanted(tail.inode, tail.length, about.st_size)
                _cut(descriptor, tail.length)
                del self._unwanted[stream]
            finally:
                os.close(descriptor)


def _streams(directory: Directory) -> list[str]:
    names = [name.removesuffix(SUFFIX) for name in directory.names() if name.endswith(SUFFIX)]
    return sorted(stream for name in names if (stream := keys.decode(name)) is not None)


def _taken(take: Take[Encoded]) -> list[Encoded]:
    return [ticket.change for ticket in take()]


def _cut(descriptor: int, length: int) -> None:
    os.ftruncate(descriptor, length)
    sync(descriptor)  # before new bytes go there: a later record must not grow together with the old ones


def _opened(directory: Directory, stream: str, file: str, flags: int) -> tuple[int, os.stat_result] | None:
    try:
        return directory.open_regular(file, flags)
    except NotARegularFile:
        raise CorruptData(stream, file, "it is not a regular file") from None


def _regular(directory: Directory, stream: str, file: str) -> Found | None:
    try:
        return directory.read(file, LARGEST)
    except NotARegularFile:
        raise CorruptData(stream, file, "it is not a regular file") from None
    except TooLarge:
        raise CorruptData(stream, file, f"it is larger than {LARGEST} bytes") from None
