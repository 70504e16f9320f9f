"""Times of bars: kept as given, told apart by the instant, cut into months by one rule, asked for in any zone."""

# ruff: noqa: DTZ001, DTZ901 - naive times are among the cases

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_store import FileDataStore, InvalidRecord, StoreError
from tests.reference_store.trading import ALWAYS, ALWAYS_UTC, DAY, JANUARY, bar, bars

NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")


@pytest.fixture
def store(tmp_path: Path) -> FileDataStore:
    return FileDataStore(tmp_path)


class Nowhere(tzinfo):
    """A zone that does not say where it is."""

    def utcoffset(self, _: datetime | None) -> timedelta | None:
        return None


ZONES = {
    "utc": UTC,
    "zone": NEW_YORK,
    "offset": timezone(timedelta(hours=5, minutes=30)),
    "offset-with-seconds": timezone(timedelta(hours=-1, seconds=-17)),
}


@pytest.mark.parametrize("zone", ZONES.values(), ids=list(ZONES))
def test_dates_keep_the_zone_that_they_were_given_with(store: FileDataStore, zone: Any) -> None:
    made = bars(JANUARY.replace(tzinfo=zone, microsecond=123456), 3)
    store.write_bars("AAPL", made)

    found = store.read_bars("AAPL", *ALWAYS_UTC)
    assert found == made
    assert [str(b.date) for b in found] == [str(b.date) for b in made]
    assert {str(b.date.tzinfo) for b in found} == {str(zone)}


def test_the_hour_that_happens_twice_has_two_bars_and_one_instant_has_one(store: FileDataStore) -> None:
    twice = [bar(datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=fold), fold + 1.0) for fold in (0, 1)]
    store.write_bars("AAPL", twice)
    assert [b.date.fold for b in store.read_bars("AAPL", *ALWAYS_UTC)] == [0, 1]
    store.write_bars("AAPL", [bar(twice[1].date.astimezone(UTC), 3.0)])

    found = store.read_bars("AAPL", *ALWAYS_UTC)
    assert [b.close for b in found] == [1.0, 3.0]
    assert [b.date.utcoffset() for b in found] == [timedelta(hours=-4), timedelta(0)]


def test_the_second_of_two_equal_hours_is_refused_without_a_zone_that_tells_them_apart(store: FileDataStore) -> None:
    first = datetime(2026, 11, 1, 1, 30)
    with pytest.raises(InvalidRecord, match="no time zone to tell them"):
        store.write_bars("AAPL", [bar(first), bar(first.replace(fold=1))])
    assert store.read_bars("AAPL", *ALWAYS) == []


SKIPPED = {
    "new-york": datetime(2026, 3, 8, 2, 30, tzinfo=NEW_YORK),
    "new-york-with-fold": datetime(2026, 3, 8, 2, 30, tzinfo=NEW_YORK, fold=1),
    "first-moment": datetime(2026, 3, 8, 2, 0, tzinfo=NEW_YORK),
    "half-an-hour": datetime(2026, 10, 4, 2, 15, tzinfo=LORD_HOWE),
    "a-whole-day": datetime(2011, 12, 30, 12, 0, tzinfo=APIA),
}


@pytest.mark.parametrize("date", SKIPPED.values(), ids=list(SKIPPED))
def test_a_time_that_its_zone_skips_is_refused(store: FileDataStore, date: datetime) -> None:
    with pytest.raises(InvalidRecord, match="skips") as refusal:
        store.write_bars("AAPL", [bar(date - DAY), bar(date)])

    assert (refusal.value.field, refusal.value.position) == ("date", 1)


