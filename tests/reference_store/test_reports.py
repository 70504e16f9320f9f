"""Reports, results of backtests and what a dashboard shows: the guideline's directories and names, under seals."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_store import (
    AsyncBacktestStore,
    AsyncDashboardStore,
    AsyncReportStore,
    BacktestStore,
    CorruptData,
    DashboardStore,
    HistoricalStore,
    InvalidIdentifier,
    InvalidRecord,
    ReportStore,
    UnserialisableValue,
)
from reference_store.dashboard_models import DataSummary, LatestBacktest
from reference_store.operations.inspection import State, inspect
from reference_store.stores.bot.dashboard import dataset_of
from reference_store.stores.bot.file_names import ReportName
from reference_store.stores.bot.report_files import FORM
from tests.reference_store.test_historical import HOURS, bars

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def noon() -> datetime:
    return NOON


def states(root: Path) -> set[State]:
    return {found.state for found in inspect(os.fspath(root))}


def test_a_report_is_a_text_that_is_called_by_its_type_and_time(tmp_path: Path) -> None:
    store = ReportStore(tmp_path / "reports", "daily_health", clock=noon)
    name = store.write("daily_report", "all is well\n")

    assert str(name) == "daily_report_20260105_120000.txt"
    assert (tmp_path / "reports" / "daily_health" / str(name)).read_text().startswith("all is well\n")
    assert store.read(name) == "all is well\n"


def test_a_report_can_stand_in_the_directory_itself(tmp_path: Path) -> None:
    name = ReportStore(tmp_path / "logs", clock=noon).write("daily_report", "x")

    assert (tmp_path / "logs" / str(name)).is_file()


def test_the_result_of_an_analysis_is_json(tmp_path: Path) -> None:
    store = ReportStore(tmp_path, "interval_optimization")
    name = store.write_analysis("interval_optimization", {"best": "1h"}, at=NOON)

    content = json.loads((tmp_path / "interval_optimization" / str(name)).read_bytes())
    assert content["best"] == "1h"
    assert (str(name), store.read(name)) == ("interval_optimization_20260105_120000.json", {"best": "1h"})


def test_reports_are_listed_by_time_and_type(tmp_path: Path) -> None:
    store = ReportStore(tmp_path)
    late = store.write("daily", "late", at=NOON + timedelta(days=1))
    early = store.write("daily", "early", at=NOON)
    result = store.write_analysis("weekly_validation", {}, at=NOON)

    assert store.names() == [early, result, late]
    assert store.names("daily") == [early, late]
    assert store.names(kind="json") == [result]


def test_old_reports_are_removed_when_asked(tmp_path: Path) -> None:
    store = ReportStore(tmp_path, clock=noon)
    store.write("daily", "old", at=NOON - timedelta(days=31))
    kept = store.write("daily", "new")

    assert (store.prune(30), store.names()) == (1, [kept])


def test_what_is_no_time_is_refused_and_before_the_calendar_there_is_no_report(tmp_path: Path) -> None:
    no_time = pytest.importorskip("pandas").NaT  # says that it is a datetime
    with pytest.raises(InvalidIdentifier, match="timestamp"):
        ReportStore(tmp_path).write("daily_report", "fine", no_time)
    with pytest.raises(InvalidRecord, match="clock"):
        ReportStore(tmp_path, clock=lambda: no_time).prune(1)
    assert ReportStore(tmp_path, clock=lambda: datetime.min).prune(1) == 0  # noqa: DTZ901 - naive


def test_a_change_is_made_of_the_report_that_is_there(tmp_path: Path) -> None:
    store = ReportStore(tmp_path, clock=noon)
    name = store.write("daily", "first\n")
    assert store.update(name, lambda text: f"{text}second\n") == "first\nsecond\n"

    assert store.read(name) == "first\nsecond\n"
    with pytest.raises(InvalidRecord):
        store.update(name, lambda text: None)  # type: ignore[arg-type,return-value] # that is the point


def test_a_damaged_report_is_answered_from_the_version_before(tmp_path: Path) -> None:
    store = ReportStore(tmp_path, clock=noon)
    store.write("daily", "first")
    name = store.write("daily", "second")
    (tmp_path / str(name)).write_text("seconds")

    assert store.read(name) == "first"
    assert [recovery.key for recovery in store.recoveries] == [str(name)]
    store.reseal(name)
    assert store.read(name) == "seconds"


def test_a_report_under_another_name_is_damage(tmp_path: Path) -> None:
    store = ReportStore(tmp_path)
    first, second = store.write("daily", "a", at=NOON), store.write("weekly", "b", at=NOON)
    os.replace(tmp_path / str(second), tmp_path / str(first))

    with pytest.raises(CorruptData):
        store.read(first)
    assert State.DAMAGED in states(tmp_path)


@pytest.mark.parametrize("key", ["daily_20260105_120000.txt", "performance_report.md"])
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=50)
def test_every_byte_of_a_text_comes_back_and_every_other_file_is_damaged(key: str, text: str) -> None:
    data = FORM.sealed(key, text)

    assert FORM.unsealed(key, key, data) == text
    for other in (data[:-1], data[1:], data + b"\n", data[:-2] + b"-\n"):
        with pytest.raises(CorruptData):
            FORM.unsealed(key, key, other)


@pytest.mark.parametrize("text", [None, b"bytes", "\ud800", 7])
def test_what_is_no_text_is_refused(tmp_path: Path, text: Any) -> None:
    with pytest.raises((InvalidRecord, UnserialisableValue)):
        ReportStore(tmp_path).write("daily", text)
    assert ReportStore(tmp_path).names() == []


@pytest.mark.parametrize("area", ["../up", "Daily", "a/b", ""])
def test_an_area_that_is_none_is_refused(tmp_path: Path, area: str) -> None:
    with pytest.raises(InvalidIdentifier):
        ReportStore(tmp_path / "reports", area)
    assert list(tmp_path.iterdir()) == []


def test_results_of_backtests_have_their_report_beside_them(tmp_path: Path) -> None:
    store = BacktestStore(tmp_path / "data", clock=noon)
    store.write_performance("# All strategies\n")
    store.write_analysis("momentum", {"sharpe": 1.5})

    assert store.read_performance() == "# All strategies\n"
    assert (tmp_path / "data" / "backtest_results" / "performance_report.md").read_text().startswith("# All")
    assert [str(name) for name in store.names()] == ["momentum_20260105_120000.json"]
    assert states(tmp_path) == {State.SOUND}


def backtest(trades: int = 3) -> LatestBacktest:
    return LatestBacktest(
        generated_at=NOON, strategy="momentum", start=NOON - timedelta(days=30), end=NOON, trades=trades,
        metrics={"sharpe": 1.5, "beta": None},
    )  # fmt: skip


def test_a_dashboard_is_shown_the_latest_backtest_and_a_summary_of_the_data(tmp_path: Path) -> None:
    historical = HistoricalStore(tmp_path / "data")
    historical.write(HOURS, bars(HOURS, 3))
    summary = DataSummary(
        generated_at=NOON, datasets=[dataset_of(name, historical.read(name)) for name in historical.names()]
    )
    store = DashboardStore(tmp_path / "dashboard")
    store.publish(backtest())
    store.summarise(summary)

    place = tmp_path / "dashboard" / "data" / "backtest_results"
    assert json.loads((place / "latest_backtest.json").read_bytes())["strategy"] == "momentum"
    assert json.loads((place / "data_summary.json").read_bytes())["datasets"][0]["bars"] == 3
    assert (store.latest_backtest(), store.data_summary()) == (backtest(), summary)
    assert states(tmp_path) == {State.SOUND}


def test_the_backtest_that_is_shown_can_be_changed(tmp_path: Path) -> None:
    store = DashboardStore(tmp_path)
    store.publish(backtest())
    store.update(lambda shown: backtest(shown.trades + 1 if shown else 0))

    assert store.latest_backtest() == backtest(4)


def test_what_is_damaged_is_in_no_way_of_the_next_backtest(tmp_path: Path) -> None:
    store = DashboardStore(tmp_path)
    store.publish(backtest())
    file = tmp_path / "data" / "backtest_results" / "latest_backtest.json"
    file.write_bytes(b"{}")
    with pytest.raises(CorruptData):
        store.latest_backtest()

    store.publish(backtest(5))
    assert store.latest_backtest() == backtest(5)


def test_tasks_have_the_same(tmp_path: Path) -> None:
    async def use() -> None:
        async with AsyncReportStore(tmp_path, "daily_health", clock=noon) as store:
            name = await store.write("daily", "text")
            result = await store.write_analysis("weekly", {"n": 1})
            assert await store.update(name, lambda text: f"{text}s") == "texts"
            assert (await store.read(name), await store.read(result)) == ("texts", {"n": 1})
            assert await store.names() == [name, result]
            await store.reseal(name)
            assert (await store.prune(0), await store.delete(name), store.recoveries) == (0, True, ())
        async with AsyncBacktestStore(tmp_path, clock=noon) as results:
            await results.write_performance("# text")
            assert await results.read_performance() == "# text"
        async with AsyncDashboardStore(tmp_path) as dashboard:
            await dashboard.publish(backtest())
            await dashboard.update(lambda shown: backtest(9))
            await dashboard.summarise(DataSummary(generated_at=NOON))
            assert (await dashboard.latest_backtest(), await dashboard.data_summary()) == (
                backtest(9),
                DataSummary(generated_at=NOON),
            )

    asyncio.run(use())


def test_a_report_name_is_the_one_that_its_store_gives(tmp_path: Path) -> None:
    name = ReportStore(tmp_path, clock=noon).write("daily", "x")
    assert ReportName.parse(str(name)) == name
