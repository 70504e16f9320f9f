"""Documents on PostgreSQL: the promises of the file store, on a real server."""

import asyncio
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")
from psycopg_pool import AsyncConnectionPool

from reference_store.errors import (
    CalledInside,
    CorruptData,
    InvalidIdentifier,
    NewerRecord,
    StoreClosed,
    StoreError,
    UnserialisableValue,
    VersionConflict,
)
from reference_store.postgres import (
    AsyncDatabase,
    AsyncPostgresDocumentStore,
    Database,
    DatabaseFailure,
    PostgresDocumentStore,
    PostgresSingleDocumentStore,
    UnsafeServer,
)
from tests.reference_store.network.servers import Server


def test_what_was_put_is_what_is_got(database, server, schema):
    store = PostgresDocumentStore(database)
    document = {"z": 1, "a": [1.0, None, "ü \u0000 '; DROP"], "n": 10**30}
    store.put("BTC/USDT", document)

    with Database(server.conninfo, schema=schema) as another:
        found = PostgresDocumentStore(another).get("BTC/USDT")
    assert found == document
    assert list(found) == list(document)
    assert PostgresDocumentStore(database, place="elsewhere").get("BTC/USDT") is None


def test_keys_are_listed_and_deleted(database):
    store = PostgresDocumentStore(database)
    for key in ("b", "B", "a/b", "ä"):
        store.put(key, {})

    assert store.keys() == sorted(["b", "B", "a/b", "ä"])
    assert store.delete("b") is True
    assert store.delete("b") is False
    assert store.get("b") is None
    assert store.get("B") == {}


@pytest.mark.parametrize("key", ["", "../x", "a\0b", 1])
def test_keys_that_files_refuse_are_refused(database, key):
    with pytest.raises(InvalidIdentifier):
        PostgresDocumentStore(database).put(key, {})


def test_what_json_would_change_is_refused(database):
    with pytest.raises(UnserialisableValue):
        PostgresDocumentStore(database).put("k", {"t": (1, 2)})


def test_a_generation_that_was_seen_is_never_given_again(database):
    store = PostgresDocumentStore(database)
    store.put("k", {"n": 1}, expected=0)
    first = store.get_versioned("k")[1]
    store.delete("k")
    store.put("k", {"n": 2})

    assert store.get_versioned("k")[1] > first
    with pytest.raises(VersionConflict):
        store.put("k", {"n": 3}, expected=first)
    assert store.get("k") == {"n": 2}


def test_updates_of_threads_are_all_there(database):
    store = PostgresDocumentStore(database)

    def add(_):
        store.update("k", lambda found: {"n": (found or {"n": 0})["n"] + 1})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(40)))
    assert store.get("k") == {"n": 40}


