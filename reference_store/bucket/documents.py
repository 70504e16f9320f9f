"""Documents by key in a bucket, for threads."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

from reference_store.bucket.objects import Bucket, ConditionFailed, Seen, split_options
from reference_store.bucket.stored import NOTHING, SMALL, Stored, stored
from reference_store.core import integrity, keys
from reference_store.core.closing import Closing
from reference_store.core.document_changes import Change, Update, putting, updating
from reference_store.core.schemas import ANY, Schema
from reference_store.core.strict_json import Document, copy_of
from reference_store.errors import (
    InvalidRecord,
    StorageFailure,
    StoreClosed,
    StoreError,
    UnserialisableValue,
    VersionConflict,
)

_DOCUMENTS, _SUFFIX = "documents/", ".json"
_SHORTEST, _LONGEST = 0.02, 2.0
_AT_ONCE = 16


class BucketDocumentStore(Closing):
    """DocumentStore in a bucket; see there for the methods.

    ``url`` is ``s3://bucket/prefix``, ``gs://...`` or ``az://...``; credentials come from the environment or from
    ``storage_options``, and are in no message. A bucket that ignores conditions is refused when it is opened.

    A change is put on condition that nothing has come in between, and made anew if something has, for at most
    ``retry_for`` seconds; a function given to ``update`` is called each time. A put whose answer was lost is looked for
    and not done again. Nobody waits for a lock: where many write to one document at once, most of them begin anew again
    and again, and Google's buckets take one write a second to one object. So this is for documents that change
    now and then; for more there is ``reference_store.postgres``. There are no transactions over several documents,
    listings read each small object, and a document that was removed leaves one of some hundred bytes behind.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("process-crash", "power-loss", "threads", "processes", "checksums")

    def __init__(
        self,
        url: str,
        *,
        storage_options: Mapping[str, Any] | None = None,
        retry_for: float = 30.0,
        schema: Schema | None = None,
        probe: bool = True,
    ) -> None:
        if type(retry_for) not in (int, float) or not 0 <= retry_for <= 3600:
            raise InvalidRecord("retry_for", "is no number of seconds from 0 to 3600")
        if type(url) is not str:
            raise InvalidRecord("url", f"is of type {type(url).__name__}, not text")
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._schema = ANY if schema is None else schema
        self._bucket = Bucket(url, self.name, *split_options(storage_options))
        self._retry_for = retry_for
        self._closed = False
        if probe:
            self._bucket.probe("url")

    def put(self, key: str, document: Document, *, expected: int | None = None) -> None:
        """Store ``document`` under ``key``; see DocumentStore.put."""
        keys.encode(key)
        self._make(putting("put", key, self._schema.encoded(key, document), expected))

    def update(self, key: str, function: Update) -> Document:
        """Store what ``function`` makes of the document, None if there is none, and return it."""
        keys.encode(key)
        made: Document = self._make(updating("update", key, function, self._schema.encoded))
        return made

    def get(self, key: str) -> Document | None:
        """Return the document, or None if there is none; raises CorruptData and NewerRecord."""
        return self.get_versioned(key)[0]

    def get_versioned(self, key: str) -> tuple[Document | None, int]:
        """Return the document and its generation, ``(None, 0)`` if there is none."""
        found = self._read("get", key)[0]
        if found.document is None:
            return None, 0
        return self._schema.loaded(key, _path(key), found.document), found.generation

    def delete(self, key: str) -> bool:
        """Remove the document, and say whether there was one."""
        keys.encode(key)
        removed: bool = self._make(Change("delete", key))
        return removed

    def keys(self) -> list[str]:
        """Return all keys, sorted; damaged documents are among them."""
        self._open("keys")
        found: list[str] = []
        small: list[str] = []
        for path, size in self._bucket.listed("keys", _DOCUMENTS):
            name = path.rpartition("/")[2]
            key = keys.decode(name.removesuffix(_SUFFIX)) if name.endswith(_SUFFIX) else None
            if key is not None:
                (small if size <= SMALL else found).append(key)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found += [key for key, there in zip(small, threads.map(self._is_there, small), strict=True) if there]
        return sorted(found)

    def close(self) -> None:
        """Nothing is held open; calls after this raise StoreClosed."""
        self._closed = True

    def _is_there(self, key: str) -> bool:
        try:
            return self._read("keys", key)[0].document is not None
        except StorageFailure:
            raise
        except StoreError:
            return True

    def _open(self, operation: str) -> None:
        if self._closed:
            raise StoreClosed(operation)

    def _read(self, operation: str, key: str) -> tuple[Stored, Seen | None]:
        path = _path(key)
        self._open(operation)
        end, pause = time.monotonic() + self._retry_for, _SHORTEST
        while True:
            try:
                seen = self._bucket.get(operation, path)
                break
            except StorageFailure as failure:
                if failure.errno != errno.EIO or time.monotonic() + pause > end:
                    raise StorageFailure(operation, key, failure) from None
            pause = _waited(pause)
        return (NOTHING if seen is None else stored(seen.data, key, path)), seen

    def _make(self, change: Change) -> Any:
        """Make a change on condition that nothing comes in between, once."""
        self._open(change.operation)
        nonce, path = uuid4().hex, _path(change.key)
        end, pause = time.monotonic() + self._retry_for, _SHORTEST
        doubt: tuple[int, Any] | None = None
        while True:
            there, seen = self._read(change.operation, change.key)
            if doubt is not None:
                done = there.tells(nonce, doubt[0])
                if done:
                    return doubt[1]
                if done is None:
                    raise self._unknown(change)
            made = self._made(change, there, nonce)
            if made is None:
                return False  # what is not there need not be removed
            result, after, data = made
            doubt = after.generation, result
            try:
                self._bucket.put(change.operation, path, data, seen)
                return result
            except ConditionFailed:
                # Somebody else was faster; or this was the answer to a second attempt, or says it of a race that
                # nobody has won: what is there tells.
                failed: StorageFailure | None = None
            except StorageFailure as failure:
                failed = failure
            if time.monotonic() + pause > end or (failed is not None and failed.errno != errno.EIO):
                there, _ = self._read(change.operation, change.key)
                if there.tells(nonce, doubt[0]):
                    return result
                if failed is not None:
                    raise StorageFailure(change.operation, change.key, failed) from None
                raise StorageFailure(
                    change.operation, change.key, OSError(errno.EAGAIN, "others changed it each time in between")
                )
            pause = _waited(pause)

    def _made(self, change: Change, there: Stored, nonce: str) -> tuple[Any, Stored, bytes] | None:
        """What the call returns, what is stored then, and its bytes; None if there is nothing to be done."""
        key = change.key
        present = 0 if there.document is None else there.generation
        if change.expected is not None and change.expected != present:
            raise VersionConflict(key, change.expected, present)
        new = change.encoded
        result: Any = None
        if change.removes:
            if there.document is None:
                return None
            result = True
        elif change.update is not None:
            document = None if there.document is None else self._schema.loaded(key, _path(key), there.document)
            made = change.update(document)
            if made is None:
                raise UnserialisableValue("the function returned None (to remove a document use delete), which")
            new = self._schema.encoded(key, made)
            result = copy_of(new.canonical)
        after, content = there.followed(new, nonce)
        return result, after, integrity.seal_document(content, key, after.generation)

    def _unknown(self, change: Change) -> StorageFailure:
        error = OSError(errno.EIO, "no answer came, and too much has been written since to tell")
        return StorageFailure(change.operation, change.key, error, may_have_happened=True)


def _path(key: str) -> str:
    return f"{_DOCUMENTS}{keys.encode(key)}{_SUFFIX}"


def _waited(pause: float) -> float:
    """Wait, in part at random: who met once should not meet again; return the next pause (seconds)."""
    time.sleep(pause * random.uniform(0.3, 1.7))  # noqa: S311 - nobody has to be unable to guess it
    return min(pause * 2, _LONGEST)
