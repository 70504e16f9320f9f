"""Fundamentals, events, state and audit lines of the file data store, its asyncio face, and foreign readers."""

import asyncio
import inspect
import json
from datetime import UTC, datetime, timedelta, timezone
from glob import iglob
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from reference_store import (
    AsyncFileDataStore,
    CorruptData,
    DataStore,
    FileDataStore,
    InvalidIdentifier,
    InvalidRecord,
    StoreClosed,
    UnserialisableValue,
)
from reference_store.models import Action, Decision, Event, FundamentalData, Order, OrderResult
from tests.reference_store.trading import ALWAYS, ALWAYS_UTC, DAY, JANUARY, bar, bars, flip

NOON = datetime(2026, 1, 5, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=-5)))


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    return FileDataStore(tmp_path, clock=lambda: NOON)


def fundamental(timestamp: datetime, employees: int, **fields: Any) -> FundamentalData:
    return FundamentalData(symbol="AAPL", timestamp=timestamp, employees=employees, **fields)


def event(timestamp: datetime, kind: str = "split", **data: Any) -> Event:
    return Event(type=kind, timestamp=timestamp, symbol="AAPL", data=data)


ORDER = Order(strategy_name="value", symbol="AAPL", action=Action.BUY, quantity=100, order_type="MARKET")
FILLED = OrderResult(order_id=123, status="filled", fill_price=150.25, fill_quantity=100)
BUY = Decision(symbol="AAPL", action=Action.BUY, target_weight=0.05, confidence=0.8, reasoning="strong")


def test_both_faces_offer_every_method_of_the_protocol(tmp_path: Path) -> None:
    offered = FileDataStore(tmp_path)
    assert isinstance(offered, DataStore)
    for name, method in inspect.getmembers(DataStore, inspect.isfunction):
        if not name.startswith("_"):
            assert (
                inspect.signature(method).parameters.keys()
                == inspect.signature(getattr(AsyncFileDataStore, name)).parameters.keys()
            )


def test_the_latest_fundamental_is_the_one_with_the_latest_timestamp_whatever_the_order(store: FileDataStore) -> None:
    for day, employees in ((4, 4), (1, 1), (9, 9), (6, 6)):
        store.write_fundamental("AAPL", fundamental(JANUARY + day * DAY, employees))

    def employees_as_of(day: int | None) -> int | None:
        found = store.read_fundamental("AAPL", None if day is None else JANUARY + day * DAY)
        return found.employees if found else None

    assert [employees_as_of(day) for day in (None, 0, 1, 5, 6, 8, 9)] == [9, None, 1, 4, 6, 6, 9]


def test_a_correction_of_a_timestamp_counts_and_the_version_before_is_kept(
    store: FileDataStore, tmp_path: Path
) -> None:
    store.write_fundamental("AAPL", fundamental(JANUARY, 1))
    store.write_fundamental("AAPL", fundamental(JANUARY, 2))

    found = store.read_fundamental("AAPL")
    assert found is not None
    assert found.employees == 2
    kept = json.loads((tmp_path / "fundamentals" / "AAPL.json").read_text())
    assert [version["employees"] for version in kept["versions"]] == [1, 2]


def test_damaged_fundamentals_are_answered_from_the_backup_and_never_begun_anew(
    store: FileDataStore, tmp_path: Path
) -> None:
    for day in range(3):
        store.write_fundamental("AAPL", fundamental(JANUARY + day * DAY, day))
    flip(tmp_path / "fundamentals" / "AAPL.json", 50)
    store.write_fundamental("AAPL", fundamental(JANUARY + 9 * DAY, 9))
    assert [store.read_fundamental("AAPL", JANUARY + day * DAY).employees for day in (1, 9)] == [1, 9]  # type: ignore[union-attr]

    for name in ("AAPL.json", "AAPL.json.bak"):
        flip(tmp_path / "fundamentals" / name, 50)
    with pytest.raises(CorruptData):
        store.write_fundamental("AAPL", fundamental(JANUARY, 1))
    with pytest.raises(CorruptData):
        store.read_fundamental("AAPL")


