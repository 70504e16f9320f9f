"""Documents by key, and single documents, on PostgreSQL, for threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from reference_store.core.closing import Closing
from reference_store.core.document_changes import Change, Update
from reference_store.core.schemas import Schema
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.operations.migration import Migrated, migrated_of
from reference_store.postgres.database import Database
from reference_store.postgres.document_programs import DocumentPrograms, as_it_is
from reference_store.stores.single import file_stem, or_empty

CLAIMS = ("process-crash", "power-loss", "threads", "processes", "checksums")
"""What every store here claims towards the conformance suite: the backups are the server's affair."""


class OnDatabase(Closing):
    """Base of the stores: they share a Database, or open one of their own, which is closed with them."""

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(self, database: Database | str) -> None:
        self._own = isinstance(database, str)
        self.database = Database(database) if isinstance(database, str) else database

    def close(self) -> None:
        """Close the database if it was opened by this store; closing twice is fine."""
        if self._own:
            self.database.close()


class PostgresDocumentStore(OnDatabase):
    """DocumentStore on a database; see there for the methods, and Database for what a transaction is.

    ``database`` is one that is open, or what to connect to. ``place`` keeps stores apart as directories do. Keys are
    those of the files. A row that is not what was stored raises CorruptData, and is kept in the table ``kept`` when it
    is replaced; no backup answers for it, which the server has.
    """

    def __init__(self, database: Database | str, *, place: str = "documents", schema: Schema | None = None) -> None:
        self._programs = DocumentPrograms(place, schema)
        super().__init__(database)

    def put(self, key: str, document: Document, *, expected: int | None = None) -> None:
        """Store ``document`` under ``key``; see DocumentStore.put."""
        self._make(self._programs.putting("put", key, document, expected))

    def update(self, key: str, function: Update) -> Document:
        """Store what ``function`` makes of the document, and return it; see DocumentStore.update.

        ``function`` may be called again when the server has lost the transaction, or has taken it back.
        """
        made: Document = self._make(self._programs.updating("update", key, function))
        return made

    def get_versioned(self, key: str) -> tuple[Document | None, int]:
        """Return the document and its generation, ``(None, 0)`` if there is none."""
        found = self.database.read("get_versioned", key, lambda: self._programs.read(key))
        return (None, 0) if found is None else (found.content, found.number)

    def get(self, key: str) -> Document | None:
        """Return the document, or None if there is none; raises CorruptData and NewerRecord."""
        found = self.database.read("get", key, lambda: self._programs.read(key))
        return None if found is None else found.content

    def delete(self, key: str) -> bool:
        """Remove the document for good, and say whether there was one."""
        removed: bool = self._make(self._programs.removal("delete", key))
        return removed

    def keys(self) -> list[str]:
        """Return all keys, sorted by code point; damaged documents are among them."""
        return self.database.read("keys", "keys", self._programs.keys)

    def reseal(self, key: str) -> None:
        """Accept the row of ``key`` as it stands, after an edit by hand; raises CorruptData if it is no document."""
        self.database.write("reseal", key, lambda: self._programs.reseal(key))

    def migrate(self) -> Migrated:
        """Bring all documents up to the current version of the schema; see DocumentStore.migrate."""
        return migrated_of(self._migrate, self.get, self.keys())

    def _migrate(self, key: str) -> bool:
        older = self.database.read("migrate", key, lambda: self._programs.is_older(key))
        if older:
            self._make(self._programs.updating("migrate", key, as_it_is))
        return older

    def _make(self, change: Change) -> Any:
        return self.database.write(change.operation, change.key, lambda: self._programs.make(change))


class PostgresSingleDocumentStore(OnDatabase):
    """SingleDocumentStore on a database; see there, and PostgresDocumentStore."""

    def __init__(
        self, database: Database | str, name: str = "data", *, place: str = "singles", schema: Schema | None = None
    ) -> None:
        file_stem(name)
        self._name, self._programs = name, DocumentPrograms(place, schema)
        super().__init__(database)

    def save(self, data: Document) -> None:
        """Store ``data`` in place of what was there."""
        self._make(self._programs.putting("save", self._name, data))

    def update(self, function: Callable[[Document], Document]) -> Document:
        """Store what ``function`` makes of the document, of ``{}`` if there is none."""
        made: Document = self._make(self._programs.updating("update", self._name, or_empty(function)))
        return made

    def load(self) -> Document:
        """Return what was saved last, ``{}`` if nothing was; raises CorruptData and NewerRecord."""
        found = self.database.read("load", self._name, lambda: self._programs.read(self._name))
        return {} if found is None else found.content

    def reseal(self) -> None:
        """Accept the row as it stands, after an edit by hand."""
        self.database.write("reseal", self._name, lambda: self._programs.reseal(self._name))

    def migrate(self) -> bool:
        """Bring the document up to the current version of the schema; says whether it was of an older one."""
        older = self.database.read("migrate", self._name, lambda: self._programs.is_older(self._name))
        if older:
            self._make(self._programs.updating("migrate", self._name, as_it_is))
        return older

    def _make(self, change: Change) -> Any:
        return self.database.write(change.operation, change.key, lambda: self._programs.make(change))
