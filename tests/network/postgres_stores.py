"""Stores on PostgreSQL: sound ones, and beside each what it becomes by one mistake."""

import asyncio
import contextlib
import json
import os
import threading

import psycopg
from psycopg import errors

from pytest_tradestore import Postgres
from tests.network.bucket_stores import json_must_be_whole

_TRIES = 20


class PostgresDocument:
    """One row, changed in one transaction that locks it.

    Its threads take turns on its connection, and one on which something was broken off is thrown away.
    """

    tradestore_backend = Postgres()
    tradestore_errors = (psycopg.Error, ValueError)
    tradestore_claims = ("processes",)

    def __init__(self, address):
        self.dsn, self.connection, self.lock = address.dsn, None, threading.RLock()
        with self._connected() as connection:
            connection.execute("SELECT pg_advisory_lock(1)")
            connection.execute("CREATE TABLE IF NOT EXISTS document (id int PRIMARY KEY, data jsonb NOT NULL)")
            connection.execute("INSERT INTO document VALUES (1, '{}') ON CONFLICT DO NOTHING")
            connection.execute("SELECT pg_advisory_unlock(1)")

    def _connected(self):
        """Return a connection that lives: one that broke is thrown away."""
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)
        return self.taken(self.connection)

    def taken(self, connection):
        return _Kept(connection, self.lock)

    def close(self):
        if self.connection is not None:
            self.connection.close()

    def load(self):
        with self._connected() as connection:
            return connection.execute("SELECT data FROM document").fetchone()[0]

    def save(self, data):
        json_must_be_whole(data)
        with self._connected() as connection:
            connection.execute("UPDATE document SET data = %s", [json.dumps(data)])

    def update(self, function):
        with self._connected() as connection, connection.transaction():
            data = connection.execute("SELECT data FROM document FOR UPDATE").fetchone()[0]
            changed = function(data)
            json_must_be_whole(changed)
            connection.execute("UPDATE document SET data = %s", [json.dumps(changed)])


class _Kept:
    """Gives a connection to one thread at a time, and does not close it at the end as its own ``with`` does."""

    def __init__(self, connection, lock):
        self.connection, self.lock = connection, lock

    def __enter__(self):
        self.lock.acquire()
        return self.connection

    def __exit__(self, kind, *_):
        try:
            if kind is not None and not issubclass(kind, (psycopg.Error, ValueError)):
                self.connection.close()
        finally:
            self.lock.release()
        return False


class _NoLock:
    """Keeps nobody away."""

    def acquire(self): ...

    def release(self): ...


class SealsNothing(PostgresDocument):
    """Says that it has checksums, and believes every row that is JSON."""

    tradestore_claims = ("processes", "checksums")


class EndsOnADeepRow(PostgresDocument):
    """Keeps JSON as text, tells of what is none, and ends its process on what is nested very deep."""

    def __init__(self, address):
        super().__init__(address)
        with self._connected() as connection:
            connection.execute("ALTER TABLE document ALTER COLUMN data TYPE text")

    def load(self):
        with self._connected() as connection:
            kept = connection.execute("SELECT data FROM document").fetchone()
        return self.read(kept[0])

    def read(self, text):
        try:
            data = json.loads(text)
        except RecursionError:
            self.ends()
        if not isinstance(data, dict):
            raise ValueError("no document")
        return data

    def update(self, function):
        with self._connected() as connection, connection.transaction():
            data = self.read(connection.execute("SELECT data FROM document FOR UPDATE").fetchone()[0])
            connection.execute("UPDATE document SET data = %s", [json.dumps(function(data))])

    def ends(self):
        os._exit(3)


class HangsOnADeepRow(EndsOnADeepRow):
    """Waits there without an end, in the middle of a statement."""

    tradestore_deadline = 2.0

    def ends(self):
        with self._connected() as connection:
            connection.execute("LOCK document; SELECT pg_sleep(3600)")


