"""Documents on a database for the stores of files: what these ask of a directory of documents, and nothing else.

Their own rules (what a record is, how it changes, who may see what) stay as they are. The stores for asyncio make
their calls in threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from reference_store.core.document_changes import Change, Update
from reference_store.core.document_files import Recovery
from reference_store.core.schemas import Schema
from reference_store.core.strict_json import Document
from reference_store.core.threads import CALLS
from reference_store.postgres.document_programs import DocumentPrograms, as_it_is

if TYPE_CHECKING:
    from reference_store.postgres.database import Database


class PostgresPlace:
    """A place in a database, given to a store instead of a directory."""

    def __init__(self, database: Database, path: str) -> None:
        self._database, self.path = database, path

    def below(self, name: str) -> PostgresPlace:
        """The place ``name`` of this one."""
        return PostgresPlace(self._database, f"{self.path}/{name}" if self.path else name)

    def documents(self, schema: Schema | None) -> PlacedDocuments:
        """The documents that stand here."""
        return PlacedDocuments(self._database, DocumentPrograms(self.path or "documents", schema))


class PlacedDocuments:
    """What DocumentFiles offers to the stores of models; see there."""

    def __init__(self, database: Database, programs: DocumentPrograms) -> None:
        self._database, self._programs = database, programs
        self.schema = programs.schema
        self.recoveries: deque[Recovery] = deque(maxlen=0)
        """No backup ever answers here."""

    @property
    def group(self) -> PlacedDocuments:
        """Where changes are made durable."""
        return self

    @property
    def root(self) -> PlacedDocuments:
        """What is let go of."""
        return self

    def commit(self, change: Change) -> Any:
        """Make a change, and return what its call returns."""
        return self._database.write(change.operation, change.key, lambda: self._programs.make(change))

    def of_tasks(self) -> TaskCommits:
        """The same for tasks."""
        return TaskCommits(self)

    def read(self, operation: str, key: str) -> Document | None:
        return self.read_versioned(operation, key)[0]

    def read_versioned(self, operation: str, key: str) -> tuple[Document | None, int]:
        found = self._database.read(operation, key, lambda: self._programs.read(key))
        return (None, 0) if found is None else (found.content, found.number)

    def read_recovered(self, operation: str, key: str) -> tuple[Document | None, Recovery | None]:
        return self.read(operation, key), None

    def change(self, operation: str, key: str, document: Document, expected: int | None = None) -> Change:
        return self._programs.putting(operation, key, document, expected)

    def updating(
        self, operation: str, key: str, function: Update, damaged: Callable[[], Document] | None = None
    ) -> Change:
        return self._programs.updating(operation, key, function, damaged)

    def removal(self, operation: str, key: str) -> Change:
        return self._programs.removal(operation, key)

    def write(self, operation: str, key: str, document: Document, expected: int | None = None) -> None:
        self.commit(self.change(operation, key, document, expected))

    def update_document(self, operation: str, key: str, function: Update) -> Document:
        made: Document = self.commit(self.updating(operation, key, function))
        return made

    def remove(self, operation: str, key: str) -> bool:
        removed: bool = self.commit(self.removal(operation, key))
        return removed

    def keys(self, operation: str) -> list[str]:
        return self._database.read(operation, "keys", self._programs.keys)

    def is_older(self, operation: str, key: str) -> bool:
        return self._database.read(operation, key, lambda: self._programs.is_older(key))

    def migrate(self, operation: str, key: str) -> bool:
        older = self.is_older(operation, key)
        if older:
            self.update_document(operation, key, as_it_is)
        return older

    def reseal(self, operation: str, key: str) -> None:
        self._database.write(operation, key, lambda: self._programs.reseal(key))

    def close(self) -> None:
        """Nothing: whoever has opened the database closes it."""


class TaskCommits:
    """Changes of documents by tasks, each in a thread."""

    def __init__(self, documents: PlacedDocuments) -> None:
        self._documents = documents

    async def commit(self, change: Change) -> Any:
        """Make a change, from its beginning to its end, and return what its call returns."""
        return await CALLS.whole(partial(self._documents.commit, change))
