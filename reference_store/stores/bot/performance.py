"""How a portfolio does, in ``performance/``: a configuration, snapshots, and what is counted from them.

Each file is replaced whole. What concerns two of them (a reset) stands in the configuration first, all of it, and is
shown from there until the other file has it too: no crash leaves half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from reference_store.core.root import LOCK_TIMEOUT
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord
from reference_store.performance_models import (
    CurrentMetrics,
    Frequency,
    Metrics,
    PerformanceConfig,
    Periods,
    Reset,
    Snapshot,
    Snapshots,
    SnapshotType,
    periods_of,
)
from reference_store.stores.bot.faces import AsyncModelStore, Doing, Models, ModelStore, Unchanged
from reference_store.stores.bot.places import below
from reference_store.stores.bot.records import document_of, model_of, schema_of
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock, now_of
from reference_store.stores.single import single_files

M = TypeVar("M", bound=BaseModel)
DIRECTORY = "performance"
_EVERY = {Frequency.HOURLY: timedelta(hours=1), Frequency.DAILY: timedelta(days=1)}


class _Tracking:
    """The four files, and what can be done to them."""

    def __init__(self, root: str | Path, lock_timeout: float, clock: Clock) -> None:
        self.clock, self._opened = clock, now_of(clock)

        directory = below(root, DIRECTORY)

        def models(name: str, model: type[M]) -> Models[M]:
            return Models(single_files(directory, name, lock_timeout, schema_of(model)), model)

        self._config = models("performance_config", PerformanceConfig)
        self._snapshots = models("portfolio_snapshots", Snapshots)
        self._metrics = models("performance_metrics", CurrentMetrics)
        self._periods = models("performance_periods", Periods)
        self.files = [each.files for each in (self._config, self._snapshots, self._metrics, self._periods)]

    def config(self) -> PerformanceConfig | None:
        return self._config.read("config", "performance_config")

    def kept(self) -> list[Snapshot]:
        """The snapshots, with those of the configuration that a crash has kept from coming here."""
        config = self.config()
        found = self._snapshots.read("snapshots", "portfolio_snapshots")
        there = [] if found is None else found.snapshots
        return there if config is None else _within(_merged(there, _of_config(config)), config, now_of(self.clock))

    def is_due(self) -> bool:
        config = self.config()
        if config is None or not config.tracking_enabled or config.snapshot_frequency is Frequency.MANUAL:
            return False
        if not (kept := self.kept()):
            return True
        last = kept[-1].timestamp
        if config.snapshot_frequency is Frequency.ON_RESTART:
            return last < self._opened
        return now_of(self.clock) >= last + _EVERY[config.snapshot_frequency]

    def starting(self, snapshot: Snapshot, frequency: str, retention_days: int) -> Doing[PerformanceConfig]:
        first = _typed(snapshot, SnapshotType.INITIAL_SETUP)
        config = _checked(
            PerformanceConfig,
            tracking_start_date=first.timestamp, initial_portfolio_value=first.total_value_eur,
            initial_portfolio_composition=first.portfolio_composition, snapshot_frequency=frequency,
            retention_days=retention_days, created_date=now_of(self.clock),
        )  # fmt: skip

        def start(present: PerformanceConfig | None) -> tuple[PerformanceConfig, PerformanceConfig]:
            if present is not None:
                raise Unchanged(present)
            return config, config

        return self._config.doing("start", "performance_config", start)

    def updating(self, function: Callable[[PerformanceConfig], PerformanceConfig]) -> Doing[PerformanceConfig]:
        if not callable(function):
            raise InvalidRecord("function", "cannot be called")

        def update(present: PerformanceConfig | None) -> tuple[PerformanceConfig, PerformanceConfig]:
            before = _started(present)
            history = [each.model_copy(deep=True) for each in before.performance_reset_history]
            made = model_of(PerformanceConfig, document_of(PerformanceConfig, function(before)))
            if made.performance_reset_history != history:
                raise InvalidRecord("performance_reset_history", "was changed by the function; only reset does that")
            return made, made

        return self._config.doing("update", "performance_config", update)

    def resetting(self, snapshot: Snapshot, reason: str) -> Doing[PerformanceConfig]:
        begun = _typed(snapshot, SnapshotType.PERFORMANCE_RESET)

        def reset(present: PerformanceConfig | None) -> tuple[PerformanceConfig, PerformanceConfig]:
            config = _started(present)
            if any(each.snapshot == begun for each in config.performance_reset_history):
                raise Unchanged(config)
            if begun.timestamp < config.tracking_start_date:
                raise InvalidRecord("timestamp", "is before the beginning of what is tracked now")
            done = _checked(
                Reset, previous_start_date=config.tracking_start_date,
                previous_initial_value=config.initial_portfolio_value, reason=reason, snapshot=begun,
            )  # fmt: skip
            config.performance_reset_history = [*config.performance_reset_history, done]
            config.tracking_start_date = begun.timestamp
            config.initial_portfolio_value = begun.total_value_eur
            config.initial_portfolio_composition = begun.portfolio_composition
            return config, config

        return self._config.doing("reset", "performance_config", reset)

    def adding(self, config: PerformanceConfig | None, snapshots: Iterable[Snapshot]) -> Doing[list[Snapshot]]:
        """Return the change that adds snapshots, and those of the configuration, and lets go of what is too old."""
        tracked, now = _started(config), now_of(self.clock)
        given = [_typed(each, each.snapshot_type if isinstance(each, Snapshot) else None) for each in snapshots]

        def add(present: Snapshots | None) -> tuple[Snapshots, list[Snapshot]]:
            there = [] if present is None else present.snapshots
            made = Snapshots(snapshots=_within(_merged(there, [*_of_config(tracked), *given]), tracked, now))
            return made, made.snapshots

        return self._snapshots.doing("add_snapshot", "portfolio_snapshots", add)

    def noting(self, snapshots: list[Snapshot]) -> Doing[PerformanceConfig]:
        """Return the change that notes in the configuration when the last snapshot was taken."""

        def note(present: PerformanceConfig | None) -> tuple[PerformanceConfig, PerformanceConfig]:
            config = _started(present)
            last = snapshots[-1].timestamp if snapshots else config.last_snapshot_date
            if last is None or (config.last_snapshot_date is not None and config.last_snapshot_date >= last):
                raise Unchanged(config)
            config.last_snapshot_date = last
            return config, config

        return self._config.doing("add_snapshot", "performance_config", note)

    def measured(self) -> dict[str, Metrics]:
        config = _started(self.config())
        return periods_of(self.kept(), config.tracking_start_date, now_of(self.clock))

    def publishing(self, periods: dict[str, Metrics]) -> tuple[Doing[None], Doing[None]]:
        now = now_of(self.clock)
        current = CurrentMetrics(generated_at=now, metrics=periods["since_reset"])
        told = Periods(generated_at=now, periods=periods)
        return (
            self._metrics.doing("publish", "performance_metrics", lambda _: (current, None), damaged=lambda: None),
            self._periods.doing("publish", "performance_periods", lambda _: (told, None), damaged=lambda: None),
        )


def _started(config: PerformanceConfig | None) -> PerformanceConfig:
    if config is None:
        raise InvalidRecord("tracking", "was not started: start does that")
    return config


def _checked(model: type[M], **members: object) -> M:
    try:
        return model(**members)
    except ValueError as error:
        let_out(error)
        raise InvalidRecord(f"the {model.__name__}", "is not what it has to be") from error


def _typed(snapshot: Snapshot, kind: SnapshotType | None) -> Snapshot:
    """A copy of a snapshot, checked, as one of this type."""
    made = model_of(Snapshot, document_of(Snapshot, snapshot))
    return made if kind is None else made.model_copy(update={"snapshot_type": kind})


def _initial(config: PerformanceConfig, snapshot: Snapshot) -> Snapshot:
    """The first snapshot: the one that was given, unless a crash came after the configuration that it began with."""
    if snapshot.timestamp == config.tracking_start_date:
        return _typed(snapshot, SnapshotType.INITIAL_SETUP)
    return Snapshot(
        timestamp=config.tracking_start_date, total_value_eur=config.initial_portfolio_value,
        portfolio_composition=config.initial_portfolio_composition, snapshot_type=SnapshotType.INITIAL_SETUP,
    )  # fmt: skip


def _of_config(config: PerformanceConfig) -> list[Snapshot]:
    return [each.snapshot for each in config.performance_reset_history]


def _merged(there: Iterable[Snapshot], new: Iterable[Snapshot]) -> list[Snapshot]:
    """By time; of one moment and type the last one counts."""
    found = {(each.timestamp, each.snapshot_type): each for each in (*there, *new)}
    return sorted(found.values(), key=lambda each: (each.timestamp, each.snapshot_type))


def _within(snapshots: list[Snapshot], config: PerformanceConfig, now: datetime) -> list[Snapshot]:
    try:
        oldest = now - timedelta(days=config.retention_days)
    except OverflowError:
        return snapshots
    return [each for each in snapshots if each.timestamp >= oldest]


class PerformanceStore(ModelStore):
    """The performance of one portfolio in ``<root>/performance/``: the four files of the guideline.

    ``performance_config.json``, ``portfolio_snapshots.json``, ``performance_metrics.json`` and
    ``performance_periods.json``. Snapshots older than the configured ``retention_days`` go when one is added, in the
    same write. ``clock`` gives the time, with a zone. Promises and errors are those of PortfolioStore.
    """

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._tracking = _Tracking(root, lock_timeout, clock)
        super().__init__(*self._tracking.files)

    def start(self, snapshot: Snapshot, *, frequency: str = "daily", retention_days: int = 365) -> PerformanceConfig:
        """Begin to track from this snapshot on; nothing happens if that was begun. Returns the configuration."""
        config: PerformanceConfig = self._done(self._tracking.starting(snapshot, frequency, retention_days))
        if not self._tracking.kept():
            self.add_snapshot(_initial(config, snapshot))
        return config

    def config(self) -> PerformanceConfig | None:
        """Return the configuration, None if tracking was never started."""
        return self._tracking.config()

    def update(self, function: Callable[[PerformanceConfig], PerformanceConfig]) -> PerformanceConfig:
        """Store what ``function`` makes of the configuration; the history of resets it must leave."""
        config: PerformanceConfig = self._done(self._tracking.updating(function))
        return config

    def is_due(self) -> bool:
        """Whether a snapshot is due: by the hour, by the day, or since this store was opened, as configured."""
        return self._tracking.is_due()

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Add a snapshot, in place of one of the same moment and type, and let go of those that are too old."""
        kept: list[Snapshot] = self._done(self._tracking.adding(self.config(), [snapshot]))
        self._done(self._tracking.noting(kept))

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots by time, none that is older than they are kept."""
        return self._tracking.kept()

    def reset(self, snapshot: Snapshot, reason: str = "") -> PerformanceConfig:
        """Begin anew from this snapshot; what was tracked before stays in the history. The same reset counts once."""
        config: PerformanceConfig = self._done(self._tracking.resetting(snapshot, reason))
        self._done(self._tracking.noting(self._done(self._tracking.adding(config, []))))
        return config

    def measure(self) -> dict[str, Metrics]:
        """Return the metrics since the last reset and of some periods up to now, and store them in their two files."""
        periods = self._tracking.measured()
        for doing in self._tracking.publishing(periods):
            self._done(doing)
        return periods


class AsyncPerformanceStore(AsyncModelStore):
    """PerformanceStore for asyncio; see there."""

    def __init__(self, root: str | Path, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._tracking = _Tracking(root, lock_timeout, clock)
        super().__init__(*self._tracking.files)

    async def start(
        self, snapshot: Snapshot, *, frequency: str = "daily", retention_days: int = 365
    ) -> PerformanceConfig:
        """Begin to track from this snapshot on; see PerformanceStore.start."""
        config: PerformanceConfig = await self._done(self._tracking.starting(snapshot, frequency, retention_days))
        if not await self.snapshots():
            await self.add_snapshot(_initial(config, snapshot))
        return config

    async def config(self) -> PerformanceConfig | None:
        """Return the configuration, None if tracking was never started."""
        return await self._read(self._tracking.config)

    async def update(self, function: Callable[[PerformanceConfig], PerformanceConfig]) -> PerformanceConfig:
        """Store what ``function`` makes of the configuration; see PerformanceStore.update."""
        config: PerformanceConfig = await self._done(self._tracking.updating(function))
        return config

    async def is_due(self) -> bool:
        """Whether a snapshot is due; see PerformanceStore.is_due."""
        return await self._read(self._tracking.is_due)

    async def add_snapshot(self, snapshot: Snapshot) -> None:
        """Add a snapshot; see PerformanceStore.add_snapshot."""
        kept: list[Snapshot] = await self._done(self._tracking.adding(await self.config(), [snapshot]))
        await self._done(self._tracking.noting(kept))

    async def snapshots(self) -> list[Snapshot]:
        """Return the snapshots by time; see PerformanceStore.snapshots."""
        return await self._read(self._tracking.kept)

    async def reset(self, snapshot: Snapshot, reason: str = "") -> PerformanceConfig:
        """Begin anew from this snapshot; see PerformanceStore.reset."""
        config: PerformanceConfig = await self._done(self._tracking.resetting(snapshot, reason))
        await self._done(self._tracking.noting(await self._done(self._tracking.adding(config, []))))
        return config

    async def measure(self) -> dict[str, Metrics]:
        """Return the metrics, and store them; see PerformanceStore.measure."""
        periods = await self._read(self._tracking.measured)
        for doing in self._tracking.publishing(periods):
            await self._done(doing)
        return periods
