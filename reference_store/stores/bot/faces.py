"""What the stores of models have in common, for threads and for asyncio: changes that are made under the lock.

A change is described once, as a function of the record that is there, and both faces have it made. Which records there
are, and what is done to them, is said by each store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from reference_store.core.closing import AsyncClosing, Closing
from reference_store.core.document_changes import Change
from reference_store.core.document_files import DocumentFiles, Recovery
from reference_store.core.reopening import Reopened
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.stores.aio import document_commits, reading
from reference_store.stores.bot.records import document_of, read_as
from reference_store.stores.documents import CLAIMS

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")


class Unchanged(Exception):  # noqa: N818 - says what is the case
    """Nothing is to be written; the call is to return ``result``."""

    def __init__(self, result: object = None) -> None:
        self.result = result
        super().__init__()


@dataclass(slots=True)
class Doing(Generic[R]):
    """A change to be made in some files, and what the call is to return when it is."""

    files: DocumentFiles
    change: Change
    result: R | None = None


class Models(Generic[M]):
    """The documents of a store as records of one model."""

    def __init__(self, files: DocumentFiles, model: type[M]) -> None:
        self.files, self.model = files, model

    def read(self, operation: str, key: str) -> M | None:
        """Return the record of ``key``, None if there is none."""
        found = self.files.read(operation, key)
        return None if found is None else read_as(self.model, found)

    def doing(
        self,
        operation: str,
        key: str,
        function: Callable[[M | None], tuple[M, R]],
        damaged: Callable[[], M | None] | None = None,
    ) -> Doing[R]:
        """Return the change that stores the first of what ``function`` returns; the call returns the second.

        With ``damaged``, ``function`` gets what that returns where the document is damaged beyond its backup.
        """

        def update(document: Document | None) -> Document:
            present = None if document is None or document == _NOTHING else read_as(self.model, document)
            made, made_of = function(present)
            found = document_of(self.model, made)
            doing.result = made_of
            return found

        def instead() -> Document:
            assert damaged is not None
            found = damaged()
            return dict(_NOTHING) if found is None else document_of(self.model, found)

        doing: Doing[R] = Doing(self.files, self.files.updating(operation, key, update, damaged and instead))
        return doing


_NOTHING: Document = {"": None}
"""Stands for no document at all; no model has it."""


class _Face:
    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    _files: DocumentFiles
    _all_files: tuple[DocumentFiles, ...]

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The last reads of this instance, up to 100 of each file, that were answered from a backup."""
        return tuple(recovery for files in self._all_files for recovery in files.recoveries)

    def _let_go(self) -> None:
        for files in self._all_files:
            files.root.close()


class ModelStore(Closing, Reopened, _Face):
    """Base of the stores for threads."""

    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(self, files: DocumentFiles, *others: DocumentFiles) -> None:
        self._files, self._all_files = files, (files, *others)

    def _done(self, doing: Doing[R]) -> Any:
        try:
            doing.files.group.commit(doing.change)
        except Unchanged as unchanged:
            return unchanged.result
        return doing.result

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._let_go()


class AsyncModelStore(AsyncClosing, Reopened, _Face):
    """Base of the stores for asyncio."""

    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *CLAIMS)

    def __init__(self, files: DocumentFiles, *others: DocumentFiles) -> None:
        self._files, self._all_files = files, (files, *others)
        self._commits_of = {id(each): document_commits(each) for each in self._all_files}
        self._commits = self._commits_of[id(files)]

    async def _done(self, doing: Doing[R]) -> Any:
        try:
            await self._commits_of[id(doing.files)].commit(doing.change)
        except Unchanged as unchanged:
            return unchanged.result
        return doing.result

    async def _read(self, call: Callable[..., R], *args: Any) -> R:
        return await reading(call, *args)

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._let_go()
