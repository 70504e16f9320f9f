"""What jobs are to a store: how a job is kept, listed, claimed, changed and cleaned up, whoever waits for it and how.

Here is everything that ``JobStore`` and ``SyncJobStore`` share; they add the waiting, for a loop or for a thread.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from math import isfinite
from typing import Any

from reference_store.core.numbers import Inexact, exact_float
from reference_store.core.records import exactly, from_json, instant, iso, to_json
from reference_store.core.root import Place
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, NewerRecord, shown
from reference_store.models import Job, Status
from reference_store.stores.ids import checked_id, checked_page
from reference_store.stores.record_file import Clock, RecordFile, now_of
from reference_store.stores.record_index import Change, Draft, Entry, Facets, Form, Index, Pair, entry, entry_of_checked

FILE = "jobs"
_TERMINAL = tuple(status.value for status in Status if status.terminal)
_log = logging.getLogger("reference_store")


def utc_now() -> datetime:
    """The clock of the stores unless they are given another one."""
    return datetime.now(UTC)


def facets_of(job: Document) -> Pair | None:
    """Return status and type of a job, None if this version does not understand it."""
    status, job_type = job.get("status"), job.get("job_type")
    if type(status) is str and type(job_type) is str and status in _STATUSES and job.keys() <= _FIELDS:
        return status, job_type
    return None


_STATUSES = frozenset(status.value for status in Status)
_FIELDS = frozenset(Job.model_fields)
FORM = Form(FILE, "job_id", facets_of)


class JobChanges:
    """What callers want of jobs, wherever these are kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def saving(self, job: Job) -> Change:
        """Return the change that stores ``job``."""
        job = exactly(Job, job)
        job_id = checked_id("job_id", job.job_id)
        checked_id("job_type", job.job_type)
        new = _entry_of(job)

        def save(draft: Draft) -> None:
            understood(draft.get(job_id))
            draft.put(job_id, new)

        return save

    def updating(self, job_id: str, function: Callable[[Job], Job]) -> Change:
        """Return the change that stores what ``function`` makes of the job; its result is that job, or None."""
        checked_id("job_id", job_id)
        checked_function(function)

        def update(draft: Draft) -> Job | None:
            found = draft.get(job_id)
            if found is None:
                return None
            changed = exactly(Job, function(job_of(found)))
            if changed.job_id != job_id:
                raise InvalidRecord("job_id", "was changed by the function; a job keeps its id")
            checked_id("job_type", changed.job_type)
            new = _entry_of(changed)
            draft.put(job_id, new)
            return job_of(new)

        return update

    def claiming(self, job_type: str | None, worker: str | None) -> Change:
        """Return the change that gives the first pending job to ``worker``; its result is that job, or None."""
        if job_type is not None:
            checked_id("job_type", job_type)
        who = f"{platform.node()}:{os.getpid()}" if worker is None else worker
        if not isinstance(who, str):
            raise InvalidRecord("worker", "is not text")
        entry({"worker": who})  # refused now rather than in the middle of others' changes

        def claim(draft: Draft) -> Job | None:
            while (found := draft.first((Status.PENDING.value, job_type))) is not None:
                try:
                    understood(found)
                    break
                except NewerRecord:
                    draft.set_aside(found)
            if found is None:
                return None
            now = iso(now_of(self._clock), "clock")
            claimed = {"status": Status.RUNNING.value, "started_at": now, "claimed_by": who}
            new = entry_of_checked({**found.content, **claimed})
            draft.put(found.content["job_id"], new)
            return job_of(new)

        return claim

    def deleting(self, job_id: str) -> Change:
        """Return the change that removes the job; its result says whether it was there."""
        checked_id("job_id", job_id)
        return lambda draft: draft.remove(job_id)

    def cleaning(self, days: float) -> Change:
        """Return the change that removes jobs which ended more than ``days`` ago; its result is their number."""
        if type(days) not in (int, float) or not (days >= 0 and days < float("inf")):
            raise InvalidRecord("days", "is not a number from 0 on")
        try:
            end = instant(now_of(self._clock)) - timedelta(days=days)
        except OverflowError:
            return lambda _: 0  # before the beginning of the calendar

        def clean(draft: Draft) -> int:
            ended = [found for status in _TERMINAL for found in draft.each((status, None)) if _ended_before(found, end)]
            for found in ended:
                draft.remove(found.content["job_id"])
            return len(ended)

        return clean