@pytest.mark.parametrize("around", [timedelta(microseconds=-1), timedelta(hours=1)])
def test_control_the_times_beside_a_skipped_hour_are_kept(store: FileDataStore, around: timedelta) -> None:
    made = [bar(datetime(2026, 3, 8, 2, 0, tzinfo=NEW_YORK) + around)]
    store.write_bars("AAPL", made)

    assert [str(b.date) for b in store.read_bars("AAPL", *ALWAYS_UTC)] == [str(b.date) for b in made]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).flatmap(
            lambda when: st.builds(
                lambda zone, fold: when.replace(tzinfo=zone, fold=fold),
                st.sampled_from((UTC, NEW_YORK, LORD_HOWE, timezone(timedelta(hours=-11)))),
                st.integers(0, 1),
            )
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_is_taken_comes_back_as_the_same_wall_time_once_for_each_instant(
    tmp_path_factory: pytest.TempPathFactory, dates: list[datetime]
) -> None:
    store = FileDataStore(tmp_path_factory.mktemp("store"))
    taken: dict[datetime, datetime] = {}
    for date in dates:
        try:
            store.write_bars("AAPL", [bar(date)])
            taken[date.astimezone(UTC)] = date
        except InvalidRecord:
            assert date.astimezone(UTC).astimezone(date.tzinfo) != date

    assert [str(b.date) for b in store.read_bars("AAPL", *ALWAYS_UTC)] == [str(taken[key]) for key in sorted(taken)]


def test_months_are_those_of_utc_and_without_a_zone_those_of_the_clock(store: FileDataStore, tmp_path: Path) -> None:
    late = datetime(2026, 1, 31, 22, 0)
    store.write_bars("AAPL", [bar(late.replace(tzinfo=NEW_YORK))])
    store.write_bars("MSFT", [bar(late, symbol="MSFT")])

    assert (tmp_path / "prices" / "AAPL" / "2026-02.parquet").exists()
    assert (tmp_path / "prices" / "MSFT" / "2026-01.parquet").exists()


@pytest.mark.parametrize("zone", ZONES.values(), ids=list(ZONES))
def test_a_range_is_exact_in_whatever_zone_it_is_asked(store: FileDataStore, zone: Any) -> None:
    made = [bar(datetime(2026, 1, 31, hour, tzinfo=NEW_YORK)) for hour in range(24)]
    store.write_bars("AAPL", made)
    microsecond = timedelta(microseconds=1)

    for first, last in pairwise(made):
        start, end = (b.date.astimezone(zone) for b in (first, last))
        assert store.read_bars("AAPL", start, end) == [first, last]
        assert store.read_bars("AAPL", start + microsecond, end - microsecond) == []


def test_dates_with_and_without_zones_do_not_mix_in_a_symbol(store: FileDataStore) -> None:
    with pytest.raises(InvalidRecord, match="time zone"):
        store.write_bars("AAPL", [bar(JANUARY), bar(JANUARY.replace(tzinfo=UTC))])
    store.write_bars("AAPL", bars(JANUARY, 1))
    with pytest.raises(InvalidRecord, match="time zone"):
        store.write_bars("AAPL", bars(JANUARY.replace(tzinfo=UTC), 1))
    with pytest.raises(InvalidRecord, match="time zone"):
        store.read_bars("AAPL", *ALWAYS_UTC)
    with pytest.raises(InvalidRecord, match="time zone"):
        store.read_bars("AAPL", ALWAYS[0], ALWAYS_UTC[1])
    store.write_bars("MSFT", [bar(JANUARY.replace(tzinfo=UTC), symbol="MSFT")])  # each symbol for itself


EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
AT_THE_ENDS = {
    "first-naive": datetime.min,
    "last-naive": datetime.max,
    "first-of-utc": datetime.min.replace(tzinfo=UTC),
    "last-of-utc": datetime.max.replace(tzinfo=UTC),
    "first-in-the-west": datetime.min.replace(tzinfo=WEST),
    "last-in-the-east": datetime.max.replace(tzinfo=EAST),
    "first-in-a-zone": datetime.min.replace(tzinfo=NEW_YORK),
    "last-in-a-zone": datetime.max.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
}
BEYOND = {
    "before-the-first": datetime.min.replace(tzinfo=EAST),
    "after-the-last": datetime.max.replace(tzinfo=WEST),
    "after-the-last-in-a-zone": datetime.max.replace(tzinfo=NEW_YORK),
    "before-the-first-in-a-zone": datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
}


@pytest.mark.parametrize("date", AT_THE_ENDS.values(), ids=list(AT_THE_ENDS))
def test_times_at_the_ends_of_the_calendar_are_kept(store: FileDataStore, date: datetime) -> None:
    store.write_bars("AAPL", [bar(date)])

    (found,) = store.read_bars("AAPL", date, date)
    assert str(found.date) == str(date)


@pytest.mark.parametrize("date", BEYOND.values(), ids=list(BEYOND))
def test_times_beyond_the_calendar_of_utc_are_refused_and_bound_a_range(store: FileDataStore, date: datetime) -> None:
    with pytest.raises(InvalidRecord, match="years 1 to 9999"):
        store.write_bars("AAPL", [bar(date)])
    store.write_bars("AAPL", [bar(JANUARY.replace(tzinfo=UTC))])

    ends = sorted([date, JANUARY.replace(tzinfo=UTC)])
    assert len(store.read_bars("AAPL", *ends)) == 1


NO_BOUNDS: dict[str, Any] = {
    "nowhere": JANUARY.replace(tzinfo=Nowhere()),
    "text": "2026-01-05",
    "day": JANUARY.date(),
    "none": None,
}


@pytest.mark.parametrize("value", NO_BOUNDS.values(), ids=list(NO_BOUNDS))
def test_what_is_no_time_bounds_no_range(store: FileDataStore, value: Any) -> None:
    with pytest.raises(StoreError, match="start"):
        store.read_bars("AAPL", value, JANUARY)
    with pytest.raises(StoreError, match="end"):
        store.read_bars("AAPL", JANUARY, value)
