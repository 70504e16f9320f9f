"""The records of a bot's cache: an entry, how the bot was started, and what it decided lately."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, field_validator, model_validator

from reference_store.bot_models import Moment
from reference_store.models import Attributes, Decision, _Record


def _with_zone(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("the time has no time zone")
    return moment


class CacheEntry(_Record):
    """What stands in a file of the cache: a ``value``, since when, and until when it may be read; None: for good."""

    stored_at: Moment
    expires_at: Moment | None = None
    value: Attributes

    @model_validator(mode="after")
    def _has_zones(self) -> CacheEntry:
        for moment in (self.stored_at, self.expires_at):
            if moment is not None:
                _with_zone(moment)
        return self

    def is_over(self, now: datetime) -> bool:
        """Whether it may not be read any more, or was stored by a clock that is ahead of this one."""
        return self.expires_at is not None and not self.stored_at <= now < self.expires_at

    @classmethod
    def of(cls, value: Any, now: datetime, seconds: float | None) -> CacheEntry:
        """Return the entry that may be read for so long; raises ValueError, also for a time that no clock shows."""
        try:
            until = None if seconds is None else now + timedelta(seconds=seconds)
        except OverflowError:
            raise ValueError("the time to live ends after the last year") from None
        return cls(stored_at=now, expires_at=until, value=value)


class BotStartup(_Record):
    """How the bot was started, and when."""

    started_at: Moment
    session_id: str
    version: str = ""
    mode: str = ""
    settings: Attributes = Field(default_factory=dict)

    _zone = field_validator("started_at")(_with_zone)


class RecentDecision(_Record):
    """A decision of a strategy, and when it was taken."""

    at: Moment
    strategy: str
    decision: Decision

    _zone = field_validator("at")(_with_zone)


class LatestDecisions(_Record):
    """The last decisions, the newest last."""

    decisions: list[RecentDecision] = Field(default_factory=list)
