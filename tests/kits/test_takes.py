"""Stores that take less than their contract knows: with what they take declared, every family asks them in it."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.takes import Takes
from pytest_tradestore.verdict import Verdict
from reference_store.models import PriceBar
from tests.sound_stores.trading import PlainBars, PlainEvents, PlainFundamentals

ALWAYS = ("ATOM-2", "DUR-2", "REC-3", "RACE-1", "RACE-4", "FAULT-1", "FAULT-5", "NAME-3", "NAME-6")


class AwareBars(PlainBars):
    tradestore_takes = Takes(aware=True)

    def write_bars(self, symbol, bars):
        if any(bar.date.tzinfo is None for bar in bars):
            raise ValueError("a time without a zone")
        super().write_bars(symbol, bars)


class LaterBars(PlainBars):
    """Only appends: each bar after the last one there is."""

    tradestore_takes = Takes(bars="later")

    def _merged(self, known, new):
        times = [bar.date for bar in new]
        if len(set(times)) < len(times) or (known and min(times) <= max(bar.date for bar in known)):
            raise ValueError("a bar that is not later than those there are")
        return super()._merged(known, new)


class ApartBars(PlainBars):
    """Refuses bars of a time that is covered."""

    tradestore_takes = Takes(bars="apart")

    def _merged(self, known, new):
        if {bar.date for bar in known} & {bar.date for bar in new}:
            raise ValueError("there is a bar at this time")
        return super()._merged(known, new)


class QuarterBars(PlainBars):
    """Prices in steps of a quarter, volumes as floats."""

    tradestore_takes = Takes(tick=0.25, float_volume=True)

    def write_bars(self, symbol, bars):
        for bar in bars:
            if any(price % 0.25 for price in (bar.open, bar.high, bar.low, bar.close)):
                raise ValueError("a price between two ticks")
        super().write_bars(symbol, bars)

    @staticmethod
    def make_bar(**fields):
        if not isinstance(fields["volume"], float):
            raise ValueError("a volume that is no float")
        return PriceBar(**fields | {"volume": int(fields["volume"])})


class AwareEvents(PlainEvents):
    tradestore_takes = Takes(aware=True)

    def write_event(self, event):
        if event.timestamp.tzinfo is None:
            raise ValueError("a time without a zone")
        super().write_event(event)


class AwareFundamentals(PlainFundamentals):
    tradestore_takes = Takes(aware=True)

    def write_fundamental(self, symbol, data):
        if data.timestamp.tzinfo is None:
            raise ValueError("a time without a zone")
        super().write_fundamental(symbol, data)


def results(target, *requirements, **declared):
    store, bench = StoreUnderTest("acme", target, **declared), Bench(Settings(recorder="fake", budget=Budget.QUICK))
    checks = checks_for(bench.examined(store).contracts)
    wanted = [c for c in checks if c.requirement in requirements or c.requirement.startswith("DATA-")]
    return [c.judge(bench, store) for c in wanted]


NARROW = (AwareBars, LaterBars, ApartBars, QuarterBars, AwareEvents, AwareFundamentals)


@pytest.mark.proof
@pytest.mark.parametrize("target", NARROW)
def test_a_store_that_says_what_it_takes_is_asked_in_it_by_every_family(target):
    found = results(target, *ALWAYS)

    wrong = {(r.requirement, r.case): r.reason for r in found if r.verdict in (Verdict.VIOLATED, Verdict.UNDECIDED)}
    assert wrong == {}
    assert {r.requirement for r in found if r.verdict is Verdict.HOLDS} >= set(ALWAYS)


@pytest.mark.parametrize("target", [LaterBars, ApartBars, AwareBars])
def test_control_unsaid_it_cannot_be_asked(target):
    found = results(target, *ALWAYS, takes=Takes())

    assert any(r.verdict in (Verdict.VIOLATED, Verdict.UNDECIDED) for r in found)


class LosesTheZone(AwareBars):
    def _row(self, bar):
        return super()._row(bar) | {"date": bar.date.replace(tzinfo=None).isoformat()}


class SyncsNoMonth(LaterBars):
    def _sync_months(self, directory):
        pass


@pytest.mark.parametrize(("target", "requirement"), [(LosesTheZone, "DATA-BARS-EXACT"), (SyncsNoMonth, "ATOM-2")])
def test_control_what_is_broken_in_it_is_found(target, requirement):
    found = results(target, requirement)

    assert any(r.requirement == requirement and r.verdict is Verdict.VIOLATED for r in found)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"bars": "never"}, r"Takes\(bars=\.\.\.\) is one of replace, apart, later, not 'never'"),
        ({"tick": -1}, r"Takes\(tick=\.\.\.\) is the step of prices, like 0\.01, or 0 for none, not -1"),
        ({"tick": "0.01"}, r"is the step of prices"),
    ],
)
def test_what_nobody_takes_is_refused_in_one_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        Takes(**wrong)


def test_a_declaration_of_another_type_is_refused():
    with pytest.raises(ConfigurationError, match=r"tradestore_takes must be like Takes\(aware=True\), not 'aware'"):
        _ = StoreUnderTest("acme", lambda root: Path(root), takes="aware").declarations


def test_prices_fall_on_a_tick_and_times_get_a_zone_only_where_they_must():
    elsewhere, naive = timezone(timedelta(hours=9)), datetime.fromisoformat("2026-01-05T10:00:00")
    takes = Takes(aware=True, tick=0.01)

    assert takes.price(100.123456) == 100.12
    assert Takes().price(100.123456) == 100.123456
    assert takes.time(naive) == naive.replace(tzinfo=UTC)
    assert takes.time(naive.replace(tzinfo=elsewhere)).tzinfo is elsewhere
    assert Takes().time(naive).tzinfo is None
