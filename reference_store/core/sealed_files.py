"""Files of any form under a seal, each with the version before beside it: tables, reports, whatever is no document.

What stands in a file, and where its seal is, is the business of a ``Form``. A file that is damaged, or missing while
its backup is there, is answered from the backup, which is logged and noted; damaged bytes stay as evidence.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from reference_store.core.atomic import FILE_MODE, Directory
from reference_store.core.directory import Found
from reference_store.core.document_changes import LARGEST
from reference_store.core.document_files import Recovery
from reference_store.core.document_reading import inode_of, regular
from reference_store.core.root import Place, Root
from reference_store.errors import CorruptData, InvalidRecord, shown

BACKUP = ".bak"
T = TypeVar("T")
_log = logging.getLogger("reference_store")


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How content becomes the bytes of a file, and what the bytes of a file hold.

    ``sealed(key, content)`` raises a StoreError for content that cannot be given back equal; ``unsealed(key, file,
    data)`` raises CorruptData unless the seal in ``data`` vouches for it under this key.
    """

    sealed: Callable[[str, T], bytes]
    unsealed: Callable[[str, str, bytes], T]


@dataclass(frozen=True, slots=True)
class _Raised:
    """What the caller's function raised, which is nothing that the system has said."""

    error: BaseException


class SealedFiles(Generic[T]):
    """The files of one directory. ``file_of`` gives the name of a key's file, or raises InvalidIdentifier."""

    def __init__(
        self,
        root: Place,
        lock_timeout: float,
        form: Form[T],
        file_of: Callable[[str], str],
        key_of: Callable[[str], str | None],
        mode: int = FILE_MODE,
    ) -> None:
        self.root = Root(root, lock_timeout)
        self._form, self._file_of, self._key_of, self._mode = form, file_of, key_of, mode
        self.recoveries: deque[Recovery] = deque(maxlen=100)

    def read(self, operation: str, key: str) -> T | None:
        """Return what is there, None if nothing is; raises CorruptData when neither file nor backup is sound."""
        file = self._file_of(key)
        with self.root.reading(operation, key) as directory:
            return self._present_or_backup(directory, key, file)

    def put(self, operation: str, key: str, content: T) -> None:
        """Replace what is there, durably; raises what ``sealed`` raises."""
        file, data = self._file_of(key), self._data(key, content)

        def replace(directory: Directory) -> None:
            directory.replace(file, data, self._previous(directory, key, file), file + BACKUP, self._mode)

        self.root.alone(operation, key, replace)

    def update(self, operation: str, key: str, function: Callable[[T | None], T], *, damaged: bool = False) -> T:
        """Replace what is there by what ``function`` makes of it, under the lock, and return that.

        With ``damaged`` it sees None where neither file nor backup is sound.
        """
        if not callable(function):
            raise InvalidRecord("function", "cannot be called")
        file, context = self._file_of(key), copy_context()

        def change(directory: Directory) -> T | _Raised:
            try:
                present = self._present_or_backup(directory, key, file)
            except CorruptData:
                if not damaged:
                    raise
                present = None
            try:
                made = context.run(function, present)
            except BaseException as error:
                return _Raised(error)
            data = self._data(key, made)
            directory.replace(file, data, self._previous(directory, key, file), file + BACKUP, self._mode)
            return made

        outcome = self.root.alone(operation, key, change)
        if isinstance(outcome, _Raised):
            raise outcome.error
        return outcome

    def remove(self, operation: str, key: str) -> bool:
        """Remove file and backup, durably; damaged bytes stay as evidence. Says whether there was one."""
        file = self._file_of(key)

        def remove(directory: Directory) -> bool:
            self._previous(directory, key, file)
            # Pinned before the file goes: a backup that outlived it would read as a file that was lost.
            gone = directory.unlink(file + BACKUP)
            if gone:
                directory.pin()
            there = directory.unlink(file)
            directory.pin()  # what is not there may be gone for somebody who could not pin it
            return there or gone

        return self.root.alone(operation, key, remove)

    def reseal(self, operation: str, key: str, adopt: Callable[[bytes], T]) -> None:
        """Vouch for a file that was edited or written by others; ``adopt`` raises CorruptData for what it is not."""
        file = self._file_of(key)

        def vouch(directory: Directory) -> None:
            found = regular(directory, key, file)
            if found is None:
                raise CorruptData(key, file, "there is no such file")
            directory.replace(file, self._data(key, adopt(found.data)), found, None, self._mode)

        self.root.alone(operation, key, vouch)

    def keys(self, operation: str) -> list[str]:
        """Return the keys that have a file or a backup, sorted; files of other make are passed over."""
        found = {self._key_of(name.removesuffix(BACKUP)) for name in self.root.names(operation, "keys")}
        return sorted(key for key in found if key is not None)

    def _data(self, key: str, content: T) -> bytes:
        data = self._form.sealed(key, content)
        if len(data) > LARGEST:
            raise InvalidRecord("the content", f"takes {len(data)} bytes, {LARGEST} is the limit")
        return data

    def _present_or_backup(self, directory: Directory, key: str, file: str) -> T | None:
        try:
            return self._itself(directory, key, file)
        except CorruptData as damage:
            return self._from_backup(directory, key, file, damage)

    def _itself(self, directory: Directory, key: str, file: str) -> T | None:
        while (found := regular(directory, key, file)) is None:
            before = inode_of(directory, key, file + BACKUP)
            if before is None:
                return None
            # The file may have come up since: look again, and believe in a loss only if the backup did not move.
            if (found := regular(directory, key, file)) is not None:
                break
            if inode_of(directory, key, file + BACKUP) == before:
                raise CorruptData(key, file, "it is missing while its backup is there")
        return self._form.unsealed(key, file, found.data)

    def _from_backup(self, directory: Directory, key: str, file: str, damage: CorruptData) -> T:
        try:
            backup = regular(directory, key, file + BACKUP)
            if backup is None:
                raise damage
            content = self._form.unsealed(key, file + BACKUP, backup.data)
        except CorruptData:
            raise damage from None
        self.recoveries.append(Recovery(key, file, damage.reason, 0))
        _log.warning(
            "%s: %r is damaged (%s); answered from the backup: check it and write it again",
            shown(key), file, damage.reason,
        )  # fmt: skip
        return content

    def _previous(self, directory: Directory, key: str, file: str) -> Found | None:
        """Return the file to be kept as the backup if it is sound; a damaged one is kept as evidence instead."""
        data: bytes | None = None
        try:
            found = regular(directory, key, file)
            if found is None:
                return None
            data = found.data
            self._form.unsealed(key, file, data)
        except CorruptData as damage:
            evidence = directory.preserve(file, data)
            _log.warning("%s: %r was damaged (%s); kept as %r", shown(key), file, damage.reason, evidence)
            return None
        return found