def test_fundamentals_refuse_another_symbol_and_a_mixture_of_times(store: FileDataStore) -> None:
    with pytest.raises(InvalidRecord, match="symbol"):
        store.write_fundamental("MSFT", fundamental(JANUARY, 1))
    store.write_fundamental("AAPL", fundamental(JANUARY, 1))
    with pytest.raises(InvalidRecord, match="time zone"):
        store.write_fundamental("AAPL", fundamental(NOON, 1))
    with pytest.raises(InvalidRecord, match="time zone"):
        store.read_fundamental("AAPL", NOON)


def test_events_come_by_time_within_both_bounds_and_by_type(store: FileDataStore) -> None:
    made = [event(JANUARY + day * DAY, kind, n=day) for day, kind in ((40, "a"), (0, "b"), (3, "a"), (90, "c"))]
    for one in made:
        store.write_event(one)

    assert [found.data["n"] for found in store.read_events(*ALWAYS)] == [0, 3, 40, 90]
    assert store.read_events(JANUARY + 3 * DAY, JANUARY + 40 * DAY) == [made[2], made[0]]
    assert store.read_events(*ALWAYS, types=["c", "b"]) == [made[1], made[3]]
    assert store.read_events(*ALWAYS, types=[]) == []
    assert store.read_events(JANUARY + DAY, JANUARY) == []


def test_events_at_one_time_keep_the_order_of_their_writes(store: FileDataStore) -> None:
    for number in (3, 1, 2):
        store.write_event(event(JANUARY, n=number))

    assert [found.data["n"] for found in store.read_events(JANUARY, JANUARY)] == [3, 1, 2]


def test_events_with_zones_are_months_of_utc_and_do_not_mix_with_others(store: FileDataStore, tmp_path: Path) -> None:
    late = datetime(2026, 1, 31, 23, 0, tzinfo=NOON.tzinfo)
    store.write_event(event(late))

    assert (tmp_path / "events" / "2026-02Z.jsonl").exists()
    assert store.read_events(late.astimezone(UTC), late.astimezone(UTC)) == [event(late)]
    with pytest.raises(InvalidRecord, match="time zone"):
        store.write_event(event(JANUARY))
    with pytest.raises(InvalidRecord, match="time zone"):
        store.read_events(*ALWAYS)
    with pytest.raises(InvalidRecord, match="time zone"):
        store.read_events(ALWAYS[0], ALWAYS_UTC[1])


def test_a_state_comes_back_equal_and_independent(store: FileDataStore) -> None:
    state: dict[str, Any] = {"positions": {"AAPL": 100}, "cash": 10000.0, "empty": {}, "none": None}
    store.save_strategy_state("value", state)
    state["cash"] = 0.0

    assert store.load_strategy_state("value") == {**state, "cash": 10000.0}
    assert store.load_strategy_state("other") is None
    store.save_strategy_state("value", {})
    assert store.load_strategy_state("value") == {}
    with pytest.raises(UnserialisableValue):
        store.save_strategy_state("value", {"when": JANUARY})
    with pytest.raises(InvalidIdentifier):
        store.save_strategy_state("../value", {})


def test_audit_lines_are_appended_to_the_file_of_the_clocks_day(tmp_path: Path) -> None:
    days = [NOON, NOON, NOON + DAY]
    store = FileDataStore(tmp_path, clock=lambda: days.pop(0))
    store.log_decision("value", BUY)
    first = (tmp_path / "audit" / "decisions" / "2026-01-05.jsonl").read_bytes()
    store.log_decision("value", BUY)
    store.log_order("value", ORDER, FILLED)

    assert (tmp_path / "audit" / "decisions" / "2026-01-05.jsonl").read_bytes().startswith(first)
    assert [line["decision"]["action"] for line in store.read_decisions("2026-01-05")] == ["BUY", "BUY"]
    assert store.read_orders(NOON.date()) == []
    (line,) = store.read_orders(NOON + DAY)
    assert line["strategy_name"] == "value"
    assert line["logged_at"] == (NOON + DAY).isoformat()
    assert (line["order"]["quantity"], line["result"]["order_id"]) == (100, 123)
    with pytest.raises(InvalidRecord, match="day"):
        store.read_orders("yesterday")


WRONG_RECORDS = {
    "a-dict-for-an-event": lambda store: store.write_event({"type": "x"}),
    "an-order-for-a-decision": lambda store: store.log_decision("value", ORDER),
    "no-result": lambda store: store.log_order("value", ORDER, None),
    "a-dict-for-fundamentals": lambda store: store.write_fundamental("AAPL", {}),
    "no-bound": lambda store: store.read_bars("AAPL", None, JANUARY),
    "a-date-as-bound": lambda store: store.read_events(JANUARY.date(), JANUARY),
}


