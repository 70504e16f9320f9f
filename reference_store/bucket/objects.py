"""A bucket as something to read and write conditionally (Google Cloud Storage, S3, Azure), by obstore.

What is asked, and what an answer says; what is done after a lost one is for the callers. Needs the extra ``cloud``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore import exceptions
from obstore.store import from_url

from reference_store.errors import InvalidRecord, StorageFailure

SCHEMES = ("gs", "s3", "s3a", "az", "azure", "abfs", "abfss", "adl")
_SENTENCES: dict[type[Exception], tuple[int, str]] = {
    exceptions.PermissionDeniedError: (errno.EACCES, "the bucket does not permit it: give the account the rights"),
    exceptions.UnauthenticatedError: (errno.EACCES, "the bucket does not know who asks: check the credentials"),
}
_OTHER = errno.EIO, "the bucket cannot be used, or did not answer"


class ConditionFailed(Exception):  # noqa: N818 - says what is the case
    """The object is another one than was expected, or so it was answered; what is there tells."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was read, and what its next version is put on condition of."""

    data: bytes
    version: Mapping[str, str | None]


class Bucket:
    """The objects below ``url``. ``config`` and ``client`` are what obstore takes; no message shows any of them."""

    def __init__(self, url: str, name: str, config: Mapping[str, Any], client: Mapping[str, Any]) -> None:
        if urlsplit(url).scheme not in SCHEMES:
            raise InvalidRecord("place", f"is no URL of a bucket: write {', '.join(SCHEMES[:2])} or az://bucket/prefix")
        self.name = name
        # Attempts are the callers' affair: they know what they have tried.
        retry = {"max_retries": 0, "retry_timeout": timedelta(seconds=30)}
        with self._told("open"):
            self._store = from_url(url, config=dict(config), client_options=dict(client) or None, retry_config=retry)  # type: ignore[call-overload] # checked there

    def get(self, operation: str, path: str) -> Seen | None:
        """Read an object, None if there is none; raises StorageFailure."""
        with self._told(operation):
            try:
                found = obstore.get(self._store, path)
                meta = found.meta
                return Seen(bytes(found.bytes()), {"e_tag": meta.get("e_tag"), "version": meta.get("version")})
            except (FileNotFoundError, exceptions.NotFoundError):
                return None

    def put(self, operation: str, path: str, data: bytes, there: Seen | None) -> None:
        """Put an object in place of the one that was seen, or where none was.

        Raises ConditionFailed, which may be wrong, and StorageFailure, after which it may have happened.
        """
        mode: Any = "create" if there is None else {k: v for k, v in there.version.items() if v is not None}
        with self._told(operation):
            try:
                obstore.put(self._store, path, data, mode=mode, use_multipart=False)
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError, exceptions.NotFoundError) as answer:
                raise ConditionFailed from answer
            except FileNotFoundError as answer:
                raise ConditionFailed from answer

    def remove(self, operation: str, path: str) -> None:
        """Remove an object, if it is there, whatever it is."""
        with self._told(operation), suppress(FileNotFoundError, exceptions.NotFoundError):
            obstore.delete(self._store, path)

    def listed(self, operation: str, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the paths below ``prefix``, with their sizes in bytes."""
        with self._told(operation):
            for some in obstore.list(self._store, prefix, chunk_size=1000):
                for meta in some:
                    yield meta["path"], int(meta["size"])

    def probe(self, field: str) -> None:
        """Refuse a bucket that does not keep conditions: raises InvalidRecord, naming ``field``."""
        path = f"probes/{os.urandom(8).hex()}"
        self.put("probe", path, b"first", None)
        first = self.get("probe", path)
        try:
            kept = [self._refuses(path, None)]
            if first is not None:
                self.put("probe", path, b"second", first)
                kept.append(self._refuses(path, first))
            found = self.get("probe", path)
        finally:
            self.remove("probe", path)
        if not all(kept) or found is None or found.data != b"second":
            raise InvalidRecord(
                field, "is a bucket that ignores conditions: writers would replace each other's changes"
            )

    def _refuses(self, path: str, there: Seen | None) -> bool:
        try:
            self.put("probe", path, b"wrong", there)
        except ConditionFailed:
            return True
        return False

    @contextmanager
    def _told(self, operation: str) -> Iterator[None]:
        """Say in our own words what a bucket has answered: its own may hold URLs with signatures."""
        try:
            yield
        except exceptions.BaseError as error:
            code, sentence = next((each for kind, each in _SENTENCES.items() if isinstance(error, kind)), _OTHER)
            raise StorageFailure(operation, self.name, OSError(code, sentence)) from None


_CLIENT = ("allow_http", "allow_invalid_certificates", "proxy_url", "timeout", "connect_timeout")


def split_options(options: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what obstore takes as the configuration of a store, and as that of its client.

    Options are those of deltalake too, where both stand in one mapping.
    """
    config: dict[str, Any] = {}
    client: dict[str, Any] = {}
    for name, value in (options or {}).items():
        plain = name.lower().removeprefix("aws_").removeprefix("google_").removeprefix("azure_")
        if plain in _CLIENT:
            client[plain] = str(value).lower() == "true" if plain.startswith("allow_") else value
        else:
            config[name.lower()] = value
    return config, client
