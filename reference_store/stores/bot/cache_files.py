"""The files of a cache: ``{purpose}_{context}.json`` for names of that form, and a name of its own for any other key.

A cache keeps no version before: what was replaced must not be served again, not even where the file is damaged. What
was read stays in memory, as long as the status of the file says that it is still that one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from reference_store.core import integrity, keys
from reference_store.core.atomic import Directory
from reference_store.core.directory import Found, is_settled
from reference_store.core.document_changes import Change
from reference_store.core.document_files import SUFFIX, DocumentFiles
from reference_store.core.document_reading import generation_of, sound
from reference_store.core.group_commit import Ticket
from reference_store.core.integrity import Unsealed
from reference_store.core.root import Place
from reference_store.core.schemas import Schema
from reference_store.core.strict_json import Document, copy_of
from reference_store.errors import InvalidIdentifier
from reference_store.stores.bot.file_names import CacheName

_CAPITALS = "+0"
"""Behind names in capitals that would be those of the guideline in small letters: no encoded name ends like this."""
_LARGEST = 1 << 16
"""Characters of the largest entry that is kept in memory."""
_Status = tuple[int, int, int, int]


def cache_stem(key: str) -> str:
    """Return the file name, without ``.json``, of what is cached under ``key``; raises InvalidIdentifier."""
    stem = keys.encode(key)
    if _is_plain(key):
        return key
    return stem + _CAPITALS if stem == key and _is_plain(key.lower()) else stem


def cache_key(stem: str) -> str | None:
    """Return the key whose file has this stem, None if there is none."""
    key = stem if _is_plain(stem) else keys.decode(stem.removesuffix(_CAPITALS))
    return key if key is not None and cache_stem(key) == stem else None


def _is_plain(name: str) -> bool:
    try:
        CacheName.of(name)
    except InvalidIdentifier:
        return False
    return True


class CacheFiles(DocumentFiles):
    """Documents without a backup, the last ``remembered`` that were read in memory."""

    def __init__(self, root: Place, lock_timeout: float, schema: Schema, remembered: int) -> None:
        super().__init__(root, lock_timeout, cache_stem, schema)
        self._most = remembered
        # Single steps of a dictionary only: a lock could be left taken by what a signal's handler raises.
        self._remembered: dict[str, tuple[_Status, str]] = {}

    def read_again(self, operation: str, key: str) -> Document | None:
        """Return the document, None if there is none, without opening a file that has not changed; raises CorruptData.

        A file counts as unchanged only if it was left alone for longer than the clock takes that stamps changes: what
        another process puts in its place always has another status.
        """
        name = self._stem(key) + SUFFIX
        with self.root.reading(operation, key) as directory:
            status, known = _status(directory, name), self._remembered.get(key)
            if known is not None and known[0] == status:
                return copy_of(known[1])
            found = self._present_or_backup(directory, key, self._stem(key))
            if found is None:
                self._remembered.pop(key, None)
                return None
            if status is not None and is_settled(status[3]) and _status(directory, name) == status:
                self._remember_read(key, status, found.content)
        return found.content

    def _remember_read(self, key: str, status: _Status, content: Document) -> None:
        text = integrity.encode(content).canonical
        self._remembered.pop(key, None)  # the one that was read last stands last
        if len(text) > _LARGEST:
            return
        self._remembered[key] = status, text
        while len(self._remembered) > self._most:
            with suppress(KeyError, RuntimeError, StopIteration):  # another thread was faster
                self._remembered.pop(next(iter(self._remembered)))

    def keys(self, operation: str) -> list[str]:
        """Return the keys that have a file, sorted; files of other make are passed over."""
        names = self.root.names(operation, "keys")
        found = {cache_key(name.removesuffix(SUFFIX)) for name in names if name.endswith(SUFFIX)}
        return sorted(key for key in found if key is not None)

    def _previous(self, directory: Directory, key: str, name: str) -> tuple[Found | None, int]:
        _, generation = super()._previous(directory, key, name)
        return None, generation

    def removal_of(self, operation: str, key: str, generation: int) -> Change:
        """Return the change that removes the document if it is still of this generation."""
        return Change(operation, key, expected=generation)

    def _remove_all(self, directory: Directory, tickets: Sequence[Ticket[Change]]) -> None:
        meant = []
        for ticket in tickets:
            key, expected = ticket.change.key, ticket.change.expected
            ticket.result = False
            if expected is None or generation_of(directory, key, self._stem(key) + SUFFIX) == expected:
                meant.append(ticket)
        super()._remove_all(directory, meant)

    def read_generation(self, operation: str, key: str) -> int:
        """Return the generation of the file, 0 if there is none; raises CorruptData."""
        with self.root.reading(operation, key) as directory:
            found: tuple[Found, Unsealed] | None = sound(directory, key, self._stem(key) + SUFFIX)
        return 0 if found is None else found[1].number


def _status(directory: Directory, name: str) -> _Status | None:
    try:
        about = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
