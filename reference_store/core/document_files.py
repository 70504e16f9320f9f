"""Keyed JSON documents as files ``<name>.json`` with the previous version beside them as ``<name>.json.bak``.

A file that is missing while its backup is there has been lost: a backup is only ever made of a file that is durable,
and a deletion pins the removal of the backup before it begins with the file. So no crash leads there, and no backup
ever brings a deleted document back.
"""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from reference_store.core import document_changes, integrity, keys
from reference_store.core.atomic import FILE_MODE, OLDER, SENSITIVE_MODE, Directory
from reference_store.core.by_key import ByKey
from reference_store.core.directory import Found
from reference_store.core.document_changes import LARGEST as LARGEST
from reference_store.core.document_changes import Change, Present, Update, go_together
from reference_store.core.document_reading import generation_of, inode_of, regular, sound
from reference_store.core.generations import note_removed, removed_up_to
from reference_store.core.group_commit import GroupCommit, Take, Ticket
from reference_store.core.integrity import Unsealed
from reference_store.core.listing import Listing
from reference_store.core.replacing import Replacement, replace_all
from reference_store.core.root import Place, Root, as_failure
from reference_store.core.schemas import ANY, Schema
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, MigrationError, NewerRecord, StoreError, shown

SUFFIX, BACKUP = ".json", ".json.bak"
_REMEMBERED = 4096
_log = logging.getLogger("reference_store")


@dataclass(frozen=True, slots=True)
class Recovery:
    """A read that was answered from the backup: which key, what was wrong with the file, how old the answer is."""

    key: str
    file: str
    reason: str
    generation: int


class _OneForAll(ByKey[GroupCommit[Change]]):
    """The group in which the changes of all keys meet."""

    def __getitem__(self, _key: str) -> GroupCommit[Change]:
        return super().__getitem__("")


