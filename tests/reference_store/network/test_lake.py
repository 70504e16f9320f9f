"""Bars in a Delta table: the promises of the file store, on a path and in a bucket, with several writers."""

import asyncio
import multiprocessing
import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("deltalake", reason="deltalake is not installed: pip install '.[lake]'")

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from reference_store.errors import InvalidRecord, StoreClosed
from reference_store.lake import AsyncLakeBarStore, LakeBarStore, LakeFailure
from reference_store.models import PriceBar
from reference_store.stores.data_store import FileDataStore

START = datetime(2025, 1, 30, tzinfo=UTC)
ALWAYS = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def bars(symbol, count, first=START, step=timedelta(hours=6), close=1.5, volume=10):
    return [PriceBar(symbol, first + number * step, 1.0, 2.0, 0.5, close, volume) for number in range(count)]


@pytest.fixture
def store(tmp_path):
    return LakeBarStore(tmp_path / "lake", retry_for=10)


def test_what_was_written_is_what_is_read_over_the_end_of_a_month(store):
    given = bars("BTC/USDT", 20)
    store.write_bars("BTC/USDT", given[10:])
    store.write_bars("BTC/USDT", given[:12])

    assert store.read_bars("BTC/USDT", *ALWAYS) == given
    assert store.read_bars("BTC/USDT", given[3].date, given[5].date) == given[3:6]
    assert store.months("BTC/USDT") == ["2025-01", "2025-02"]
    assert store.symbols() == ["BTC/USDT"]
    assert store.read_bars("none", *ALWAYS) == []


def test_a_bar_takes_the_place_of_one_with_the_same_date(store):
    store.write_bars("A", bars("A", 3))
    store.write_bars("A", bars("A", 2, close=1.7))

    assert [bar.close for bar in store.read_bars("A", *ALWAYS)] == [1.7, 1.7, 1.5]


def test_volumes_and_zones_come_back_as_they_were(store, tmp_path):
    berlin = ZoneInfo("Europe/Berlin")
    given = [
        PriceBar("A", datetime(2025, 10, 26, 0, 30, tzinfo=UTC), 1, 2, 0.5, 1, 2**60 + 1),
        PriceBar("A", datetime(2025, 10, 26, 2, 30, tzinfo=berlin, fold=1), 1, 2, 0.5, 1, 0.25),
    ]
    files = FileDataStore(tmp_path / "files")
    for each in (store, files):
        each.write_bars("A", given)

    found = store.read_bars("A", *ALWAYS)
    assert found == given == files.read_bars("A", *ALWAYS)
    assert [(bar.date.isoformat(), type(bar.volume)) for bar in found] == [
        (bar.date.isoformat(), type(bar.volume)) for bar in given
    ]


def test_tables_are_those_of_the_file_store(store, tmp_path):
    files = FileDataStore(tmp_path / "files")
    for each in (store, files):
        each.write_bars_table("A", files.read_bars_table("A", *ALWAYS))
        each.write_bars("A", bars("A", 9))

    assert store.read_bars_table("A", *ALWAYS).equals(files.read_bars_table("A", *ALWAYS))
    assert store.read_bars_table("B", *ALWAYS).equals(files.read_bars_table("B", *ALWAYS))


def test_only_the_files_of_the_months_that_are_asked_for_are_read(store, tmp_path):
    store.write_bars("A", bars("A", 20))
    later = list((tmp_path / "lake").rglob("month=2025-02/*.parquet"))
    assert later
    for file in later:
        file.unlink()

    assert len(store.read_bars("A", START, START + timedelta(days=1))) == 5
    with pytest.raises(LakeFailure):
        LakeBarStore(tmp_path / "lake", retry_for=0).read_bars("A", *ALWAYS)


def test_bars_of_many_symbols_are_one_version(store):
    store.write_bars_of_many({"A": bars("A", 2), "b": bars("b", 3), "C": []})

    assert store.symbols() == ["A", "b"]
    assert store.versions() == [0, 1]


def test_dates_with_and_without_zones_do_not_mix(store):
    store.write_bars("A", bars("A", 2))

    with pytest.raises(InvalidRecord):
        store.write_bars("A", bars("A", 2, START.replace(tzinfo=None)))
    with pytest.raises(InvalidRecord):
        store.read_bars("A", START.replace(tzinfo=None), START.replace(tzinfo=None))
    store.write_bars("B", bars("B", 2, START.replace(tzinfo=None)))
    assert store.read_bars("B", START.replace(tzinfo=None), START.replace(tzinfo=None))[0].date.tzinfo is None


def test_bars_are_deleted(store):
    given = bars("A", 20)
    store.write_bars("A", given)

    assert store.delete_bars("A", given[5].date, given[14].date) == 10
    assert store.read_bars("A", *ALWAYS) == given[:5] + given[15:]
    assert store.delete_bars("A", given[5].date, given[14].date) == 0