@pytest.mark.parametrize("call", WRONG_RECORDS.values(), ids=list(WRONG_RECORDS))
def test_records_of_the_wrong_type_are_refused(store: FileDataStore, call: Any) -> None:
    with pytest.raises(InvalidRecord):
        call(store)


def test_a_closed_store_says_so(store: FileDataStore) -> None:
    store.close()
    store.close()
    for call in (
        lambda: store.write_bars("AAPL", bars(JANUARY, 1)),
        lambda: store.read_events(*ALWAYS),
        lambda: store.load_strategy_state("value"),
        lambda: store.log_decision("value", BUY),
        lambda: store.read_fundamental("AAPL"),
    ):
        with pytest.raises(StoreClosed):
            call()


def test_the_asyncio_face_does_the_same(tmp_path: Path) -> None:
    async def use() -> None:
        store = AsyncFileDataStore(tmp_path, clock=lambda: NOON)
        await asyncio.gather(*(store.write_bars("AAPL", [bar(JANUARY + n * DAY)]) for n in range(5)))
        assert (
            len(await store.read_bars("AAPL", *ALWAYS)) == (await store.read_bars_table("AAPL", *ALWAYS)).num_rows == 5
        )
        await store.write_fundamental("AAPL", fundamental(JANUARY, 1))
        assert (await store.read_fundamental("AAPL")) == fundamental(JANUARY, 1)
        await store.write_event(event(JANUARY))
        assert await store.read_events(*ALWAYS) == [event(JANUARY)]
        await store.save_strategy_state("value", {"a": 1})
        assert await store.load_strategy_state("value") == {"a": 1}
        await store.log_decision("value", BUY)
        await store.log_order("value", ORDER, FILLED)
        assert len(await store.read_decisions(NOON)) == len(await store.read_orders(NOON)) == 1
        await store.reseal_bars("AAPL")
        await store.aclose()

    asyncio.run(use())


def test_a_cancelled_write_of_bars_has_happened_whole_or_not_at_all(tmp_path: Path) -> None:
    async def use() -> None:
        store = AsyncFileDataStore(tmp_path)
        for turns in range(6):
            await store.write_bars("AAPL", bars(JANUARY, 80, close=0.0))
            writing = asyncio.create_task(store.write_bars("AAPL", bars(JANUARY, 80, close=5.0)))
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            closes = {b.close - n / 128 for n, b in enumerate(await store.read_bars("AAPL", *ALWAYS))}
            assert len(closes) == 1

    asyncio.run(use())


FOREIGN = {
    "pandas": lambda module, glob: len(module.concat([module.read_parquet(path) for path in sorted(iglob(glob))])),
    "polars": lambda module, glob: module.read_parquet(glob).height,
    "duckdb": lambda module, glob: module.sql(f"SELECT count(*) FROM read_parquet('{glob}')").fetchall()[0][0],
}


@pytest.mark.parametrize("reader", FOREIGN)
@pytest.mark.parametrize("first", [JANUARY, JANUARY.replace(tzinfo=UTC)], ids=["naive", "aware"])
def test_foreign_readers_read_the_month_files_by_their_glob(tmp_path: Path, reader: str, first: datetime) -> None:
    try:
        module = import_module(reader)
    except ImportError:
        pytest.skip(f"reading with {reader}: it is not installed")
    store = FileDataStore(tmp_path)
    store.write_bars("AAPL", bars(first, 80))
    store.write_bars("AAPL", bars(first, 3, close=5.0))

    assert FOREIGN[reader](module, str(tmp_path / "prices" / "*" / "*.parquet")) == 80


def test_bare_pyarrow_reads_the_month_files_by_path_and_as_a_directory(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    store = FileDataStore(tmp_path)
    store.write_bars("AAPL", bars(JANUARY, 80))
    directory = tmp_path / "prices" / "AAPL"

    assert pq.read_table(directory).num_rows == 80
    assert pq.read_table(directory / "2026-01.parquet").column_names == [
        "symbol", "date", "open", "high", "low", "close", "volume",
    ]  # fmt: skip