class DocumentFiles:
    """What DocumentStore and SingleDocumentStore share: reading, replacing and removing one sealed document."""

    def __init__(
        self,
        root: Place,
        lock_timeout: float,
        stem: Callable[[str], str] = keys.encode,
        schema: Schema | None = None,
        *,
        sensitive: bool = False,
    ) -> None:
        if type(sensitive) is not bool:
            raise InvalidRecord("sensitive", f"is of type {type(sensitive).__name__}, not bool")
        self._mode = SENSITIVE_MODE if sensitive else FILE_MODE
        self.schema = ANY if schema is None else schema
        if not isinstance(self.schema, Schema):
            raise InvalidRecord("schema", f"is of type {type(schema).__name__}, not Schema")
        self.root = Root(root, lock_timeout)
        self._stem = stem
        self._commits = _OneForAll(self._group)
        self.recoveries: deque[Recovery] = deque(maxlen=100)
        self._listing = Listing((SUFFIX, BACKUP))
        # Digest of the file that this instance wrote last, so that the next write knows the old version is sound.
        self._written: dict[str, tuple[bytes, int]] = {}

    def read(self, operation: str, key: str) -> Document | None:
        """Return the document, None if there is none; raises CorruptData when neither file nor backup is sound."""
        return self.read_versioned(operation, key)[0]

    def read_versioned(self, operation: str, key: str) -> tuple[Document | None, int]:
        """Return the document and its generation, ``(None, 0)`` if there is none; raises as ``read`` does."""
        name = self._stem(key)
        with self.root.reading(operation, key) as directory:
            found = self._present_or_backup(directory, key, name)
        return (None, 0) if found is None else (found.content, found.number)

    def _present_or_backup(self, directory: Directory, key: str, name: str) -> Unsealed | None:
        try:
            return self._present_itself(directory, key, name)
        except CorruptData as damage:
            return self._from_backup(directory, key, name, damage)[0]

    def _present_itself(self, directory: Directory, key: str, name: str) -> Unsealed | None:
        found = sound(directory, key, name + SUFFIX) or self._lost(directory, key, name)
        return found and self._understood(key, name + SUFFIX, found[1])

    def read_recovered(self, operation: str, key: str) -> tuple[Document | None, Recovery | None]:
        """Return the document, as ``read`` does, and how it was recovered if the file itself is not sound."""
        name = self._stem(key)
        with self.root.reading(operation, key) as directory:
            try:
                found, recovery = self._present_itself(directory, key, name), None
            except CorruptData as damage:
                found, recovery = self._from_backup(directory, key, name, damage)
        return (None if found is None else found.content), recovery

    def change(self, operation: str, key: str, document: Document, expected: int | None = None) -> Change:
        """Return the change that puts ``document``, independent of what is done to it later, in place of what is there.

        Raises InvalidIdentifier, UnserialisableValue and InvalidRecord.
        """
        self._stem(key)
        return document_changes.putting(operation, key, self.schema.encoded(key, document), expected)

    def updating(
        self, operation: str, key: str, function: Update, damaged: Callable[[], Document] | None = None
    ) -> Change:
        """Return the change that puts what ``function`` makes of the document that is there, None if there is none.

        With ``damaged``, what that returns stands in for a document that is damaged and has no sound backup.
        """
        self._stem(key)
        return document_changes.updating(operation, key, function, self.schema.encoded, damaged)

    def removal(self, operation: str, key: str) -> Change:
        """Return the change that removes the document; raises InvalidIdentifier."""
        self._stem(key)
        return Change(operation, key)

    def write(self, operation: str, key: str, document: Document, expected: int | None = None) -> None:
        """Replace the document, durably; the file that it replaces becomes the backup unless it is damaged."""
        self._commits[key].commit(self.change(operation, key, document, expected))

    def update_document(self, operation: str, key: str, function: Update) -> Document:
        """Replace the document by what ``function`` makes of it, durably, and return that; see DocumentStore.update."""
        made: Document = self._commits[key].commit(self.updating(operation, key, function))
        return made

    def remove(self, operation: str, key: str) -> bool:
        """Remove the document and its backup, durably; damaged bytes stay as evidence. Says whether it was there."""
        removed: bool = self._commits[key].commit(self.removal(operation, key))
        return removed

    @property
    def group(self) -> GroupCommit[Change]:
        """Where the changes of all keys meet."""
        return self._commits[""]

    def _group(self, _key: str) -> GroupCommit[Change]:
        return self.root.group(self._write, go_together)

    def _write(self, first: Change, take: Take[Change]) -> None:
        with self.root.updating(first.operation, first.key) as directory:
            tickets = take()
            if first.removes:
                self._remove_all(directory, tickets)
            else:
                self._put_all(directory, tickets)

    def _put_all(self, directory: Directory, tickets: Sequence[Ticket[Change]]) -> None:
        """Make the changes, one after the other, and write what each key has then."""
        present: dict[str, Present] = {}
        made: dict[str, list[Ticket[Change]]] = {}
        for ticket in tickets:
            key = ticket.change.key
            try:
                if key not in present:
                    present[key] = self._present(directory, key)
            except (OSError, StoreError) as error:
                ticket.error = as_failure(ticket.change.operation, key, error)
                continue
            try:
                ticket.result = present[key].follow(ticket.change)
            except BaseException as error:
                ticket.error = error
            else:
                made.setdefault(key, []).append(ticket)
        files: dict[str, Replacement] = {}
        for key in made:
            here, name = present[key], self._stem(key)
            assert here.new is not None, "something was made"
            data = self._marked(key, integrity.seal_document(here.new, key, here.generation))
            files[key] = Replacement(name + SUFFIX, data, here.previous, name + BACKUP, self._mode)
            self._written.pop(key, None)  # until the new file is known to be there, nothing is
        replace_all(directory, list(files.values()))
        for key, file in files.items():
            if file.error is None:
                self._remember(key, file.data, present[key].generation)
            for ticket in made[key]:
                if file.error is not None:
                    ticket.error = as_failure(ticket.change.operation, key, file.error)

    def _marked(self, key: str, data: bytes) -> bytes:
        """Mark the file of a key without letters as one of a key; in 0.1.0 a single document could have that name."""
        return data.removesuffix(b"\n") if self._stem is keys.encode and is_without_letters(key) else data

    def _remember(self, key: str, data: bytes, generation: int) -> None:
        self._written[key] = (hashlib.sha256(data).digest(), generation)
        if len(self._written) > _REMEMBERED:
            del self._written[next(iter(self._written))]  # the one that was written longest ago

    def _present(self, directory: Directory, key: str) -> Present:
        name = self._stem(key)

        def read() -> Document | None:
            found = self._present_or_backup(directory, key, name)
            return None if found is None else found.content

        previous, generation = self._previous(directory, key, name)
        return Present(key, previous, generation, partial(removed_up_to, directory), read)

    def _remove_all(self, directory: Directory, tickets: Sequence[Ticket[Change]]) -> None:
        """Remove the documents; the first who asks for one is told that it was there."""
        asked: dict[str, Ticket[Change]] = {}
        for ticket in tickets:
            ticket.result = False
            asked.setdefault(ticket.change.key, ticket)
        for key, ticket in list(asked.items()):
            name = self._stem(key)
            self._written.pop(key, None)
            try:
                self._keep_evidence(directory, key, name + SUFFIX)
                newest = max(generation_of(directory, key, name + suffix) for suffix in (SUFFIX, BACKUP))
                note_removed(directory, newest, name + BACKUP)
            except OSError as error:
                ticket.error = as_failure(ticket.change.operation, key, error)
                del asked[key]
        # Pinned before the documents go: a backup that outlived one would read as a document that was lost.
        for suffix in (BACKUP, SUFFIX):
            gone = [ticket for key, ticket in asked.items() if directory.unlink(self._stem(key) + suffix)]
            if gone or (asked and suffix == SUFFIX):  # what is not there may be gone for somebody who could not pin it
                directory.pin()
            for ticket in gone:
                ticket.result = True

    def is_older(self, operation: str, key: str) -> bool:
        """Whether the file holds a document of an older version; raises CorruptData for a damaged one."""
        with self.root.reading(operation, key) as directory:
            found = sound(directory, key, self._stem(key) + SUFFIX)
        return found is not None and self.schema.older_version(found[1].content) is not None

    def migrate(self, operation: str, key: str) -> bool:
        """Bring the file up to the current version, durably; says whether it was of an older one."""
        older = self.is_older(operation, key)
        if older:
            self.update_document(operation, key, _as_it_is)
        return older

    def keys(self, operation: str) -> list[str]:
        """Return the keys that have a file or a backup, sorted; files of other make are passed over."""
        return self._listing.identifiers(self.root.names(operation, "keys"))

    def reseal(self, operation: str, key: str) -> None:
        """Vouch for a file edited or written by hand; raises CorruptData when it is not strict JSON of one object."""
        name = self._stem(key)

        def vouch(directory: Directory) -> None:
            file = name + SUFFIX
            found = regular(directory, key, file)
            if found is None:
                raise CorruptData(key, file, "there is no such file")
            generation = max(generation_of(directory, key, file), generation_of(directory, key, name + BACKUP))
            self._written.pop(key, None)
            resealed = integrity.reseal(found.data, key, file, generation + 1)
            self.schema.loaded(key, file, integrity.unseal_document(resealed, key, file).content)
            directory.replace(file, self._marked(key, resealed), found, mode=self._mode)

        self.root.alone(operation, key, vouch)

    def _previous(self, directory: Directory, key: str, name: str) -> tuple[Found | None, int]:
        """Return the file to be kept as the backup, if it is sound, and the newest generation."""
        file = name + SUFFIX
        try:
            found = regular(directory, key, file)
            if found is None:
                return None, generation_of(directory, key, name + BACKUP)
            if (known := self._written.get(key)) and known[0] == hashlib.sha256(found.data).digest():
                return found, known[1]
            unsealed = integrity.unseal_document(found.data, key, file)
            with suppress(MigrationError):  # whoever reads is told; the file is kept below like any of its version
                self._understood(key, file, unsealed)
            if (version := self.schema.older_version(unsealed.content)) is not None:
                kept = directory.preserve(file, found.data, kind=f"{OLDER}{version}-")
                _log.info("%s: %r is of version %s; kept as %r", shown(key), file, version, kept)
            return found, unsealed.number
        except CorruptData:
            # A damaged file never takes the place of the last good backup.
            self._keep_evidence(directory, key, file)
            return None, generation_of(directory, key, name + BACKUP)

    def _keep_evidence(self, directory: Directory, key: str, file: str) -> None:
        data: bytes | None = None
        try:
            found = regular(directory, key, file)
            if found is None:
                return
            data = found.data
            self._understood(key, file, integrity.unseal_document(data, key, file))
        except (NewerRecord, MigrationError):
            return  # sound, and whoever removes it knows what he does
        except CorruptData as damage:
            evidence = directory.preserve(file, data)
            _log.warning("%s: %r was damaged (%s); kept as %r", shown(key), file, damage.reason, evidence)

    def _lost(self, directory: Directory, key: str, name: str) -> tuple[Found, Unsealed] | None:
        """Tell a document that was never there, or was deleted, from one whose file was lost beside its backup."""
        file, backup = name + SUFFIX, name + BACKUP
        while (before := inode_of(directory, key, backup)) is not None:
            # The backup may have come up since: look again, and believe in a loss only if the backup did not move.
            if (found := sound(directory, key, file)) is not None:
                return found
            if inode_of(directory, key, backup) == before:
                raise CorruptData(key, file, "it is missing while its backup is there")
        return None

    def _from_backup(self, directory: Directory, key: str, name: str, damage: CorruptData) -> tuple[Unsealed, Recovery]:
        try:
            backup = sound(directory, key, name + BACKUP)
            found = backup and self._understood(key, name + BACKUP, backup[1])
        except CorruptData:
            found = None
        if found is None:
            raise damage
        recovery = Recovery(key, damage.file, damage.reason, found.number)
        self.recoveries.append(recovery)
        _log.warning(
            "%s: %r is damaged (%s); answered from the backup of generation %d: check it and write it again",
            shown(key), damage.file, damage.reason, recovery.generation,
        )  # fmt: skip
        return found, recovery

    def _understood(self, key: str, file: str, found: Unsealed) -> Unsealed:
        return found if self.schema is ANY else replace(found, content=self.schema.loaded(key, file, found.content))


def _as_it_is(document: Document | None) -> Document:
    assert document is not None, "removed meanwhile"
    return document


def is_without_letters(name: str) -> bool:
    """Whether the encoded name bears no mark of the case of its letters."""
    return not any(char.isascii() and char.isalpha() for char in name)