def test_files_are_compacted_and_old_versions_read_until_they_are_vacuumed(store, tmp_path):
    given = bars("A", 8, step=timedelta(hours=1))
    for bar in given:
        store.write_bars("A", [bar])
    old = LakeBarStore(tmp_path / "lake", version=3, retry_for=0)
    now = LakeBarStore(tmp_path / "lake", version=datetime.now(UTC))
    assert now.read_bars("A", *ALWAYS) == given

    store.compact()
    assert old.read_bars("A", *ALWAYS) == given[:3]
    with pytest.raises(InvalidRecord):
        old.write_bars("A", given)
    assert store.vacuum(timedelta(0)) >= 8
    assert store.read_bars("A", *ALWAYS) == given
    with pytest.raises(LakeFailure):
        old.read_bars("A", *ALWAYS)


def test_a_table_of_something_else_is_refused(tmp_path):
    import pyarrow as pa
    from deltalake import write_deltalake

    write_deltalake(tmp_path / "other", pa.table({"n": [1]}))
    with pytest.raises(InvalidRecord, match="something else"):
        LakeBarStore(tmp_path / "other").write_bars("A", bars("A", 1))


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(StoreClosed):
        store.symbols()


@pytest.mark.parametrize("was_done", [True, False])
def test_a_commit_whose_answer_was_lost_is_done_once(store, monkeypatch, was_done):
    store.write_bars("A", bars("A", 3))
    delete, calls = DeltaTable.delete, []

    def lossy(self, *args, **options):
        calls.append(1)
        done = delete(self, *args, **options) if was_done or len(calls) > 1 else None
        if len(calls) == 1:
            raise CommitFailedError("the answer was lost")
        return done

    monkeypatch.setattr(DeltaTable, "delete", lossy)
    assert store.delete_bars("A", *ALWAYS) == 3
    assert len(calls) == (1 if was_done else 2)
    assert store.read_bars("A", *ALWAYS) == []


def test_the_same_for_asyncio(tmp_path):
    async def everything():
        async with AsyncLakeBarStore(tmp_path / "lake") as store:
            await store.write_bars("A", bars("A", 4))
            assert await store.delete_bars("A", START, START) == 1
            await store.compact()
            return await store.read_bars("A", *ALWAYS)

    assert asyncio.run(everything()) == bars("A", 4)[1:]


def merge(place, options, firsts, begin):
    with LakeBarStore(place, storage_options=options, retry_for=1800) as store:
        begin.wait()
        for first in firsts:
            store.write_bars("A", bars("A", 5, first, timedelta(minutes=1)))


SPREADS = {"same day": timedelta(minutes=5), "same month": timedelta(hours=2), "different months": timedelta(days=28)}


def writers(place, options, processes, merges, step, make, begin):
    """All merge at the same time, each its own minutes: in turn, so that neighbours are of different writers."""
    firsts = [datetime(2025, 3, 1, tzinfo=UTC) + number * step for number in range(processes * merges)]
    running = [
        make(target=merge, args=(place, options, firsts[number::processes], begin)) for number in range(processes)
    ]
    for process in running:
        process.start()
    begin.set()
    for process in running:
        process.join()
    dates = [first + timedelta(minutes=minute) for first in firsts for minute in range(5)]
    found = LakeBarStore(place, storage_options=options).read_bars("A", dates[0], dates[-1])
    assert [bar.date for bar in found] == sorted(dates)


# Where all collide moto takes 24 s of processor time, and half a minute and more by the clock, for each of these.
PLACES = [
    *(pytest.param("bucket", step, marks=pytest.mark.proof) for step in SPREADS),
    pytest.param("moto", "different months", marks=pytest.mark.proof),
    *(pytest.param("moto", step, marks=pytest.mark.deep) for step in ("same day", "same month")),
]


@pytest.mark.parametrize(("server", "step"), PLACES)
def test_four_processes_lose_and_double_nothing_wherever_they_merge(request, server, step):
    place = request.getfixturevalue(server)
    context = multiprocessing.get_context("forkserver")  # deltalake does not live on in a fork; it is imported once
    context.set_forkserver_preload([__name__])
    writers(*place, 4, 12, SPREADS[step], context.Process, context.Event())


def test_two_writers_that_merge_into_one_day_lose_and_double_nothing(bucket):
    url, options = bucket
    writers(url, options, 2, 3, SPREADS["same day"], threading.Thread, threading.Event())


def test_a_bucket_that_ignores_conditions_is_refused(careless_bucket):
    url, options = careless_bucket
    with pytest.raises(InvalidRecord, match="conditions"):
        LakeBarStore(url, storage_options=options)
