"""What becomes of a transaction that failed: is it begun anew, and what is its caller told?

A transaction whose COMMIT was not answered has happened or not. It has put a nonce into a table; the next attempt puts
the same one there first, which waits for the attempt before if that is still under way, and finds out.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Mapping
from typing import NoReturn, TypeVar
from uuid import uuid4

import psycopg
from psycopg import errors as raised

from reference_store.errors import LockTimeout, StorageFailure, StoreError, shown

_LOST = ("08", "57P01", "57P02", "57P03", "53300")
"""States, or classes of them, that say: not now."""
_TAKEN_BACK = ("40001", "40P01")
_ERRNO = {"53100": errno.ENOSPC, "42501": errno.EACCES, "28": errno.EACCES, "25006": errno.EROFS}
_SENTENCES = {
    "08": "the server did not answer",
    "53100": "the server's disk is full",
    "53300": "the server has no connection left",
    "57P": "the server is shutting down or starting",
    "28": "the server does not take these credentials",
    "3D000": "the server has no such database",
    "42501": "the server does not permit it: give the role the rights",
    "42P01": "a table is missing: was the schema removed?",
    "25006": "the server only reads: is it a standby?",
    "40": "other transactions came in between each time",
}
_SHORTEST, _LONGEST = 0.01, 1.0
R = TypeVar("R")


class UnsafeServer(StoreError):  # noqa: N818 - an error is called by what is the case
    """A server that may lose what it has acknowledged; ``setting`` is what is wrong with it, ``value`` what it has."""

    def __init__(self, setting: str, value: str) -> None:
        self.setting, self.value = setting, value
        super().__init__(
            f"the server has {setting} = {value}, so that a crash may lose what it has acknowledged; "
            "switch it on, or open the database with durability='warn' or 'ignore' if that may be"
        )


class DatabaseFailure(StorageFailure):
    """The server could not be asked, or refused; ``sqlstate`` is its code, None for a connection that was lost.

    ``may_have_happened`` is True only when no answer to a COMMIT was to be had, also afterwards.
    """

    def __init__(
        self, operation: str, identifier: str, database: str, sqlstate: str | None, *, may_have_happened: bool = False
    ) -> None:
        self.database, self.sqlstate = database, sqlstate
        sentence = _of(sqlstate, _SENTENCES) or f"the server refused it (state {sqlstate})"
        code = _of(sqlstate, _ERRNO) or errno.EIO
        super().__init__(operation, identifier, OSError(code, sentence), may_have_happened=may_have_happened)
        self._sentence = f"{operation} of {shown(identifier)} in {database} failed: {sentence}; " + (
            "nobody can say whether it was done: read the value when the server is back"
            if may_have_happened
            else "the state before the call is kept: remove the cause and try again"
        )


def state_of(error: psycopg.Error) -> str | None:
    """The code of an error; 08000 for a connection that was lost, which has none."""
    if error.sqlstate is not None:
        return error.sqlstate
    return "08000" if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None


class OfCaller(Exception):  # noqa: N818 - says what is the case
    """What a function of the caller's has raised is an error of psycopg, and none of ours; ``error`` is it."""

    def __init__(self, error: psycopg.Error) -> None:
        self.error = error
        super().__init__()


class Attempts:
    """The attempts to do one thing, for at most ``retry_for`` seconds."""

    def __init__(self, database: str, operation: str, identifier: str, retry_for: float, lock_timeout: float) -> None:
        self.nonce = uuid4()
        self.in_doubt: tuple[object] | None = None
        """What the call returns, in a tuple, if the attempt of which no answer came was done."""
        self._database, self._operation, self._identifier = database, operation, identifier
        self._lock_timeout = lock_timeout
        self._end = time.monotonic() + retry_for
        self._pause = _SHORTEST

    def draw(self) -> None:
        """Take another nonce."""
        self.nonce = uuid4()

    @property
    def left(self) -> float:
        """Seconds that there are for another attempt."""
        return max(self._end - time.monotonic(), 0.1)

    def answered(self, error: psycopg.Error) -> None:
        """Note whether ``error`` says that the transaction was taken back.

        An answer of the server does, but for one that it was going down, and for a lock that it could not have because
        the attempt before was still under way.
        """
        if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P", "40003", "55P03")):
            self.in_doubt = None

    def failed(self, error: psycopg.Error) -> float:  # noqa: RET503 - giving up never returns
        """Return how long (seconds) to wait before the next attempt; raises what the caller is told if there is none.

        The pause is random in part: who met once should not meet again.
        """
        state = state_of(error)
        waits = isinstance(error, raised.LockNotAvailable)
        again = (waits and self.in_doubt is not None) or (state or "").startswith((*_LOST, *_TAKEN_BACK))
        if again and time.monotonic() + self._pause < self._end:
            pause = self._pause * random.uniform(0.5, 1.5)  # noqa: S311 - nobody has to be unable to guess it
            self._pause = min(self._pause * 2, _LONGEST)
            return pause
        self.give_up(error)

    def give_up(self, error: psycopg.Error) -> NoReturn:
        """Raise what the caller is told of ``error``."""
        if isinstance(error, raised.LockNotAvailable) and self.in_doubt is None:
            raise LockTimeout(self._database, self._lock_timeout) from None
        # The server's own words may hold what is stored: its code says enough.
        raise DatabaseFailure(
            self._operation,
            self._identifier,
            self._database,
            state_of(error),
            may_have_happened=self.in_doubt is not None,
        ) from None


def _of(state: str | None, table: Mapping[str, R]) -> R | None:
    return next((found for begin, found in table.items() if (state or "").startswith(begin)), None)
