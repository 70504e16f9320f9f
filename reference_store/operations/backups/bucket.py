"""A vault in a bucket (Google Cloud Storage, S3, Azure), by obstore: needs the extra ``cloud``.

A bucket has no lock and no rename, only objects that are put whole, and the condition that one is not there yet. A
generation is made with that condition, after all of its contents; one that was answered wrongly, or not at all, is read
back. A bucket that ignores the condition is refused. Contents that no generation needs are condemned first and removed
a day later, unless somebody has put them again or needs them: another machine may be at work.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore import exceptions
from obstore.store import from_url

from reference_store.core.document_files import SUFFIX
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord, NoSuchGeneration, StorageFailure
from reference_store.operations.backups.generations import is_digest, is_id
from reference_store.operations.backups.vault import ContentChanged, Pieces

_AZURE = ("az", "azure", "abfs", "abfss", "adl")
SCHEMES = ("gs", "s3", "s3a", *_AZURE)
_CONTENTS, _GENERATIONS, _CONDEMNED, _UPLOADS, _PROBES = "contents", "generations", "condemned", "uploads", "probes"
_GRACE = timedelta(days=1)
_LARGE = 32 << 20
"""Bytes of a content that is uploaded in parts, and gets its name when it is known to be right."""
_AT_ONCE, _WAITING = 16, 64
_ATTEMPTS = 3

_GONE = errno.ENOENT, "it is not there"
_SENTENCES: dict[type[Exception], tuple[int, str]] = {
    exceptions.NotFoundError: _GONE,
    exceptions.PermissionDeniedError: (errno.EACCES, "the bucket does not permit it: give the account the rights"),
    exceptions.UnauthenticatedError: (errno.EACCES, "the bucket does not know who asks: check the credentials"),
    exceptions.AlreadyExistsError: (errno.EEXIST, "it is there already"),
}


class BucketVault:
    """Generations in a bucket; ``url`` is ``gs://bucket/prefix``, ``s3://...`` or ``az://account/container/prefix``.

    Credentials come from the environment, or from ``options`` (those of obstore's stores), and are in no message.
    Raises InvalidRecord for other URLs and for a bucket that ignores conditions, and StorageFailure.
    """

    def __init__(
        self, url: str, *, options: Mapping[str, Any] | None = None, retries: int = 5, grace: timedelta = _GRACE
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.netloc:
            raise InvalidRecord("vault", f"is no URL of a bucket: write {', '.join(SCHEMES[:2])} or az://bucket/prefix")
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._grace = grace
        # Azure takes only names that could stand in a program.
        dash = "_" if parts.scheme in _AZURE else "-"
        self._digest, self._generation = f"tradestore{dash}sha256", f"tradestore{dash}generation"
        retry = {"max_retries": retries, "retry_timeout": timedelta(seconds=60)}
        with self._told("open"):
            self._store = from_url(url, retry_config=retry, **(options or {}))  # type: ignore[call-overload] # checked there
        self._pool: ThreadPoolExecutor | None = None
        self._pending: list[Future[None]] = []
        self._times: dict[str, datetime] = {}
        self._doubted: dict[str, datetime] = {}
        self._probed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep nobody out: a bucket cannot; see the module for what stands in for it."""
        try:
            yield
        finally:
            for future in self._pending:
                future.cancel()
            self._pending.clear()
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
                self._pool = None

    def ids(self) -> list[str]:
        """The generations, in no order."""
        names = (path.removesuffix(SUFFIX) for path, _ in self._listed(_GENERATIONS))
        return [name for name in names if is_id(name)]

    def read(self, name: str) -> bytes:
        """The sealed document of a generation; raises NoSuchGeneration."""
        found = self._got(f"{_GENERATIONS}/{name}{SUFFIX}") if is_id(name) else None
        if found is None:
            raise NoSuchGeneration(self.name, name)
        return found

    def publish(self, name: str, data: bytes) -> bool:
        """Make a generation if there is none of this name; False if there is."""
        self._probe()
        path = f"{_GENERATIONS}/{name}{SUFFIX}"
        attributes = {"Content-Type": "application/json", self._generation: name}
        for attempt in range(_ATTEMPTS):
            try:
                with self._told("publish"):
                    obstore.put(self._store, path, data, mode="create", attributes=attributes)
                return True
            except StorageFailure:
                # The answer may be wrong, or of another attempt: what is there tells.
                found = self._got(path)
                if found is not None:
                    return found == data
                if attempt == _ATTEMPTS - 1:
                    raise
        return False

    def forget(self, name: str) -> None:
        """Remove a generation."""
        self._deleted([f"{_GENERATIONS}/{name}{SUFFIX}"])

    def contents(self) -> Mapping[str, int]:
        """Digests and sizes (bytes) of what is there."""
        self._doubted = {}
        for digests, since in self._condemned().values():
            for digest in digests:
                self._doubted[digest] = max(since, self._doubted.get(digest, since))
        found = {}
        self._times = {}
        for name, meta in self._listed(_CONTENTS):
            if is_digest(name):
                found[name] = int(meta["size"])
                self._times[name] = meta["last_modified"]
        return found

    def is_sound(self, digest: str, size: int) -> bool:  # noqa: ARG002 - the listing has told it
        """Whether a content, which ``contents`` has told, is not condemned: whoever needs that puts it again."""
        return digest not in self._doubted or self._times[digest] > self._doubted[digest]

    def put(self, digest: str, size: int, pieces: Pieces) -> None:
        """Upload a content, beside others; raises ContentChanged if it has not this digest."""
        self._probe()
        if size > _LARGE:
            self._put_large(digest, pieces)
            return
        data = b"".join(pieces())
        if hashlib.sha256(data).hexdigest() != digest:
            raise ContentChanged
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reference_store bucket")
        self._pending.append(self._pool.submit(self._uploaded, digest, data))
        if len(self._pending) >= _WAITING:
            self._pending.pop(0).result()

    def settle(self) -> None:
        """Wait until all uploads are answered; raises StorageFailure."""
        while self._pending:
            self._pending.pop(0).result()

    def pieces(self, digest: str, size: int) -> Iterator[bytes]:  # noqa: ARG002 - an object is read whole
        """Read a content; raises StorageFailure if it is not there."""
        with self._told("read"):
            for piece in obstore.get(self._store, f"{_CONTENTS}/{digest}").stream(4 << 20):
                yield bytes(piece)

    def discard(self, digests: Collection[str]) -> None:
        """Condemn contents, and remove those of them that were condemned a day ago and not put again since."""
        there = self.contents()
        now = self._now()
        gone: set[str] = set()
        for path, (condemned, since) in self._condemned().items():
            if now - since >= self._grace:
                old = {digest for digest in condemned if digest in digests and self._times.get(digest, now) < since}
                self._deleted([f"{_CONTENTS}/{digest}" for digest in sorted(old)])
                self._deleted([path])
                gone |= old
        doubtful = {digest for listed, _ in self._condemned().values() for digest in listed}
        self.doubt([digest for digest in digests if digest in there and digest not in gone and digest not in doubtful])

    def doubt(self, digests: Collection[str]) -> None:
        """Let nobody rely on contents from now on: the next backup that needs one puts it again."""
        if digests:
            with self._told("condemn"):
                data = json.dumps(sorted(digests)).encode()
                obstore.put(self._store, f"{_CONDEMNED}/{os.urandom(8).hex()}{SUFFIX}", data, mode="create")

    def _uploaded(self, digest: str, data: bytes) -> None:
        with self._told("upload"):
            path = f"{_CONTENTS}/{digest}"
            obstore.put(self._store, path, data, attributes={self._digest: digest}, use_multipart=False)

    def _put_large(self, digest: str, pieces: Pieces) -> None:
        """Upload in parts; the name of the digest is given only to what has it."""
        found = hashlib.sha256()

        def seen() -> Iterator[bytes]:
            for piece in pieces():
                found.update(piece)
                yield piece

        staged = f"{_UPLOADS}/{os.urandom(8).hex()}"
        with self._told("upload"):
            obstore.put(self._store, staged, seen(), attributes={self._digest: digest})
            try:
                if found.hexdigest() != digest:
                    raise ContentChanged
                obstore.copy(self._store, staged, f"{_CONTENTS}/{digest}")
            finally:
                with suppress(FileNotFoundError, exceptions.BaseError):
                    obstore.delete(self._store, staged)

    def _probe(self) -> None:
        """Refuse a bucket that lets an object be made that is there already: two generations could have one name."""
        if self._probed:
            return
        path = f"{_PROBES}/{os.urandom(8).hex()}"
        with self._told("probe"):
            obstore.put(self._store, path, b"first", mode="create")
        try:
            with self._told("probe"):
                obstore.put(self._store, path, b"second", mode="create")
            keeps = False
        except StorageFailure as refused:
            if refused.errno != errno.EEXIST:
                raise
            keeps = self._got(path) == b"first"
        finally:
            self._deleted([path])
        if not keeps:
            raise InvalidRecord("vault", "is a bucket that ignores conditions: nothing can be kept safe there")
        self._probed = True

    def _now(self) -> datetime:
        """The time by the bucket's own clock."""
        path = f"{_PROBES}/{os.urandom(8).hex()}"
        with self._told("probe"):
            obstore.put(self._store, path, b"now")
            found: datetime = obstore.head(self._store, path)["last_modified"]
        self._deleted([path])
        return found

    def _condemned(self) -> dict[str, tuple[set[str], datetime]]:
        """What is condemned, and since when, by the object that says so."""
        found: dict[str, tuple[set[str], datetime]] = {}
        for name, meta in self._listed(_CONDEMNED):
            path = f"{_CONDEMNED}/{name}"
            try:
                listed = json.loads(self._got(path) or b"[]")
            except ValueError as error:
                let_out(error)
                continue
            if isinstance(listed, list):
                found[path] = {digest for digest in listed if isinstance(digest, str)}, meta["last_modified"]
        return found

    def _listed(self, prefix: str) -> Iterator[tuple[str, Any]]:
        with self._told("list"):
            for some in obstore.list(self._store, prefix, chunk_size=1000):
                for meta in some:
                    yield meta["path"].rpartition("/")[2], meta

    def _got(self, path: str) -> bytes | None:
        try:
            with self._told("read"):
                return bytes(obstore.get(self._store, path).bytes())
        except StorageFailure as failure:
            if failure.errno == errno.ENOENT:
                return None
            raise

    def _deleted(self, paths: list[str]) -> None:
        for first in range(0, len(paths), 500):
            with self._told("remove"), suppress(FileNotFoundError, exceptions.NotFoundError):
                obstore.delete(self._store, paths[first : first + 500])

    @contextmanager
    def _told(self, operation: str) -> Iterator[None]:
        """Say in our own words what a bucket has answered: its own may hold URLs with signatures."""
        try:
            yield
        except FileNotFoundError:  # which is what obstore raises for an object that is not there
            raise StorageFailure(operation, self.name, OSError(*_GONE)) from None
        except exceptions.BaseError as error:
            said = (each for kind, each in _SENTENCES.items() if isinstance(error, kind))
            code, sentence = next(said, (errno.EIO, "the bucket cannot be used, or did not answer"))
            raise StorageFailure(operation, self.name, OSError(code, sentence)) from None
