"""What a dashboard is shown: the latest backtest, and a summary of the historical data that there are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, field_validator

from reference_store.bot_models import Count, Moment
from reference_store.models import Attributes, Name, Number, _Record


def _with_zone(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("the time has no time zone")
    return moment


class LatestBacktest(_Record):
    """What came of a backtest: over which time, with what, and its figures by name."""

    generated_at: Moment
    strategy: str
    start: Moment
    end: Moment
    trades: Count = 0
    metrics: dict[Name, Number | None] = Field(default_factory=dict)
    parameters: Attributes = Field(default_factory=dict)

    _zone = field_validator("generated_at")(_with_zone)


class Dataset(_Record):
    """One file of historical data: how many bars it has, and the times of the first and the last."""

    file: str
    symbol: str
    granularity: str
    bars: Annotated[Count, Field(gt=0)]
    first: Moment
    last: Moment


class DataSummary(_Record):
    """Which historical data there are."""

    generated_at: Moment
    datasets: list[Dataset] = Field(default_factory=list)

    _zone = field_validator("generated_at")(_with_zone)
