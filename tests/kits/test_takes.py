"""Stores that take less than their contract knows: with what they take declared, every family asks them in it."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pytest_tradestore import StoreUnderTest
from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for, names
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.takes import Takes
from pytest_tradestore.verdict import Verdict
from reference_store.models import PriceBar
from tests.judging import CRASHES, Glance
from tests.sound_stores.files import encode, file_name, locked, read_document, replace_durably
from tests.sound_stores.keyed import NumberedDocuments
from tests.sound_stores.trading import PlainBars, PlainEvents, PlainFundamentals

ALWAYS = ("ATOM-2", "DUR-2", "REC-3", "RACE-1", "FAULT-1", "FAULT-5", "NAME-3", "NAME-6")


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


class IntervalBars(PlainBars):
    """Keeps bars by symbol and interval."""

    tradestore_takes = Takes(intervals=("1m", "1h"))

    def write_bars(self, symbol, bars, interval):
        super().write_bars(symbol + f" {interval}", bars)

    def read_bars(self, symbol, start, end, interval):
        return super().read_bars(symbol + f" {interval}", start, end)


@dataclass(frozen=True)
class Tick:
    """A bar with its time in nanoseconds since 1970."""

    symbol: str
    date: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class NanosecondBars:
    """A file per symbol, times as whole numbers."""

    tradestore_takes = Takes(nanoseconds=True)
    make_bar = Tick

    def __init__(self, root):
        self.root = root

    def _path(self, symbol):
        return self.root / file_name(symbol)

    def _kept(self, symbol):
        return [Tick(**row) for row in (read_document(self._path(symbol)) or {"rows": []})["rows"]]

    def write_bars(self, symbol, bars):
        with locked(self.root):
            merged = {bar.date: bar for bar in (*self._kept(symbol), *bars)}
            rows = [asdict(merged[time]) for time in sorted(merged)]
            if bars:
                replace_durably(self._path(symbol), encode({"rows": rows}))

    def read_bars(self, symbol, start, end):
        return [bar for bar in self._kept(symbol) if start <= bar.date <= end]


def judged(target, *requirements, **declared):
    """Yield what becomes of them, and of the data: whether values are taken a glance at crashes shows as well."""
    store, bench = StoreUnderTest("acme", target, **declared), Bench(Settings(recorder="fake", budget=Budget.QUICK))
    glance = Bench(Settings(recorder="fake", budget=Glance.CRASHES))
    checks = checks_for(bench.examined(store).contracts)
    wanted = [c for c in checks if c.requirement in requirements or c.requirement.startswith("DATA-")]
    return (c.judge(glance if c.requirement.startswith(CRASHES) else bench, store) for c in wanted)


def results(target, *requirements, **declared):
    return list(judged(target, *requirements, **declared))


NARROW = (
    AwareBars,
    LaterBars,
    ApartBars,
    QuarterBars,
    IntervalBars,
    NanosecondBars,
    AwareEvents,
    AwareFundamentals,
)


@pytest.mark.proof
@pytest.mark.parametrize("target", NARROW)
def test_a_store_that_says_what_it_takes_is_asked_in_it_by_every_family(target):
    found = results(target, *ALWAYS)

    wrong = {(r.requirement, r.case): r.reason for r in found if r.verdict in (Verdict.VIOLATED, Verdict.UNDECIDED)}
    assert wrong == {}
    assert {r.requirement for r in found if r.verdict is Verdict.HOLDS} >= set(ALWAYS)


@pytest.mark.proof
@pytest.mark.parametrize("target", [LaterBars, ApartBars, AwareBars, IntervalBars, NanosecondBars])
def test_control_unsaid_it_cannot_be_asked(target):
    found = judged(target, *ALWAYS, takes=Takes())

    assert any(r.verdict in (Verdict.VIOLATED, Verdict.UNDECIDED) for r in found)


class LosesTheZone(AwareBars):
    def _row(self, bar):
        return super()._row(bar) | {"date": bar.date.replace(tzinfo=None).isoformat()}


class SyncsNoMonth(LaterBars):
    def _sync_months(self, directory):
        pass


class OneInterval(IntervalBars):
    def write_bars(self, symbol, bars, interval):
        super().write_bars(symbol, bars, "1m")

    def read_bars(self, symbol, start, end, interval):
        return super().read_bars(symbol, start, end, "1m")


class FloatSeconds(NanosecondBars):
    def write_bars(self, symbol, bars):
        super().write_bars(symbol, [replace(bar, date=int(bar.date / 1e9 * 1e9)) for bar in bars])


@pytest.mark.proof
@pytest.mark.parametrize(
    ("target", "requirement"),
    [
        (LosesTheZone, "DATA-BARS-EXACT"),
        (SyncsNoMonth, "ATOM-2"),
        (OneInterval, "DATA-BARS-SYMBOLS"),
        (OneInterval, "DATA-MODEL"),
        (FloatSeconds, "DATA-BARS-TIMESTAMPS"),
    ],
)
def test_control_what_is_broken_in_it_is_found(target, requirement):
    found = judged(target, requirement)

    assert any(r.requirement == requirement and r.verdict is Verdict.VIOLATED for r in found)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"bars": "never"}, r"Takes\(bars=\.\.\.\) is one of replace, apart, later, not 'never'"),
        ({"tick": -1}, r"Takes\(tick=\.\.\.\) is the step of prices, like 0\.01, or 0 for none, not -1"),
        ({"tick": "0.01"}, r"is the step of prices"),
        ({"keys": "int"}, r"Takes\(keys=\.\.\.\) makes a key of a number, like int or lambda n: .*, not 'int'"),
        ({"keys": lambda number: number % 2}, r"another one for each and always the same; of 1, 2 and 2100 it made"),
        ({"keys": lambda number: [number]}, r"it raised TypeError for 1, 2 or 2100: unhashable type"),
        ({"intervals": "1m"}, r"Takes\(intervals=\.\.\.\) names two or more, like \('1m', '1h'\), not '1m'"),
        ({"intervals": ("1m",)}, r"names two or more"),
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


def test_keys_that_are_no_text_are_each_of_its_own_and_always_the_same():
    takes = Takes(keys=lambda number: ("AAPL", number))
    used = ("AAPL", "MSFT", "AAPL2", "AAPL17", "KEY-3")

    assert len({takes.key(name) for name in used}) == len(used)
    assert takes.key("MSFT") == takes.key("MSFT") == takes.key_among(used, str(takes.key("MSFT")))
    assert Takes().key("MSFT") == "MSFT"


def test_hostile_identifiers_are_not_asked_of_keys_that_are_no_text():
    store, bench = StoreUnderTest("acme", NumberedDocuments), Bench(Settings(budget=Budget.QUICK))
    checks = [check for check in names.checks(kit_named("documents")) if check.requirement != "NAME-2"]

    found = [check.judge(bench, store) for check in checks]

    assert {(r.verdict, r.reason.partition(" (")[0]) for r in found} == {
        (Verdict.NOT_APPLICABLE, "its keys are no text")
    }


def test_a_time_is_a_number_of_nanoseconds_where_that_is_said():
    takes, when = Takes(nanoseconds=True), datetime(2026, 1, 31, 20, 30, 0, 7, tzinfo=UTC)

    assert takes.instant(when) == 1_769_891_400_000_007_000 == takes.instant(when.replace(tzinfo=None))
    assert takes.datetime_of(takes.instant(when)) == when
    assert Takes().instant(when) is when