class SharesATransaction(PostgresDocument):
    """Lets its threads use one connection as they come: what one locks the others hold as well."""

    def __init__(self, address):
        super().__init__(address)
        self.lock = _NoLock()

    def update(self, function):
        with self._connected() as connection:
            connection.execute("BEGIN")
            data = connection.execute("SELECT data FROM document FOR UPDATE").fetchone()[0]
            connection.execute("UPDATE document SET data = %s", [json.dumps(function(data))])
            connection.execute("COMMIT")


class _KeptWhateverCame(_Kept):
    def __exit__(self, *_):
        self.lock.release()
        return False


class GoesOnWhereItWasBrokenOff(PostgresDocument):
    """Keeps the connection on which a statement was under way when a handler's exception came."""

    def taken(self, connection):
        return _KeptWhateverCame(connection, self.lock)


class AsyncPostgresDocument:
    """The same for tasks: they take turns on a connection, and a cancelled one throws it away."""

    tradestore_backend = Postgres()
    tradestore_errors = (psycopg.Error, ValueError)
    tradestore_claims = ("processes",)

    def __init__(self, address):
        self.dsn, self.connection, self.lock = address.dsn, None, asyncio.Lock()

    async def aclose(self):
        if self.connection is not None:
            await self.connection.close()

    async def _opened(self):
        if self.connection is None or self.connection.closed:
            self.connection = await psycopg.AsyncConnection.connect(self.dsn, autocommit=True, prepare_threshold=None)
            for statement in (
                "SELECT pg_advisory_lock(1)",
                "CREATE TABLE IF NOT EXISTS document (id int PRIMARY KEY, data jsonb NOT NULL)",
                "INSERT INTO document VALUES (1, '{}') ON CONFLICT DO NOTHING",
                "SELECT pg_advisory_unlock(1)",
            ):
                await self.connection.execute(statement)
        return self.connection

    @contextlib.asynccontextmanager
    async def _transaction(self):
        async with self.lock:
            connection = await self._opened()
            try:
                async with connection.transaction():
                    yield connection
            except asyncio.CancelledError:
                await connection.close()
                raise

    async def load(self):
        async with self._transaction() as connection:
            return (await (await connection.execute("SELECT data FROM document")).fetchone())[0]

    async def save(self, data):
        await self.update(lambda _: data)

    async def update(self, function):
        async with self._transaction() as connection:
            cursor = await connection.execute("SELECT data FROM document FOR UPDATE")
            changed = function((await cursor.fetchone())[0])
            json_must_be_whole(changed)
            await connection.execute("UPDATE document SET data = %s", [json.dumps(changed)])


class KeepsItsLockWhenCancelled(AsyncPostgresDocument):
    """Lets go of its lock after the work, and not where that is cancelled."""

    @contextlib.asynccontextmanager
    async def _transaction(self):
        await self.lock.acquire()
        connection = await self._opened()
        try:
            async with connection.transaction():
                yield connection
        except (psycopg.Error, ValueError):
            self.lock.release()
            raise
        self.lock.release()


class ReadsOutsideOfTheTransaction(PostgresDocument):
    """Reads, changes and writes in a transaction each."""

    def update(self, function):
        changed = function(self.load())
        self.save(changed)


class ReadCommittedDocument(PostgresDocument):
    """Reads and writes in one transaction of the default level, which locks nothing that is only read."""

    def update(self, function):
        with self._connected() as connection, connection.transaction():
            data = connection.execute("SELECT data FROM document").fetchone()[0]
            connection.execute("UPDATE document SET data = %s", [json.dumps(function(data))])


class SerializableDocument(PostgresDocument):
    """Lets the server find out that two have met, and tries again."""

    def update(self, function):
        for _ in range(_TRIES):
            try:
                with self._connected() as connection, connection.transaction():
                    connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                    data = connection.execute("SELECT data FROM document").fetchone()[0]
                    connection.execute("UPDATE document SET data = %s", [json.dumps(function(data))])
                return
            except (errors.SerializationFailure, errors.DeadlockDetected):
                continue
        raise errors.SerializationFailure("others were quicker each time")


