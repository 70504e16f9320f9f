"""Makes a generation of a directory of stores: all of it as it was at one moment, without keeping its users waiting.

First everything is read without a lock. Then all locks are held for as long as it takes to look at every file once
more and to read again those that have changed; what is kept is what was there in that moment. Large logs are only
opened then, and read when their writers go on (``growing``). The generation is published when its contents are durable
and were read back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from reference_store.core.atomic import Directory
from reference_store.core.directory import NotARegularFile
from reference_store.core.restoring import refuse_unfinished
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord, StorageFailure, StoreError
from reference_store.operations.backups import generations, growing
from reference_store.operations.backups.generations import Entry, Generation, checked_time
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.retention import Retention, prune
from reference_store.operations.backups.tree import Place, digest_of, pieces_of, under_all_locks, walk
from reference_store.operations.backups.vault import ContentChanged, Progress, Vault
from reference_store.operations.inspection import RECENT, Known, State, changed, inspect, marks, opened

_SMALL = 4 << 20
"""Bytes of a file that is read once, into memory."""
_GROWING = 600_000_000_000
"""Nanoseconds: a large log that was changed so short a time ago is taken to change again, and not read beforehand."""
_OPEN_LOGS = 64
"""So many large logs are open at once; more of them are read while the locks are held."""
_ATTEMPTS = 4
"""So often is a file read that some program changes which takes no lock."""
_DAMAGED = (State.DAMAGED, State.UNREADABLE)


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
    lock_timeout: float = LOCK_TIMEOUT,
    progress: Progress = lambda _done, _of: None,
) -> Created:
    """Make a generation of all files below ``root``, and remove those that ``retention`` does not keep.

    Damaged files are kept as they are, and told. Raises StorageFailure, LockTimeout, RestoreUnfinished, and
    InvalidRecord when the vault and the directory lie in each other; then there is no new generation.
    """
    directory = opened(root)
    wanted = generation_to_be(root, vault, now, note)
    refuse_unfinished(directory)
    try:
        with vault.held():
            with Keeper(directory, vault, progress) as keeper:
                under_all_locks(directory, lock_timeout, keeper.note)
                try:
                    keeper.read_logs()
                except ContentChanged:
                    under_all_locks(directory, lock_timeout, keeper.note_all)
                made = keeper.published(wanted)
            forgotten = prune(vault, retention, wanted.made) if retention is not None else ()
            return replace(made, forgotten=tuple(forgotten))
    except OSError as error:
        let_out(error)
        if isinstance(error, StoreError):
            raise
        raise StorageFailure("backup", root, error) from error


def generation_to_be(
    root: str, vault: Vault, now: datetime | None, note: str, *, before_restore: bool = False
) -> Generation:
    """Return a generation of ``root`` without files; raises InvalidRecord when it and the vault lie in each other."""
    moment = checked_time(datetime.now(UTC) if now is None else now, "now")
    _refuse_within(root, vault)
    return Generation("", moment, root, note, {}, {}, before_restore=before_restore)


class Keeper:
    """Puts the files of a directory into the vault: first as they are without a lock, then as they are at one moment.

    ``later`` says that large logs will be read when the locks are free again, and need not be read beforehand; without
    it those that somebody writes to at the moment are read under the locks alone.
    The vault is held meanwhile, and all locks of the directory during ``note``; ``published`` is what was there then.
    Between them come ``read_logs``, with or without the locks; if a log was changed, all is noted again.
    """

    def __init__(
        self,
        directory: Directory,
        vault: Vault,
        progress: Progress = lambda _done, _of: None,
        *,
        later: bool = True,
    ) -> None:
        self._directory, self._vault, self._progress, self._later = directory, vault, progress, later
        self._there = dict(vault.contents())
        self._sound: set[str] = set()
        self._seen: dict[str, tuple[tuple[int, ...], Entry]] = {}
        self._logs: dict[str, growing.Noted] = {}
        self._logs_known: Known = {}
        self._left_for_later = 0
        self._files: dict[str, Entry] = {}
        self._directories: dict[str, int] = {}
        self._skipped: list[str] = []
        self._new_contents = self._new_bytes = self._done = 0
        self._expected = sum(len(place.files) for place in walk(directory))
        for place in walk(directory):
            self._look_at(place)

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    def _let_go(self) -> None:
        while self._logs:
            os.close(self._logs.popitem()[1].descriptor)

    def look_at_logs(self) -> None:
        """Find out which logs are damaged before anybody waits for that: ``published`` looks at those that changed."""
        for _found in inspect(self._directory.path, self._logs_known):
            pass

    @property
    def kept(self) -> Mapping[str, Entry]:
        """What was noted: as long as the locks are held, it is what is there."""
        return self._files

    def note(self) -> None:
        """Keep what is there now, and open what can be kept later; raises RestoreUnfinished."""
        self._note(_OPEN_LOGS)

    def note_all(self) -> None:
        """Keep what is there now, and leave nothing for later."""
        self._note(0)

    def _note(self, open_logs: int) -> None:
        refuse_unfinished(self._directory)
        self._let_go()
        for noted in (self._files, self._directories, self._skipped):
            noted.clear()
        for place in walk(self._directory):
            self._directories[place.path] = place.mode
            self._as_now(place, open_logs)
            self._skipped.extend(place.path_of(name) for name in place.others)

    def read_logs(self) -> None:
        """Keep the logs that were left for later, each as it was then; raises ContentChanged if one was cut since."""
        for path, log in [*self._logs.items()]:
            entry = self._kept_as(log.descriptor, log.about)
            if not log.is_as_it_was():
                raise ContentChanged
            self._files[path] = entry
            os.close(self._logs.pop(path).descriptor)

    def published(self, wanted: Generation) -> Created:
        """Make the generation, like ``wanted``, of what was noted; the locks may be free again."""
        self._vault.settle()
        damaged = tuple(found.file for found in inspect(wanted.source, self._logs_known) if found.state in _DAMAGED)
        generation = replace(
            wanted, directories=self._directories, files=self._files, damaged=damaged, skipped=tuple(self._skipped)
        )
        ids = self._vault.ids()
        while True:
            generation = replace(generation, id=generations.next_id(ids, wanted.made))
            if self._vault.publish(generation.id, generations.encoded(generation)):
                return Created(generation, self._new_contents, self._new_bytes)
            ids.append(generation.id)

    def _look_at(self, place: Place) -> None:
        """Keep the files of a directory, without a lock; what changes meanwhile is left for later."""
        for name, about in place.files.items():
            started = time.time_ns()
            if not self._is_for_later(place.directory, name, about, started):
                try:
                    entry = self._kept(place.directory, name)
                except ContentChanged:
                    entry = None
                if entry is not None and changed(about) < started - RECENT:
                    self._seen[place.path_of(name)] = marks(about), entry
            self._done += 1
            self._progress(min(self._done, self._expected), self._expected)

    def _is_for_later(self, directory: Directory, name: str, about: os.stat_result, now: int) -> bool:
        """Whether a file will have changed again, and can be read when its writers go on, or is best read once then."""
        if not growing.is_large_log(name, about) or changed(about) < now - (_GROWING if self._later else RECENT):
            return False
        if not self._later:
            return True  # a copy of what somebody writes to now would be an old one, and take its room in the vault
        if self._left_for_later >= _OPEN_LOGS or not growing.ends_whole(directory, name):
            return False
        self._left_for_later += 1
        return True

    def _as_now(self, place: Place, open_logs: int) -> None:
        """Keep the files of a directory of which the locks are held."""
        for name, about in place.files.items():
            path = place.path_of(name)
            seen = self._seen.get(path)
            if seen is not None and seen[0] == marks(about):
                self._files[path] = seen[1]
            elif len(self._logs) < open_logs and (log := growing.opened(place.directory, name)) is not None:
                self._logs[path] = log
            elif (entry := self._again(place.directory, name)) is not None:
                self._files[path] = entry

    def _again(self, directory: Directory, name: str) -> Entry | None:
        for _ in range(_ATTEMPTS):
            try:
                return self._kept(directory, name)
            except ContentChanged:
                continue
        raise _changed_by_others(name)

    def _kept(self, directory: Directory, name: str) -> Entry | None:
        """Keep one file as it is, None if there is none any more; raises ContentChanged if it changes meanwhile."""
        try:
            there = directory.open_regular(name, os.O_RDONLY)
        except NotARegularFile:
            return None
        if there is None:
            return None
        try:
            return self._kept_as(*there)
        finally:
            os.close(there[0])

    def _kept_as(self, descriptor: int, about: os.stat_result) -> Entry:
        size, data = about.st_size, None
        if size <= _SMALL:
            data = b"".join(pieces_of(descriptor, size))
            digest = hashlib.sha256(data).hexdigest()
        else:
            digest = digest_of(descriptor, size)
        if (os.fstat(descriptor).st_size if data is None else len(data)) < size:
            raise ContentChanged  # it was cut
        if not self._is_kept(digest, size):
            self._vault.put(digest, size, partial(pieces_of, descriptor, size) if data is None else lambda: (data,))
            self._sound.add(digest)
            self._new_contents += 1
            self._new_bytes += size
        return Entry(size, digest, about.st_mode & 0o777, about.st_mtime_ns)

    def _is_kept(self, digest: str, size: int) -> bool:
        """Whether the vault has it, sound; one that is damaged there is put anew."""
        if digest in self._sound:
            return True
        if self._there.get(digest) != size or not self._vault.is_sound(digest, size):
            return False
        self._sound.add(digest)
        return True


def _changed_by_others(name: str) -> OSError:
    return OSError(errno.EBUSY, f"{name!r} is being changed by a program that takes no lock")


def _refuse_within(root: str, vault: Vault) -> None:
    if isinstance(vault, LocalVault):
        here, there = os.path.realpath(root), os.path.realpath(vault.path)
        if os.path.commonpath([here, there]) in (here, there):
            raise InvalidRecord("vault", "and the directory lie in each other")
