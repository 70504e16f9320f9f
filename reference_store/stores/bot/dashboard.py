"""What a dashboard shows, in ``data/backtest_results/``: the latest backtest, and a summary of the data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from reference_store.core.root import LOCK_TIMEOUT
from reference_store.dashboard_models import Dataset, DataSummary, LatestBacktest
from reference_store.errors import InvalidRecord
from reference_store.models import PriceBar
from reference_store.stores.bot.faces import AsyncModelStore, Doing, Models, ModelStore
from reference_store.stores.bot.file_names import HistoricalName
from reference_store.stores.bot.places import below, within
from reference_store.stores.bot.records import document_of, model_of, schema_of
from reference_store.stores.single import single_files

M = TypeVar("M", bound=BaseModel)
LATEST, SUMMARY = "latest_backtest", "data_summary"


def dataset_of(name: HistoricalName, bars: list[PriceBar]) -> Dataset:
    """Return what a summary says of a file of historical bars, of which there is one at least."""
    if not bars:
        raise InvalidRecord("bars", "are none")
    moments: list[datetime] = [bars[0].date, bars[-1].date]
    return Dataset(
        file=str(name), symbol=bars[0].symbol, granularity=str(name.granularity), bars=len(bars),
        first=moments[0], last=moments[1],
    )  # fmt: skip


class _Dashboard:
    """The two files."""

    def __init__(self, root: str | Path, lock_timeout: float) -> None:
        directory = within(below(root, "data"), "backtest_results")
        self.latest = Models(single_files(directory, LATEST, lock_timeout, schema_of(LatestBacktest)), LatestBacktest)
        self.summary = Models(single_files(directory, SUMMARY, lock_timeout, schema_of(DataSummary)), DataSummary)

    def read_latest(self) -> LatestBacktest | None:
        return self.latest.read("latest_backtest", LATEST)

    def read_summary(self) -> DataSummary | None:
        return self.summary.read("data_summary", SUMMARY)


def _putting(models: Models[M], name: str, record: M) -> Doing[None]:
    given = model_of(models.model, document_of(models.model, record))
    # What is shown is made anew from elsewhere: what was damaged stays as evidence, and in nobody's way.
    return models.doing("publish", name, lambda _: (given, None), damaged=lambda: None)


def _updating(models: Models[M], name: str, function: Callable[[M | None], M]) -> Doing[M]:
    if not callable(function):
        raise InvalidRecord("function", "cannot be called")

    def update(present: M | None) -> tuple[M, M]:
        made = model_of(models.model, document_of(models.model, function(present)))
        return made, made

    return models.doing("update", name, update)


class DashboardStore(ModelStore):
    """What is shown, in ``<root>/data/backtest_results/``: ``latest_backtest.json`` and ``data_summary.json``.

    Promises and errors are those of PortfolioStore.
    """

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._dashboard = _Dashboard(root, lock_timeout)
        super().__init__(self._dashboard.latest.files, self._dashboard.summary.files)

    def publish(self, backtest: LatestBacktest) -> None:
        """Show this backtest from now on."""
        self._done(_putting(self._dashboard.latest, LATEST, backtest))

    def latest_backtest(self) -> LatestBacktest | None:
        """Return the backtest that is shown, None if none is."""
        return self._dashboard.read_latest()

    def update(self, function: Callable[[LatestBacktest | None], LatestBacktest]) -> LatestBacktest:
        """Show what ``function`` makes of the backtest that is shown; see DocumentStore.update."""
        made: LatestBacktest = self._done(_updating(self._dashboard.latest, LATEST, function))
        return made

    def summarise(self, summary: DataSummary) -> None:
        """Show this summary of the data from now on; ``dataset_of`` makes its lines."""
        self._done(_putting(self._dashboard.summary, SUMMARY, summary))

    def data_summary(self) -> DataSummary | None:
        """Return the summary that is shown, None if none is."""
        return self._dashboard.read_summary()


class AsyncDashboardStore(AsyncModelStore):
    """DashboardStore for asyncio; see there."""

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._dashboard = _Dashboard(root, lock_timeout)
        super().__init__(self._dashboard.latest.files, self._dashboard.summary.files)

    async def publish(self, backtest: LatestBacktest) -> None:
        """Show this backtest from now on."""
        await self._done(_putting(self._dashboard.latest, LATEST, backtest))

    async def latest_backtest(self) -> LatestBacktest | None:
        """Return the backtest that is shown, None if none is."""
        return await self._read(self._dashboard.read_latest)

    async def update(self, function: Callable[[LatestBacktest | None], LatestBacktest]) -> LatestBacktest:
        """Show what ``function``, called in a thread, makes of that backtest; see DashboardStore.update."""
        made: LatestBacktest = await self._done(_updating(self._dashboard.latest, LATEST, function))
        return made

    async def summarise(self, summary: DataSummary) -> None:
        """Show this summary of the data from now on."""
        await self._done(_putting(self._dashboard.summary, SUMMARY, summary))

    async def data_summary(self) -> DataSummary | None:
        """Return the summary that is shown, None if none is."""
        return await self._read(self._dashboard.read_summary)
