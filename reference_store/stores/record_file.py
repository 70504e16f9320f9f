"""A list of records in one sealed JSON file that several threads, instances and processes update.

``{"jobs": [...], "updated_at": "ISO string", "_integrity": {...}}``: one line for each record, in the order in which
the records came, the previous version of the file beside it. Records are kept in memory, and the file is read again
when somebody else has changed it: before every update under the lock, and before a read when the end of the file,
where its seal stands, is another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reference_store.core import integrity, strict_json
from reference_store.core.atomic import Directory, Found, NotARegularFile
from reference_store.core.by_key import ByKey
from reference_store.core.document_files import BACKUP, LARGEST, SUFFIX, DocumentFiles, regular
from reference_store.core.group_commit import GroupCommit, Take, Ticket
from reference_store.core.integrity import Unsealed
from reference_store.core.root import Place
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, UnserialisableValue

Clock = Callable[[], datetime]
Change = Callable[["dict[str, Entry]"], Any]
"""Changes the entries in place, as its last step, and returns a result; or raises and leaves them alone."""

_TAIL = 160
"""Bytes at the end of a file that differ whenever its seal does."""


class Entry:
    """One record: the ``text`` that stands for it in the file, and its ``content`` to look at but not to change."""

    __slots__ = ("content", "text")

    def __init__(self, content: Document, text: str) -> None:
        self.content, self.text = content, text

    def copy(self) -> Document:
        """The content, for somebody who may change it."""
        return strict_json.copy_of(self.text)


def entry(content: Document) -> Entry:
    """Return a record ready to be stored, independent of what is done to ``content`` later.

    Raises UnserialisableValue for what JSON would not give back equal.
    """
    encoded = integrity.encode_record(content)
    return Entry(encoded.content, encoded.canonical)


def entry_of_checked(content: Document) -> Entry:
    """Return a record whose members are those of other records or have been checked one by one."""
    return Entry(content, strict_json.text_of(content))


@dataclass(frozen=True, slots=True)
class _State:
    entries: Mapping[str, Entry]
    generation: int
    digest: bytes
    tail: tuple[int, bytes] | None
    """Size and end of the file that this is the content of; None when there was no file, or not a sound one."""


_NOTHING = _State({}, 0, b"", None)


class RecordFile(DocumentFiles):
    """The records of ``<root>/<name>.json`` by their member ``id_name``; updates that meet are written together."""

    def __init__(self, root: Place, name: str, id_name: str, lock_timeout: float, clock: Clock) -> None:
        super().__init__(root, lock_timeout, lambda name: name)
        self._name, self._id_name, self._clock = name, id_name, clock
        self._file, self._backup = name + SUFFIX, name + BACKUP
        self._state: _State | None = None
        self._updates: ByKey[GroupCommit[Change]] = ByKey(self._update_group)

    def entries(self, operation: str) -> Mapping[str, Entry]:
        """Return all records by id, in order; raises CorruptData when neither the file nor its backup is sound."""
        with self.root.reading(operation, self._name) as directory:
            known = self._state
            if known is not None and known.tail is not None and known.tail == self._tail(directory):
                return known.entries
            _, state = self._load(directory, known)
            current = self._state
            if current is None or current.generation <= state.generation:
                self._state = state  # unless a writer of this instance has come further meanwhile
            return state.entries

    def known(self) -> Mapping[str, Entry] | None:
        """Return the records as they were last read or written, without a look at the disk; None before that."""
        return self._state.entries if self._state is not None else None

    def update(self, change: Change) -> Any:
        """Make ``change`` durable and return its result; see ``update_all``."""
        return self._updates[self._name].commit(change)

    def updates(self) -> GroupCommit[Change]:
        """Where the updates meet."""
        return self._updates[self._name]

    def update_all(self, changes: Sequence[Change]) -> list[Ticket[Change]]:
        """Make the changes, in this order, in one write that is durable on return.

        Each ticket says what became of its change. Raises LockTimeout.
        """
        return self._updates[self._name].commit_all(changes)

    def _update_group(self, _name: str) -> GroupCommit[Change]:
        return self.root.group(self._write_all)

    def _write_all(self, _first: Change, take: Take[Change]) -> None:
        with self.root.updating("update", self._name) as directory:
            found, state = self._load(directory, self._state)
            entries = dict(state.entries)
            for ticket in take():
                try:
                    ticket.result = ticket.change(entries)
                except Exception as error:  # concerns its caller only
                    ticket.error = error
            if found is not None and _same(entries, state.entries):
                self._state = state
                return
            if found is None:
                if not entries and state is _NOTHING:
                    return
                self._keep_evidence(directory, self._name, self._file)
            self._replace(directory, found, state, entries)

    def _replace(self, directory: Directory, found: Found | None, state: _State, entries: dict[str, Entry]) -> None:
        encoded = _encoded(self._name, entries, self._clock().isoformat())
        data = integrity.seal_document(encoded, self._name, state.generation + 1)
        if len(data) > LARGEST:
            raise UnserialisableValue(f"a file of {len(data)} bytes, {LARGEST} is the limit")
        directory.replace(self._file, data, found, self._backup)
        self._state = _State(entries, state.generation + 1, hashlib.sha256(data).digest(), _end(data))

    def _load(self, directory: Directory, known: _State | None) -> tuple[Found | None, _State]:
        """Return the file, None if it is missing or damaged, and the records."""
        try:
            found = regular(directory, self._name, self._file)
            if found is None:
                lost = self._lost(directory, self._name, self._name)
                if lost is None:
                    return None, _NOTHING
                found = lost[0]
            digest = hashlib.sha256(found.data).digest()
            if known is not None and known.digest == digest:
                return found, known
            content = integrity.unseal_document(found.data, self._name, self._file)
            return found, self._state_of(content, known, digest, _end(found.data))
        except CorruptData as damage:
            content = self._from_backup(directory, self._name, self._name, damage)
            return None, self._state_of(content, known, b"", None)

    def _state_of(
        self, content: Unsealed, known: _State | None, digest: bytes, tail: tuple[int, bytes] | None
    ) -> _State:
        old = known.entries if known is not None else {}
        entries: dict[str, Entry] = {}
        records = content.content.get(self._name)
        for record in records if isinstance(records, list) else [None]:
            identifier = record.get(self._id_name) if isinstance(record, dict) else None
            if not isinstance(record, dict) or type(identifier) is not str or identifier in entries:
                raise CorruptData(self._name, self._file, "it holds no list of records with ids of their own")
            text = strict_json.text_of(record)
            before = old.get(identifier)
            # The same object for an unchanged record: what is remembered about it in memory stays valid.
            entries[identifier] = before if before is not None and before.text == text else Entry(record, text)
        return _State(entries, content.number, digest, tail)

    def _tail(self, directory: Directory) -> tuple[int, bytes] | None:
        try:
            return directory.tail(self._file, _TAIL)
        except NotARegularFile:
            return None


def _end(data: bytes) -> tuple[int, bytes]:
    return len(data), data[-_TAIL:]


def _same(entries: Mapping[str, Entry], others: Mapping[str, Entry]) -> bool:
    return len(entries) == len(others) and all(a is b for a, b in zip(entries.values(), others.values(), strict=True))


def _encoded(name: str, entries: Mapping[str, Entry], updated_at: str) -> Encoded:
    """The whole file as text, put together from the texts of its records: only changed ones are encoded anew."""
    texts = [entry.text for entry in entries.values()]
    last = f'"updated_at": {json.dumps(updated_at)}'
    return strict_json.listing(name, texts, last)
