"""Records of one model by id, one readable file each: what the stores of strategies, tasks and stock states share."""

from __future__ import annotations

import builtins
import logging
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from reference_store.bot_models import Kept
from reference_store.core.document_files import DocumentFiles
from reference_store.core.elsewhere import Elsewhere
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, NewerRecord, shown
from reference_store.operations.migration import Migrated, migrate_all
from reference_store.stores.aio import _whole as whole
from reference_store.stores.bot.faces import AsyncModelStore, Doing, Models, ModelStore, Unchanged
from reference_store.stores.bot.places import below
from reference_store.stores.bot.records import document_of, model_of, schema_of
from reference_store.stores.ids import checked_page
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock, now_of

K = TypeVar("K", bound=Kept)
_log = logging.getLogger("reference_store")


class Kind(Generic[K]):
    """Which records: their ``model``, the field that is their id, and the directory that they stand in."""

    def __init__(self, model: type[K], identifier: str, directory: str) -> None:
        self.model, self.identifier, self.directory = model, identifier, directory

    def opened(self, root: str | Path, lock_timeout: float, clock: Clock) -> Records[K]:
        """Return the records below ``root``."""

        def named(document: Document) -> None:
            if type(document.get(self.identifier)) is not str:
                raise InvalidRecord(self.identifier, "is no text")

        schema = schema_of(self.model, rule=named)
        place = below(root, self.directory)
        if isinstance(place, Elsewhere):
            return Records(self, place.documents(schema), clock)
        return Records(self, DocumentFiles(place, lock_timeout, schema=schema), clock)


class Records(Generic[K]):
    """Reads, and changes to be made durable by one of the faces."""

    def __init__(self, kind: Kind[K], files: DocumentFiles, clock: Clock) -> None:
        self.files, self._kind, self._clock = files, kind, clock
        self._models = Models(files, kind.model)

    def get(self, identifier: str, operation: str = "get") -> K | None:
        found = self._models.read(operation, identifier)
        if found is not None and self._id_of(found) != identifier:
            raise CorruptData(identifier, self._kind.directory, "it holds the record of another id")
        return found

    def _listed(self) -> Iterator[K]:
        """Yield the records by id; one that a newer version has written is passed over, and the log says so."""
        for identifier in self.ids():
            try:
                record = self.get(identifier, "list")
            except NewerRecord as newer:
                _log.warning("%s is not listed: %s", shown(identifier), newer.reason)
                continue
            if record is not None:
                yield record

    def ids(self) -> list[str]:
        return self.files.keys("list")

    def page(self, wanted: Callable[[K], bool], limit: int, offset: int) -> list[K]:
        checked_page(limit, offset)
        first, end = min(offset, sys.maxsize), min(offset + limit, sys.maxsize)
        return list(islice(filter(wanted, self._listed()), first, end))

    def all(self) -> list[K]:
        return list(self._listed())

    def saving(self, record: K) -> Doing[K]:
        given = self._copy(record)

        def save(present: K | None) -> tuple[K, K]:
            self._stamp(given, present)
            return given, given

        return self._models.doing("save", self._id_of(given), save)

    def upserting(self, operation: str, begun: K, function: Callable[[K], K]) -> Doing[K]:
        """Return the change that stores what ``function`` makes of the record that is there, or else ``begun``."""
        given = self._copy(begun)

        def upsert(present: K | None) -> tuple[K, K]:
            made = given if present is None else self._copy(function(present))
            self._stamp(made, present)
            return made, made

        return self._models.doing(operation, self._id_of(given), upsert)

    def updating(
        self, operation: str, identifier: str, function: Callable[[K], K | None], begun: K | None = None
    ) -> Doing[K]:
        if not callable(function):
            raise InvalidRecord("function", "cannot be called")
        first = None if begun is None else self._copy(begun)
        if first is not None and self._id_of(first) != identifier:
            raise InvalidRecord("begun", "is a record of another id")

        def update(present: K | None) -> tuple[K, K]:
            if present is None:
                present = first
            if present is None:
                raise Unchanged(None)
            before = self._copy(present)
            made = function(present)
            if made is None:
                raise Unchanged(None)
            made = self._copy(made)
            if self._id_of(made) != identifier:
                raise InvalidRecord(self._kind.identifier, "was changed by the function; a record keeps its id")
            self._stamp(made, before)
            return made, made

        return self._models.doing(operation, identifier, update)

    def _copy(self, record: K) -> K:
        return model_of(self._kind.model, document_of(self._kind.model, record))

    def _id_of(self, record: K) -> str:
        found: str = getattr(record, self._kind.identifier)
        return found

    def _stamp(self, record: K, present: K | None) -> None:
        now = now_of(self._clock)
        record.created_at = (present and present.created_at) or record.created_at or now
        record.updated_at = now


class KeyedModelStore(ModelStore, Generic[K]):
    """Base of the stores for threads that keep one kind of record by its id."""

    kind: ClassVar[Kind[K]]

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._records: Records[K] = self.kind.opened(root, lock_timeout, clock)
        super().__init__(self._records.files)

    def save(self, record: K) -> K:
        """Store the record under its id, durably, and return it with the times that the store has set."""
        saved: K = self._done(self._records.saving(record))
        return saved

    def get(self, identifier: str) -> K | None:
        """Return the record, None if there is none; raises CorruptData, NewerRecord and InvalidIdentifier."""
        return self._records.get(identifier)

    def update(self, identifier: str, function: Callable[[K], K], begun: K | None = None) -> K | None:
        """Store what ``function`` makes of the record, and return it; None, without a call, if there is no such record.

        With ``begun`` that is what it is given where there is none. Nobody else changes anything of this kind
        meanwhile; see DocumentStore.update.
        """
        saved: K | None = self._done(self._records.updating("update", identifier, function, begun))
        return saved

    def delete(self, identifier: str) -> bool:
        """Remove the record for good, and say whether there was one."""
        return self._files.remove("delete", identifier)

    def ids(self) -> builtins.list[str]:
        """Return all ids, sorted."""
        return self._records.ids()

    def migrate(self) -> Migrated:
        """Bring all records up to the current version; see DocumentStore.migrate."""
        return migrate_all(self._files, self._records.ids())


class AsyncKeyedModelStore(AsyncModelStore, Generic[K]):
    """Base of the same stores for asyncio."""

    kind: ClassVar[Kind[K]]

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._records: Records[K] = self.kind.opened(root, lock_timeout, clock)
        super().__init__(self._records.files)

    async def save(self, record: K) -> K:
        """Store the record under its id, durably; see KeyedModelStore.save."""
        saved: K = await self._done(self._records.saving(record))
        return saved

    async def get(self, identifier: str) -> K | None:
        """Return the record, None if there is none; see KeyedModelStore.get."""
        return await self._read(self._records.get, identifier)

    async def update(self, identifier: str, function: Callable[[K], K], begun: K | None = None) -> K | None:
        """Store what ``function``, called in a thread, makes of the record; see KeyedModelStore.update."""
        saved: K | None = await self._done(self._records.updating("update", identifier, function, begun))
        return saved

    async def delete(self, identifier: str) -> bool:
        """Remove the record for good, and say whether there was one."""
        removed: bool = await self._commits.commit(self._files.removal("delete", identifier))
        return removed

    async def ids(self) -> builtins.list[str]:
        """Return all ids, sorted."""
        return await whole(self._records.ids)

    async def migrate(self) -> Migrated:
        """Bring all records up to the current version; see DocumentStore.migrate."""
        return await whole(migrate_all, self._files, await self.ids())
