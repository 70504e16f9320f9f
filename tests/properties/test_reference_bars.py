"""Bars against a dictionary by date: any writes, any ranges, reopened at any time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from reference_store import FileDataStore
from reference_store.models import PriceBar

pytestmark = pytest.mark.proof

SYMBOLS = ("AAPL", "BTC/USDT", "brk.b")
ORIGIN = datetime(2026, 1, 30, 23, 59, 59, 999_990)  # noqa: DTZ001 - zones are added where they are wanted
ZONES: tuple[Any, ...] = (UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"))

floats = st.floats(allow_nan=False, allow_infinity=False)
moments = st.one_of(
    st.integers(0, 40).map(lambda days: timedelta(days=days)),
    st.integers(0, 40).map(lambda n: timedelta(microseconds=n)),
)
volumes = st.one_of(st.integers(0, 2**53), st.floats(0, allow_nan=False, allow_infinity=False))
rows = st.lists(
    st.tuples(moments, floats, st.tuples(floats, floats), floats, volumes, st.sampled_from(ZONES)), max_size=12
)


class Bars(RuleBasedStateMachine):
    """The store and what it should hold: bars by symbol and date."""

    root: Path
    count = 0

    @initialize(aware=st.booleans())
    def open(self, aware: bool) -> None:
        Bars.count += 1
        self.path = self.root / str(Bars.count)
        self.aware = aware
        self.store = FileDataStore(self.path, negative_prices=True)
        self.model: dict[str, dict[datetime, PriceBar]] = {symbol: {} for symbol in SYMBOLS}

    def date(self, distance: timedelta, zone: Any) -> datetime:
        if not self.aware:
            return ORIGIN + distance
        return (ORIGIN.replace(tzinfo=UTC) + distance).astimezone(zone)

    @rule(symbol=st.sampled_from(SYMBOLS), rows=rows)
    def write(self, symbol: str, rows: list[Any]) -> None:
        made = [
            PriceBar(symbol, self.date(distance, zone), first, max(ends), min(ends), last, volume)
            for distance, first, ends, last, volume, zone in rows
        ]
        self.store.write_bars(symbol, made)
        for bar in made:
            key = bar.date.astimezone(UTC) if self.aware else bar.date
            self.model[symbol][key] = bar

    @rule(symbol=st.sampled_from(SYMBOLS), start=moments, end=moments)
    def read_a_range(self, symbol: str, start: timedelta, end: timedelta) -> None:
        first, last = self.date(start, UTC), self.date(end, UTC)
        expected = [bar for date, bar in sorted(self.model[symbol].items()) if first <= date <= last]
        assert list(map(repr, self.store.read_bars(symbol, first, last))) == list(map(repr, expected))
        assert self.store.read_bars_table(symbol, first, last).column("close").to_pylist() == [
            b.close for b in expected
        ]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = FileDataStore(self.path, negative_prices=True)

    @invariant()
    def all_symbols_hold_what_was_written(self) -> None:
        if not hasattr(self, "store"):
            return
        for symbol in SYMBOLS:
            self.read_a_range(symbol, timedelta(0), timedelta(days=400))


CASES = settings(max_examples=30, stateful_step_count=12, deadline=None, database=None)


def test_bars_behave_like_a_dictionary_by_date(tmp_path: Path) -> None:
    Bars.root = tmp_path
    run_state_machine_as_test(Bars, settings=CASES)


def test_control_a_store_that_forgets_the_second_month_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FileDataStore.write_bars

    def forgetful(self: FileDataStore, symbol: str, bars: list[PriceBar]) -> None:
        real(self, symbol, [bar for bar in bars if bar.date.astimezone(UTC).month == 1])

    monkeypatch.setattr(FileDataStore, "write_bars", forgetful)
    Bars.root = tmp_path
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Bars, settings=settings(CASES, phases=[Phase.generate]))
