"""``database.Database`` for asyncio: the same programs of statements, driven by tasks.

An operation runs to its end once it has begun, in a task of its own, and a cancelled caller learns of its cancellation
only then: so a cancelled update has happened whole or not at all, holds no lock, and cannot land later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed

from reference_store.core import telling
from reference_store.core.closing import AsyncClosing
from reference_store.core.root import LOCK_TIMEOUT
from reference_store.errors import CalledInside, StoreClosed, StoreError
from reference_store.postgres import sessions, tables
from reference_store.postgres.failures import Attempts, OfCaller
from reference_store.postgres.statements import Ask, Program, Row

R = TypeVar("R")
Connection = psycopg.AsyncConnection[Row]


@dataclass(slots=True)
class _Transaction:
    """One that several calls of a task are part of."""

    database: AsyncDatabase
    connection: Connection
    attempts: Attempts
    owner: asyncio.Task[Any] | None


_transaction: ContextVar[_Transaction | None] = ContextVar("transaction", default=None)


class AsyncDatabase(AsyncClosing):
    """Database for asyncio; see there. It connects at the first call, in the event loop that makes it."""

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
        self._closed = False
        self._writes = 0
        self._prepared = False
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._connecting: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"AsyncDatabase({self.name!r}, schema={self._opened.schema!r})"

    async def read(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        """Return what a program of one statement makes of its answer; see Database.read."""
        inside = self._inside()
        return await self._whole(
            telling.READ, operation, identifier, self._read(operation, identifier, program, inside)
        )

    async def write(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        """Do a program in a transaction, exactly once; see Database.write."""
        inside = self._inside()
        return await self._whole(
            telling.CHANGE, operation, identifier, self._write(operation, identifier, program, inside)
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Let the calls of this task, on all stores of this database, be one transaction; see Database.transaction.

        Calls of other tasks, of those too that this one begins inside, are none of its parts.
        """
        if self._inside() is not None:
            raise CalledInside(self.name)
        attempts = self._attempts("transaction", self._opened.schema)
        async with AsyncExitStack() as stack:
            connection = await self._begun(stack, attempts)
            token = _transaction.set(_Transaction(self, connection, attempts, asyncio.current_task()))
            try:
                yield
                attempts.in_doubt = (None,)
                await self._to_the_end(self._committed(connection))
                return
            except psycopg.Error as error:
                if attempts.in_doubt is None:
                    attempts.give_up(error)
            except BaseException:
                if attempts.in_doubt is None:
                    with suppress(psycopg.Error):
                        await connection.execute(sessions.ROLLBACK)
                raise
            finally:
                _transaction.reset(token)
        if not await self._was_done("transaction", attempts):
            attempts.give_up(psycopg.OperationalError())

    async def aclose(self) -> None:
        """Let go of the connections; closing twice is fine."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None and self._loop is asyncio.get_running_loop():
            await pool.close()

    def _inside(self) -> _Transaction | None:
        found = _transaction.get()
        if found is None or found.database is not self or found.owner is not asyncio.current_task():
            return None
        return found

    async def _whole(self, level: int, operation: str, identifier: str, call: Coroutine[Any, Any, R]) -> R:
        began = telling.begun(level)
        try:
            result = await self._to_the_end(call)
        except BaseException as error:
            told = error.error if isinstance(error, OfCaller) else error
            telling.ended(level, began, self.name, operation, identifier, told)
            if told is error:
                raise
            raise told from None
        telling.ended(level, began, self.name, operation, identifier, None)
        return result

    async def _to_the_end(self, call: Coroutine[Any, Any, R]) -> R:
        running = asyncio.ensure_future(call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                try:
                    await asyncio.wait([running])
                except asyncio.CancelledError:
                    continue  # noted already
            if not running.cancelled():
                running.exception()  # looked at, so that it is not reported as lost
            raise

    async def _here(self, operation: str, attempts: Attempts) -> AsyncConnectionPool[Connection]:
        """The pool of this event loop, opened when it is first needed."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._pool, self._connecting = loop, None, asyncio.Lock()
        assert self._connecting is not None, "made with the loop"
        async with self._connecting:
            if self._closed:  # perhaps while another call connected
                raise StoreClosed(operation)
            if self._pool is None:
                if not self._prepared:
                    await self._prepare(attempts)
                pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
                    self._opened.conninfo, min_size=1, max_size=self._opened.most, kwargs={"autocommit": True},
                    configure=self._configure, open=False, name=f"reference_store {self._opened.schema}",
                    reconnect_timeout=self._opened.retry_for,
                )  # fmt: skip
                try:
                    # Else this call comes before the first connection, and makes the pool open a second one.
                    await pool.open(wait=True, timeout=attempts.left)
                    if self._closed:  # meanwhile
                        raise StoreClosed(operation)
                except BaseException:
                    await pool.close()
                    raise
                self._pool, self._prepared = pool, True
            return self._pool

    async def _prepare(self, attempts: Attempts) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._opened.conninfo, autocommit=True) as connection:
                    await connection.execute(self._opened.settings(looks=True))
                    async with connection.transaction():
                        await self._driven(connection, tables.prepare(self._opened.schema, self._opened.durability))
                        await self._asked(connection, tables.FORGET)
                    return
            except psycopg.Error as error:
                await asyncio.sleep(attempts.failed(error))

    async def _configure(self, connection: Connection) -> None:
        await connection.execute(self._opened.settings())

    async def _read(
        self, operation: str, identifier: str, program: Callable[[], Program[R]], inside: _Transaction | None
    ) -> R:
        if inside is not None:
            return await self._part(inside, program)
        attempts = self._attempts(operation, identifier)
        while True:
            try:
                async with self._pooled(operation, attempts) as connection:
                    return await self._driven(connection, program())
            except psycopg.Error as error:
                await asyncio.sleep(attempts.failed(error))

    async def _write(
        self, operation: str, identifier: str, program: Callable[[], Program[R]], inside: _Transaction | None
    ) -> R:
        if inside is not None:
            return await self._part(inside, program)
        result = await self._done_once(operation, identifier, program)
        self._writes += 1
        if self._writes % sessions.FORGET_EVERY == 0 and self._pool is not None:
            with suppress(psycopg.Error, StoreError):
                async with self._pool.connection(timeout=1) as connection:
                    await self._asked(connection, tables.FORGET)
        return result

    async def _done_once(self, operation: str, identifier: str, program: Callable[[], Program[R]]) -> R:
        attempts = self._attempts(operation, identifier)
        while True:
            try:
                async with self._pooled(operation, attempts) as connection:
                    await connection.execute(sessions.BEGIN)
                    try:
                        if not await self._asked(connection, Ask(sessions.DONE.text, (attempts.nonce,))):
                            await connection.execute(sessions.ROLLBACK)
                            if attempts.in_doubt is not None:
                                return attempts.in_doubt[0]  # type: ignore[return-value] # put there below
                            attempts.draw()  # somebody whose random numbers were the same has this one
                            continue
                        attempts.in_doubt = None
                        result = await self._driven(connection, program())
                    except psycopg.Error:
                        raise
                    except BaseException:
                        with suppress(psycopg.Error):  # a statement was broken off: the pool throws it away
                            await connection.execute(sessions.ROLLBACK)
                        raise
                    attempts.in_doubt = (result,)
                    await self._committed(connection)
                    return result
            except psycopg.Error as error:
                attempts.answered(error)
                await asyncio.sleep(attempts.failed(error))

    async def _begun(self, stack: AsyncExitStack, attempts: Attempts) -> Connection:
        while True:
            try:
                connection = await stack.enter_async_context(self._pooled("transaction", attempts))
                await connection.execute(sessions.BEGIN)
                await self._asked(connection, Ask(sessions.DONE.text, (attempts.nonce,)))
                return connection
            except psycopg.Error as error:
                with suppress(psycopg.Error):
                    await stack.aclose()
                await asyncio.sleep(attempts.failed(error))

    async def _committed(self, connection: Connection) -> None:
        await connection.execute(sessions.COMMIT)

    async def _part(self, inside: _Transaction, program: Callable[[], Program[R]]) -> R:
        connection = inside.connection
        try:
            await connection.execute(sessions.SAVE)
            try:
                result = await self._driven(connection, program())
            except psycopg.Error:
                await connection.execute(sessions.BACK)
                raise
            except BaseException:
                with suppress(psycopg.Error):  # as above
                    await connection.execute(sessions.BACK)
                raise
            await connection.execute(sessions.RELEASE)
            return result
        except psycopg.Error as error:
            inside.attempts.give_up(error)

    async def _was_done(self, operation: str, attempts: Attempts) -> bool:
        while True:
            try:
                async with (
                    self._pooled(operation, attempts) as connection,
                    connection.transaction(force_rollback=True),
                ):
                    found = not await self._asked(connection, Ask(sessions.DONE.text, (attempts.nonce,)))
                attempts.in_doubt = attempts.in_doubt if found else None
                return found
            except psycopg.Error as error:
                await asyncio.sleep(attempts.failed(error))

    async def _driven(self, connection: Connection, program: Program[R]) -> R:
        rows: list[Row] | None = None
        while True:
            try:
                ask = program.send(rows)  # type: ignore[arg-type] # None is what begins a generator
            except StopIteration as over:
                result: R = over.value
                return result
            except psycopg.Error as error:
                raise OfCaller(error) from None
            rows = await self._asked(connection, ask)

    async def _asked(self, connection: Connection, ask: Ask) -> list[Row]:
        cursor = await connection.execute(self._opened.text(ask), ask.values or None)
        return await cursor.fetchall() if cursor.description is not None else []

    @asynccontextmanager
    async def _pooled(self, operation: str, attempts: Attempts) -> AsyncIterator[Connection]:
        pool = await self._here(operation, attempts)
        try:
            async with pool.connection(timeout=attempts.left) as connection:
                yield connection
        except PoolClosed:
            raise StoreClosed(operation) from None

    def _attempts(self, operation: str, identifier: str) -> Attempts:
        return Attempts(self.name, operation, identifier, self._opened.retry_for, self._opened.lock_timeout)