class DoesNotWaitForTheDisk(PostgresDocument):
    """Has the server confirm before what it confirms is on disk."""

    def _connected(self):
        kept = super()._connected()
        kept.connection.execute("SET synchronous_commit = off")
        return kept


class PostgresJournal:
    """A row for each record, numbered by the server; each carries a nonce, so that it is known whether it is there."""

    tradestore_backend = Postgres()
    tradestore_errors = (psycopg.Error, ValueError)
    tradestore_claims = ("processes",)

    def __init__(self, address):
        self.dsn, self.connection, self.lock = address.dsn, None, threading.RLock()
        with self._connected() as connection:
            connection.execute("SELECT pg_advisory_lock(1)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS record "
                "(stream text, number int, nonce text UNIQUE, record jsonb, PRIMARY KEY (stream, number))"
            )
            connection.execute("SELECT pg_advisory_unlock(1)")

    _connected = PostgresDocument._connected
    taken = PostgresDocument.taken
    close = PostgresDocument.close

    def read(self, stream):
        with self._connected() as connection:
            rows = connection.execute("SELECT record FROM record WHERE stream = %s ORDER BY number", [_named(stream)])
            return [record for (record,) in rows]

    def append(self, stream, record):
        json_must_be_whole(record)
        nonce = os.urandom(8).hex()
        for left in range(3, 0, -1):
            try:
                self._insert(_named(stream), nonce, json.dumps(record))
                return
            except psycopg.OperationalError:
                if left == 1:
                    raise

    def _insert(self, stream, nonce, record):
        with self._connected() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(2)")
            connection.execute(
                "INSERT INTO record SELECT %s, coalesce(max(number), 0) + 1, %s, %s FROM record WHERE stream = %s "
                "ON CONFLICT (nonce) DO NOTHING",
                [stream, nonce, record, stream],
            )


class RetriesALostCommit(PostgresJournal):
    """Takes a commit whose answer was lost for one that was not done, and inserts the record once more."""

    def _insert(self, stream, nonce, record):
        super()._insert(stream, os.urandom(8).hex(), record)


def _named(stream):
    if not isinstance(stream, str) or not stream or "\0" in stream:
        raise ValueError(f"a stream is called by a text, not by {stream!r}")
    return stream


class StampedJournal(PostgresJournal):
    """Gives each record back with the second in which the server took it, and a name that the server drew."""

    _stamps = "jsonb_build_object('at', date_trunc('second', now()), 'by', jsonb_build_array(gen_random_uuid()))"

    def _insert(self, stream, nonce, record):
        with self._connected() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(2)")
            connection.execute(
                f"INSERT INTO record SELECT %s, coalesce(max(number), 0) + 1, %s, %s::jsonb || {self._stamps} "
                "FROM record WHERE stream = %s ON CONFLICT (nonce) DO NOTHING",
                [stream, nonce, record, stream],
            )


class StampedJournalOfTwoTransactions(StampedJournal):
    """Adds the record in one transaction, and what it is stamped with in another."""

    def _insert(self, stream, nonce, record):
        PostgresJournal._insert(self, stream, nonce, record)
        with self._connected() as connection:
            connection.execute(f"UPDATE record SET record = record || {self._stamps} WHERE nonce = %s", [nonce])


class StampedJournalThatRetries(StampedJournal):
    """Takes a commit whose answer was lost for one that was not done, and inserts the record with another stamp."""

    def _insert(self, stream, nonce, record):
        super()._insert(stream, os.urandom(8).hex(), record)


class DrawsAKey(DoesNotWaitForTheDisk):
    """Has a field in its document whose name the server draws, anew in each save."""

    def save(self, data):
        json_must_be_whole(data)
        with self._connected() as connection:
            connection.execute(
                "UPDATE document SET data = %s::jsonb || jsonb_build_object(gen_random_uuid(), 1)", [json.dumps(data)]
            )
