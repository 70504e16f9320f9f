"""Times that stores get wrong (DATA-TIME): hours that come twice or never, one instant in two zones, ends of days.

Each row is a few instants as clocks show them, and the ranges in which they are asked for; what has to be found is said
by instants alone. Stores that refuse times with a zone, or times of another zone than before, are not asked.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_tradestore.kits.kit import Case, NotAskedError

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@dataclass(frozen=True, slots=True)
class Timed:
    """How a contract writes something at a time, under a number, and what it reads in a range: times and numbers.

    ``replaces``: of two at one instant the later one counts.
    """

    write: "Callable[[Visit, datetime, int], bool]"
    read: "Callable[[Visit, datetime, datetime], list[tuple[datetime, int]]]"
    replaces: bool


def _at(zone: str, *when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=_zone(zone), fold=fold)  # type: ignore[arg-type,misc] # a date and an hour


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except ZoneInfoNotFoundError:
        raise NotAskedError(f"there is no time zone database here: {name} is not known") from None


_YORK, _LONDON, _TOKYO = "America/New_York", "Europe/London", "Asia/Tokyo"
_HOUR, _DAY, _MOMENT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)


def as_time(told: Any) -> Any:
    """Return a time that can be compared, whether the store gives it as a time or as ISO text; all else as it is."""
    try:
        return datetime.fromisoformat(told) if isinstance(told, str) else told
    except ValueError:
        return told


_NOT_APART = "records are not told apart by their instants"
_RANGES = "ranges are not compared by instants"
_MOVED = "a time comes back as another instant"
_LATEST = "the latest is not told by instants"


def _flaw(told: Collection[tuple[str, int]], there: Collection[tuple[str, int]], *, everything: bool) -> str:
    """Say what is wrong with what was found, of what is there; ``everything``: all of it was asked for.

    Which of the rows has shown it does not matter: one comparison in the store is at fault in all of them.
    """
    instants = {number: when for when, number in there}
    numbers = [number for _, number in told]
    if everything and (len(numbers) != len(instants) or instants.keys() != set(numbers)):
        return _NOT_APART
    return _MOVED if any(instants.get(number, when) != when for when, number in told) else _RANGES


def _no_time_with_a_zone(visit: "Visit", moments: Iterable[Any]) -> "DataViolation | None":
    """Say that one of these times, all written with a zone, has come back without, or as what is no time."""
    for when in moments:
        if not hasattr(when, "tzinfo"):
            return visit.mismatch(
                "a time comes back as what is no datetime", repr(when), "a datetime, or one as ISO text"
            )
        if getattr(when, "tzinfo", None) is None:
            sentence = "a time that was written with a zone comes back without one"
            return visit.mismatch(sentence, when.isoformat(), "one with a zone")
    return None


def _fold() -> list[datetime]:
    return [_at(_YORK, 2026, 11, 1, 1, 30), _at(_YORK, 2026, 11, 1, 1, 30, fold=1), _at(_YORK, 2026, 11, 1, 2, 30)]


def _gap() -> list[datetime]:
    return [_at(_YORK, 2026, 3, 8, 1, 30), _at(_YORK, 2026, 3, 8, 2, 30), _at(_YORK, 2026, 3, 8, 4, 30)]


def _zones() -> list[datetime]:
    return [
        _at(_YORK, 2026, 3, 2, 23, 30),
        _at("UTC", 2026, 3, 3, 1),
        _at(_TOKYO, 2026, 3, 3, 0, 30),
        _at(_LONDON, 2026, 3, 2, 12),
    ]


def _instant() -> list[datetime]:
    return [_at(_YORK, 2026, 3, 2, 9, 30), _at("UTC", 2026, 3, 2, 14, 30), _at(_TOKYO, 2026, 3, 2, 23, 30)]


def _boundaries() -> list[datetime]:
    midnights = [_at(zone, 2026, month, 1) for zone in ("UTC", _YORK, _TOKYO) for month in (2, 3)]
    return [midnight + apart for midnight in midnights for apart in (-_MOMENT, timedelta(0))]


ROWS = {
    "fold": (_fold, "of two times that a clock shows alike when summer time ends, each is its own"),
    "gap": (_gap, "an hour that summer time skips does not move what is beside it"),
    "zones": (_zones, "a time is found where it is, whatever zone it was written in and is asked for in"),
    "instant": (_instant, "one instant in several zones is one instant"),
    "boundaries": (_boundaries, "at the end of a day and of a month nothing is missed or found twice"),
}


def cases(timed: Timed) -> Iterator[Case]:
    """Yield a case for each row."""
    for name, (times, sentence) in ROWS.items():
        yield Case("DATA-TIME", partial(_asked, timed, times, sentence), name)


@dataclass(frozen=True, slots=True)
class Latest:
    """How a contract writes something at a time, under a number, and reads the latest as of a time, or None."""

    write: "Callable[[Visit, datetime, int], bool]"
    read: "Callable[[Visit, datetime], tuple[datetime, int] | None]"


def cases_of_latest(latest: Latest) -> Iterator[Case]:
    """Yield a case for each row, for a contract that reads the latest as of a time instead of ranges."""
    for name, (times, sentence) in ROWS.items():
        yield Case("DATA-TIME", partial(_asked_as_of, latest, times, sentence), name)


def _asked_as_of(
    latest: Latest, times: Callable[[], list[datetime]], sentence: str, visit: "Visit"
) -> "DataViolation | None":
    there = [
        (when.astimezone(UTC), number) for number, when in enumerate(times(), 1) if latest.write(visit, when, number)
    ]
    if not there:
        raise NotAskedError("it takes no times with a zone")
    for _ in range(2):
        for instant in (moment + apart for moment, _ in there for apart in (-_MOMENT, timedelta(0), _HOUR)):
            last = max((when for when, _ in there if when <= instant), default=None)
            wanted = sorted(number for when, number in there if when == last)  # of two at once either is the latest
            for zone in ("UTC", _YORK, _TOKYO):
                found = latest.read(visit, instant.astimezone(_zone(zone)))
                if found is not None and (wrong := _no_time_with_a_zone(visit, [found[0]])):
                    return wrong
                if (found is None) != (last is None) or (found is not None and found[1] not in wanted):
                    told = "nothing" if found is None else _shown([(found[0].isoformat(), found[1])])
                    allowed = _shown([(last.isoformat(), number) for number in wanted]) if last else "nothing"
                    wrong = visit.mismatch(f"it does not hold that {sentence}", told, allowed)
                    return replace(wrong, flaw=_LATEST)
        visit.reopen()
    return None


def cases_of_one(
    write: "Callable[[Visit, datetime, int], bool]", read: "Callable[[Visit, int], datetime]"
) -> Iterator[Case]:
    """Yield a case for each row, for a contract whose records are read by name and have a time in them."""
    for name, (times, sentence) in ROWS.items():
        yield Case("DATA-TIME", partial(_asked_by_name, write, read, times, sentence), name)


def _asked_by_name(
    write: "Callable[[Visit, datetime, int], bool]",
    read: "Callable[[Visit, int], datetime]",
    times: Callable[[], list[datetime]],
    sentence: str,
    visit: "Visit",
) -> "DataViolation | None":
    there = [(number, when) for number, when in enumerate(times(), 1) if write(visit, when, number)]
    if not there:
        raise NotAskedError("it takes no times with a zone")
    for _ in range(2):
        for number, when in there:
            found, wanted = read(visit, number), when.astimezone(UTC)
            if wrong := _no_time_with_a_zone(visit, [found]):
                return wrong
            if found.astimezone(UTC) != wanted:
                wrong = visit.mismatch(f"it does not hold that {sentence}", found.isoformat(), wanted.isoformat())
                return replace(wrong, flaw=_MOVED)
        visit.reopen()
    return None


def _asked(timed: Timed, times: Callable[[], list[datetime]], sentence: str, visit: "Visit") -> "DataViolation | None":
    there: list[tuple[datetime, int]] = []
    for number, when in enumerate(times(), 1):
        if not timed.write(visit, when, number):
            continue
        instant = when.astimezone(UTC)
        there = [old for old in there if not (timed.replaces and old[0] == instant)] + [(instant, number)]
    if not there:
        raise NotAskedError("it takes no times with a zone")
    all_there_is = [(when.isoformat(), number) for when, number in there]
    for _ in range(2):
        for nth, (start, end) in enumerate(_ranges(sorted(instant for instant, _ in there))):
            found = timed.read(visit, start, end)
            if wrong := _no_time_with_a_zone(visit, [when for when, _ in found]):
                return wrong
            told = sorted((when.astimezone(UTC).isoformat(), number) for when, number in found)
            wanted = sorted((when.isoformat(), number) for when, number in there if start <= when <= end)
            if told != wanted:
                wrong = visit.mismatch(f"it does not hold that {sentence}", _shown(told), _shown(wanted))
                return replace(wrong, flaw=_flaw(told, all_there_is, everything=nth == 0))
        visit.reopen()
    return None


def _ranges(instants: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Yield all of it, with days around it for who compares clocks; then, in one zone after the other, all of it, each
    by itself, and all but the first and the last by a moment.
    """
    first, last = instants[0], instants[-1]
    yield first - 2 * _DAY, last + 2 * _DAY
    for start, end in (
        (first - _HOUR, last + _HOUR),
        (first + _MOMENT, last),
        (first, last - _MOMENT),
        *((instant, instant) for instant in instants),
    ):
        for zone in ("UTC", _YORK, _TOKYO):
            yield start.astimezone(_zone(zone)), end.astimezone(_zone(zone))


def _shown(rows: Any) -> str:
    return ", ".join(f"{when} (number {number})" for when, number in rows) or "nothing"
