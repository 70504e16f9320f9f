"""sqlite3 under the scheduler: each statement and each commit is one step, and waiting for a database takes no time.

What SQLite does inside one of them is its own affair. That two callers can come between a SELECT and an UPDATE, or
between BEGIN and COMMIT, is the store's.
"""

import _thread
import os
import re
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Literal, TypeVar

from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.race.flocks import Flocks
from pytest_tradestore.race.in_force import running

_ident = _thread.get_ident
_connect = sqlite3.connect
_BUSY, _SNAPSHOT = 5, 517
_FACTORY = 3
"""The place of the factory among the arguments of connect, behind the file and the timeout."""
_TIMEOUT = re.compile(r"\s*pragma\s+busy_timeout\s*=\s*(\d+)\s*;?\s*", re.IGNORECASE)
_LONGEST = 40
Given = TypeVar("Given")


def install(patches: Patches) -> None:
    """Let actors open databases whose statements are switch points."""
    patches.replace(sqlite3, "connect", connect)
    patches.replace(sqlite3.dbapi2, "connect", connect)


def connect(database: Any, timeout: float = 5.0, *arguments: Any, **options: Any) -> Any:
    """Open a database as sqlite3 does; a connection class of the caller's own is left alone."""
    actor = running.get(_ident())
    if actor is None or len(arguments) > _FACTORY or "factory" in options:
        return _connect(database, timeout, *arguments, **options)
    made: Connection = _connect(database, 0.0, *arguments, factory=Connection, **options)
    made.name = os.path.basename(os.fsdecode(database)) if isinstance(database, str | bytes | os.PathLike) else ""
    made.patience = timeout
    return made


class Connection(sqlite3.Connection):
    """Stops before each statement, commit and rollback; is told at once when the database is busy, and waits itself."""

    name = ""
    patience = 5.0
    _in_use = False
    """Whether a statement of the running transaction has been done: SQLite does not wait then, to avoid deadlocks."""

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or Cursor)

    def execute(self, sql: str, *parameters: Any) -> Any:
        return self.cursor().execute(sql, *parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> Any:
        return self.cursor().executescript(sql_script)

    def commit(self) -> None:
        self.step("COMMIT", super().commit)

    def rollback(self) -> None:
        self.step("ROLLBACK", super().rollback)

    def close(self) -> None:
        super().close()
        _freed()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /
    ) -> Literal[False]:
        if kind is not None:
            self.rollback()
            return False
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise
        return False

    def step(self, statement: str, do: Callable[[], Given], *, waits: bool = True) -> Given:
        """Do a statement when the scheduler lets it; where another caller's transaction is in the way, wait for it.

        ``waits`` is False for what cannot be tried twice: SQLite itself waits then, in real time.
        """
        actor = running.get(_ident())
        if actor is None:
            return self._waiting_itself(do)
        told = f"{' '.join(statement.split())[:_LONGEST].strip()} in {self.name}"
        actor.reach(told)
        if not waits:
            return self._waiting_itself(do)
        ends = statement in ("COMMIT", "ROLLBACK")
        may_wait = self.patience > 0 and (ends or not (self._in_use and self.in_transaction))
        until, flocks = actor.in_force.clock.now + self.patience, actor.in_force.flocks
        in_time = True
        while True:
            refused = flocks.releases
            try:
                done = do()
            except sqlite3.OperationalError as error:
                if not may_wait or not in_time or not _is_busy(error):
                    raise
                # The last attempt is made when the time is up: locks are also let go by what is no step here, as by
                # the last row that is read.
                in_time = actor.reach(f"wait: {told}", partial(_has_moved, flocks, refused), until)
            else:
                flocks.releases += 1  # whoever waits may try again
                self._in_use = self.in_transaction and not statement.lstrip().upper().startswith("BEGIN")
                return done

    def _waiting_itself(self, do: Callable[[], Given]) -> Given:
        plain = super().cursor(sqlite3.Cursor)
        plain.execute(f"PRAGMA busy_timeout={int(self.patience * 1000)}").close()
        try:
            return do()
        finally:
            super().cursor(sqlite3.Cursor).execute("PRAGMA busy_timeout=0").close()
            _freed()


class Cursor(sqlite3.Cursor):
    """The cursor of such a connection."""

    connection: Connection

    def execute(self, sql: str, *parameters: Any) -> Any:
        if asked := _TIMEOUT.fullmatch(sql):
            self.connection.patience = int(asked[1]) / 1000
            return super().execute(f"SELECT {asked[1]}")
        return self.connection.step(sql, lambda: super(Cursor, self).execute(sql, *parameters))

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        rows = list(parameters)
        whole = self.connection.isolation_level is not None or self.connection.in_transaction
        return self.connection.step(sql, lambda: super(Cursor, self).executemany(sql, rows), waits=whole)

    def executescript(self, sql_script: str, /) -> Any:
        return self.connection.step(sql_script, lambda: super(Cursor, self).executescript(sql_script), waits=False)


def _freed() -> None:
    """Let whoever waits in this process try again: the connection may be one that a module keeps between executions."""
    for actor in list(running.values()):
        actor.in_force.flocks.releases += 1


def _has_moved(flocks: Flocks, since: int) -> bool:
    """Say whether anybody has done anything that may have released a lock."""
    return flocks.releases != since


def _is_busy(error: sqlite3.OperationalError) -> bool:
    """Say whether another connection's lock is in the way, in a manner that SQLite would wait for."""
    code = int(getattr(error, "sqlite_errorcode", 0) or 0)
    return code & 0xFF == _BUSY and code != _SNAPSHOT
