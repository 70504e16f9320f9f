"""A store of JSON documents by key, one readable file for each."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reference_store.core.closing import Closing
from reference_store.core.document_changes import Update
from reference_store.core.document_files import DocumentFiles, Recovery
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.schemas import Schema
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.operations.migration import Migrated, migrate_all

CLAIMS = ("process-crash", "power-loss", "threads", "processes", "backup", "checksums", "private-files")
"""What every store here claims towards the conformance suite."""


class DocumentStore(Closing, Reopened):
    """JSON documents by key; every update is whole, durable on return and excludes all other writers of the root.

    ``root`` is a directory; it is created, durably, if it does not exist. Several instances, threads and processes may
    use one root. Writers wait up to ``lock_timeout`` seconds for each other, readers never wait; a
    listing may, for a moment, when files are replaced while it is made.

    ``schema`` says what a document has to be, and how one of an older version becomes so: it is asked about all that is
    saved and all that is loaded. What a newer version has written is not touched: NewerRecord.

    With ``sensitive`` only the owner may read the files (mode 600; otherwise 640).

    Every method raises InvalidIdentifier for a key that cannot be stored (see ``core.keys``), StoreClosed
    after ``close`` and StorageFailure, with its errno, when the operating system refuses something.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(
        self,
        root: str | Path,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        schema: Schema | None = None,
        sensitive: bool = False,
    ) -> None:
        self._files = DocumentFiles(root, lock_timeout, schema=schema, sensitive=sensitive)

    def put(self, key: str, document: Document, *, expected: int | None = None) -> None:
        """Store ``document`` under ``key``; the version before it is kept as the backup.

        With ``expected`` only if the document is of that generation (see ``get_versioned``; 0: only if there is none),
        and VersionConflict is raised if it is not.

        On return it outlives a power loss. Raises UnserialisableValue for what JSON would not give back equal, and
        LockTimeout; after either, and after a StorageFailure whose ``may_have_happened`` is False, the version before
        is untouched. A damaged version is not overwritten but kept beside, under a name that begins with ``.damaged-``.
        """
        self._files.write("put", key, document, expected)

    def update(self, key: str, function: Update) -> Document:
        """Store what ``function`` makes of the document, of None if there is none, durably, and return it.

        Nobody else changes the root between the reading and the writing: no thread, task or process. So ``function``
        should be quick; it is called once, in another thread, with the context variables of the caller. What it raises
        comes out here, and then the document stays as it is, as it does when it returns what ``put`` would refuse. A
        call on the same root that would wait for this one raises CalledInside in it.
        """
        return self._files.update_document("update", key, function)

    def get_versioned(self, key: str) -> tuple[Document | None, int]:
        """Return the document and its generation, ``(None, 0)`` if there is none; raises as ``get`` does.

        The generation is another one after each change, and never one that was seen before.
        """
        return self._files.read_versioned("get_versioned", key)

    def get(self, key: str) -> Document | None:
        """Return the document, or None if there is none.

        If its file is damaged the backup answers, which is logged as a warning and noted in ``recoveries``; nothing is
        changed on the disk. Raises CorruptData when there is no sound backup either.
        """
        return self._files.read("get", key)

    def delete(self, key: str) -> bool:
        """Remove the document and its backup for good, and say whether there was one; raises LockTimeout."""
        return self._files.remove("delete", key)

    def keys(self) -> list[str]:
        """Return all keys, sorted by code point; damaged documents are among them."""
        return self._files.keys("keys")

    def reseal(self, key: str) -> None:
        """Accept the file of ``key`` as it stands, after an edit by hand.

        Raises CorruptData if it is missing or is not one JSON object, and LockTimeout.
        """
        self._files.reseal("reseal", key)

    def migrate(self) -> Migrated:
        """Bring all documents up to the current version of the schema, durably, one after the other.

        A file of an older version is kept beside, as ``.version-<version>-...``. Doing it again does nothing. What
        cannot be brought up to date stays as it is and is told, and stands in nobody's way.
        """
        return migrate_all(self._files, self.keys())

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 reads of this instance that were answered from a backup."""
        return tuple(self._files.recoveries)

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._files.root.close()
