"""Times of events: what a log holds of them, which instant they are, and in which month.

Times with zones are instants, and their months those of UTC; times without are what a clock on a wall shows, by which
they are compared. An hour that does not exist is kept as it was given. Nothing here overflows near the ends of the
calendar.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reference_store.core.records import to_json
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord
from reference_store.models import Event

UTC_MONTH = "Z"
"""Ends the names of logs whose events have time zones."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the one of times without zones
_FIRST_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime(1, 1, 1) - _EPOCH) // _MICROSECOND  # noqa: DTZ001 - as above
_LAST = (datetime(9999, 12, 31) - _EPOCH) // _MICROSECOND + 86_400_000_000 - 1  # noqa: DTZ001 - as above
_FOLD = "fold"


def is_aware(moment: datetime) -> bool:
    """Whether ``moment`` is an instant: a zone that knows no offset does not make it one."""
    return moment.utcoffset() is not None


def instant(moment: datetime) -> int:
    """The distance of ``moment`` from 1970 in microseconds, by its own clock when it has no zone."""
    # In parts, which is several times faster than differences of datetimes, and cannot leave the calendar.
    seconds = (moment.toordinal() - _FIRST_DAY) * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    offset = moment.utcoffset()
    if offset is None:
        return seconds * 1_000_000 + moment.microsecond
    seconds -= offset.days * 86_400 + offset.seconds
    return seconds * 1_000_000 + moment.microsecond - offset.microseconds


def bounds(start: object, end: object) -> tuple[int, int, bool]:
    """Return the first and the last instant of a range, and whether its times have zones.

    Raises InvalidRecord, naming the argument, for what is no time, and when only one of them has a zone.
    """
    first, last = _moment(start, "start"), _moment(end, "end")
    if is_aware(first) is not is_aware(last):
        raise InvalidRecord("end", "has a time zone while start has none, or the reverse")
    # A pandas Timestamp can lie between two microseconds.
    behind = 1 if getattr(first, "nanosecond", 0) else 0
    return _within(instant(first) + behind), _within(instant(last)), is_aware(first)


def month(time: int, *, aware: bool) -> str:
    """The name of the log of the month in which an instant lies; raises InvalidRecord outside the years 1 to 9999."""
    if not _FIRST <= time <= _LAST:
        raise InvalidRecord("timestamp", "lies outside the years 1 to 9999 in UTC")
    moment = _EPOCH + time * _MICROSECOND
    return f"{moment.year:04d}-{moment.month:02d}{UTC_MONTH if aware else ''}"


def members(event: Event) -> tuple[str, Document]:
    """The month in whose log the event goes, and how it stands there; raises InvalidRecord for what is no time."""
    moment = _moment(event.timestamp, "timestamp")
    found = to_json(event, fold_kept=True)
    if moment.fold and moment.tzinfo is None:
        found[_FOLD] = 1  # of the two times that the wall shows this, it is the second one; ISO text does not say that
    return month(instant(moment), aware=is_aware(moment)), found


def time_in(record: Document) -> datetime | None:
    """The time of an event as its log holds it, None if there is none to be found."""
    try:
        moment = datetime.fromisoformat(record["timestamp"])
    except (KeyError, TypeError, ValueError) as error:
        let_out(error)
        return None
    return moment.replace(fold=1) if record.get(_FOLD) == 1 and moment.tzinfo is None else moment


def _within(time: int) -> int:
    return min(max(time, _FIRST), _LAST)


def _moment(moment: object, name: str) -> datetime:
    if not isinstance(moment, datetime):
        raise InvalidRecord(name, f"is of type {type(moment).__name__}, not datetime")
    if moment != moment:
        raise InvalidRecord(name, "is no time")
    return moment