class JobRecords(JobChanges):
    """The jobs of one root: reads, and changes to be made durable by ``file``."""

    def __init__(self, root: Place, lock_timeout: float, clock: Clock) -> None:
        super().__init__(clock)
        self.file = RecordFile(root, FORM, lock_timeout, clock)

    def get(self, job_id: str) -> Job | None:
        """Return the job with its latest progress, or None; raises NewerRecord."""
        checked_id("job_id", job_id)
        found = self.file.read("get", lambda index: index.entries.get(job_id))
        return None if found is None else job_of(found)

    def page(self, facets: Facets, limit: int, offset: int) -> list[Job]:
        """Return jobs in the order in which they were first saved."""

        def page(index: Index) -> list[Entry]:
            return index.page(facets, limit, offset)

        return self.file.listed("list", page, job_of)

    def reported(self, job_id: str, progress: float) -> bool | None:
        """Do what ``report`` does if that takes no look at the disk; None if it takes one."""
        return self.file.glance(partial(_attach, job_id=job_id, progress=progress))

    def report(self, job_id: str, progress: float) -> bool:
        """Attach ``progress`` to the record that is there now, in memory, and say whether there is one."""
        return self.file.read("update_progress", partial(_attach, job_id=job_id, progress=progress), roughly=True)


def _attach(index: Index, job_id: str, progress: float) -> bool:
    found = index.entries.get(job_id)
    if found is not None:
        found.progress = progress
    return found is not None


def checked_progress(job_id: str, progress: float) -> float:
    """Return ``progress`` as it is kept; raises InvalidRecord for what is not a finite number that a float can hold."""
    checked_id("job_id", job_id)
    try:
        found = exact_float(progress)
    except Inexact as error:
        raise InvalidRecord("progress", f"is not a finite number: it {error}") from None
    if not isfinite(found):
        raise InvalidRecord("progress", "is not a finite number")
    return found


def checked_query(status: str | None, job_type: str | None, limit: int, offset: int) -> Facets:
    """Return what is asked for; raises InvalidRecord for what no job can be, and for a negative limit or offset."""
    checked_page(limit, offset)
    if job_type is not None and not isinstance(job_type, str):
        raise InvalidRecord("job_type", "is not text")
    return (None if status is None else status_of(status)), job_type


def status_of(status: str) -> str:
    """Return the text of a status; raises InvalidRecord for what is none."""
    if type(status) is not Status and (type(status) is not str or status not in _STATUSES):
        raise InvalidRecord("status", f"is none of {', '.join(Status)}")
    return Status(status).value


def checked_function(function: Any) -> None:
    """Raise TypeError unless ``function`` can be called and is over when it returns."""
    if not callable(function):
        raise TypeError(f"the function is of type {type(function).__name__}: it cannot be called")


def understood(found: Entry | None) -> None:
    """Raise NewerRecord for a record that this version does not understand, and must not write over."""
    if found is not None and not found.understood:
        job_of(found)


def job_of(found: Entry) -> Job:
    """Return the job with its latest progress; raises NewerRecord for one that this version does not understand."""
    if not found.understood and (strange := sorted(found.content.keys() - _FIELDS)):
        raise NewerRecord(found.content["job_id"], FILE + ".json", f"it has a field {shown(strange[0])}")
    members = found.copy()
    if found.progress is not None:
        members["progress"] = found.progress
    try:
        job = from_json(Job, members, FILE, FILE + ".json")
    except CorruptData as unknown:
        raise NewerRecord(found.content["job_id"], FILE + ".json", unknown.reason) from None
    found.understood = True
    return job


def _entry_of(job: Job) -> Entry:
    members = to_json(job)
    if members["claimed_by"] is None:
        del members["claimed_by"]  # as version 0.1.0 has it
    made = entry(members)
    made.understood = True
    return made


def _ended_before(job: Entry, end: datetime) -> bool:
    text: Any = job.content.get("finished_at") or job.content.get("created_at")
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        let_out(error)
        _log.warning("job %s is kept: its times are not understood", shown(job.content.get("job_id")))
        return False
    try:
        return instant(moment) < end
    except (OverflowError, ValueError) as error:  # a naive time at one of the ends of the calendar
        let_out(error)
        return moment.year == 1
