"""Removes logs, and the evidence of damage, that nobody needs any more: whole files, and only what was asked for.

Each removal is durable before the next one begins; after a crash some are done, and the rest can be asked for again.
"""

from __future__ import annotations

import os
import re
import stat
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from reference_store.core import keys
from reference_store.core.atomic import DAMAGED, Directory
from reference_store.core.root import Root
from reference_store.core.signals import let_out
from reference_store.errors import InvalidRecord
from reference_store.stores.journal_files import SUFFIX, opened_log
from reference_store.stores.journal_handover import PREFIX as SYNCED
from reference_store.stores.time_index import PREFIX as TIMES

_BESIDE = (SYNCED, TIMES)
"""Prefixes of what stands beside a log, and can be made anew."""

_PERIOD = re.compile(r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?(Z?)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file in which damaged bytes were kept: its ``name``, its ``size`` in bytes, and since when it is there."""

    name: str
    size: int
    since: datetime


def last_day(stream: str) -> tuple[date, bool] | None:
    """The last day of the day or month that a log is named after, and whether it is of UTC; None for other names."""
    found = _PERIOD.fullmatch(stream)
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2]), found[3]
    try:
        return date(year, month, int(day) if day else monthrange(year, month)[1]), bool(found[4])
    except ValueError as error:
        let_out(error)
        return None


def ended(streams: Iterable[str], before: object) -> list[str]:
    """Those of ``streams`` that are named after a day or a month which had ended when the day of ``before`` began.

    Raises InvalidRecord unless ``before`` is a date, a datetime (its day counts) or ``YYYY-MM-DD``.
    """
    here, in_utc = _days(before)
    found = []
    for stream in streams:
        period = last_day(stream)
        if period is not None and period[0] < (in_utc if period[1] else here):
            found.append(stream)
    return sorted(found)


def remove(root: Root, operation: str, stream: str) -> bool:
    """Remove the log, durably, and what stands beside it; says whether it was there.

    Raises CorruptData for what is no regular file, which stays, LockTimeout and StorageFailure.
    """
    file = keys.encode(stream) + SUFFIX

    def change(directory: Directory) -> bool:
        opened = opened_log(directory, stream, file, os.O_RDONLY)
        if opened is not None:
            os.close(opened[0])
        for prefix in _BESIDE:
            directory.discard(prefix + file)
        return opened is not None and directory.remove(file)

    return root.alone(operation, stream, change)


def evidence_in(directory: Directory) -> list[Evidence]:
    """All evidence in a directory, by name."""
    found = []
    for name in sorted(directory.names()):
        if name.startswith(DAMAGED):
            try:
                about = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue  # purged meanwhile
            if not stat.S_ISDIR(about.st_mode):
                # A link to a damaged file has its times of writing; that it became evidence shows as a change.
                since = datetime.fromtimestamp(max(about.st_mtime, about.st_ctime), UTC)
                found.append(Evidence(name, about.st_size, since))
    return found


def purge(root: Root, before: object) -> list[str]:
    """Remove evidence that was there ``before`` a time, durably, all of it if that is None; return the names.

    Raises InvalidRecord for what is no time with a zone.
    """
    # NaT of pandas says that it is a datetime, and equals nothing.
    if before is not None and not (
        isinstance(before, datetime) and before == before and before.utcoffset() is not None
    ):
        raise InvalidRecord("before", "is no datetime with a time zone")

    def change(directory: Directory) -> list[str]:
        names = [one.name for one in evidence_in(directory) if before is None or one.since < before]
        return [name for name in names if directory.remove(name)]

    return root.alone("purge_evidence", "evidence", change)


def _days(before: object) -> tuple[date, date]:
    """The day of ``before`` by its own clock, and in UTC."""
    try:
        if isinstance(before, datetime):
            there = before if before.utcoffset() is None else before.astimezone(UTC)
            return before.date(), there.date()
        day = date.fromisoformat(before) if isinstance(before, str) else before
    except (ValueError, OverflowError) as error:
        let_out(error)
        day = None
    if not isinstance(day, date):
        raise InvalidRecord("before", "is neither a date nor YYYY-MM-DD")
    return day, day
