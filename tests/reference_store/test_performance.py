"""Performance of a portfolio: snapshots that stay, a history that resets leave, and figures by the formulas told."""

import asyncio
import json
import math
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import AsyncPerformanceStore, CorruptData, InvalidRecord, PerformanceStore
from reference_store.performance_models import Frequency, PerformanceConfig, Snapshot, SnapshotType, metrics_of
from reference_store.stores.bot.records import document_of, model_of

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Clock:
    """The time, as the test has it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def snapshot(at: datetime = START, value: float = 1000.0, **more: Any) -> Snapshot:
    return Snapshot(timestamp=at, total_value_eur=value, portfolio_composition={"BTC": 0.5}, **more)


def started(root: Path, clock: Clock, **more: Any) -> PerformanceStore:
    store = PerformanceStore(root, clock=clock)
    store.start(snapshot(), **more)
    return store


def values(store: PerformanceStore) -> list[float]:
    return [each.total_value_eur for each in store.snapshots()]


def test_tracking_begins_once_with_the_guidelines_configuration(tmp_path: Path) -> None:
    store = started(tmp_path, Clock())
    store.start(snapshot(START + DAY, 5.0))

    config = json.loads((tmp_path / "performance" / "performance_config.json").read_bytes())
    assert config.keys() - {"_integrity", "retention_days"} == {
        "tracking_start_date", "initial_portfolio_value", "initial_portfolio_composition",
        "performance_reset_history", "snapshot_frequency", "last_snapshot_date", "tracking_enabled", "created_date",
        "version",
    }  # fmt: skip
    assert (config["initial_portfolio_value"], config["version"]) == (1000.0, "1.0")
    (first,) = store.snapshots()
    assert (first.snapshot_type, first.timestamp) == (SnapshotType.INITIAL_SETUP, START)


def test_nothing_is_tracked_before_it_was_started(tmp_path: Path) -> None:
    store = PerformanceStore(tmp_path)

    assert (store.config(), store.snapshots(), store.is_due()) == (None, [], False)
    for act in (lambda: store.add_snapshot(snapshot()), lambda: store.reset(snapshot()), store.measure):
        with pytest.raises(InvalidRecord, match="was not started"):
            act()


@pytest.mark.parametrize(
    ("frequency", "due"),
    [
        ("hourly", [False, True, True]),
        ("daily", [False, False, True]),
        ("manual", [False, False, False]),
        ("on_restart", [False, False, False]),
    ],
)
def test_a_snapshot_is_due_as_often_as_configured(tmp_path: Path, frequency: str, due: list[bool]) -> None:
    clock = Clock()
    store = started(tmp_path, clock, frequency=frequency)
    found = []
    for passed in (HOUR / 2, HOUR, DAY):
        clock.now = START + passed
        found.append(store.is_due())

    assert found == due
    assert PerformanceStore(tmp_path, clock=clock).is_due() is (due[2] or frequency == "on_restart")
    store.update(lambda config: config.model_copy(update={"tracking_enabled": False}))
    assert PerformanceStore(tmp_path, clock=clock).is_due() is False


def test_what_is_older_than_configured_goes_with_the_next_snapshot_and_is_not_shown_before(tmp_path: Path) -> None:
    clock = Clock()
    store = started(tmp_path, clock, retention_days=30)
    for day in (10, 20):
        clock.now = START + day * DAY
        store.add_snapshot(snapshot(clock.now, float(day)))
    clock.now = START + 45 * DAY

    assert values(store) == [20.0]
    store.add_snapshot(snapshot(clock.now, 45.0))
    kept = json.loads((tmp_path / "performance" / "portfolio_snapshots.json").read_bytes())["snapshots"]
    assert [each["total_value_eur"] for each in kept] == [20.0, 45.0]
    config = store.config()
    assert config is not None
    assert config.last_snapshot_date == clock.now


def test_the_guideline_keeps_a_year(tmp_path: Path) -> None:
    config = started(tmp_path, Clock()).config()

    assert config is not None
    assert config.retention_days == 365


def test_a_reset_begins_anew_and_leaves_its_history(tmp_path: Path) -> None:
    clock = Clock(START + DAY)
    store = started(tmp_path, clock)
    config = store.reset(snapshot(START + DAY, 500.0), "paid out")
    again = store.reset(snapshot(START + DAY, 500.0), "paid out")

    assert again == store.config()
    (history,) = config.performance_reset_history
    assert (history.previous_initial_value, history.reason) == (1000.0, "paid out")
    assert (config.tracking_start_date, config.initial_portfolio_value) == (START + DAY, 500.0)
    assert [each.snapshot_type for each in store.snapshots()] == ["initial_setup", "performance_reset"]
    with pytest.raises(InvalidRecord, match="only reset does that"):
        store.update(lambda config: config.model_copy(update={"performance_reset_history": []}))
    with pytest.raises(InvalidRecord, match="before the beginning"):
        store.reset(snapshot(START))


def test_no_crash_leaves_half_of_a_reset(tradestore_crash: Any) -> None:
    def opened(root: Path) -> PerformanceStore:
        return PerformanceStore(root, clock=Clock(START + DAY))

    def seen(store: PerformanceStore) -> tuple[object, ...]:
        config = store.config()
        assert config is not None
        return (
            config.initial_portfolio_value, len(config.performance_reset_history),
            [each.total_value_eur for each in store.snapshots()],
        )  # fmt: skip

    before, after = (1000.0, 0, [1000.0]), (500.0, 1, [1000.0, 500.0])
    tried = tradestore_crash(opened).check(
        lambda store: store.reset(snapshot(START + DAY, 500.0)),
        before=lambda store: store.start(snapshot()),
        read=seen,
        holds=lambda outcome: outcome.found == after or (outcome.found == before and not outcome.returned),
    )

    assert tried > 5


def test_no_crash_in_retention_loses_what_is_to_stay(tradestore_crash: Any) -> None:
    clock = Clock()

    def fill(store: PerformanceStore) -> None:
        store.start(snapshot(), retention_days=30)
        for day in (10, 20):
            clock.now = START + day * DAY
            store.add_snapshot(snapshot(clock.now, float(day)))
        clock.now = START + 45 * DAY

    def opened(root: Path) -> PerformanceStore:
        return PerformanceStore(root, clock=clock)

    clock.now = START + 45 * DAY
    tradestore_crash(opened).check(
        lambda store: store.add_snapshot(snapshot(START + 45 * DAY, 45.0)),
        before=fill,
        read=values,
        holds=lambda outcome: outcome.found in ([20.0, 45.0], *([] if outcome.returned else [[20.0]])),
    )


def test_no_snapshot_of_threads_and_tasks_is_lost(tmp_path: Path) -> None:
    clock = Clock(START + 20 * HOUR)
    store = started(tmp_path, clock)
    threads = [
        threading.Thread(target=store.add_snapshot, args=(snapshot(START + n * HOUR, float(n)),)) for n in range(1, 6)
    ]
    for thread in threads:
        thread.start()

    async def tasks() -> None:
        async with AsyncPerformanceStore(tmp_path, clock=clock) as other:
            await other.start(snapshot())
            await asyncio.gather(*(other.add_snapshot(snapshot(START + n * HOUR, float(n))) for n in range(6, 11)))
            assert await other.is_due() is False
            await other.reset(snapshot(START + 20 * HOUR, 7.0))
            assert (await other.measure())["since_reset"].snapshots == 1
            changed = await other.update(lambda config: config.model_copy(update={"snapshot_frequency": "hourly"}))
            assert changed.snapshot_frequency is Frequency.HOURLY

    asyncio.run(tasks())
    for thread in threads:
        thread.join()

    assert values(store) == [1000.0, *map(float, range(1, 11)), 7.0]


def test_damaged_snapshots_are_told_and_not_begun_anew(tmp_path: Path) -> None:
    store = started(tmp_path, Clock())
    for file in (tmp_path / "performance").glob("portfolio_snapshots.json*"):
        file.write_bytes(b"[")

    for act in (store.snapshots, lambda: store.add_snapshot(snapshot())):
        with pytest.raises(CorruptData):
            act()


def test_after_a_loss_tracking_begins_anew_from_the_current_state(tmp_path: Path) -> None:
    started(tmp_path, Clock())
    for file in (tmp_path / "performance").glob("p*.json*"):
        file.unlink()
    store = PerformanceStore(tmp_path, clock=Clock(START + DAY))
    store.start(snapshot(START + DAY, 900.0))

    assert values(store) == [900.0]


@pytest.mark.parametrize(
    "members",
    [{"timestamp": datetime(2026, 1, 5)}, {"total_value_eur": -1.0}, {"snapshot_type": "odd"}],  # noqa: DTZ001 - that is the point
    ids=lambda members: next(iter(members)),
)
def test_a_snapshot_that_cannot_be_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Snapshot(**{"timestamp": START, "total_value_eur": 1.0, **members})


def test_the_guidelines_snapshot_is_one() -> None:
    given = {
        "timestamp": "2024-01-01T00:00:00.000000+00:00", "total_value_eur": 1000.0,
        "portfolio_composition": {"BTC": 0.01}, "asset_prices": {"BTC": 45000.0}, "snapshot_type": "scheduled",
        "trading_session_id": "session_id",
    }  # fmt: skip

    assert document_of(Snapshot, model_of(Snapshot, given)) == given


# Figures


def series(*worth: float, step: timedelta = DAY) -> list[Snapshot]:
    return [snapshot(START + n * step, value) for n, value in enumerate(worth)]


def test_the_figures_are_those_of_the_formulas() -> None:
    found = metrics_of(series(100.0, 110.0, 99.0, 108.9))

    assert found.total_return == pytest.approx(0.089)
    assert found.annualised_return == pytest.approx(1.089 ** (365 / 3) - 1)
    assert found.max_drawdown == pytest.approx(0.1)
    deviation = math.sqrt(sum((each - 0.1 / 3) ** 2 for each in (0.1, -0.1, 0.1)) / 2)
    assert found.volatility == pytest.approx(deviation * math.sqrt(365))
    assert found.sharpe_ratio == pytest.approx(0.1 / 3 / deviation * math.sqrt(365))


@pytest.mark.parametrize("worth", [(), (1.0,), (0.0, 1.0), (1.0, 0.0), (1e300, 1e-300, 1e300), (1.0, 1.0, 1.0)])
def test_where_a_formula_has_no_answer_there_is_none_and_no_error(worth: tuple[float, ...]) -> None:
    found = metrics_of(series(*worth))

    assert found.snapshots == len(worth)
    assert found.sharpe_ratio is None


@given(st.lists(st.floats(0, 1e12), max_size=8), st.sampled_from([timedelta(microseconds=1), HOUR, DAY, 400 * DAY]))
def test_whatever_the_values_the_figures_can_be_stored(worth: list[float], step: timedelta) -> None:
    found = metrics_of(series(*worth, step=step))

    json.dumps(document_of(type(found), found), allow_nan=False)
    assert found.max_drawdown is None or 0 <= found.max_drawdown <= 1


def test_what_was_measured_is_in_the_two_files(tmp_path: Path) -> None:
    clock = Clock(START + 40 * DAY)
    store = started(tmp_path, clock)
    store.add_snapshot(snapshot(START + 35 * DAY, 1100.0))
    store.add_snapshot(snapshot(START + 40 * DAY, 1210.0))
    found = store.measure()

    assert found["since_reset"].total_return == pytest.approx(0.21)
    assert found["7d"].total_return == pytest.approx(0.1)
    files = tmp_path / "performance"
    periods = json.loads((files / "performance_periods.json").read_bytes())["periods"]
    assert periods.keys() == {"since_reset", "7d", "30d", "90d", "365d"}
    metrics = json.loads((files / "performance_metrics.json").read_bytes())["metrics"]
    assert metrics["end_value_eur"] == 1210.0
    assert PerformanceConfig.model_fields["retention_days"].default == 365
