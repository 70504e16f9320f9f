"""The records of performance tracking: its configuration, snapshots of the portfolio, and what is counted from them.

Members and words are those of the guideline. Values are floats, as in the portfolio.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

from reference_store.bot_models import AS_TEXT, Moment, NotNegative
from reference_store.models import Name, Number, Whole, _Record

YEAR = timedelta(days=365)
RETENTION_DAYS = 365
PERIODS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
"""Days of the periods that are told of, besides ``since_reset``."""


class Frequency(StrEnum):
    """How often a snapshot is due."""

    HOURLY = "hourly"
    DAILY = "daily"
    ON_RESTART = "on_restart"
    MANUAL = "manual"


class SnapshotType(StrEnum):
    """Why a snapshot was taken."""

    SCHEDULED = "scheduled"
    INITIAL_SETUP = "initial_setup"
    PERFORMANCE_RESET = "performance_reset"


Composition: TypeAlias = dict[Name, NotNegative]
"""Amounts, or prices, by asset."""


class Snapshot(_Record):
    """What the portfolio was worth at a moment, which has a zone, and what it was made of."""

    timestamp: Moment
    total_value_eur: NotNegative
    portfolio_composition: Composition = Field(default_factory=dict)
    asset_prices: Composition = Field(default_factory=dict)
    snapshot_type: Annotated[SnapshotType, Field(strict=False), AS_TEXT] = SnapshotType.SCHEDULED
    trading_session_id: str | None = None

    @model_validator(mode="after")
    def _has_a_zone(self) -> Snapshot:
        if self.timestamp.utcoffset() is None:
            raise ValueError("the timestamp has no time zone")
        return self


class Reset(_Record):
    """Where tracking began anew: what was tracked before, and the snapshot that it goes on from."""

    previous_start_date: Moment
    previous_initial_value: NotNegative
    reason: str = ""
    snapshot: Snapshot


class PerformanceConfig(_Record):
    """How performance is tracked, and since when; the resets before stay in ``performance_reset_history``."""

    tracking_start_date: Moment
    initial_portfolio_value: NotNegative
    initial_portfolio_composition: Composition = Field(default_factory=dict)
    performance_reset_history: list[Reset] = Field(default_factory=list)
    snapshot_frequency: Annotated[Frequency, Field(strict=False), AS_TEXT] = Frequency.DAILY
    retention_days: Annotated[Whole, Field(gt=0)] = RETENTION_DAYS
    last_snapshot_date: Moment | None = None
    tracking_enabled: bool = True
    created_date: Moment
    version: str = "1.0"


class Snapshots(_Record):
    """The snapshots by time; of one moment and type there is one."""

    snapshots: list[Snapshot] = Field(default_factory=list)


class Metrics(_Record):
    """What is counted from the snapshots between two moments; None where they are too few for it.

    - ``total_return``: last value / first value - 1
    - ``annualised_return``: what that makes in 365 days, (1 + total_return) ** (365 days / duration) - 1; where it was
      a day at least
    - ``max_drawdown``: the largest fall from a high so far, as a fraction of that high
    - ``volatility``: the sample standard deviation of the returns between neighbouring snapshots, times the root of how
      many of them a year has at their average distance
    - ``sharpe_ratio``: the mean of these returns over their deviation, times the same root; the risk-free rate is zero

    Nothing is corrected for money that was paid in or out: reset then.
    """

    start: Moment | None = None
    end: Moment | None = None
    snapshots: int = 0
    start_value_eur: Number | None = None
    end_value_eur: Number | None = None
    total_return: Number | None = None
    annualised_return: Number | None = None
    max_drawdown: Number | None = None
    volatility: Number | None = None
    sharpe_ratio: Number | None = None


class Periods(_Record):
    """Metrics by the name of the period, and when they were made."""

    generated_at: Moment
    periods: dict[str, Metrics]


class CurrentMetrics(_Record):
    """The metrics since the last reset, and when they were made."""

    generated_at: Moment
    metrics: Metrics


def metrics_of(snapshots: Sequence[Snapshot]) -> Metrics:
    """Return the metrics of snapshots that stand in the order of their times."""
    if not snapshots:
        return Metrics()
    first, last = snapshots[0], snapshots[-1]
    found = Metrics(
        start=first.timestamp, end=last.timestamp, snapshots=len(snapshots),
        start_value_eur=first.total_value_eur, end_value_eur=last.total_value_eur,
        max_drawdown=_max_drawdown([each.total_value_eur for each in snapshots]),
    )  # fmt: skip
    duration = last.timestamp - first.timestamp
    if len(snapshots) < 2 or not first.total_value_eur or not duration:
        return found
    growth = last.total_value_eur / first.total_value_eur
    found.total_return = _finite(growth - 1)
    if duration >= timedelta(days=1):
        found.annualised_return = _power(growth, YEAR / duration)
    returns = [
        later.total_value_eur / earlier.total_value_eur - 1
        for earlier, later in pairwise(snapshots)
        if earlier.total_value_eur
    ]
    if len(returns) > 1 and all(map(math.isfinite, returns)):
        root = math.sqrt(YEAR / (duration / (len(snapshots) - 1)))
        deviation = statistics.stdev(returns)
        found.volatility = _finite(deviation * root)
        if deviation:
            found.sharpe_ratio = _finite(statistics.fmean(returns) / deviation * root)
    return found


def periods_of(snapshots: Sequence[Snapshot], start: datetime, now: datetime) -> dict[str, Metrics]:
    """Return the metrics since ``start`` and of the periods that end ``now``; what is before ``start`` is another's."""
    here = [each for each in snapshots if start <= each.timestamp <= now]
    found = {"since_reset": metrics_of(here)}
    for name, days in PERIODS.items():
        found[name] = metrics_of([each for each in here if each.timestamp >= now - timedelta(days=days)])
    return found


def _max_drawdown(values: Sequence[float]) -> float | None:
    high, deepest = 0.0, 0.0
    for value in values:
        high = max(high, value)
        if high:
            deepest = max(deepest, (high - value) / high)
    return _finite(deepest)


def _power(growth: float, exponent: float) -> float | None:
    try:
        return _finite(growth**exponent - 1)
    except OverflowError:
        return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
