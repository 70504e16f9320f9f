"""The names of a bot's files: what is built is taken apart into the same parts, and nothing else is taken for one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import InvalidIdentifier
from reference_store.stores.bot.file_names import (
    Granularity,
    HistoricalName,
    ReportKind,
    ReportName,
    component_of,
    log_name,
)

words = st.from_regex(r"[a-z][a-z0-9]{0,5}(_[a-z0-9]{1,5}){0,3}", fullmatch=True)
assets = st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True)
periods = st.from_regex(r"[1-9][0-9]{0,3}[hdwmy]", fullmatch=True)
historical = st.builds(HistoricalName, assets, assets, st.sampled_from(Granularity), periods)
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones())  # noqa: DTZ001 - given a zone
reports = st.builds(ReportName, words, moments.map(lambda at: at.replace(microsecond=0)), st.sampled_from(ReportKind))


@pytest.mark.parametrize(
    "name", ["BTC-EUR_hour_180d.parquet", "ETH-EUR_daily_30d.parquet", "SOL-EUR_minute_7d.parquet"]
)
def test_the_guidelines_examples_are_names_of_historical_data(name: str) -> None:
    found = HistoricalName.parse(name)

    assert str(found) == name
    assert found.base == "EUR"


@given(historical)
def test_a_name_of_historical_data_is_taken_apart_into_what_it_was_built_of(name: HistoricalName) -> None:
    assert HistoricalName.parse(str(name)) == name


@given(reports)
def test_a_name_of_a_report_is_taken_apart_into_what_it_was_built_of(name: ReportName) -> None:
    assert ReportName.parse(str(name)) == name


@given(words)
def test_a_name_of_a_log_is_taken_apart_into_its_component(component: str) -> None:
    assert component_of(log_name(component)) == component


def test_a_report_is_named_by_the_second_in_utc() -> None:
    at = datetime(2026, 1, 5, 13, tzinfo=timezone(timedelta(hours=1)))

    assert str(ReportName("daily_report", at)) == "daily_report_20260105_120000.txt"
    assert str(ReportName("interval_optimization", at, ReportKind.ANALYSIS)).endswith("_20260105_120000.json")


@pytest.mark.parametrize("parse", [HistoricalName.parse, ReportName.parse, component_of])
@pytest.mark.parametrize(
    "name",
    [
        "", "BTC-EUR_hour_180d.parquet\n", "../BTC-EUR_hour_180d.parquet", "btc-EUR_hour_180d.parquet",
        "BTC-EUR_week_180d.parquet", "BTC-EUR_hour_0d.parquet", "BTC_EUR_hour_180d.parquet",
        "daily_report_20261305_120000.txt", "daily_report_20260105_1200.txt", "_20260105_120000.txt",
        "Daily_20260105_120000.txt", "daily__report_20260105_120000.txt", "a/b.log", "Supervisor.log", ".log",
        "supervisor.log.1", None, 7,
    ],
)  # fmt: skip
def test_control_any_other_name_is_refused(parse: Callable[[str], object], name: str) -> None:
    with pytest.raises(InvalidIdentifier):
        parse(name)


@pytest.mark.parametrize(
    "build",
    [
        lambda: HistoricalName("BTC/USD", "EUR", Granularity.HOUR, "7d"),
        lambda: HistoricalName("BTC", "EUR", "week", "7d"),  # type: ignore[arg-type] # that is the point
        lambda: HistoricalName("BTC", "EUR", Granularity.HOUR, "7"),
        lambda: ReportName("daily report", datetime(2026, 1, 5, tzinfo=UTC)),
        lambda: ReportName("daily", datetime(2026, 1, 5)),  # noqa: DTZ001 - that is the point
        lambda: ReportName("daily", datetime(2026, 1, 5, 0, 0, 0, 1, tzinfo=UTC)),
        lambda: log_name("a" * 200),
    ],
)
def test_control_parts_that_would_not_come_back_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(InvalidIdentifier):
        build()
