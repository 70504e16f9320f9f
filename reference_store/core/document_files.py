"""Keyed JSON documents as files ``<name>.json`` with the previous version beside them as ``<name>.json.bak``.

A file that is missing while its backup is there has been lost: a backup is only ever made of a file that is durable,
and a deletion pins the removal of the backup before it begins with the file. So no crash leads there, and no backup
ever brings a deleted document back.
"""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from reference_store.core import integrity, keys
from reference_store.core.atomic import Directory, Found, NotARegularFile
from reference_store.core.by_key import ByKey
from reference_store.core.descriptors import TooLarge
from reference_store.core.group_commit import GroupCommit, Take
from reference_store.core.integrity import Unsealed
from reference_store.core.root import Place, Root
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, UnserialisableValue, shown

SUFFIX, BACKUP = ".json", ".json.bak"
LARGEST = 64 << 20
"""Bytes of a document file; more is neither written nor read."""

_REMEMBERED = 4096
_HIGHEST = 10**18
"""As long as generations get."""
_log = logging.getLogger("reference_store")


@dataclass(frozen=True, slots=True)
class Recovery:
    """A read that was answered from the backup: which key, what was wrong with the file, how old the answer is."""

    key: str
    file: str
    reason: str
    generation: int


@dataclass(frozen=True, slots=True)
class Change:
    """What ``operation`` does to a document: put ``encoded`` in its place, or remove it if that is None."""

    operation: str
    encoded: Encoded | None


def go_together(first: Change, second: Change) -> bool:
    """Whether one write does for both: of several puts the last one stays, and only the first removal finds a thing."""
    return (first.encoded is None) is (second.encoded is None)


