"""A schema of a database opened for the stores of one process: connections, transactions, and attempts at them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed

from reference_store.core import telling
from reference_store.core.closing import Closing
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.errors import CalledInside, InvalidRecord, StoreClosed, StoreError
from reference_store.postgres import sessions, tables
from reference_store.postgres.failures import Attempts, OfCaller
from reference_store.postgres.statements import Ask, Program, Row

R = TypeVar("R")
Connection = psycopg.Connection[Row]


@dataclass(slots=True)
class _Transaction:
    """One that several calls of a thread are part of."""

    connection: Connection
    attempts: Attempts


class _Here(threading.local):
    """What this thread is in the middle of."""

    transaction: _Transaction | None = None
    writing: bool = False


class Database(Closing):
    """Connections to one schema of a PostgreSQL database; any number of stores, threads and machines may share it.

    ``conninfo`` is a URL or a list of name=value, as libpq takes it; what it does not say comes from the environment
    (``PGHOST``, ``PGPASSFILE``, ...). Opening makes the tables of ``schema``, or brings older ones up to date, in one
    transaction; those of a newer version are refused (NewerRecord).

    A server with ``fsync``, ``full_page_writes`` or ``synchronous_commit`` switched off may lose what it has
    acknowledged: it is refused with UnsafeServer, or with ``durability`` ``"warn"`` only told in the log, and with
    ``"ignore"`` not looked at. A setting that is changed while the database is open is not seen.

    Whoever writes waits up to ``lock_timeout`` seconds for others (LockTimeout). A transaction that the server has
    taken back (deadlock, serialisation failure) or lost (a crash, a restart) is done again for up to ``retry_for``
    seconds, and exactly once, also when it was the answer to COMMIT that was lost; then DatabaseFailure is raised. At
    most ``max_size`` connections are open at a time.
    """

    def __init__(
        self,
        conninfo: str = "",
        *,
        schema: str = "tradestore",
        durability: str = "require",
        lock_timeout: float = LOCK_TIMEOUT,
        retry_for: float = 30.0,
        max_size: int = 10,
    ) -> None:
        self._opened = sessions.opening(conninfo, schema, durability, lock_timeout, retry_for, max_size)
        self.name = self._opened.name
        self._here = _Here()
        self._lock = threading.Lock()
        self._closed = False
        self._writes = 0
        self._left: list[ConnectionPool[Connection]] = []
        self._pool, self._process = self._connected(), os.getpid()

    def __repr__(self) -> str:
        return f"Database({self.name!r}, schema={self._opened.schema!r})"

    def read(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        """Return what a program of one statement makes of its answer; raises DatabaseFailure."""
        began = telling.begun(telling.READ)
        return self._told(
            telling.READ, began, operation, identifier, lambda: self._read(operation, identifier, program)
        )

    def write(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        """Do a program in a transaction, exactly once, and return what it returns.

        Raises what the program raises, and then nothing is changed; LockTimeout, CalledInside and DatabaseFailure.
        """
        began = telling.begun(telling.CHANGE)
        return self._told(
            telling.CHANGE, began, operation, identifier, lambda: self._write(operation, identifier, program)
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let the calls of this thread, on all stores of this database, be one transaction: all are there, or none.

        What is raised inside takes all back. A call that fails takes back what it did itself; who goes on after that
        keeps the others. Nothing is done twice: when the server loses the transaction before its end, DatabaseFailure
        is raised, and the whole block can be run again.
        """
        if self._here.transaction is not None or self._here.writing:
            raise CalledInside(self.name)
        attempts = self._attempts("transaction", self._opened.schema)
        with ExitStack() as stack:
            connection = self._begun(stack, attempts)
            self._here.transaction = _Transaction(connection, attempts)
            try:
                yield
                attempts.in_doubt = (None,)
                connection.execute(sessions.COMMIT)
                return
            except psycopg.Error as error:
                if attempts.in_doubt is None:
                    attempts.give_up(error)
            except BaseException:
                with suppress(psycopg.Error):
                    connection.execute(sessions.ROLLBACK)
                raise
            finally:
                self._here.transaction = None
        if not self._was_done("transaction", attempts):
            attempts.give_up(psycopg.OperationalError())

    def store(self, kind: Callable[..., R], *args: Any, place: str = "bot", **options: Any) -> R:
        """Open one of the stores of files whose records are documents here: ``PortfolioStore``, ``TaskStore``, ...

        ``args`` and ``options`` are what it takes besides its directory. Raises InvalidRecord for a store that keeps
        something else (caches, reports, logs). The stores for asyncio make their calls in threads.
        """
        from reference_store.postgres.places import PostgresPlace

        try:
            return kind(PostgresPlace(self, place), *args, **options)
        except TypeError as error:
            raise InvalidRecord("kind", "is no store of documents, or takes other arguments") from error

    def close(self) -> None:
        """Let go of the connections; closing twice is fine."""
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed and self._process == os.getpid():
            self._pool.close()

    def _connected(self) -> ConnectionPool[Connection]:
        attempts = self._attempts("open", self._opened.schema)
        # By a connection of its own: a pool would say only that it waited in vain.
        while True:
            try:
                with psycopg.connect(self._opened.conninfo, autocommit=True) as connection:
                    connection.execute(self._opened.settings(looks=True))
                    with connection.transaction():
                        self._driven(connection, tables.prepare(self._opened.schema, self._opened.durability))
                        self._asked(connection, tables.FORGET)
                pool: ConnectionPool[Connection] = ConnectionPool(
                    self._opened.conninfo, min_size=1, max_size=self._opened.most, kwargs={"autocommit": True},
                    configure=self._configure, open=False, name=f"reference_store {self._opened.schema}",
                    reconnect_timeout=self._opened.retry_for,
                )  # fmt: skip
                # Else the first call comes before the first connection, and makes the pool open a second one.
                pool.open(wait=True, timeout=attempts.left)
                return pool
            except psycopg.Error as error:
                self._pause(attempts, error)

    def _configure(self, connection: Connection) -> None:
        connection.execute(self._opened.settings())

    def _read(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        inside = self._here.transaction
        if inside is not None:
            return self._part(inside, program)
        attempts = self._attempts(operation, identifier)
        while True:
            try:
                with self._pooled(operation, attempts) as connection:
                    return self._driven(connection, program())
            except psycopg.Error as error:
                self._pause(attempts, error)

    def _write(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        if self._here.writing:
            raise CalledInside(self.name)
        self._here.writing = True
        try:
            inside = self._here.transaction
            if inside is not None:
                return self._part(inside, program)
            result = self._done_once(operation, identifier, program)
        finally:
            self._here.writing = False
        self._writes += 1
        if self._writes % sessions.FORGET_EVERY == 0:
            with suppress(psycopg.Error, StoreError), self._pool.connection(timeout=1) as connection:
                self._asked(connection, tables.FORGET)
        return result

    def _done_once(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        attempts = self._attempts(operation, identifier)
        while True:
            try:
                with self._pooled(operation, attempts) as connection:
                    connection.execute(sessions.BEGIN)
                    try:
                        if not self._asked(connection, Ask(sessions.DONE.text, (attempts.nonce,))):
                            connection.execute(sessions.ROLLBACK)
                            if attempts.in_doubt is not None:
                                return attempts.in_doubt[0]  # type: ignore[return-value] # put there below
                            attempts.draw()  # somebody whose random numbers were the same has this one
                            continue
                        attempts.in_doubt = None
                        result = self._driven(connection, program())
                    except psycopg.Error:
                        raise
                    except BaseException:
                        with suppress(psycopg.Error):  # a statement was broken off: the pool throws it away
                            connection.execute(sessions.ROLLBACK)
                        raise
                    attempts.in_doubt = (result,)
                    connection.execute(sessions.COMMIT)
                    return result
            except psycopg.Error as error:
                attempts.answered(error)
                self._pause(attempts, error)

    def _begun(self, stack: ExitStack, attempts: Attempts) -> Connection:
        """Begin a transaction on a connection that is given back with ``stack``."""
        while True:
            try:
                connection = stack.enter_context(self._pooled("transaction", attempts))
                connection.execute(sessions.BEGIN)
                self._asked(connection, Ask(sessions.DONE.text, (attempts.nonce,)))
                return connection
            except psycopg.Error as error:
                with suppress(psycopg.Error):
                    stack.close()
                self._pause(attempts, error)

    def _part(self, inside: _Transaction, program: Callable[[], Program[R]]) -> R:
        """Do a program as a part of a transaction that others are parts of too."""
        connection = inside.connection
        try:
            connection.execute(sessions.SAVE)
            try:
                result = self._driven(connection, program())
            except psycopg.Error:
                connection.execute(sessions.BACK)
                raise
            except BaseException:
                with suppress(psycopg.Error):  # as above
                    connection.execute(sessions.BACK)
                raise
            connection.execute(sessions.RELEASE)
            return result
        except psycopg.Error as error:
            inside.attempts.give_up(error)

    def _was_done(self, operation: str, attempts: Attempts) -> bool:
        """Whether the transaction with this nonce, of which no answer came, was done; waits until it is known."""
        while True:
            try:
                with self._pooled(operation, attempts) as connection, connection.transaction(force_rollback=True):
                    found = not self._asked(connection, Ask(sessions.DONE.text, (attempts.nonce,)))
                attempts.in_doubt = attempts.in_doubt if found else None
                return found
            except psycopg.Error as error:
                self._pause(attempts, error)

    def _driven(self, connection: Connection, program: Program[R]) -> R:
        rows: list[Row] | None = None
        while True:
            try:
                ask = program.send(rows)  # type: ignore[arg-type] # None is what begins a generator
            except StopIteration as over:
                result: R = over.value
                return result
            except psycopg.Error as error:
                raise OfCaller(error) from None
            rows = self._asked(connection, ask)

    def _asked(self, connection: Connection, ask: Ask) -> list[Row]:
        return sessions.rows_of(connection.execute(self._opened.text(ask), ask.values or None))

    @contextmanager
    def _pooled(self, operation: str, attempts: Attempts) -> Iterator[Connection]:
        """Lend a connection; what is not over when it comes back is taken back."""
        with self._lock:
            if self._closed:
                raise StoreClosed(operation)
            if self._process != os.getpid():
                # The sockets belong to the process that this one was forked from.
                self._left.append(self._pool)
                self._pool, self._process = self._connected(), os.getpid()
        try:
            with self._pool.connection(timeout=attempts.left) as connection:
                yield connection
        except PoolClosed:
            raise StoreClosed(operation) from None

    def _attempts(self, operation: str, identifier: str) -> Attempts:
        return Attempts(self.name, operation, identifier, self._opened.retry_for, self._opened.lock_timeout)

    def _pause(self, attempts: Attempts, error: psycopg.Error) -> None:
        time.sleep(attempts.failed(error))

    def _told(self, level: int, began: float | None, operation: str, identifier: str, call: Callable[[], R]) -> R:
        try:
            result = call()
        except BaseException as error:
            told = error.error if isinstance(error, OfCaller) else error
            telling.ended(level, began, self.name, operation, identifier, told)
            if told is error:
                raise
            raise told from None
        telling.ended(level, began, self.name, operation, identifier, None)
        return result
