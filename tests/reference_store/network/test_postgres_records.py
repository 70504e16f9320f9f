"""Logs, jobs, runs and what a trading program knows, on PostgreSQL: as on files."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")

from reference_store.bot_models import Portfolio, Value
from reference_store.errors import CorruptData, InvalidIdentifier, InvalidRecord, PositionLost
from reference_store.models import Decision, Event, FundamentalData, Job, Order, OrderResult
from reference_store.postgres import (
    AsyncDatabase,
    AsyncPostgresDataStore,
    AsyncPostgresDocumentStore,
    AsyncPostgresJobStore,
    AsyncPostgresJournalStore,
    AsyncPostgresRunStore,
    AsyncPostgresSingleDocumentStore,
    PostgresDataStore,
    PostgresJobStore,
    PostgresJournalStore,
    PostgresRunStore,
)
from reference_store.stores.bot.portfolio import AsyncPortfolioStore, PortfolioStore
from reference_store.stores.bot.reports import ReportStore

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def test_records_are_numbered_in_the_order_of_their_appends(database):
    store = PostgresJournalStore(database)
    store.append("a", {"n": 1})
    store.append_all("a", [{"n": 2}, {"n": 3}])
    store.append("b", {"n": 9})

    assert store.read("a") == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert store.read("a", 1, 1) == [{"n": 2}]
    assert store.read("a", 7) == store.read("none") == []
    assert [entry.number for entry in store.entries("a", 1)] == [2, 3]
    assert store.verify("a") == 3
    assert store.streams() == ["a", "b"]
    assert store.delete("a") is True
    assert store.delete("a") is False
    assert store.read("a") == []


def test_appends_of_threads_leave_no_gap(database):
    store = PostgresJournalStore(database)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: store.append("a", {"n": n}), range(40)))

    assert [entry.number for entry in store.entries("a")] == list(range(1, 41))
    assert sorted(record["n"] for record in store.read("a")) == list(range(40))


@pytest.mark.parametrize("where", ["number = 2", "number = 3"])
def test_a_record_that_is_missing_is_told(database, server, schema, where):
    store = PostgresJournalStore(database)
    store.append_all("a", [{"n": 1}, {"n": 2}, {"n": 3}])
    with psycopg.connect(server.conninfo) as connection:
        connection.execute(f"DELETE FROM {schema}.records WHERE {where}".encode())

    with pytest.raises(CorruptData):
        store.read("a")
    assert store.read("a", 0, 1) == [{"n": 1}]


def test_a_follower_sees_what_comes_and_tells_what_is_gone(database):
    store = PostgresJournalStore(database)
    follower = store.follow("a")

    assert follower.read() == []
    store.append_all("a", [{"n": 1}, {"n": 2}])
    assert [entry.record["n"] for entry in follower.read()] == [1, 2]
    store.append("a", {"n": 3})
    assert [entry.number for entry in follower.read()] == [3]
    store.delete("a")
    store.append("a", {"n": 4})
    with pytest.raises(PositionLost):
        follower.read()


def test_jobs_are_listed_in_the_order_of_their_first_save(database):
    store = PostgresJobStore(database)
    for name in ("c", "a", "b"):
        store.save(Job(job_id=name, job_type="x" if name == "a" else "y"))
    store.save(Job(job_id="c", job_type="y", status="running"))

    assert [job.job_id for job in store.list()] == ["c", "a", "b"]
    assert [job.job_id for job in store.list("pending")] == ["a", "b"]
    assert [job.job_id for job in store.list(job_type="y", limit=1, offset=1)] == ["b"]
    assert store.get("none") is None


def test_each_job_is_claimed_once(database):
    store = PostgresJobStore(database)
    for number in range(40):
        store.save(Job(job_id=f"j{number}", job_type="x"))
    with ThreadPoolExecutor(4) as threads:
        claimed = list(threads.map(lambda worker: store.claim_next(worker=str(worker)), range(50)))

    assert sorted(job.job_id for job in claimed if job) == sorted(f"j{number}" for number in range(40))
    assert store.claim_next() is None
    assert {job.status for job in store.list()} == {"running"}


@pytest.mark.parametrize("body", ["", "null", "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "0" + "}" * 100_000])
def test_a_damaged_row_of_a_job_is_told_whatever_it_holds(database, server, schema, body):
    store = PostgresJobStore(database)
    store.save(Job(job_id="j", job_type="x"))
    with psycopg.connect(server.conninfo) as connection:
        connection.execute(f"UPDATE {schema}.items SET body = %s".encode(), [body])

    with pytest.raises(CorruptData):
        store.get("j")


def test_a_job_that_somebody_is_changing_is_waited_for_when_there_is_no_other(database):
    store = PostgresJobStore(database)
    store.save(Job(job_id="j", job_type="x"))
    with ThreadPoolExecutor(1) as threads:

        def touch(job):
            claims.append(threads.submit(store.claim_next))
            job.message = "touched"
            return job

        claims = []
        store.update_job("j", touch)
        claimed = claims[0].result()
    assert (claimed.job_id, claimed.message) == ("j", "touched")


def test_progress_counts_until_the_job_is_saved_again(database):
    store = PostgresJobStore(database)
    store.save(Job(job_id="j", job_type="x"))

    assert store.update_progress("j", 0.5) is True
    assert store.update_progress("none", 0.5) is False
    assert store.get("j").progress == 0.5
    store.save(Job(job_id="j", job_type="x", progress=0.1))
    assert store.get("j").progress == 0.1


def test_jobs_that_ended_long_ago_are_cleaned_up(database):
    store = PostgresJobStore(database, clock=lambda: NOON)
    for days in (1, 3):
        store.save(Job(job_id=f"j{days}", job_type="x", status="failed", finished_at=NOON - timedelta(days=days)))
    store.save(Job(job_id="open", job_type="x"))

    assert store.cleanup(2) == 1
    assert [job.job_id for job in store.list()] == ["j1", "open"]
    assert store.delete("open") is True


def test_the_run_that_was_changed_last_comes_first(database):
    store = PostgresRunStore(database)
    for name in ("a", "b", "c"):
        store.create_or_update_run(name, "Back-Test")
    store.create_or_update_run("a", status="completed", metrics={"sharpe": 1.5})

    assert [run.run_id for run in store.list_runs()] == ["a", "c", "b"]
    assert [run.run_id for run in store.list_runs("backtest", "running", 1, 1)] == ["b"]
    assert store.update_run("b", lambda run: run.model_copy(update={"error": "e"})).error == "e"
    assert store.get_run("a").metrics == {"sharpe": 1.5}
    assert store.delete_run("a") is True
    assert store.get_run("a") is None
    assert store.create_or_update_run(kind="x").run_id


def test_events_are_found_by_their_time(database):
    store = PostgresDataStore(database)
    for hours in (800, 0, 3, 3):
        store.write_event(Event(type="news" if hours else "split", timestamp=NOON + timedelta(hours=hours)))

    found = store.read_events(NOON, NOON + timedelta(hours=800))
    assert [event.timestamp for event in found] == [NOON + timedelta(hours=hours) for hours in (0, 3, 3, 800)]
    assert len(store.read_events(NOON, NOON + timedelta(hours=3), ["news"])) == 2
    with pytest.raises(InvalidRecord):
        store.write_event(Event(type="x", timestamp=NOON.replace(tzinfo=None)))
    with pytest.raises(InvalidRecord):
        store.read_events(NOON.replace(tzinfo=None), NOON.replace(tzinfo=None))
    assert store.prune_events("2025-04-01") == ["2025-03Z"]
    assert len(store.read_events(NOON, NOON + timedelta(hours=800))) == 1


def test_company_data_is_that_of_a_time(database):
    store = PostgresDataStore(database)
    for day in (1, 3, 2):
        moment = NOON.replace(day=day)
        store.write_fundamental("A", FundamentalData(symbol="A", timestamp=moment, employees=day))

    assert store.read_fundamental("A").employees == 3
    assert store.read_fundamental("A", NOON.replace(day=2)).employees == 2
    assert store.read_fundamental("A", NOON - timedelta(days=9)) is None
    assert store.read_fundamental("B") is None
    with pytest.raises(InvalidRecord):
        store.write_fundamental("A", FundamentalData(symbol="A", timestamp=NOON.replace(tzinfo=None)))
    with pytest.raises(InvalidRecord):
        store.read_fundamental("A", NOON.replace(tzinfo=None))
    assert store.prune_fundamentals("A", NOON.replace(day=3)) == 2
    assert store.read_fundamental("A", NOON.replace(day=3)).employees == 3


def test_what_no_row_can_hold_is_refused_or_is_not_there(database):
    store = PostgresDataStore(database)
    store.write_event(Event(type="news", timestamp=NOON))

    for ask in (store.read_fundamental, store.fundamental_versions, lambda one: store.prune_fundamentals(one, NOON)):
        for symbol in ("\ud800", "A\0"):
            with pytest.raises(InvalidIdentifier):
                ask(symbol)
    assert store.read_events(NOON, NOON, ["\ud800", "new\0s"]) == []
    assert len(store.read_events(NOON, NOON, ["\ud800", "news"])) == 1


def test_what_was_decided_and_ordered_is_in_the_log_of_its_day(database):
    store = PostgresDataStore(database, clock=lambda: NOON)
    store.log_decision("s", Decision(symbol="A", action="BUY"))
    order = Order(strategy_name="s", symbol="A", action="BUY", quantity=1, order_type="market")
    store.log_order("s", order, OrderResult(order_id=1, status="filled"))

    assert [line["decision"]["symbol"] for line in store.read_decisions("2025-03-01")] == ["A"]
    assert [line["result"]["status"] for line in store.read_orders("2025-03-01")] == ["filled"]
    assert store.days() == [NOON.date()]


def test_the_stores_of_a_bot_work_on_a_database(database):
    store = database.store(PortfolioStore)
    saved = store.save(Portfolio(portfolio_value_eur=Value(amount=10), initial_value_eur=Value(amount=10)))

    assert database.store(PortfolioStore).load() == saved
    assert store.update(lambda portfolio: portfolio).portfolio_value_eur.amount == 10
    assert store.recover().portfolio.portfolio_value_eur.amount == 10
    assert asyncio.run(_through_tasks(database)).portfolio_value_eur.amount == 10
    with pytest.raises(InvalidRecord):
        database.store(ReportStore)


async def _through_tasks(database):
    store = database.store(AsyncPortfolioStore)
    await store.update(lambda portfolio: portfolio)
    return await store.load()


async def everything(conninfo, schema):
    async with AsyncDatabase(conninfo, schema=schema) as database:
        documents = AsyncPostgresDocumentStore(database)

        async def add():
            await documents.update("k", lambda found: {"n": (found or {"n": 0})["n"] + 1})

        await asyncio.gather(*(add() for _ in range(20)))
        assert await documents.get("k") == {"n": 20}
        async with database.transaction():
            await documents.put("a", {})
            await documents.put("b", {})
        with pytest.raises(ZeroDivisionError):
            async with database.transaction():
                await documents.delete("a")
                raise ZeroDivisionError
        assert await documents.keys() == ["a", "b", "k"]
        single = AsyncPostgresSingleDocumentStore(database)
        await single.save({"n": 1})
        assert await single.update(lambda found: {**found, "m": 2}) == await single.load() == {"n": 1, "m": 2}
        journal = AsyncPostgresJournalStore(database)
        await asyncio.gather(*(journal.append("s", {"n": n}) for n in range(10)))
        assert sorted(record["n"] for record in await journal.read("s")) == list(range(10))
        assert [entry.number async for entry in journal.entries("s", 8)] == [9, 10]
        assert len(await journal.follow("s").read()) == 10
        jobs = AsyncPostgresJobStore(database)
        await asyncio.gather(*(jobs.save(Job(job_id=f"j{n}", job_type="x")) for n in range(5)))
        claimed = await asyncio.gather(*(jobs.claim_next() for _ in range(6)))
        assert len({job.job_id for job in claimed if job}) == 5
        assert len(await jobs.list("running")) == 5
        runs = AsyncPostgresRunStore(database)
        await runs.create_or_update_run("r", "x")
        assert (await runs.list_runs())[0].run_id == "r"
        data = AsyncPostgresDataStore(database)
        await data.write_event(Event(type="x", timestamp=NOON))
        assert len(await data.read_events(NOON, NOON)) == 1
        await data.write_fundamental("A", FundamentalData(symbol="A", timestamp=NOON))
        assert (await data.read_fundamental("A")).symbol == "A"
        await data.log_decision("s", Decision(symbol="A", action="BUY"))
        assert len(await data.days()) == 1
        await data.save_strategy_state("s", {"n": 1})
        assert await data.load_strategy_state("s") == {"n": 1}


def test_the_same_for_asyncio(server, schema):
    asyncio.run(everything(server.conninfo, schema))


def test_a_cancelled_update_has_happened_whole_or_not_at_all(server, schema):
    async def cancelled():
        async with AsyncDatabase(server.conninfo, schema=schema) as database:
            store = AsyncPostgresDocumentStore(database)
            await store.put("k", {"n": 0})
            begun = asyncio.Event()

            def function(found):
                begun.set()
                return {"n": 1}

            update = asyncio.create_task(store.update("k", function))
            await begun.wait()
            update.cancel()
            with pytest.raises(asyncio.CancelledError):
                await update
            return await store.get("k")

    assert asyncio.run(cancelled()) == {"n": 1}
