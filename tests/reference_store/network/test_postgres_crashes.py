"""What becomes of updates when answers are lost, and when the server is killed: nothing is lost, nothing is doubled."""

import asyncio
import multiprocessing
import threading
import time

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")

from pytest_tradestore.sandbox import Sandbox
from reference_store.models import Job
from reference_store.postgres import (
    AsyncDatabase,
    AsyncPostgresJournalStore,
    Database,
    DatabaseFailure,
    PostgresDocumentStore,
    PostgresJobStore,
    PostgresJournalStore,
)
from tests.reference_store.network.servers import Wire


@pytest.fixture
def wire(server):
    with Sandbox() as sandbox:  # names of sockets are short
        wire = Wire(server, sandbox.path)
        yield wire
        wire.close()


OUTCOMES = ["done", "not done"]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_append_whose_commit_is_not_answered_is_there_once(wire, schema, outcome):
    with Database(wire.conninfo, schema=schema) as database:
        store = PostgresJournalStore(database)
        store.append("a", {"n": 1})
        wire.lose = outcome
        store.append("a", {"n": 2})

        assert wire.lost == 1
        assert store.read("a") == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_append_of_a_task_is_there_once_too(wire, schema, outcome):
    async def appended():
        async with AsyncDatabase(wire.conninfo, schema=schema) as database:
            store = AsyncPostgresJournalStore(database)
            await store.append("a", {"n": 1})
            wire.lose = outcome
            await store.append("a", {"n": 2})
            async with database.transaction():
                await store.append("a", {"n": 3})
            return await store.read("a")

    assert asyncio.run(appended()) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert wire.lost == 1


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_job_whose_claim_is_not_answered_is_claimed_once_and_returned(wire, schema, outcome):
    with Database(wire.conninfo, schema=schema) as database:
        store = PostgresJobStore(database)
        for name in ("a", "b"):
            store.save(Job(job_id=name, job_type="x"))
        wire.lose = outcome

        assert store.claim_next().job_id == "a"
        assert store.claim_next().job_id == "b"
        assert wire.lost == 1


def test_who_draws_the_nonce_of_somebody_else_draws_another(database, monkeypatch):
    from uuid import UUID

    store = PostgresJournalStore(database)
    drawn = iter([UUID(int=1), UUID(int=1), UUID(int=2), UUID(int=3)])
    monkeypatch.setattr("reference_store.postgres.failures.uuid4", lambda: next(drawn))
    store.append("a", {"n": 1})
    store.append("a", {"n": 2})
    monkeypatch.undo()

    assert store.read("a") == [{"n": 1}, {"n": 2}]


def test_control_a_plain_retry_would_do_it_twice(wire, schema):
    with Database(wire.conninfo, schema=schema) as database:
        database.read("look", "", lambda: (yield from ()))
    for outcome, doubled in (("done", 2), ("not done", 1)):
        wire.lose = outcome
        for _attempt in range(2):
            try:
                with psycopg.connect(wire.conninfo) as connection:
                    connection.execute(
                        f"INSERT INTO {schema}.logs VALUES ('p', '{outcome}' || gen_random_uuid(), 1)".encode()
                    )
                break
            except psycopg.OperationalError:
                continue
        with psycopg.connect(wire.conninfo) as connection:
            rows = connection.execute(f"SELECT 1 FROM {schema}.logs WHERE stream LIKE '{outcome}%'".encode()).fetchall()
        assert len(rows) == doubled


def test_a_transaction_of_several_calls_is_there_when_only_the_answer_was_lost(wire, schema):
    with Database(wire.conninfo, schema=schema) as database:
        store = PostgresDocumentStore(database)
        wire.lose = "done"
        with database.transaction():
            store.put("k", {"n": 1})
        assert store.get("k") == {"n": 1}


def test_a_transaction_of_several_calls_that_is_lost_is_told(wire, schema):
    with Database(wire.conninfo, schema=schema) as database:
        store = PostgresDocumentStore(database)
        wire.lose = "not done"
        with pytest.raises(DatabaseFailure) as told, database.transaction():
            store.put("k", {"n": 1})
        assert not told.value.may_have_happened
        assert store.get("k") is None


def add(conninfo, times, begin):
    with Database(conninfo, retry_for=60) as database:
        documents, journal = PostgresDocumentStore(database), PostgresJournalStore(database)
        begin.wait()
        for number in range(times):
            documents.update("counter", lambda found: {"n": (found or {"n": 0})["n"] + 1})
            journal.append("log", {"n": number})


def writers_and_a_killed_server(server, writers, times, kills, pause, make, begin):
    with Database(server.conninfo) as database:
        running = [make(target=add, args=(server.conninfo, times, begin)) for _ in range(writers)]
        for each in running:
            each.start()
        begin.set()
        journal = PostgresJournalStore(database)
        for kill in range(1, kills + 1):
            # When a part of the work is done, wherever the writers are then.
            end = time.monotonic() + 60
            while len(journal.read("log")) < kill * writers * times // (kills + 1) and time.monotonic() < end:
                threading.Event().wait(pause)
            server.kill()
            server.start()
        for each in running:
            each.join()
        assert PostgresDocumentStore(database).get("counter") == {"n": writers * times}
        records = journal.read("log")
    assert len(records) == writers * times
    assert sorted(record["n"] for record in records) == sorted(list(range(times)) * writers)


def test_two_writers_lose_and_double_nothing_when_the_server_is_killed(mortal):
    writers_and_a_killed_server(mortal, 2, 10, 1, 0.01, threading.Thread, threading.Event())


@pytest.mark.proof
def test_four_processes_lose_and_double_nothing_when_the_server_is_killed(mortal):
    context = multiprocessing.get_context("spawn")
    writers_and_a_killed_server(mortal, 4, 200, 3, 0.05, context.Process, context.Event())
