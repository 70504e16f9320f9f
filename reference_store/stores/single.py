"""A store of one JSON document: the load and save of a portfolio, a configuration or an application's state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.closing import Closing
from reference_store.core.document_changes import Update
from reference_store.core.document_files import SUFFIX, DocumentFiles, Recovery, is_without_letters
from reference_store.core.document_reading import regular
from reference_store.core.elsewhere import Elsewhere
from reference_store.core.integrity import Unsealed
from reference_store.core.late_imports import late
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place
from reference_store.core.schemas import Schema
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidIdentifier, InvalidRecord, StoreError
from reference_store.stores.documents import CLAIMS


class SingleDocumentStore(Closing, Reopened):
    """One JSON document in ``<root>/<name>.json``, the previous version in ``<name>.json.bak``.

    Promises, errors, ``schema``, ``sensitive`` and ``lock_timeout`` are those of DocumentStore. ``name`` is an
    identifier like its keys but without upper-case letters, so that the file can be called exactly that. Several single
    documents, and a DocumentStore, can live in one root without seeing each other.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(
        self,
        root: str | Path,
        name: str = "data",
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        schema: Schema | None = None,
        sensitive: bool = False,
    ) -> None:
        self._name = name
        self._files = single_files(root, name, lock_timeout, schema, sensitive=sensitive)

    def save(self, data: Document) -> None:
        """Store ``data`` in place of what was there, durably; raises as DocumentStore.put does."""
        self._files.write("save", self._name, data)

    def update(self, function: Callable[[Document], Document]) -> Document:
        """Store what ``function`` makes of the document, of ``{}`` if there is none; see DocumentStore.update."""
        return self._files.update_document("update", self._name, or_empty(function))

    def load(self) -> Document:
        """Return what was saved last, ``{}`` if nothing was; a damaged file is never read as "nothing".

        Raises CorruptData when neither the file nor its backup is sound; see DocumentStore.get.
        """
        return self._files.read("load", self._name) or {}

    def reseal(self) -> None:
        """Accept the file as it stands, after an edit by hand; raises as DocumentStore.reseal does.

        Jobs and runs are documents like this one, but for a log beside them: what that has is kept on top of the edit.
        """
        with self._files.root.reading("reseal", self._name) as directory:
            has_log = self._name in ("jobs", "runs") and directory.has(f".{self._name}.changes.jsonl")
        if has_log:
            # Not imported before: they need pydantic.
            job_records, run_records, record_file = late(
                partial(_imported, "job_records", "run_records", "record_file")
            )
            form = job_records.FORM if self._name == job_records.FILE else run_records.FORM
            record_file.RecordFile(directory, form, self._files.root.lock_timeout, job_records.utc_now).reseal()
        else:
            self._files.reseal("reseal", self._name)

    def migrate(self) -> bool:
        """Bring the document up to the current version of the schema, durably; says whether it was of an older one.

        Raises what stands in the way; see DocumentStore.migrate.
        """
        return self._files.migrate("migrate", self._name)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last 100 loads of this instance that were answered from the backup."""
        return tuple(self._files.recoveries)

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._files.root.close()


def _imported(*names: str) -> list[Any]:
    return [import_module(f"reference_store.stores.{name}") for name in names]


def single_files(
    root: Place, name: str, lock_timeout: float, schema: Schema | None = None, *, sensitive: bool = False
) -> DocumentFiles:
    """Return the files of a single document; raises InvalidIdentifier before anything is created."""
    file_stem(name)
    if isinstance(root, Elsewhere):
        documents: DocumentFiles = root.documents(schema)
        return documents
    return _SingleFiles(root, lock_timeout, file_stem, schema, sensitive=sensitive)


def or_empty(function: Callable[[Document], Document]) -> Update:
    """Let ``function`` see ``{}`` where there is no document."""
    if not callable(function):
        raise InvalidRecord("function", "cannot be called")
    return lambda document: function({} if document is None else document)


class _SingleFiles(DocumentFiles):
    """Reads what 0.1.0 has saved under a name without letters: as the key of that name, which is another file now."""

    def _present_or_backup(self, directory: Directory, key: str, name: str) -> Unsealed | None:
        found = super()._present_or_backup(directory, key, name)
        if found is not None or not is_without_letters(key):
            return found
        old = keys.encode(key)
        file = regular(directory, key, old + SUFFIX)
        if file is None or not file.data.endswith(b"\n"):  # a DocumentStore leaves that away, see there
            return None
        return super()._present_or_backup(directory, key, old)


def file_stem(name: str) -> str:
    """The encoded name without its case marker, which says nothing where all letters are lower case.

    Where there are no letters a marker is added instead: no key has such a file.
    """
    stem = keys.encode(name)
    if any("A" <= char <= "Z" for char in name):
        raise InvalidIdentifier(name, "has upper-case letters, which the name of a single document cannot have")
    return stem + "+" if is_without_letters(name) else stem.removesuffix("+")
