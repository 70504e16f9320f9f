"""What is done to documents, as programs: read, put, updated and removed under a lock of their key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from reference_store.core import keys, strict_json
from reference_store.core.document_changes import Change, Update, putting, updating
from reference_store.core.integrity import Unsealed
from reference_store.core.schemas import ANY, Schema
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import (
    CorruptData,
    InvalidRecord,
    MigrationError,
    UnserialisableValue,
    VersionConflict,
    shown,
)
from reference_store.postgres.statements import NUMBER, Ask, Program, alone, seal, vouched

_WHERE = "FROM {s}.documents WHERE place = %s AND key = %s"
_log = logging.getLogger("reference_store")


class DocumentPrograms:
    """The documents of one ``place``: what a directory is among files."""

    def __init__(self, place: str, schema: Schema | None = None) -> None:
        self.place, self.schema = place, ANY if schema is None else schema
        if not isinstance(self.schema, Schema):
            raise InvalidRecord("schema", f"is of type {type(schema).__name__}, not Schema")

    def putting(self, operation: str, key: str, document: Document, expected: int | None = None) -> Change:
        """Return the change that puts ``document``; raises InvalidIdentifier, UnserialisableValue, InvalidRecord."""
        keys.encode(key)
        return putting(operation, key, self.schema.encoded(key, document), expected)

    def updating(
        self, operation: str, key: str, function: Update, damaged: Callable[[], Document] | None = None
    ) -> Change:
        """Return the change that ``function`` makes; raises InvalidIdentifier and InvalidRecord.

        With ``damaged``, what that returns stands in for a document that is damaged.
        """
        keys.encode(key)
        return updating(operation, key, function, self.schema.encoded, damaged)

    def removal(self, operation: str, key: str) -> Change:
        """Return the change that removes the document; raises InvalidIdentifier."""
        keys.encode(key)
        return Change(operation, key)

    def read(self, key: str) -> Program[Unsealed | None]:
        """Return the document with its generation, None if there is none; raises CorruptData and NewerRecord."""
        keys.encode(key)
        return self._read(key)

    def _read(self, key: str) -> Program[Unsealed | None]:
        rows = yield Ask(f"SELECT generation, body, digest {_WHERE}", (self.place, key))
        return self._understood(key, *rows[0]) if rows else None

    def keys(self) -> Program[list[str]]:
        """Return all keys, sorted by code point."""
        rows = yield Ask("SELECT key FROM {s}.documents WHERE place = %s ORDER BY key", (self.place,))
        return [key for (key,) in rows]

    def make(self, change: Change) -> Program[Any]:
        """Make a change, and return what its call returns."""
        key = change.key
        yield alone(self.place, key)
        if change.removes:
            gone = yield Ask(f"DELETE {_WHERE} RETURNING generation, body, digest", (self.place, key))
            if gone:
                yield from self._kept(key, *gone[0], removed=True)
            return bool(gone)
        [(number, generation, body, digest)] = yield Ask(
            f"SELECT n.number, d.generation, d.body, d.digest FROM (SELECT {NUMBER} AS number) n"
            " LEFT JOIN {s}.documents d ON d.place = %s AND d.key = %s",
            (self.place, key),
        )
        there = None if generation is None else (generation, body, digest)
        if change.expected is not None and change.expected != (generation or 0):
            if there is not None:
                self._sound(key, *there)
            raise VersionConflict(key, change.expected, generation or 0)
        made, new = self._made(change, there)
        if there is not None:
            yield from self._kept(key, *there, removed=False)
        yield Ask(
            "INSERT INTO {s}.documents (place, key, generation, body, digest) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (place, key) DO UPDATE SET generation = EXCLUDED.generation, body = EXCLUDED.body,"
            " digest = EXCLUDED.digest",
            (self.place, key, number, new.canonical, self._seal(key, number, new.canonical)),
        )
        return made

    def reseal(self, key: str) -> Program[None]:
        """Vouch for a row edited by hand; raises CorruptData when its body is not strict JSON of one object."""
        keys.encode(key)
        return self._reseal(key)

    def _reseal(self, key: str) -> Program[None]:
        yield alone(self.place, key)
        rows = yield Ask(f"SELECT {NUMBER}, body {_WHERE}", (self.place, key))
        if not rows:
            raise CorruptData(key, self.place, "there is no such row")
        number, body = rows[0]
        try:
            canonical = strict_json.decode(body.encode())[1]
        except strict_json.Malformed as error:
            raise CorruptData(key, self.place, str(error)) from None
        self.schema.loaded(key, self.place, strict_json.copy_of(canonical))
        yield Ask(
            "UPDATE {s}.documents SET generation = %s, body = %s, digest = %s WHERE place = %s AND key = %s",
            (number, canonical, self._seal(key, number, canonical), self.place, key),
        )

    def is_older(self, key: str) -> Program[bool]:
        """Whether the document is of an older version; raises CorruptData."""
        rows = yield Ask(f"SELECT generation, body, digest {_WHERE}", (self.place, key))
        return bool(rows) and self.schema.older_version(self._sound(key, *rows[0])) is not None

    def _made(self, change: Change, there: tuple[int, str, str] | None) -> tuple[Document | None, Encoded]:
        if change.update is None:
            assert change.encoded is not None, "it is no removal"
            return None, change.encoded
        try:
            present = None if there is None else self._understood(change.key, *there).content
        except CorruptData:
            if change.damaged is None:
                raise
            present = change.damaged()
        made = change.update(present)
        if made is None:
            raise UnserialisableValue("the function returned None (to remove a document use delete), which")
        new = self.schema.encoded(change.key, made)
        return strict_json.copy_of(new.canonical), new

    def _kept(self, key: str, generation: int, body: str, digest: str, *, removed: bool) -> Program[None]:
        """Keep what goes if it is damaged, or of an older version that is replaced."""
        try:
            content = self._sound(key, generation, body, digest)
            version = None if removed else self.schema.older_version(content)
            reason = "" if version is None else f"version {version}"
        except CorruptData as damage:
            reason = damage.reason
            _log.warning("%s: its row was damaged (%s); kept in the table 'kept'", shown(key), reason)
        if reason:
            yield Ask(
                "INSERT INTO {s}.kept (place, key, generation, body, digest, reason) VALUES (%s, %s, %s, %s, %s, %s)",
                (self.place, key, generation, body, digest, reason),
            )

    def _sound(self, key: str, generation: int, body: str, digest: str) -> Document:
        vouched("document", self.place, key, generation, body, digest)
        try:
            return strict_json.copy_of(body)
        except ValueError as error:
            let_out(error)
            raise CorruptData(key, self.place, "it is no JSON") from None

    def _understood(self, key: str, generation: int, body: str, digest: str) -> Unsealed:
        content = self._sound(key, generation, body, digest)
        if self.schema is not ANY:
            content = self.schema.loaded(key, self.place, content)
        return Unsealed(content, generation, generation)

    def _seal(self, key: str, generation: int, body: str) -> str:
        return seal("document", self.place, key, generation, body)


def as_it_is(document: Document | None) -> Document:
    """The update of a migration: reading has brought the document up to date."""
    if document is None:
        raise MigrationError("", "", "", "", "it was removed meanwhile")
    return document
