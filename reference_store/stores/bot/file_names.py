"""The names of a bot's data, report and log files, as the guideline has them: built and taken apart again.

What is built is taken apart into the same parts, and what is none of these names is refused. Nothing touches a disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from reference_store.core.signals import let_out
from reference_store.errors import InvalidIdentifier

_CACHED = re.compile(r"(?P<purpose>[a-z][a-z0-9]*)_(?P<context>[a-z0-9]+(?:_[a-z0-9]+)*)")
_WORD, _CONTEXT = re.compile(r"[a-z][a-z0-9]*"), re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
_ASSET = re.compile(r"[A-Z0-9]{1,20}")
_PERIOD = re.compile(r"[1-9][0-9]{0,4}[hdwmy]")
_WORDS = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_STAMPED = re.compile(r"(?P<what>[a-z0-9_]+)_(?P<at>[0-9]{8}_[0-9]{6})\.(?P<kind>json|txt)")
_HISTORICAL = re.compile(r"(?P<asset>[^-_]+)-(?P<base>[^-_]+)_(?P<granularity>[^-_]+)_(?P<period>[^-_.]+)\.parquet")
_LONGEST = 100


class Granularity(StrEnum):
    """The distance between two bars."""

    MINUTE = "minute"
    HOUR = "hour"
    DAILY = "daily"


class ReportKind(StrEnum):
    """What a report is: a text for people, or the result of an analysis."""

    REPORT = "txt"
    ANALYSIS = "json"


@dataclass(frozen=True, slots=True)
class CacheName:
    """``{purpose}_{context}.json``: ``bot_startup.json``. The purpose is one word, the context one or more.

    Raises InvalidIdentifier for parts that it cannot be made of.
    """

    purpose: str
    context: str

    def __post_init__(self) -> None:
        _fits(_WORD, self.purpose, "(purpose) is not one word of small letters and digits")
        _fits(_CONTEXT, self.context, "(context) is not made of small letters and digits with '_' between")
        _fits(_CACHED, self.key, "is too long")

    @property
    def key(self) -> str:
        """The name without its suffix: what a cache calls it."""
        return f"{self.purpose}_{self.context}"

    def __str__(self) -> str:
        return f"{self.key}.json"

    @classmethod
    def of(cls, key: str) -> Self:
        """Return the parts of a key; raises InvalidIdentifier for one that is not of this form."""
        found = _CACHED.fullmatch(_fits(_CACHED, key, "is not of the form purpose_context, in small letters"))
        assert found is not None
        return cls(found["purpose"], found["context"])

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the parts of a file's name; raises InvalidIdentifier for any other one."""
        key = name.removesuffix(".json") if type(name) is str else name
        if key == name:
            raise InvalidIdentifier(name, "is no name of a cache file, like bot_startup.json")
        return cls.of(key)


@dataclass(frozen=True, slots=True)
class HistoricalName:
    """``{asset}-{base}_{granularity}_{period}.parquet``: ``BTC-EUR_hour_180d.parquet``.

    Raises InvalidIdentifier for parts that it cannot be made of.
    """

    asset: str
    base: str
    granularity: Granularity
    period: str

    def __post_init__(self) -> None:
        _fits(_ASSET, self.asset, "(asset) is not made of at most 20 capitals and digits")
        _fits(_ASSET, self.base, "(base) is not made of at most 20 capitals and digits")
        _fits(_PERIOD, self.period, "(period) is no number with h, d, w, m or y behind it")
        if self.granularity not in set(Granularity):
            raise InvalidIdentifier(self.granularity, f"(granularity) is none of {', '.join(Granularity)}")
        object.__setattr__(self, "granularity", Granularity(self.granularity))

    def __str__(self) -> str:
        return f"{self.asset}-{self.base}_{self.granularity}_{self.period}.parquet"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the parts of a name; raises InvalidIdentifier for any other one."""
        found = _HISTORICAL.fullmatch(name) if type(name) is str else None
        if found is None:
            raise InvalidIdentifier(name, "is no name of historical data, like BTC-EUR_hour_180d.parquet")
        return cls(found["asset"], found["base"], Granularity(_granularity(found["granularity"])), found["period"])


@dataclass(frozen=True, slots=True)
class ReportName:
    """``{report_type}_{timestamp}.txt`` or ``{analysis_type}_{timestamp}.json``: ``daily_report_20260105_120000.txt``.

    ``at`` has a zone, and stands in the name in UTC, to the second. Raises InvalidIdentifier for other parts.
    """

    what: str
    at: datetime
    kind: ReportKind = ReportKind.REPORT

    def __post_init__(self) -> None:
        _fits(_WORDS, self.what, "(type) is not made of small letters and digits with '_' between")
        if not isinstance(self.at, datetime) or self.at != self.at:  # NaT says that it is a datetime
            raise InvalidIdentifier(self.at, "(timestamp) is no time")
        if self.at.utcoffset() is None or self.at.microsecond:
            raise InvalidIdentifier(self.at, "(timestamp) is no datetime with a time zone, to the second")
        if self.kind not in set(ReportKind):
            raise InvalidIdentifier(self.kind, f"(kind) is none of {', '.join(ReportKind)}")
        object.__setattr__(self, "kind", ReportKind(self.kind))
        try:
            object.__setattr__(self, "at", self.at.astimezone(UTC))
        except (OverflowError, ValueError) as error:
            let_out(error)
            raise InvalidIdentifier(self.at, "(timestamp) is none in UTC") from None

    def __str__(self) -> str:
        at = self.at
        return f"{self.what}_{at.year:04}{at:%m%d_%H%M%S}.{self.kind}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the parts of a name; raises InvalidIdentifier for any other one."""
        found = _STAMPED.fullmatch(name) if type(name) is str else None
        try:
            if found is None:
                raise ValueError
            at = datetime.fromisoformat(found["at"].replace("_", "T")).replace(tzinfo=UTC)
        except ValueError as error:
            let_out(error)
            raise InvalidIdentifier(name, "is no name of a report, like daily_report_20260105_120000.txt") from None
        return cls(found["what"], at, ReportKind(found["kind"]))


def log_name(component: str) -> str:
    """Return ``{component}.log``; raises InvalidIdentifier for what is no component."""
    return f"{_fits(_WORDS, component, '(component) is not made of small letters and digits')}.log"


def component_of(name: str) -> str:
    """Return the component of a log's name; raises InvalidIdentifier for any other name."""
    component = name.removesuffix(".log") if type(name) is str else name
    if component == name:
        raise InvalidIdentifier(name, "is no name of a log, like supervisor.log")
    return _fits(_WORDS, component, "(component) is not made of small letters and digits")


def words(name: object) -> str:
    """Return ``name`` if it is made of words of small letters and digits with '_' between; raises InvalidIdentifier."""
    return _fits(_WORDS, name, "is not made of small letters and digits with '_' between")


def _fits(allowed: re.Pattern[str], part: object, reason: str) -> str:
    if type(part) is not str or len(part) > _LONGEST or not allowed.fullmatch(part):
        raise InvalidIdentifier(part, reason)
    return part


def _granularity(text: str) -> str:
    if text not in set(Granularity):
        raise InvalidIdentifier(text, f"(granularity) is none of {', '.join(Granularity)}")
    return text
