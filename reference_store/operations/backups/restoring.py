"""Puts the files of a generation in place of those of a directory; a restore that is killed is told, and run again.

In place, under all locks, file by file: a directory that is a mount, or that a program has open, stays the one that it
is. What is there is made a generation first, under the same locks. Each directory is marked (``core.restoring``) before
the first file is replaced and until all are, so that no store opens on a mixture.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from reference_store.core.atomic import DAMAGED, Directory
from reference_store.core.descriptors import hand_over
from reference_store.core.directory import NotARegularFile
from reference_store.core.restoring import RESTORING, mark, refuse_unfinished, unmark
from reference_store.core.root import LOCK_TIMEOUT, as_failure
from reference_store.core.signals import let_out
from reference_store.errors import DamagedBackup, InvalidRecord, RestoreUnfinished, StorageFailure, StoreError
from reference_store.operations.backups.creating import Keeper, generation_to_be
from reference_store.operations.backups.generations import Entry, Generation
from reference_store.operations.backups.tree import (
    LocksHaveChanged,
    Place,
    digest_of,
    under_all_locks,
    walk,
    with_locks,
)
from reference_store.operations.backups.vault import Progress, Vault, chosen
from reference_store.operations.inspection import opened

_AT_ONCE, _BYTES = 128, 64 << 20
"""So many files, of so many bytes together, are written before they are waited for."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A ``generation`` that was restored: how many files were ``written``, which were ``removed``.

    ``before`` is the generation that was made of what was there, None if nothing was.
    """

    generation: Generation
    written: int
    removed: tuple[str, ...]
    before: str | None


def restore(
    vault: Vault,
    root: str,
    *,
    generation: str | None = None,
    at: datetime | None = None,
    over: bool = False,
    now: datetime | None = None,
    lock_timeout: float = LOCK_TIMEOUT,
    progress: Progress = lambda _done, _of: None,
) -> Restored:
    """Make ``root`` what it was: at ``generation``, at the last one not later than ``at``, or at the last one.

    Where a restore was not finished, that one is gone on with unless another is asked for. ``root`` is made if need be.
    Where files are, ``over`` has to say that they may go: they become a generation first. Only a directory in which
    stores are is restored over; evidence of damage stays. Raises DamagedBackup before anything is touched,
    NoSuchGeneration, CorruptData, LockTimeout, and StorageFailure: run it again then.
    """
    if generation is None and at is None:
        generation = _begun(root)
    try:
        with vault.held():
            wanted = chosen(vault, generation, at)
            check(vault, wanted)
            directory = _directory(root, wanted)
            with _Replacing(vault, root, directory, wanted, over, now, progress) as replacing:
                replacing.look_ahead()
                return under_all_locks(directory, lock_timeout, replacing.done, unfinished=True)
    except OSError as error:
        let_out(error)
        if isinstance(error, StoreError):
            raise
        raise StorageFailure("restore", root, error) from error


class _Replacing:
    """Replaces what is in a directory; what is there becomes a generation first."""

    def __init__(
        self,
        vault: Vault,
        root: str,
        directory: Directory,
        wanted: Generation,
        over: bool,
        now: datetime | None,
        progress: Progress,
    ) -> None:
        self._vault, self._root, self._directory, self._wanted = vault, root, directory, wanted
        self._over, self._now, self._progress = over, now, progress
        self._keeper: tuple[Keeper, Generation] | None = None

    def __enter__(self) -> _Replacing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper[0].__exit__()

    def look_ahead(self) -> None:
        """Look at what is there, and at whether its logs are damaged, before anybody waits for that."""
        if self._prepared() and self._keeper is not None:
            self._keeper[0].look_at_logs()

    def _prepared(self) -> bool:
        """Say whether what is there is to be kept, and look at it if so; raises InvalidRecord where it has to stay."""
        unfinished = self._directory.has(RESTORING)
        if not unfinished and not any(place.files for place in walk(self._directory)):
            return False
        if not self._over:
            raise InvalidRecord("over", "is not said, and there are files in the directory that would be replaced")
        if unfinished:
            return False
        if not any(place.has_lock for place in walk(self._directory)):
            raise InvalidRecord("directory", "has files, and was never one of a store: restore into another")
        if self._keeper is None:
            note = f"before the restore of {self._wanted.id}"
            previous = generation_to_be(self._root, self._vault, self._now, note, before_restore=True)
            self._keeper = Keeper(self._directory, self._vault, later=False), previous
        return True

    def done(self) -> Restored:
        """Do it. All locks are held: what others have written until now is what there is to be kept."""
        held, before, there = with_locks(self._directory), None, dict[str, Entry]()
        if self._prepared() and self._keeper is not None:
            keeper, previous = self._keeper
            keeper.note_all()
            before, there = keeper.published(previous).generation.id, dict(keeper.kept)
        written, removed = _replace(self._vault, self._wanted, self._directory, held, there, self._progress)
        return Restored(self._wanted, written, tuple(removed), before)


def check(vault: Vault, generation: Generation) -> None:
    """Raise DamagedBackup unless every content of a generation is there; they are read when they are restored."""
    there = vault.contents()
    gone = [path for path, entry in generation.files.items() if there.get(entry.digest) != entry.size]
    if not gone:
        sizes = {entry.digest: entry.size for entry in generation.files.values()}
        broken = {digest for digest, size in sizes.items() if not is_whole(vault, digest, size)}
        gone = [path for path, entry in generation.files.items() if entry.digest in broken]
        vault.doubt(broken)
    if gone:
        raise DamagedBackup(generation.id, vault.name, tuple(gone))


def is_whole(vault: Vault, digest: str, size: int) -> bool:
    """Whether a content, read to its end, is what it is called after."""
    found, length = hashlib.sha256(), 0
    try:
        for piece in vault.pieces(digest, size):
            found.update(piece)
            length += len(piece)
    except OSError as error:
        let_out(error)
        return False
    return length == size and found.hexdigest() == digest


def _begun(root: str) -> str | None:
    """The generation of which a restore into ``root`` was begun and not finished, None if there is none."""
    try:
        refuse_unfinished(opened(root))
    except RestoreUnfinished as unfinished:
        return unfinished.generation
    except StorageFailure:
        pass  # there is no such directory yet
    return None


def _directory(root: str, generation: Generation) -> Directory:
    try:
        directory = Directory.open(root)
    except OSError as error:
        raise as_failure("restore", root, error) from error
    for place in walk(directory):
        for name in (*place.files, *place.others):
            if place.path_of(name) in generation.directories:
                raise InvalidRecord(place.path_of(name), "is no directory, and has to be one: move it away first")
        if place.path in generation.files:
            raise InvalidRecord(place.path, "is a directory, and has to be a file: move it away first")
    return opened(root)


def _replace(
    vault: Vault,
    generation: Generation,
    directory: Directory,
    held: list[str],
    there: Mapping[str, Entry],
    progress: Progress,
) -> tuple[int, list[str]]:
    """Replace the files, with these locks ``held``; raises LocksHaveChanged, before any is, if there are others.

    ``there`` is what has been read of files since the locks are held.
    """
    unfinished = directory.has(RESTORING)
    places = {place.path: place for place in walk(directory)}
    made = {path: _made(directory, path) for path in sorted(generation.directories, key=lambda path: path.count("/"))}
    directories = {**{path: place.directory for path, place in places.items()}, **made}
    for each in directories.values():
        mark(each, generation.id, vault.name)
    if with_locks(directory) != held:  # from here on no store opens where a mark is
        for each in directories.values() if not unfinished else ():
            unmark(each)  # that one is still there after a crash is no harm: the restore is run again
        raise LocksHaveChanged
    writing = _Writing(vault, directories, there)
    try:
        for done, (path, entry) in enumerate(generation.files.items(), 1):
            writing.write(path, entry)
            progress(done, len(generation.files))
        writing.settle()
    finally:
        writing.let_go()
    removed = list(_remove(places, generation))
    for each in directories.values():
        each.sync()  # all files are what they were, before any mark goes
    for path in sorted(directories, reverse=True):  # the mark of the root itself goes last
        unmark(directories[path])
        directories[path].sync()
    return writing.written, removed


def _made(directory: Directory, path: str) -> Directory:
    for name in path.split("/") if path else ():
        directory = directory.child(name, create=True)
    return directory


def _remove(places: dict[str, Place], generation: Generation) -> Iterator[str]:
    for place in places.values():
        for name in place.files:
            path = place.path_of(name)
            if path not in generation.files and not name.startswith(DAMAGED):
                place.directory.unlink(name)
                yield path


class _Writing:
    """Writes files, and gives them their names when they are durable."""

    def __init__(self, vault: Vault, directories: dict[str, Directory], there: Mapping[str, Entry]) -> None:
        self._vault, self._directories, self._there = vault, directories, there
        self._staged: list[tuple[Directory, str, str, int, int]] = []
        self.written = 0

    def write(self, path: str, entry: Entry) -> None:
        """Write a file unless it is there as it is to be."""
        parent, _, name = path.rpartition("/")
        directory = self._directories[parent]
        if _is_there(directory, name, entry, self._there.get(path)):
            return
        staged, descriptor = directory.written(self._checked(path, entry), entry.mode, directory.access(name))
        self._staged.append((directory, staged, name, descriptor, entry.size))
        os.utime(descriptor, ns=(entry.changed, entry.changed))  # how old the data are is part of them
        self.written += 1
        if len(self._staged) >= _AT_ONCE or sum(each[4] for each in self._staged) >= _BYTES:
            self.settle()

    def settle(self) -> None:
        """Wait for what was written, and put it in place; not yet durable under its names."""
        if len(self._staged) > 1:
            for _, _, _, descriptor, _ in self._staged:
                hand_over(descriptor)
        while self._staged:
            directory, staged, name, descriptor, _ = self._staged.pop()
            directory.settle(staged, descriptor)
            directory.exchange(staged, name, None, None)

    def let_go(self) -> None:
        """Clear away what was written and never put in place."""
        while self._staged:
            directory, staged, _, descriptor, _ = self._staged.pop()
            with suppress(OSError):
                os.close(descriptor)
            directory.discard(staged)

    def _checked(self, path: str, entry: Entry) -> Iterator[bytes]:
        found = hashlib.sha256()
        for piece in self._vault.pieces(entry.digest, entry.size):
            found.update(piece)
            yield piece
        if found.hexdigest() != entry.digest:
            raise OSError(5, f"the content of {path!r} has changed in the backup since it was checked")


def _is_there(directory: Directory, name: str, entry: Entry, read: Entry | None) -> bool:
    """Whether a file is what it is to be; it is not read again where it has been ``read`` under the locks."""
    try:
        found = directory.open_regular(name, os.O_RDONLY)
    except NotARegularFile:
        return False
    if found is None:
        return False
    try:
        size, when = found[1].st_size, found[1].st_mtime_ns
        if size != entry.size or when != entry.changed or found[1].st_nlink != 1:
            return False
        if read is not None and (read.size, read.changed) == (size, when):
            return read.digest == entry.digest
        return digest_of(found[0], entry.size) == entry.digest
    finally:
        os.close(found[0])
