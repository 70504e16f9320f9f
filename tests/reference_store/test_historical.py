"""Historical bars: one Parquet file for a market, a granularity and a period, sealed, with the version before."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from reference_store import AsyncHistoricalStore, CorruptData, HistoricalStore, InvalidIdentifier, InvalidRecord
from reference_store.models import PriceBar
from reference_store.operations.inspection import State, inspect
from reference_store.stores.bot.file_names import Granularity, HistoricalName

HOURS = HistoricalName("BTC", "EUR", Granularity.HOUR, "180d")
DAYS = HistoricalName("ETH", "EUR", Granularity.DAILY, "30d")
MINUTES = HistoricalName("SOL", "EUR", Granularity.MINUTE, "7d")
START = datetime(2026, 1, 5, tzinfo=UTC)
STEPS = {HOURS: timedelta(hours=1), DAYS: timedelta(days=1), MINUTES: timedelta(minutes=1)}


def bars(name: HistoricalName, count: int, first: int = 0, close: float = 1.0) -> list[PriceBar]:
    return [
        PriceBar(f"{name.asset}-{name.base}", START + (first + number) * STEPS[name], 1.0, 2.0, 0.5, close, 10)
        for number in range(count)
    ]


@pytest.mark.parametrize("name", [HOURS, DAYS, MINUTES], ids=str)
def test_bars_come_back_from_the_file_of_the_guidelines_name(tmp_path: Path, name: HistoricalName) -> None:
    given = bars(name, 5)
    assert HistoricalStore(tmp_path).write(name, reversed(given)) == 5

    assert HistoricalStore(tmp_path).read(name) == given
    assert (tmp_path / "historical" / str(name)).is_file()
    assert HistoricalStore(tmp_path).read(name, given[1].date, given[3].date) == given[1:4]
    assert HistoricalStore(tmp_path).read(name, start=given[3].date) == given[3:]
    assert HistoricalStore(tmp_path).read(name, end=given[1].date) == given[:2]


def test_any_reader_of_parquet_reads_the_file_and_it_is_compressed_with_snappy(tmp_path: Path) -> None:
    HistoricalStore(tmp_path).write(HOURS, bars(HOURS, 5))
    file = pq.ParquetFile(tmp_path / "historical" / str(HOURS))

    assert file.read().column_names == ["symbol", "date", "open", "high", "low", "close", "volume"]
    group = file.metadata.row_group(0)
    assert {group.column(number).compression for number in range(group.num_columns)} == {"SNAPPY"}


def test_a_table_goes_in_and_out(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    store.write(HOURS, bars(HOURS, 3))
    assert store.write_table(DAYS, store.read_table(HOURS).drop_columns(["symbol"]).slice(0, 1)) == 1
    assert [bar.symbol for bar in store.read(DAYS)] == ["ETH-EUR"]


def test_what_is_not_there_has_no_bars(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)

    assert (store.read(HOURS), store.read_table(HOURS).num_rows, store.names(), store.delete(HOURS)) == (
        [],
        0,
        [],
        False,
    )


def test_the_names_are_listed_by_their_parts(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    for name in (HOURS, DAYS, MINUTES):
        store.write(name, bars(name, 2))
    (tmp_path / "historical" / "notes.txt").write_text("none of ours")

    assert store.names() == [HOURS, DAYS, MINUTES]
    assert store.names(granularity="hour") == [HOURS]
    assert store.names(asset="ETH", base="EUR") == [DAYS]
    with pytest.raises(InvalidRecord, match="granularity"):
        store.names(granularity="week")


def test_added_bars_replace_those_of_their_dates_and_the_period_moves_on(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    store.write(DAYS, bars(DAYS, 30))
    assert store.add(DAYS, bars(DAYS, 3, first=29, close=1.5)) == 31

    found = store.read(DAYS)
    assert (found[0].date, found[-1].date) == (START + timedelta(days=1), START + timedelta(days=31))
    assert [bar.close for bar in found[-4:]] == [1.0, 1.5, 1.5, 1.5]


def test_a_change_is_made_of_what_is_there(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    assert store.update(HOURS, lambda there: [*there, *bars(HOURS, 2)]) == bars(HOURS, 2)
    assert len(store.update(HOURS, lambda there: [*there, *bars(HOURS, 1, first=2)])) == 3
    with pytest.raises(ZeroDivisionError):
        store.update(HOURS, lambda there: [1 // 0])
    with pytest.raises(FileNotFoundError):  # of the function: no failure of the store
        store.update(HOURS, lambda there: [(tmp_path / "nowhere").read_bytes()])

    assert store.read(HOURS) == bars(HOURS, 3)


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        (HOURS, bars(MINUTES, 2), "symbol"),
        (HOURS, [], "bars"),
        (DAYS, bars(DAYS, 40), "bars"),
        (HOURS, [PriceBar("BTC-EUR", START + timedelta(minutes=number), 1, 1, 1, 1, 1) for number in range(2)], "date"),
        (DAYS, [PriceBar("ETH-EUR", START + timedelta(hours=number), 1, 1, 1, 1, 1) for number in (0, 22)], "date"),
        (HOURS, [PriceBar("BTC-EUR", START, 1, 1, 1, float("nan"), 1)], "close"),
    ],
)
def test_bars_that_are_none_of_such_a_file_are_refused(
    tmp_path: Path, name: HistoricalName, given: list[PriceBar], field: str
) -> None:
    store = HistoricalStore(tmp_path)
    with pytest.raises(InvalidRecord) as refused:
        store.write(name, given)
    assert refused.value.field == field
    assert store.names() == []


def test_control_a_day_of_23_hours_is_one(tmp_path: Path) -> None:
    given = [PriceBar("ETH-EUR", START + timedelta(hours=number), 1, 1, 1, 1, 1) for number in (0, 23)]
    assert HistoricalStore(tmp_path).write(DAYS, given) == 2


@pytest.mark.parametrize("name", ["BTC-EUR_hour_180d.parquet", None, "../x"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: Any) -> None:
    store = HistoricalStore(tmp_path)
    for call in (store.read, store.delete, store.reseal, lambda none: store.write(none, bars(HOURS, 1))):
        with pytest.raises(InvalidIdentifier):
            call(name)


def test_whatever_bit_is_flipped_the_version_before_answers(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    store.write(HOURS, bars(HOURS, 2))
    store.write(HOURS, bars(HOURS, 3))
    file = tmp_path / "historical" / str(HOURS)
    sound = file.read_bytes()

    for position in range(0, len(sound), 13):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        assert len(store.read(HOURS)) == 2, position
    assert {recovery.key for recovery in store.recoveries} == {str(HOURS)}
    file.write_bytes(sound)
    assert len(store.read(HOURS)) == 3


def test_a_damaged_file_stays_as_evidence_and_never_becomes_the_backup(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    store.write(HOURS, bars(HOURS, 2))
    store.write(HOURS, bars(HOURS, 3))
    file = tmp_path / "historical" / str(HOURS)
    file.write_bytes(b"PAR1")
    store.write(HOURS, bars(HOURS, 4))

    assert [found.read_bytes() for found in (tmp_path / "historical").glob(".damaged-*")] == [b"PAR1"]
    file.unlink()
    assert len(store.read(HOURS)) == 2
    (tmp_path / "historical" / f"{HOURS}.bak").write_bytes(b"")
    with pytest.raises(CorruptData):
        store.read(HOURS)


def test_the_file_of_another_name_is_not_taken_for_this_one(tmp_path: Path) -> None:
    store, longer = HistoricalStore(tmp_path), HistoricalName("BTC", "EUR", Granularity.HOUR, "365d")
    store.write(HOURS, bars(HOURS, 2))
    store.write(longer, bars(HOURS, 3))
    os.replace(tmp_path / "historical" / str(longer), tmp_path / "historical" / str(HOURS))

    with pytest.raises(CorruptData, match="do not agree"):
        store.read(HOURS)


def test_a_file_of_another_program_is_accepted_when_it_is_one(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    store.write(HOURS, bars(HOURS, 3))
    file = tmp_path / "historical" / str(HOURS)
    table = pq.read_table(file).replace_schema_metadata(None)
    pq.write_table(table.slice(0, 2), file)
    with pytest.raises(CorruptData):
        store.read(HOURS)

    store.reseal(HOURS)
    assert store.read(HOURS) == bars(HOURS, 2)
    pq.write_table(table.drop_columns(["volume"]), file)
    with pytest.raises(CorruptData):
        store.reseal(HOURS)


def test_a_removal_is_for_good_and_its_backup_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = HistoricalStore(tmp_path)
    store.write(HOURS, bars(HOURS, 2))
    store.write(HOURS, bars(HOURS, 3))
    gone: list[str] = []
    real, sync = os.unlink, os.fsync
    monkeypatch.setattr(os, "unlink", lambda name, **more: (gone.append(str(name)), real(name, **more)))
    monkeypatch.setattr(os, "fsync", lambda descriptor: (gone.append("sync"), sync(descriptor)))

    assert store.delete(HOURS)
    assert gone == [f"{HOURS}.bak", "sync", str(HOURS), "sync"]
    assert store.read(HOURS) == []


def test_verify_knows_the_files_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    store = HistoricalStore(tmp_path)
    store.write(HOURS, bars(HOURS, 2))
    store.write(HOURS, bars(HOURS, 3))
    store.write(DAYS, bars(DAYS, 3))
    file = tmp_path / "historical" / str(DAYS)
    assert {found.state for found in inspect(os.fspath(tmp_path))} == {State.SOUND}

    file.write_bytes(file.read_bytes()[:-9])
    (tmp_path / "historical" / str(HOURS)).unlink()
    damaged = {found.file: found.state for found in inspect(os.fspath(tmp_path))}
    assert damaged == {
        f"historical/{DAYS}": State.DAMAGED,
        f"historical/{HOURS}": State.DAMAGED,
        f"historical/{HOURS}.bak": State.SOUND,
    }


def test_tasks_have_the_same(tmp_path: Path) -> None:
    async def use() -> None:
        async with AsyncHistoricalStore(tmp_path) as store:
            assert await store.write(HOURS, bars(HOURS, 2)) == 2
            assert await store.add(HOURS, bars(HOURS, 1, first=2)) == 3
            assert len(await store.update(HOURS, lambda there: [*there, *bars(HOURS, 1, first=3)])) == 4
            assert await store.read(HOURS, START, START) == bars(HOURS, 1)
            assert (await store.read_table(HOURS)).num_rows == 4
            assert await store.names() == [HOURS]
            await store.reseal(HOURS)
            assert (await store.delete(HOURS), store.recoveries) == (True, ())

    asyncio.run(use())
