"""How sessions with a server are opened, and the words in which a transaction is begun and ended."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord
from reference_store.postgres.statements import Ask, Row

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_KEPT_ALIVE = {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
DURABILITIES = ("require", "warn", "ignore")

# Whatever the server's defaults are: statements must see what was committed while they waited for a lock.
BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
COMMIT, ROLLBACK = b"COMMIT", b"ROLLBACK"
SAVE, RELEASE, BACK = b"SAVEPOINT call", b"RELEASE call", b"ROLLBACK TO call"
DONE = Ask("INSERT INTO {s}.done (nonce) VALUES (%s) ON CONFLICT DO NOTHING RETURNING 1")
FORGET_EVERY = 10_000
"""Writes of one instance after which it clears away old nonces."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a database is opened with, checked; ``name`` is what messages call it: no user and no password."""

    conninfo: str
    name: str
    schema: str
    durability: str
    lock_timeout: float
    retry_for: float
    most: int

    def text(self, ask: Ask) -> bytes:
        """The text of a statement for this schema."""
        return ask.text.replace("{s}", self.schema).encode()

    def settings(self, *, looks: bool = False) -> bytes:
        """What every session is told first: a user's own settings must not undo it.

        One that ``looks`` what the server's are is not told what they should be.
        """
        durable = b"" if looks else self._durable()
        return durable + b"SET lock_timeout = %d; SET client_encoding = 'UTF8'" % round(self.lock_timeout * 1000)

    def _durable(self) -> bytes:
        return b"SET synchronous_commit = on; " if self.durability == "require" else b""


def opening(conninfo: str, schema: str, durability: str, lock_timeout: float, retry_for: float, most: int) -> Opening:
    """Check what a database is to be opened with; raises InvalidRecord, which shows nothing of ``conninfo``."""
    if type(schema) is not str or not _SCHEMA.fullmatch(schema):
        raise InvalidRecord("schema", "is not made of lower-case ASCII letters, digits and '_', at most 63")
    if durability not in DURABILITIES:
        raise InvalidRecord("durability", f"is none of {', '.join(DURABILITIES)}")
    for name, seconds in (("lock_timeout", lock_timeout), ("retry_for", retry_for)):
        if type(seconds) not in (int, float) or not 0 <= seconds <= 3600:
            raise InvalidRecord(name, "is no number of seconds from 0 to 3600")
    if type(most) is not int or most < 1:
        raise InvalidRecord("max_size", "is no number of connections from 1 on")
    try:
        given: dict[str, Any] = {**_KEPT_ALIVE, **conninfo_to_dict(conninfo)}
        whole = make_conninfo(**given)
    except (psycopg.Error, TypeError, ValueError) as error:  # their words may hold parts of it
        let_out(error)
        raise InvalidRecord("conninfo", "is neither a URL postgresql://... nor a list of name=value") from None
    host = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "localhost"
    name = f"postgresql://{host}/{given.get('dbname') or os.environ.get('PGDATABASE') or ''}"
    return Opening(whole, name, schema, durability, lock_timeout, retry_for, most)


def rows_of(cursor: psycopg.Cursor[Row]) -> list[Row]:
    """The rows of a statement, none if it has none to give."""
    return cursor.fetchall() if cursor.description is not None else []
