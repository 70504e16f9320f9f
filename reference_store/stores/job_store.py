"""The jobs of a program in one JSON file, for asyncio: durable records, and progress that costs nothing."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from reference_store.core.aio_commit import LoopCommits
from reference_store.core.records import checked, from_json, instant, to_json
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place
from reference_store.errors import InvalidRecord, StoreError
from reference_store.models import Job, Status
from reference_store.stores.aio import reading
from reference_store.stores.documents import CLAIMS
from reference_store.stores.ids import checked_id, checked_page
from reference_store.stores.record_file import Clock, Entry, RecordFile, entry

FILE = "jobs"


def utc_now() -> datetime:
    """The clock of the stores unless they are given another one."""
    return datetime.now(UTC)


class JobStore(Reopened):
    """Jobs by id in ``<root>/jobs.json``, ``{"jobs": [...], "updated_at": "ISO string"}``, datetimes as ISO strings.

    Nothing is read before the first call. A saved job is durable when ``save`` returns; saves that wait at the same
    time are written together. Several tasks, instances and processes may use one root and lose no update. The progress
    reported with ``update_progress`` lives in this instance only: it shows in ``get`` and ``list`` until the job is
    saved again, by anybody, whose record then counts; after a restart the progress is the one saved last.

    Waits up to ``lock_timeout`` seconds for other writers; ``clock`` gives the time of ``updated_at`` and ``cleanup``.
    A cancelled call has happened whole or not at all. Raises InvalidIdentifier, InvalidRecord and UnserialisableValue
    for what cannot be stored, CorruptData when neither the file nor its backup is sound, StorageFailure, LockTimeout,
    and StoreClosed after ``aclose``.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *CLAIMS)

    def __init__(self, root: Place, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._file = RecordFile(root, FILE, "job_id", lock_timeout, clock)
        self._commits = LoopCommits(self._file.updates())
        self._clock = clock
        # Progress by job, with the record that it was reported about.
        self._progress: dict[str, tuple[Entry, float]] = {}

    async def save(self, job: Job) -> None:
        """Store ``job`` under its ``job_id``, durably, in place of what was there; its place in listings stays."""
        job = checked(Job, job)
        job_id = checked_id("job_id", job.job_id)
        checked_id("job_type", job.job_type)
        new = entry(to_json(job))

        def upsert(jobs: dict[str, Entry]) -> None:
            jobs[job_id] = new

        await self._commits.commit(upsert)

    async def get(self, job_id: str) -> Job | None:
        """Return the job with its latest progress, or None if there is none."""
        checked_id("job_id", job_id)
        found = (await reading(self._file.entries, "get")).get(job_id)
        return None if found is None else self._job(found)

    async def list(
        self, status: str | None = None, job_type: str | None = None, limit: int = 100, offset: int = 0
    ) -> builtins.list[Job]:
        """Return jobs in the order in which they were first saved, filtered, then at most ``limit`` from ``offset`` on.

        Raises InvalidRecord for a status that no job can have and for a negative limit or offset.
        """
        wanted = None if status is None else _status(status)
        checked_page(limit, offset)
        entries = await reading(self._file.entries, "list")
        found = [
            entry
            for entry in entries.values()
            if (wanted is None or entry.content["status"] == wanted)
            and (job_type is None or entry.content["job_type"] == job_type)
        ]
        return [self._job(entry) for entry in found[offset : offset + limit]]

    async def update_progress(self, job_id: str, progress: float) -> bool:
        """Set the progress of a job in memory; it is visible at once and nothing is ever written to the disk.

        Says whether there is such a job. Raises InvalidRecord for a progress that is not a finite number.
        """
        if type(progress) not in (int, float) or not abs(progress) < float("inf"):
            raise InvalidRecord("progress", "is not a finite number")
        entries: Mapping[str, Entry] | None = self._file.known()
        if entries is None or job_id not in entries:
            checked_id("job_id", job_id)
            entries = await reading(self._file.entries, "update_progress")
        found = entries.get(job_id)
        if found is None:
            return False
        self._progress[job_id] = (found, float(progress))
        return True

    async def cleanup(self, days: float) -> int:
        """Remove, durably, the completed, failed and cancelled jobs that ended more than ``days`` days ago.

        A job without ``finished_at`` is as old as its ``created_at``; naive times are local time. Returns how many
        were removed. Raises InvalidRecord for a number of days that is negative or not finite.
        """
        if type(days) not in (int, float) or not 0 <= days < float("inf"):
            raise InvalidRecord("days", "is not a number from 0 on")
        end = instant(self._clock()) - timedelta(days=days)

        def remove_old(jobs: dict[str, Entry]) -> int:
            old = [job_id for job_id, job in jobs.items() if _ended_before(job, end)]
            for job_id in old:
                del jobs[job_id]
            return len(old)

        removed: int = await self._commits.commit(remove_old)
        return removed

    async def aclose(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._file.root.close()

    def _job(self, found: Entry) -> Job:
        job = from_json(Job, found.copy(), FILE, FILE + ".json")
        reported = self._progress.get(job.job_id)
        if reported is not None:
            about, progress = reported
            if about is found:
                job.progress = progress
            else:
                self._progress.pop(job.job_id, None)
        return job


def _status(status: str) -> Status:
    try:
        return Status(status)
    except ValueError:
        raise InvalidRecord("status", f"is none of {', '.join(Status)}") from None


def _ended_before(job: Entry, end: datetime) -> bool:
    if not Status(job.content["status"]).terminal:
        return False
    return instant(datetime.fromisoformat(job.content["finished_at"] or job.content["created_at"])) < end
