"""Which prices and volumes a store of bars takes, and that they come back as what they were."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reference_store import AsyncFileDataStore, FileDataStore, InvalidRecord, StoreError
from reference_store.models import PriceBar
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, bar, bars, tree


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    return FileDataStore(tmp_path)


EXACT: dict[str, dict[str, Any]] = {
    "subnormal-price": {"open": 5e-324},
    "negative-zero": {"open": -0.0},
    "largest-price": {"high": 1.7976931348623157e308},
    "largest-volume": {"volume": 2**63 - 1},
    "no-volume": {"volume": 0},
    "integer-price": {"open": 150},
    "large-integer-that-a-float-holds": {"high": 2**60},
    "close-above-high": {"close": 9.0},
    "high-equal-to-low": {"high": 1.0, "low": 1.0},
    "half-a-share": {"volume": 0.5},
    "whole-volume-as-float": {"volume": 10.0},
    "least-fraction": {"volume": 5e-324},
    "volume-of-negative-zero": {"volume": -0.0},
}


@pytest.mark.parametrize("fields", EXACT.values(), ids=list(EXACT))
def test_prices_and_volumes_come_back_bit_for_bit(store: FileDataStore, fields: dict[str, Any]) -> None:
    store.write_bars("AAPL", [bar(JANUARY, **fields)])
    (found,) = store.read_bars("AAPL", *ALWAYS)

    for name, value in fields.items():
        whole = name == "volume" and isinstance(value, int)
        assert repr(getattr(found, name)) == repr(int(value) if whole else float(value))


REFUSED: dict[str, dict[str, Any]] = {
    "nan": {"open": float("nan")},
    "infinite": {"high": float("inf")},
    "text": {"low": "1.0"},
    "bool": {"open": True},
    "integer-that-no-float-holds": {"open": 2**53 + 1},
    "larger-than-any-float": {"open": 10**400},
    "decimal": {"close": Decimal("0.1")},
    "fraction": {"close": Fraction(1, 3)},
    "high-below-low": {"high": 0.1, "low": 5.0},
    "price-below-zero": {"close": -3.0},
    "bool-volume": {"volume": True},
    "decimal-volume": {"volume": Decimal(1)},
    "volume-too-large": {"volume": 2**63},
    "volume-below-zero": {"volume": -1},
    "fraction-of-a-volume-below-zero": {"volume": -0.5},
    "volume-that-is-no-number": {"volume": float("nan")},
    "endless-volume": {"volume": float("inf")},
    "no-volume": {"volume": None},
    "other-symbol": {"symbol": "MSFT"},
    "date-as-text": {"date": "2026-01-05"},
    "no-date": {"date": None},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=list(REFUSED))
def test_a_bar_that_could_not_be_given_back_is_refused_with_all_of_its_call(
    store: FileDataStore, tmp_path: Path, fields: dict[str, Any]
) -> None:
    wrong = bar(JANUARY)
    for name, value in fields.items():
        setattr(wrong, name, value)
    before = tree(tmp_path)

    with pytest.raises(InvalidRecord) as refusal:
        store.write_bars("AAPL", [bar(JANUARY + DAY), wrong])

    assert refusal.value.field in fields
    assert refusal.value.position == 1
    assert tree(tmp_path) == before


@pytest.mark.parametrize("kind", [FileDataStore, AsyncFileDataStore])
def test_prices_below_zero_are_taken_by_a_store_that_was_told_so(tmp_path: Path, kind: Any) -> None:
    opened = kind(tmp_path, negative_prices=True)
    store = opened if kind is FileDataStore else opened._store
    oil = bar(JANUARY, -37.63, open=-1.0, high=0.0, low=-40.0)
    store.write_bars("AAPL", [oil])

    assert FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS) == [oil]  # what is stored is read by any store
    with pytest.raises(InvalidRecord, match="below low"):
        store.write_bars("AAPL", [bar(JANUARY, high=-5.0, low=-4.0)])


def test_ints_and_floats_among_the_volumes_of_a_month_keep_their_types(store: FileDataStore, tmp_path: Path) -> None:
    volumes = [7, 0.5, 2**53 + 1, 3.0, 3]
    made = [bar(JANUARY + n * DAY, volume=volume) for n, volume in enumerate(volumes)]
    for one in made:
        store.write_bars("AAPL", [one])

    found = FileDataStore(tmp_path).read_bars("AAPL", *ALWAYS)
    assert [repr(b.volume) for b in found] == [repr(volume) for volume in volumes]
    assert found == made
    foreign = pq.read_table(tmp_path / "prices" / "AAPL" / "2026-01.parquet", columns=["volume"])
    assert foreign.column("volume").to_pylist() == [float(volume) for volume in volumes]


def test_a_table_has_volumes_as_ints_if_all_are_and_refuses_to_round_one(store: FileDataStore) -> None:
    store.write_bars("AAPL", [bar(JANUARY, volume=7), bar(JANUARY + DAY, volume=0.5)])
    store.write_bars("AAPL", [bar(JANUARY + 2 * DAY, volume=2**53 + 1)])

    def volumes(last: datetime) -> list[Any]:
        found: list[Any] = store.read_bars_table("AAPL", JANUARY, last).column("volume").to_pylist()
        return found

    assert [repr(volume) for volume in volumes(JANUARY)] == ["7"]
    assert [repr(volume) for volume in volumes(JANUARY + DAY)] == ["7.0", "0.5"]
    with pytest.raises(StoreError, match="as objects"):
        volumes(JANUARY + 2 * DAY)


def test_a_month_of_floats_that_becomes_one_of_ints_is_an_ordinary_month_again(
    store: FileDataStore, tmp_path: Path
) -> None:
    store.write_bars("AAPL", [bar(JANUARY, volume=0.5), bar(JANUARY + DAY, volume=1)])
    store.write_bars("AAPL", [bar(JANUARY, volume=2)])

    names = pq.read_schema(tmp_path / "prices" / "AAPL" / "2026-01.parquet").names
    assert names == ["symbol", "date", "open", "high", "low", "close", "volume"]
    assert [repr(b.volume) for b in store.read_bars("AAPL", *ALWAYS)] == ["2", "1"]


def test_any_iterable_of_bars_is_taken(store: FileDataStore) -> None:
    made = bars(JANUARY, 3)

    def one_by_one() -> Iterator[PriceBar]:
        yield from made

    store.write_bars("AAPL", one_by_one())  # type: ignore[arg-type] # more than is promised
    assert store.read_bars("AAPL", *ALWAYS) == made
    store.write_bars("AAPL", iter(()))  # type: ignore[arg-type] # as above


NO_BARS: dict[str, Any] = {
    "dict": {"date": JANUARY},
    "text": "AAPL",
    "none": None,
    "one-bar": bar(JANUARY),
    "number": 1,
}


@pytest.mark.parametrize("given", NO_BARS.values(), ids=list(NO_BARS))
def test_what_is_no_list_of_bars_is_refused_in_one_sentence(store: FileDataStore, tmp_path: Path, given: Any) -> None:
    before = tree(tmp_path)

    with pytest.raises(InvalidRecord, match=r"^bars is "):
        store.write_bars("AAPL", given)

    assert tree(tmp_path) == before


class Interrupted(Exception):
    """What a source of the caller's raises in the middle."""