def test_a_function_that_raises_changes_nothing(database):
    store = PostgresDocumentStore(database)
    store.put("k", {"n": 1})

    with pytest.raises(ZeroDivisionError):
        store.update("k", lambda found: {"n": 1 // 0})
    assert store.get("k") == {"n": 1}


def test_what_a_function_raises_of_psycopg_is_its_own_and_is_not_tried_again(database):
    calls = []

    def function(found):
        calls.append(found)
        raise psycopg.OperationalError("of another database")

    with pytest.raises(psycopg.OperationalError, match="of another database"):
        PostgresDocumentStore(database).update("k", function)
    assert len(calls) == 1


def test_a_call_inside_of_an_update_is_told_instead_of_waiting_for_itself(database):
    store = PostgresDocumentStore(database)

    with pytest.raises(CalledInside):
        store.update("k", lambda found: store.put("k", {}) or {})


def test_calls_in_a_transaction_are_there_together_or_not_at_all(database):
    one, other = PostgresDocumentStore(database, place="one"), PostgresDocumentStore(database, place="other")

    with database.transaction():
        one.put("k", {"n": 1})
        other.put("k", {"n": 1})
        in_another_thread = ThreadPoolExecutor(1).submit(one.get, "k").result()
    assert in_another_thread is None
    assert (one.get("k"), other.get("k")) == ({"n": 1}, {"n": 1})
    with pytest.raises(ZeroDivisionError), database.transaction():
        one.put("k", {"n": 2})
        raise ZeroDivisionError
    assert one.get("k") == {"n": 1}


def test_a_call_that_fails_in_a_transaction_leaves_the_others(database):
    store = PostgresDocumentStore(database)

    with database.transaction():
        store.put("a", {"n": 1})
        with pytest.raises(VersionConflict):
            store.put("a", {"n": 2}, expected=0)
        store.put("b", {"n": 3})
    assert (store.get("a"), store.get("b")) == ({"n": 1}, {"n": 3})


def test_a_row_that_was_changed_by_hand_is_told_until_it_is_resealed(database, server, schema):
    store = PostgresDocumentStore(database)
    store.put("k", {"n": 1})
    with psycopg.connect(server.conninfo) as connection:
        connection.execute(f"UPDATE {schema}.documents SET body = '{{\"n\": 2}}'".encode())

    with pytest.raises(CorruptData):
        store.get("k")
    with pytest.raises(CorruptData):
        store.update("k", lambda found: {})
    assert store.keys() == ["k"]
    store.reseal("k")
    assert store.get("k") == {"n": 2}


def test_a_damaged_row_is_kept_when_it_is_replaced(database, server, schema):
    store = PostgresDocumentStore(database)
    store.put("k", {"n": 1})
    with psycopg.connect(server.conninfo) as connection:
        connection.execute(f"UPDATE {schema}.documents SET body = 'gone'".encode())

    store.put("k", {"n": 2})
    assert store.get("k") == {"n": 2}
    with psycopg.connect(server.conninfo) as connection:
        assert connection.execute(f"SELECT key, body FROM {schema}.kept".encode()).fetchall() == [("k", "gone")]


def test_a_single_document(database):
    store = PostgresSingleDocumentStore(database, "portfolio")

    assert store.load() == {}
    store.save({"cash": 1})
    assert store.update(lambda found: {**found, "n": 1}) == {"cash": 1, "n": 1}
    assert store.load() == {"cash": 1, "n": 1}


def test_a_closed_store_says_so(server, schema):
    database = Database(server.conninfo, schema=schema)
    database.close()
    database.close()

    with pytest.raises(StoreClosed):
        PostgresDocumentStore(database).get("k")


@pytest.mark.parametrize("face", ["threads", "tasks"])
def test_who_makes_one_call_after_the_other_has_one_connection(server, schema, monkeypatch, face):
    opened = []
    kind = psycopg.Connection if face == "threads" else psycopg.AsyncConnection
    connect = kind.connect

    def noted(*arguments, **options):
        opened.append(1)
        return connect(*arguments, **options)

    monkeypatch.setattr(kind, "connect", noted)
    monkeypatch.setattr(psycopg, "connect", noted)
    if face == "threads":
        with Database(server.conninfo, schema=schema) as database:
            assert [PostgresDocumentStore(database).get(key) for key in "ab"] == [None, None]
    else:
        asyncio.run(_read_by_tasks(server, schema))

    assert len(opened) == 2  # the first looks whether the tables are there


async def _read_by_tasks(server, schema):
    async with AsyncDatabase(server.conninfo, schema=schema) as database:
        assert [await AsyncPostgresDocumentStore(database).get(key) for key in "ab"] == [None, None]


def test_a_store_that_is_closed_while_its_first_call_connects_is_closed(server, schema):
    async def closed_meanwhile():
        database = AsyncDatabase(server.conninfo, schema=schema)
        first = asyncio.ensure_future(AsyncPostgresDocumentStore(database).get("k"))
        while database._connecting is None:
            await asyncio.sleep(0)
        await database.aclose()
        with pytest.raises(StoreClosed):
            await first
        return [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]

    assert asyncio.run(closed_meanwhile()) == []


def test_a_transaction_that_is_cancelled_while_its_pool_connects_leaves_nothing_open(server, schema, monkeypatch):
    pools, open_pool = [], AsyncConnectionPool.open

    async def opened(pool, *arguments, **options):
        pools.append(pool)
        await open_pool(pool, *arguments, **options)

    async def cancelled():
        database, begun, go = AsyncDatabase(server.conninfo, schema=schema), asyncio.Event(), asyncio.Event()
        configure = database._configure

        async def waiting(connection):
            begun.set()
            await go.wait()
            await configure(connection)

        async def transaction():
            async with database.transaction():
                raise AssertionError("it was cancelled before")

        monkeypatch.setattr(database, "_configure", waiting)
        task = asyncio.ensure_future(transaction())
        await begun.wait()
        task.cancel()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = [pool for pool in pools if not pool.closed]
        for pool in left:
            await pool.close()
        return left

    monkeypatch.setattr(AsyncConnectionPool, "open", opened)

    assert asyncio.run(cancelled()) == []
    assert len(pools) == 1


def test_tasks_whose_server_is_not_there_wait_for_it_together_and_not_one_after_the_other(monkeypatch):
    clock, tried = [0.0], []

    async def refused(*_, **__):
        tried.append(clock[0])
        clock[0] += 0.3
        raise psycopg.OperationalError("nobody listens")

    async def asked():
        database = AsyncDatabase("host=127.0.0.1", schema="s", retry_for=1.0)
        store = AsyncPostgresDocumentStore(database)
        return await asyncio.gather(*(store.get("k") for _ in range(4)), return_exceptions=True)

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", refused)
    monkeypatch.setattr("reference_store.postgres.failures.time", SimpleNamespace(monotonic=lambda: clock[0]))

    assert [type(told) for told in asyncio.run(asked())] == [DatabaseFailure] * 4
    assert len([at for at in tried if at > 1.0]) <= 3  # the last try of each of the others


def test_who_waits_for_another_to_connect_does_not_once_the_store_is_closed(server, schema, monkeypatch):
    connect, tried = psycopg.AsyncConnection.connect, []

    async def closed_meanwhile():
        database, begun, go = AsyncDatabase(server.conninfo, schema=schema), asyncio.Event(), asyncio.Event()

        async def noted(*arguments, **options):
            tried.append(1)
            begun.set()
            await go.wait()
            return await connect(*arguments, **options)

        monkeypatch.setattr(psycopg.AsyncConnection, "connect", noted)
        store = AsyncPostgresDocumentStore(database)
        calls = [asyncio.ensure_future(store.get(key)) for key in "ab"]
        await begun.wait()
        await database.aclose()
        go.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    assert [type(told) for told in asyncio.run(closed_meanwhile())] == [StoreClosed] * 2
    assert len(tried) == 2  # those of the first


def test_many_that_open_a_new_schema_at_once_make_it_once(server, schema):
    def begin(_):
        with Database(server.conninfo, schema=schema) as database:
            PostgresDocumentStore(database).put("k", {})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(begin, range(4)))


def test_the_tables_of_a_newer_version_are_refused(server, schema):
    Database(server.conninfo, schema=schema).close()
    with psycopg.connect(server.conninfo) as connection:
        connection.execute(f"INSERT INTO {schema}.version (number) VALUES (99)".encode())

    with pytest.raises(NewerRecord, match="99"):
        Database(server.conninfo, schema=schema)


def refuses(conninfo, setting, caplog):
    with pytest.raises(UnsafeServer, match=setting):
        Database(conninfo)
    with Database(conninfo, durability="warn") as database:
        PostgresDocumentStore(database).put("k", {})
    assert setting in caplog.text
    caplog.clear()
    Database(conninfo, durability="ignore").close()
    return setting not in caplog.text


def test_an_alarm_in_the_middle_of_a_statement_comes_out_and_the_next_change_is_made(database, server, schema):
    class AlarmError(Exception):
        pass

    def rings(*_):
        raise AlarmError

    store = PostgresDocumentStore(database)
    store.put("k", {"n": 1})
    before = signal.signal(signal.SIGALRM, rings)
    try:
        with psycopg.connect(server.conninfo) as other:
            other.execute(f"LOCK TABLE {schema}.documents IN ACCESS EXCLUSIVE MODE".encode())
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(AlarmError):
                store.put("k", {"n": 2})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    store.put("k", {"n": 3})
    assert store.get("k") == {"n": 3}


def test_a_server_that_does_not_sync_is_refused(caplog):
    server = Server("fsync=off")
    try:
        assert refuses(server.conninfo, "fsync", caplog)
    finally:
        server.stop()


def test_a_role_whose_commits_are_not_synced_is_refused(server, caplog):
    assert refuses(f"{server.conninfo} options='-c synchronous_commit=off'", "synchronous_commit", caplog)


@pytest.mark.parametrize(
    "conninfo",
    [
        "host=/nowhere user=trader password=not-to-be-shown",
        "postgresql://trader:not-to-be-shown@localhost:1/x",
        "nonsense not-to-be-shown",
    ],
)
def test_a_server_that_is_not_there_is_told_in_one_sentence_without_the_password(conninfo, caplog):
    with pytest.raises(StoreError) as told:
        Database(conninfo, retry_for=0)
    assert "not-to-be-shown" not in f"{told.value} {told.value!r} {told.value.__cause__} {caplog.text}"
    assert "\n" not in str(told.value)


def test_a_name_of_a_schema_is_never_sql(server):
    with pytest.raises(StoreError, match="schema"):
        Database(server.conninfo, schema="a; DROP TABLE x")


def test_who_waits_too_long_for_another_writer_is_told(server, schema):
    from reference_store.errors import LockTimeout

    inside, over = threading.Event(), threading.Event()
    with (
        Database(server.conninfo, schema=schema) as holder,
        Database(server.conninfo, schema=schema, lock_timeout=0.05) as waiter,
    ):

        def slowly(found):
            inside.set()
            over.wait(30)
            return {}

        with ThreadPoolExecutor(1) as threads:
            held = threads.submit(PostgresDocumentStore(holder).update, "k", slowly)
            inside.wait(30)
            with pytest.raises(LockTimeout):
                PostgresDocumentStore(waiter).put("k", {})
            over.set()
            held.result()
