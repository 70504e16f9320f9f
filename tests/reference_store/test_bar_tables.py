"""Bars written as tables: Arrow, and whatever has the Arrow interface, with the same rules as for objects."""

# ruff: noqa: DTZ001 - naive times are the ordinary case

from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from reference_store import FileDataStore, HistoricalStore, InvalidRecord
from reference_store.stores.bot.file_names import HistoricalName
from tests.reference_store.trading import ALWAYS, ALWAYS_UTC, DAY, JANUARY, bar, bars, tree

NAMES = ("date", "open", "high", "low", "close", "volume")


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    return FileDataStore(tmp_path)


def table(made: list[Any], *names: str) -> pa.Table:
    return pa.table({name: [getattr(b, name) for b in made] for name in names or NAMES})


FRAMES = {
    "arrow": lambda arrow: arrow,
    "batch": lambda arrow: arrow.combine_chunks().to_batches()[0],
    "reader": lambda arrow: pa.RecordBatchReader.from_batches(arrow.schema, arrow.to_batches()),
    "pandas": lambda arrow: arrow.to_pandas(),
    "pandas-by-date": lambda arrow: arrow.to_pandas().set_index("date"),
    "polars": lambda arrow: import_module("polars").from_arrow(arrow),
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("zone", [None, UTC, ZoneInfo("America/New_York")], ids=str)
def test_a_table_is_written_as_its_rows_would_be(store: FileDataStore, kind: str, zone: Any) -> None:
    if kind.partition("-")[0] in ("pandas", "polars"):
        pytest.importorskip(kind.partition("-")[0], reason=f"needs {kind}")
    made = bars(JANUARY.replace(tzinfo=zone), 40)
    frame = FRAMES[kind](table(made[::-1]))

    store.write_bars_table("AAPL", frame)

    found = store.read_bars("AAPL", *(ALWAYS if zone is None else ALWAYS_UTC))
    assert found == made
    assert [str(b.date) for b in found] == [str(b.date) for b in made]


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("time", [-(2**62), 2**62, 253_402_300_800_000_000, -62_135_596_800_000_001])
def test_times_of_a_table_beyond_the_calendar_are_refused(tmp_path: Path, time: int, zone: str | None) -> None:
    given = table([bar(JANUARY)]).set_column(0, "date", pa.array([time], pa.timestamp("us", zone)))

    with pytest.raises(InvalidRecord, match="record 0 is outside the years 1 to 9999"):
        FileDataStore(tmp_path).write_bars_table("AAPL", given)
    with pytest.raises(InvalidRecord, match="record 0 is outside the years 1 to 9999"):
        HistoricalStore(tmp_path).write_table(HistoricalName("BTC", "EUR", "hour", "180d"), given)
    assert HistoricalStore(tmp_path).names() == []


def test_what_was_read_as_a_table_can_be_written_again(store: FileDataStore) -> None:
    store.write_bars("AAPL", [bar(JANUARY, volume=0.5), bar(JANUARY + DAY, volume=1.0)])
    store.write_bars("MSFT", bars(JANUARY, 0))
    found = store.read_bars_table("AAPL", *ALWAYS)

    other = found.set_column(0, "symbol", pa.array(["MSFT"] * 2).dictionary_encode())
    store.write_bars_table("MSFT", other)

    assert store.read_bars_table("MSFT", *ALWAYS).drop_columns(["symbol"]).equals(found.drop_columns(["symbol"]))
    store.write_bars_table("TSLA", store.read_bars_table("TSLA", *ALWAYS))  # none


def test_numbers_of_other_widths_are_taken_if_they_are_the_same_numbers(store: FileDataStore) -> None:
    made = table([bar(JANUARY, 1.5)])
    for name, kind in (("close", pa.float32()), ("open", pa.int8()), ("volume", pa.uint16())):
        made = made.set_column(made.schema.get_field_index(name), name, made.column(name).cast(kind))
    made = made.set_column(0, "date", made.column("date").cast(pa.timestamp("ns")))

    store.write_bars_table("AAPL", made)
    assert [repr(b) for b in store.read_bars("AAPL", *ALWAYS)] == [repr(bar(JANUARY, 1.5))]


def column(name: str, values: list[Any], kind: Any = None) -> Any:
    def changed(made: pa.Table) -> pa.Table:
        return made.set_column(made.schema.get_field_index(name), name, pa.array(values, kind))

    return changed


REFUSED = {
    "no-close": ("close", lambda made: made.drop_columns(["close"])),
    "a-column-too-many": ("adjusted", lambda made: made.append_column("adjusted", made.column("close"))),
    "two-of-a-name": ("close", lambda made: made.append_column("close", made.column("close"))),
    "a-value-missing": ("low", column("low", [0.5, None])),
    "not-finite": ("low", column("low", [0.5, float("nan")])),
    "below-zero": ("low", column("low", [0.5, -1.0])),
    "high-below-low": ("high", column("high", [2.5, 0.1])),
    "decimals": ("close", column("close", [1, 1], pa.decimal128(5, 2))),
    "text": ("close", column("close", ["1", "1"])),
    "integer-that-no-float-holds": ("close", column("close", [1, 2**53 + 1])),
    "volume-too-large": ("volume", column("volume", [1, 2**63], pa.uint64())),
    "volume-below-zero": ("volume", column("volume", [1, -1])),
    "days": ("date", column("date", [JANUARY.date(), JANUARY.date()])),
    "nanoseconds": ("date", column("date", [1, 2], pa.timestamp("ns"))),
    "unknown-zone": ("date", column("date", [1, 2], pa.timestamp("us", "Mars/Olympus"))),
    "other-symbol": ("symbol", lambda made: made.append_column("symbol", pa.array(["AAPL", "MSFT"]))),
}


@pytest.mark.parametrize(("field", "change"), REFUSED.values(), ids=list(REFUSED))
def test_a_table_with_a_row_that_could_not_be_given_back_is_refused_whole(
    store: FileDataStore, tmp_path: Path, field: str, change: Any
) -> None:
    before = tree(tmp_path)

    with pytest.raises(InvalidRecord) as refusal:
        store.write_bars_table("AAPL", change(table(bars(JANUARY, 2))))

    assert refusal.value.field == field
    assert tree(tmp_path) == before


@pytest.mark.parametrize("given", [None, [bar(JANUARY)], {"date": [JANUARY]}, "AAPL"], ids=repr)
def test_what_is_no_table_is_refused_in_one_sentence(store: FileDataStore, given: Any) -> None:
    with pytest.raises(InvalidRecord, match="no Arrow interface"):
        store.write_bars_table("AAPL", given)


def test_bars_of_a_range_are_deleted_whole_and_the_others_stay(store: FileDataStore, tmp_path: Path) -> None:
    made = bars(JANUARY, 80)
    store.write_bars("AAPL", made)

    assert store.delete_bars("AAPL", made[10].date, made[60].date) == 51
    assert store.read_bars("AAPL", *ALWAYS) == made[:10] + made[61:]
    assert store.months("AAPL") == ["2026-01", "2026-03"]
    assert not (tmp_path / "prices" / "AAPL" / "2026-02.parquet").exists()
    assert store.delete_bars("AAPL", made[60].date, made[10].date) == 0
    assert store.delete_bars("AAPL", *ALWAYS) == 29
    assert store.read_bars("AAPL", *ALWAYS) == []
    assert store.delete_bars("MSFT", *ALWAYS) == 0
    store.write_bars("AAPL", bars(JANUARY.replace(tzinfo=UTC), 3))  # nothing is left to mix with
    assert len(store.read_bars("AAPL", *ALWAYS_UTC)) == 3
    assert not list((tmp_path / "prices" / "AAPL").glob(".damaged-*"))


def test_what_a_killed_deletion_leaves_is_cleared_away_by_the_next_writer(
    store: FileDataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reference_store.core.atomic import Directory

    store.write_bars("AAPL", bars(datetime(2026, 1, 30), 5))
    with monkeypatch.context() as patch:
        patch.setattr(Directory, "discard", lambda *_: None)
        store.delete_bars("AAPL", datetime(2026, 2, 1), datetime(2026, 2, 1) + timedelta(days=20))
    assert (tmp_path / "prices" / "AAPL" / "2026-02.parquet").exists()
    assert FileDataStore(tmp_path).months("AAPL") == ["2026-01"]

    store.write_bars("AAPL", bars(datetime(2026, 2, 10), 1))
    assert len(store.read_bars("AAPL", *ALWAYS)) == 3
    assert not list((tmp_path / "prices" / "AAPL").glob(".damaged-*"))
