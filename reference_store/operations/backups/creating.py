"""Makes a generation of a directory of stores: all of it as it was at one moment, without keeping its users waiting.

First everything is read without a lock. Then all locks are held for as long as it takes to look at every file once
more and to read again those that have changed; what is kept is what was there in that moment. The generation is
published when its contents are durable and were read back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from reference_store.core.atomic import Directory
from reference_store.core.directory import NotARegularFile
from reference_store.core.restoring import refuse_unfinished
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord, StorageFailure, StoreError
from reference_store.operations.backups import generations
from reference_store.operations.backups.generations import Entry, Generation, checked_time
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.retention import Retention, prune
from reference_store.operations.backups.tree import Place, digest_of, pieces_of, under_all_locks, walk
from reference_store.operations.backups.vault import ContentChanged, Progress, Vault
from reference_store.operations.inspection import State, inspect, opened

_SMALL = 4 << 20
"""Bytes of a file that is read once, into memory."""
_RECENT = 2_000_000_000
"""Nanoseconds: a file that was changed so short a time ago can change again and show no other time."""
_ATTEMPTS = 4
"""So often is a file read that some program changes which takes no lock."""


@dataclass(frozen=True, slots=True)
class Created:
    """A new ``generation``: how many contents, and bytes of them, were ``new`` to the vault, and which were removed."""

    generation: Generation
    new_contents: int
    new_bytes: int
    forgotten: tuple[str, ...] = ()


def create(
    root: str,
    vault: Vault,
    *,
    retention: Retention | None = None,
    now: datetime | None = None,
    note: str = "",
    before_restore: bool = False,
    lock_timeout: float = LOCK_TIMEOUT,
    progress: Progress = lambda _done, _of: None,
) -> Created:
    """Make a generation of all files below ``root``, and remove those that ``retention`` does not keep.

    ``before_restore`` is as Generation says. Damaged files are kept as they are, and told. Raises StorageFailure,
    LockTimeout, RestoreUnfinished, and InvalidRecord when the vault and the directory lie in each other; then there is
    no new generation.
    """
    moment = checked_time(datetime.now(UTC) if now is None else now, "now")
    directory = opened(root)
    _refuse_within(root, vault)
    refuse_unfinished(directory)
    try:
        with vault.held():
            made = _create(
                directory,
                vault,
                Generation("", moment, root, note, {}, {}, before_restore=before_restore),
                lock_timeout,
                progress,
            )
            forgotten = prune(vault, retention, moment) if retention is not None else ()
            return replace(made, forgotten=tuple(forgotten))
    except OSError as error:
        let_out(error)
        if isinstance(error, StoreError):
            raise
        raise StorageFailure("backup", root, error) from error


def _create(directory: Directory, vault: Vault, wanted: Generation, lock_timeout: float, progress: Progress) -> Created:
    keeper = _Keeper(vault, progress, sum(len(place.files) for place in walk(directory)))
    for place in walk(directory):
        keeper.look_at(place)
    files: dict[str, Entry] = {}
    directories: dict[str, int] = {}
    skipped: list[str] = []

    def note() -> None:
        refuse_unfinished(directory)
        for place in walk(directory):
            directories[place.path] = place.mode
            files.update(keeper.as_now(place))
            skipped.extend(place.path_of(name) for name in place.others)

    under_all_locks(directory, lock_timeout, note)
    vault.settle()
    damaged = tuple(found.file for found in inspect(wanted.source) if found.state in (State.DAMAGED, State.UNREADABLE))
    generation = replace(wanted, directories=directories, files=files, damaged=damaged, skipped=tuple(skipped))
    ids = vault.ids()
    while True:
        generation = replace(generation, id=generations.next_id(ids, wanted.made))
        if vault.publish(generation.id, generations.encoded(generation)):
            break
        ids.append(generation.id)
    return Created(generation, keeper.new_contents, keeper.new_bytes)


class _Keeper:
    """Puts files into the vault, and remembers which of them it has seen in which state."""

    def __init__(self, vault: Vault, progress: Progress, expected: int) -> None:
        self._vault, self._progress, self._expected = vault, progress, expected
        self._there = dict(vault.contents())
        self._sound: set[str] = set()
        self._seen: dict[str, tuple[tuple[int, ...], Entry]] = {}
        self.new_contents = self.new_bytes = self._done = 0

    def look_at(self, place: Place) -> None:
        """Keep the files of a directory, without a lock; what changes meanwhile is left for later."""
        for name, about in place.files.items():
            started = time.time_ns()
            path = place.path_of(name)
            try:
                entry = self._kept(place.directory, name)
            except ContentChanged:
                entry = None
            if entry is not None and _changed(about) < started - _RECENT:
                self._seen[path] = _marks(about), entry
            self._done += 1
            self._progress(min(self._done, self._expected), self._expected)

    def as_now(self, place: Place) -> Iterator[tuple[str, Entry]]:
        """The files of a directory of which the locks are held."""
        for name, about in place.files.items():
            path = place.path_of(name)
            seen = self._seen.get(path)
            entry = seen[1] if seen is not None and seen[0] == _marks(about) else self._again(place.directory, name)
            if entry is not None:
                yield path, entry

    def _again(self, directory: Directory, name: str) -> Entry | None:
        for _ in range(_ATTEMPTS):
            try:
                return self._kept(directory, name)
            except ContentChanged:
                continue
        raise OSError(errno.EBUSY, f"{name!r} is being changed by a program that takes no lock")

    def _kept(self, directory: Directory, name: str) -> Entry | None:
        """Keep one file as it is, None if there is none any more; raises ContentChanged if it changes meanwhile."""
        try:
            there = directory.open_regular(name, os.O_RDONLY)
        except NotARegularFile:
            return None
        if there is None:
            return None
        descriptor, about = there
        try:
            size, data = about.st_size, None
            if size <= _SMALL:
                data = b"".join(pieces_of(descriptor, size))
                digest = hashlib.sha256(data).hexdigest()
            else:
                digest = digest_of(descriptor, size)
            if data is not None and len(data) != size:
                raise ContentChanged  # it was cut
            if not self._is_kept(digest, size):
                self._vault.put(digest, size, partial(pieces_of, descriptor, size) if data is None else lambda: (data,))
                self._sound.add(digest)
                self.new_contents += 1
                self.new_bytes += size
            return Entry(size, digest, about.st_mode & 0o777, about.st_mtime_ns)
        finally:
            os.close(descriptor)

    def _is_kept(self, digest: str, size: int) -> bool:
        """Whether the vault has it, sound; one that is damaged there is put anew."""
        if digest in self._sound:
            return True
        if self._there.get(digest) != size or not self._vault.is_sound(digest, size):
            return False
        self._sound.add(digest)
        return True


def _changed(about: os.stat_result) -> int:
    return max(about.st_mtime_ns, about.st_ctime_ns)


def _marks(about: os.stat_result) -> tuple[int, ...]:
    """What cannot stay the same when a file is changed or replaced, unless that comes at the very same moment."""
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_mode


def _refuse_within(root: str, vault: Vault) -> None:
    if isinstance(vault, LocalVault):
        here, there = os.path.realpath(root), os.path.realpath(vault.path)
        if os.path.commonpath([here, there]) in (here, there):
            raise InvalidRecord("vault", "and the directory lie in each other")