class DocumentFiles:
    """What DocumentStore and SingleDocumentStore share: reading, replacing and removing one sealed document."""

    def __init__(self, root: Place, lock_timeout: float, stem: Callable[[str], str] = keys.encode) -> None:
        self.root = Root(root, lock_timeout)
        self._stem = stem
        self._commits: ByKey[GroupCommit[Change]] = ByKey(self._group)
        self.recoveries: deque[Recovery] = deque(maxlen=100)
        # Digest of the file that this instance wrote last, so that the next write knows the old version is sound.
        self._written: dict[str, tuple[bytes, int]] = {}

    def read(self, operation: str, key: str) -> Document | None:
        """Return the document, None if there is none; raises CorruptData when neither file nor backup is sound."""
        name = self._stem(key)
        with self.root.reading(operation, key) as directory:
            try:
                found = _sound(directory, key, name + SUFFIX) or self._lost(directory, key, name)
                return found and found[1].content
            except CorruptData as damage:
                return self._from_backup(directory, key, name, damage).content

    def change(self, operation: str, key: str, document: Document) -> Change:
        """Return the change that puts ``document``, independent of what is done to it later, in place of what is there.

        Raises InvalidIdentifier and UnserialisableValue.
        """
        self._stem(key)
        encoded = integrity.encode(document)
        # The layout adds a few bytes for each item, and UTF-8 three for each character.
        if len(encoded.canonical) > LARGEST // 16:
            size = len(integrity.seal_document(encoded, key, _HIGHEST))
            if size > LARGEST:
                raise UnserialisableValue(f"a document of {size} bytes, {LARGEST} is the limit")
        return Change(operation, encoded)

    def removal(self, operation: str, key: str) -> Change:
        """Return the change that removes the document; raises InvalidIdentifier."""
        self._stem(key)
        return Change(operation, None)

    def write(self, operation: str, key: str, document: Document) -> None:
        """Replace the document, durably; the file that it replaces becomes the backup unless it is damaged."""
        change = self.change(operation, key, document)
        self._commits[key].commit(change)

    def remove(self, operation: str, key: str) -> bool:
        """Remove the document and its backup, durably; damaged bytes stay as evidence. Says whether it was there."""
        change = self.removal(operation, key)
        removed: bool = self._commits[key].commit(change)
        return removed

    def group(self, key: str) -> GroupCommit[Change]:
        """Where the changes of ``key`` meet."""
        return self._commits[key]

    def _group(self, key: str) -> GroupCommit[Change]:
        return self.root.group(partial(self._write, key), go_together)

    def _write(self, key: str, first: Change, take: Take[Change]) -> None:
        name = self._stem(key)
        with self.root.updating(first.operation, key) as directory:
            if first.encoded is None:
                there = self._remove(directory, key, name)
                for ticket in take():
                    ticket.result, there = there, False
            else:
                previous, generation = self._previous(directory, key, name)
                encoded = take()[-1].change.encoded or first.encoded
                data = integrity.seal_document(encoded, key, generation + 1)
                self._written.pop(key, None)  # until the new file is known to be there, nothing is
                directory.replace(name + SUFFIX, data, previous, name + BACKUP)
                if len(self._written) >= _REMEMBERED:
                    self._written.clear()
                self._written[key] = (hashlib.sha256(data).digest(), generation + 1)

    def _remove(self, directory: Directory, key: str, name: str) -> bool:
        self._written.pop(key, None)
        self._keep_evidence(directory, key, name + SUFFIX)
        # Pinned before the document goes: a backup that outlived it would read as a document that was lost.
        had_backup = directory.remove(name + BACKUP)
        return directory.remove(name + SUFFIX) or had_backup

    def keys(self, operation: str) -> list[str]:
        """Return the keys that have a file or a backup, sorted; files of other make are passed over."""
        names = {
            name.removesuffix(suffix)
            for name in self.root.names(operation, "keys")
            for suffix in (SUFFIX, BACKUP)
            if name.endswith(suffix)
        }
        return sorted(key for name in names if (key := keys.decode(name)) is not None)

    def reseal(self, operation: str, key: str) -> None:
        """Vouch for a file edited or written by hand; raises CorruptData when it is not strict JSON of one object."""
        name = self._stem(key)

        def vouch(directory: Directory) -> None:
            file = name + SUFFIX
            found = regular(directory, key, file)
            if found is None:
                raise CorruptData(key, file, "there is no such file")
            generation = max(_generation(directory, key, file), _generation(directory, key, name + BACKUP))
            self._written.pop(key, None)
            directory.replace(file, integrity.reseal(found.data, key, file, generation + 1), found)

        self.root.alone(operation, key, vouch)

    def _previous(self, directory: Directory, key: str, name: str) -> tuple[Found | None, int]:
        """Return the file to be kept as the backup, if it is sound, and the newest generation."""
        file = name + SUFFIX
        try:
            found = regular(directory, key, file)
            if found is None:
                return None, _generation(directory, key, name + BACKUP)
            if (known := self._written.get(key)) and known[0] == hashlib.sha256(found.data).digest():
                return found, known[1]
            return found, integrity.unseal_document(found.data, key, file).number
        except CorruptData:
            # A damaged file never takes the place of the last good backup.
            self._keep_evidence(directory, key, file)
            return None, _generation(directory, key, name + BACKUP)

    def _keep_evidence(self, directory: Directory, key: str, file: str) -> None:
        data: bytes | None = None
        try:
            found = regular(directory, key, file)
            if found is None:
                return
            data = found.data
            integrity.unseal_document(data, key, file)
        except CorruptData as damage:
            evidence = directory.preserve(file, data)
            _log.warning("%s: %r was damaged (%s); kept as %r", shown(key), file, damage.reason, evidence)

    def _lost(self, directory: Directory, key: str, name: str) -> tuple[Found, Unsealed] | None:
        """Tell a document that was never there, or was deleted, from one whose file was lost beside its backup."""
        file, backup = name + SUFFIX, name + BACKUP
        while (before := _inode(directory, key, backup)) is not None:
            # The backup may have come up since: look again, and believe in a loss only if the backup did not move.
            if (found := _sound(directory, key, file)) is not None:
                return found
            if _inode(directory, key, backup) == before:
                raise CorruptData(key, file, "it is missing while its backup is there")
        return None

    def _from_backup(self, directory: Directory, key: str, name: str, damage: CorruptData) -> Unsealed:
        try:
            found = _sound(directory, key, name + BACKUP)
        except CorruptData:
            found = None
        if found is None:
            raise damage
        recovery = Recovery(key, damage.file, damage.reason, found[1].number)
        self.recoveries.append(recovery)
        _log.warning(
            "%s: %r is damaged (%s); answered from the backup of generation %d: check it and write it again",
            shown(key), damage.file, damage.reason, recovery.generation,
        )  # fmt: skip
        return found[1]


def regular(directory: Directory, key: str, file: str) -> Found | None:
    """Return the file, None if there is none; raises CorruptData for what is no regular file or too large."""
    try:
        return directory.read(file, LARGEST)
    except NotARegularFile:
        raise CorruptData(key, file, "it is not a regular file") from None
    except TooLarge:
        raise CorruptData(key, file, f"it is larger than {LARGEST} bytes") from None


def _sound(directory: Directory, key: str, file: str) -> tuple[Found, Unsealed] | None:
    found = regular(directory, key, file)
    return None if found is None else (found, integrity.unseal_document(found.data, key, file))


def _generation(directory: Directory, key: str, file: str) -> int:
    """The generation of a file, 0 when it is missing or damaged."""
    try:
        found = _sound(directory, key, file)
    except CorruptData:
        return 0
    return found[1].number if found else 0


def _inode(directory: Directory, key: str, file: str) -> int | None:
    try:
        found = regular(directory, key, file)
    except CorruptData:
        return -1
    return found.inode if found else None
