"""How a run is to be made: what the options and the configuration file say, checked and frozen."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

from pytest_tradestore.requirements import Profile


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes; counts, so that every run of the same code searches the same.

    One time is among them: what a slow store has no time for is cut off at the end, and said.
    """

    subsets_per_cut: int
    """Losses per cut that are tried one by one; beyond it they are sampled."""
    images_per_workload: int
    """Distinct durable images that are reopened for one workload."""
    recoveries: int
    """Reopenings that wrote something which are recorded and crashed once more, for one workload."""
    images_per_recovery: int
    """Distinct durable images of one such recovery that are reopened."""
    generated_values: int
    """Generated documents for the round trip."""
    schedules: int
    """Schedules of concurrent callers that are run for one contract in one setting."""
    seconds_of_schedules: float
    """Seconds of processor time after which those that are left are cut off."""


class Budget(Enum):
    QUICK = Limits(
        subsets_per_cut=256,
        images_per_workload=400,
        recoveries=4,
        images_per_recovery=40,
        generated_values=20,
        schedules=200,
        seconds_of_schedules=60.0,
    )
    NORMAL = Limits(
        subsets_per_cut=4096,
        images_per_workload=2500,
        recoveries=12,
        images_per_recovery=120,
        generated_values=60,
        schedules=400,
        seconds_of_schedules=60.0,
    )
    DEEP = Limits(
        subsets_per_cut=16384,
        images_per_workload=50000,
        recoveries=100,
        images_per_recovery=1000,
        generated_values=500,
        schedules=40_000,
        seconds_of_schedules=3600.0,
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """``recorder``: who records; ``model``: the persistence model that judges; ``seed``: for everything sampled.

    ``confirm``: the real file systems on which crash findings are looked for; ``keep``: where block logs are left.
    """

    profile: Profile = Profile.DURABLE
    recorder: Literal["auto", "strace", "fake"] = "auto"
    model: str = "strict"
    budget: Budget = Budget.NORMAL
    seed: int = 0
    platforms: tuple[str, ...] = ()
    """On which all stores are used that do not say it themselves; none is the one that the suite runs on."""
    confirm: tuple[str, ...] = ()
    keep: Path | None = None
