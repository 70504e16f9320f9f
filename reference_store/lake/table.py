"""A Delta table that several machines write to: commits that are tried again, and done once.

A commit makes the next number's file on condition that there is none. Who loses that race, or meets a change of the
same rows, does his change again on top. A commit whose answer was lost raises although it was done: each has a nonce
among its facts, and whoever tries again looks for it in the history first.
"""

from __future__ import annotations

import errno
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)

from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord, StorageFailure, StoreError, shown
from reference_store.lake.rows import PARTITIONS, SCHEMA

_NONCE = "tradestore-nonce"
_SHORTEST, _LONGEST = 0.02, 0.5  # long pauses would let those who have lost once lose again
_READS = 10
_log = logging.getLogger("reference_store")
R = TypeVar("R")


class LakeFailure(StorageFailure):
    """The table could not be read or written; ``may_have_happened`` says whether the change may be there nevertheless.

    A merge can be done again in any case: it leads to the same bars.
    """

    def __init__(self, operation: str, identifier: str, table: str, kind: str, *, may_have_happened: bool) -> None:
        super().__init__(operation, identifier, OSError(errno.EIO, kind), may_have_happened=may_have_happened)
        self.table = table
        self._sentence = f"{operation} of {shown(identifier)} in {table} failed ({kind}); " + (
            "nobody can say whether it was done: do it again when the storage answers"
            if may_have_happened
            else "nothing was changed: look whether the storage answers, and try again"
        )


class LakeTable:
    """The table at ``place``; made, with no rows, when it is first written to."""

    def __init__(
        self,
        place: str | Path,
        options: Mapping[str, str] | None,
        retry_for: float,
        version: int | datetime | None = None,
    ) -> None:
        self.uri, self.name = _uri(place)
        if type(retry_for) not in (int, float) or not 0 <= retry_for <= 3600:
            raise InvalidRecord("retry_for", "is no number of seconds from 0 to 3600")
        self.options = None if options is None else dict(options)
        self._retry_for, self._version = retry_for, version
        self._known = False

    def opened(self, operation: str, identifier: str) -> DeltaTable | None:
        """The table as it is now, or was at the version that was asked for; None if there is none."""
        try:
            if not isinstance(self._version, datetime):
                return self._ours(DeltaTable(self.uri, self._version, self.options))
            found = DeltaTable(self.uri, None, self.options)
            found.load_as_version(self._version)
            return self._ours(found)
        except InvalidRecord:
            raise
        except TableNotFoundError:
            return None
        except (DeltaError, OSError, ValueError) as error:
            let_out(error)
            raise self._failure(operation, identifier, error, may_have_happened=False) from None

    def _ours(self, table: DeltaTable) -> DeltaTable:
        if not self._known:
            if not set(SCHEMA.names) <= {each.name for each in table.schema().fields}:
                raise InvalidRecord("place", "has a table of something else")
            self._known = True
        return table

    def read(self, operation: str, identifier: str, use: Callable[[DeltaTable], R], none: R) -> R:
        """Return what ``use`` makes of the table; tried again, for files may have been vacuumed away beneath it."""
        failed_at: list[int] = []
        while True:
            table = self.opened(operation, identifier)
            if table is None:
                return none
            try:
                return use(table)
            except StoreError:
                raise
            except (DeltaError, OSError, pa.ArrowException) as error:
                # The same version once more, in case that a request was lost; then only a newer one.
                if failed_at.count(table.version()) > 1 or len(failed_at) > _READS:
                    raise self._failure(operation, identifier, error, may_have_happened=False) from None
                failed_at.append(table.version())
            time.sleep(_SHORTEST)

    def change(
        self,
        operation: str,
        identifier: str,
        make: Callable[[DeltaTable, CommitProperties], R],
        told: Callable[[Mapping[str, Any]], R],
    ) -> R:
        """Commit what ``make`` does to the newest version of the table, once, and return what it returns.

        ``told`` makes that of the facts of a commit that was done without an answer.
        """
        if self._version is not None:
            raise InvalidRecord("version", "is an old one, which nobody can write to: open the store without it")
        nonce = uuid4().hex
        facts = CommitProperties(custom_metadata={_NONCE: nonce})
        end = time.monotonic() + self._retry_for
        pause, since, in_doubt = _SHORTEST, -1, False
        while True:
            try:
                table = self._there(operation, identifier)
                if in_doubt:
                    for commit in table.history(max(table.version() - since, 0) or None):
                        if commit.get(_NONCE) == nonce and commit["version"] > since:
                            return told(commit)
                    in_doubt = False
                since = table.version() if since < 0 else since
            except (DeltaError, OSError) as error:
                failed: Exception = error
            else:
                try:
                    in_doubt = True
                    return make(table, facts)
                except (SchemaMismatchError, DeltaProtocolError) as error:
                    raise self._failure(operation, identifier, error, may_have_happened=False) from None
                except CommitFailedError as lost:
                    failed = lost  # somebody else was first, or so it was told: the history says
                except (DeltaError, OSError) as error:
                    failed = error
            if time.monotonic() + pause > end:
                raise self._failure(operation, identifier, failed, may_have_happened=in_doubt) from None
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - nobody has to be unable to guess it
            pause = min(pause * 2, _LONGEST)

    def _there(self, operation: str, identifier: str) -> DeltaTable:
        table = self.opened(operation, identifier)
        if table is not None:
            return table
        try:
            return DeltaTable.create(
                self.uri, SCHEMA, "ignore", list(PARTITIONS), storage_options=self.options,
                configuration={"delta.logRetentionDuration": "interval 30 days", "delta.checkpointInterval": "10"},
            )  # fmt: skip
        except DeltaError:
            found = self.opened(operation, identifier)  # somebody else was first
            if found is None:
                raise
            return found

    def _failure(self, operation: str, identifier: str, error: Exception, *, may_have_happened: bool) -> LakeFailure:
        # The library's own words quote addresses, which may hold signatures; the kind of error says enough.
        _log.debug("%s of %s: %s", operation, shown(identifier), type(error).__name__)
        kind = type(error).__name__
        return LakeFailure(operation, identifier, self.name, kind, may_have_happened=may_have_happened)


def _uri(place: str | Path) -> tuple[str, str]:
    text = os.fspath(place)
    if not isinstance(text, str) or not text:
        raise InvalidRecord("place", "is neither a path nor a URL")
    parts = urlsplit(text)
    if parts.scheme and parts.netloc:
        return text, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    path = os.path.abspath(text)
    return path, path


def hours(kept: timedelta) -> int:
    """Whole hours of ``kept``; raises InvalidRecord for what is no duration."""
    if not isinstance(kept, timedelta) or kept < timedelta(0):
        raise InvalidRecord("keep", "is no duration: a timedelta from 0 on")
    return -(-kept // timedelta(hours=1))
