"""Time zones of bars: by which name one is kept and found again, and the times that it shows.

A ``ZoneInfo`` is kept by its name, all else by its distance from UTC. What a zone does not show, an hour that it skips
in spring, cannot be kept: it would come back as another hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from reference_store.core.late_imports import late
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord


def zone(name: str) -> Any:
    """The time zone of this name; raises ValueError or KeyError when there is none."""
    if name == "UTC":
        return UTC
    if name[:1] in "+-":
        offset = datetime.fromisoformat(f"1970-01-01T00:00:00{name}").utcoffset()  # strptime imports what it needs late
        return timezone(offset or timedelta(0))
    return late(partial(ZoneInfo, name))


def zone_runs(zones: Sequence[str]) -> list[tuple[str, int]]:
    """The zones in order, each with the number of bars that have it."""
    if zones and zones.count(zones[0]) == len(zones):
        return [(zones[0], len(zones))]
    return [(zone, len(list(group))) for zone, group in groupby(zones)]


def names_of(dates: Sequence[datetime]) -> list[str]:
    """The zone of each date, all of which have one; raises InvalidRecord for a time that its zone does not show."""
    known: dict[int, tuple[str, tzinfo] | None] = {}
    names: list[str] = []
    for position, date in enumerate(dates):
        key = id(date.tzinfo)
        if key not in known:
            known[key] = _named(date.tzinfo)
        named = known[key]
        if named is not None and (named[1] is UTC or _shows(named[1], date, position)):
            names.append(named[0])
        else:
            names.append(_offset(date))
    return names


def in_zones(moments: Iterator[datetime], runs: Sequence[tuple[str, int]]) -> Iterator[datetime]:
    """The moments, each in its zone."""
    convert: Callable[[datetime, Any], datetime] = datetime.astimezone
    for name, count in runs:
        there = zone(name)
        for _ in range(count):
            yield convert(next(moments), there)


def _named(tz: tzinfo | None) -> tuple[str, tzinfo] | None:
    """The name by which a zone can be found again, and what is found; None if only offsets can be kept."""
    if tz is UTC:
        return "UTC", UTC
    if isinstance(tz, ZoneInfo) and tz.key:
        try:
            return tz.key, zone(tz.key)
        except (KeyError, ValueError, OSError) as error:
            let_out(error)
            return None
    return None


def _shows(there: tzinfo, date: datetime, position: int) -> bool:
    """Whether ``there`` shows this time at the instant that it stands for."""
    local = date.replace(tzinfo=there)
    try:
        shown = there.fromutc(local - (date.utcoffset() or timedelta(0)))
    except OverflowError:
        return False  # beyond the calendar, which is found when instants are looked at
    if shown == local and shown.utcoffset() == date.utcoffset():
        return True
    if local.utcoffset() == date.utcoffset() and shown != local:
        raise InvalidRecord("date", "is a time that its zone skips; give the time that a clock there shows", position)
    return False  # a zone of the same name with other rules


def _offset(date: datetime) -> str:
    offset = date.utcoffset()
    return str(timezone(offset))[len("UTC") :] or "UTC" if offset else "UTC"