def failing(*, after: int) -> Iterator[PriceBar]:
    yield from bars(JANUARY, after)
    raise Interrupted


@pytest.mark.parametrize("after", [0, 2])
def test_what_a_generator_of_the_caller_raises_comes_out_as_it_is_and_nothing_is_written(
    tmp_path: Path, after: int
) -> None:
    store = FileDataStore(tmp_path)

    with pytest.raises(Interrupted):
        store.write_bars("AAPL", failing(after=after))
    with pytest.raises(Interrupted):
        store.write_bars_of_many({"MSFT": [bar(JANUARY, symbol="MSFT")], "AAPL": failing(after=after)})
    with pytest.raises(Interrupted):
        store.read_events(JANUARY, JANUARY, types=(found.symbol for found in failing(after=after)))

    assert store.symbols() == []


def test_also_where_it_is_awaited(tmp_path: Path) -> None:
    async def program() -> None:
        async with AsyncFileDataStore(tmp_path) as store:
            with pytest.raises(Interrupted):
                await store.write_bars("AAPL", failing(after=1))
            with pytest.raises(Interrupted):
                await store.write_bars_of_many({"AAPL": failing(after=1)})
            assert await store.symbols() == []

    asyncio.run(program())


def test_control_a_collection_that_cannot_be_gone_through_is_no_list_of_bars(tmp_path: Path) -> None:
    class Broken(list[PriceBar]):
        def __iter__(self) -> Iterator[PriceBar]:
            raise RuntimeError("not today")

    with pytest.raises(InvalidRecord, match=r"bars cannot be gone through \(RuntimeError\)"):
        FileDataStore(tmp_path).write_bars("AAPL", Broken())
