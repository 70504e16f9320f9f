"""The jobs of a program in one JSON file: durable records, and progress that costs nothing; for asyncio and threads."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import ClassVar

from reference_store.core.aio_commit import LoopCommits
from reference_store.core.closing import AsyncClosing, Closing
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place
from reference_store.errors import StoreError
from reference_store.models import Job
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio import reading
from reference_store.stores.documents import CLAIMS
from reference_store.stores.job_records import JobRecords, checked_progress, checked_query, utc_now
from reference_store.stores.record_file import Clock


class SyncJobStore(Closing, Reopened):
    """Jobs by id in ``<root>/jobs.json``, ``{"jobs": [...], "updated_at": "ISO string"}``, datetimes as ISO strings.

    Nothing is read before the first call. What a call has changed is durable when it returns; changes of several
    threads that meet are written together. Several threads, instances and processes may use one root, lose no change
    and see what others have changed. A change costs one line in ``.jobs.changes.jsonl`` and one sync, however many jobs
    there are; ``jobs.json`` is as old as the last time that this log was full (it has about the size of ``jobs.json``,
    and at least 64 KiB), or that a store which had changed something was closed.

    The progress reported with ``update_progress`` lives in this instance only: it shows in ``get`` and ``list`` until
    the job is saved again, by anybody, whose record then counts; after a restart the progress is the one saved last.

    A job that a newer version has written, with a status or field that this one does not know, is kept as it is: it is
    not listed, claimed or cleaned up, and the log ``reference_store`` says so; ``get``, and what would write over it,
    raise NewerRecord; ``delete`` removes it.

    Waits up to ``lock_timeout`` seconds for other writers; ``clock`` gives the time of ``updated_at``, ``claim_next``
    and ``cleanup``. Raises InvalidIdentifier, InvalidRecord and UnserialisableValue for what cannot be stored,
    CorruptData for files that are not what was acknowledged, StorageFailure, LockTimeout, and StoreClosed after
    ``close``.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(self, root: Place, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._jobs = JobRecords(root, lock_timeout, clock)

    def save(self, job: Job) -> None:
        """Store ``job`` under its ``job_id``, in place of what was there; its place in listings stays."""
        self._jobs.file.commit(self._jobs.saving(job))

    def get(self, job_id: str) -> Job | None:
        """Return the job with its latest progress, or None if there is none."""
        return self._jobs.get(job_id)

    def list(
        self, status: str | None = None, job_type: str | None = None, limit: int = 100, offset: int = 0
    ) -> builtins.list[Job]:
        """Return jobs in the order in which they were first saved, filtered, then at most ``limit`` from ``offset`` on.

        Costs what it returns. Raises InvalidRecord for a status that no job can have, and for a negative limit or
        offset.
        """
        return self._jobs.page(checked_query(status, job_type, limit, offset), limit, offset)

    def update_progress(self, job_id: str, progress: float) -> bool:
        """Set the progress of a job in memory; it is visible at once and nothing is ever written to the disk.

        Says whether there is such a job; one that another process removed less than 0.05 s ago may still count.
        Raises InvalidRecord for a progress that is not a finite number.
        """
        progress = checked_progress(job_id, progress)
        there = self._jobs.reported(job_id, progress)
        return self._jobs.report(job_id, progress) if there is None else there

    def update_job(self, job_id: str, function: Callable[[Job], Job]) -> Job | None:
        """Store what ``function`` makes of the job and return it; None, without a call, if there is no such job.

        ``function`` is synchronous and quick, and runs under the lock, in any thread: no other change comes in between,
        whichever process makes it. What it raises comes out here and leaves the job as it was. It may be called again
        when a write fails. It must not use a store on the same root.
        """
        changed: Job | None = self._jobs.file.commit(self._jobs.updating(job_id, function))
        return changed

    def claim_next(self, job_type: str | None = None, *, worker: str | None = None) -> Job | None:
        """Take the first pending job, of this type if one is given, and return it; None if there is none.

        It is running then, with ``started_at`` and ``claimed_by``: ``worker``, or the names of machine and process.
        Each job is claimed once, whatever threads, tasks and processes ask for it. A claim whose caller is cancelled
        may have happened: the job is among the running ones then, with its ``claimed_by``.
        """
        claimed: Job | None = self._jobs.file.commit(self._jobs.claiming(job_type, worker))
        return claimed

    def delete(self, job_id: str) -> bool:
        """Remove the job, durably, and say whether it was there."""
        removed: bool = self._jobs.file.commit(self._jobs.deleting(job_id))
        return removed

    def cleanup(self, days: float) -> int:
        """Remove, durably, the completed, failed and cancelled jobs that ended more than ``days`` days ago.

        A job without ``finished_at`` is as old as its ``created_at``; naive times are local time. Returns how many
        were removed. Costs a look at each ended job. Raises InvalidRecord for a number of days that is negative or not
        finite.
        """
        removed: int = self._jobs.file.commit(self._jobs.cleaning(days))
        return removed

    def reseal(self) -> None:
        """Vouch for a ``jobs.json`` edited or written by hand; what the log has beyond it is settled on top of it.

        Raises CorruptData when it is no strict JSON with a list of jobs that have ids of their own.
        """
        self._jobs.file.reseal()

    def close(self) -> None:
        """Bring ``jobs.json`` up to date if this instance has changed it, and let go of the root; twice is fine."""
        self._jobs.file.close()


class JobStore(AsyncClosing, Reopened):
    """SyncJobStore for asyncio; see there. All work on files is done in threads, one hop for a whole call.

    A cancelled call has happened whole or not at all. ``aclose`` closes it.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *CLAIMS)

    def __init__(self, root: Place, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._jobs = JobRecords(root, lock_timeout, clock)
        self._commits = LoopCommits(self._jobs.file.commits())

    async def save(self, job: Job) -> None:
        """Store ``job`` under its ``job_id``, durably, in place of what was there; its place in listings stays."""
        await self._commits.commit(self._jobs.saving(job))

    async def get(self, job_id: str) -> Job | None:
        """Return the job with its latest progress, or None if there is none."""
        return await reading(self._jobs.get, job_id)

    async def list(
        self, status: str | None = None, job_type: str | None = None, limit: int = 100, offset: int = 0
    ) -> builtins.list[Job]:
        """Return jobs in the order in which they were first saved, filtered, then at most ``limit`` from ``offset`` on.

        Raises InvalidRecord for a status that no job can have and for a negative limit or offset.
        """
        return await reading(self._jobs.page, checked_query(status, job_type, limit, offset), limit, offset)

    async def update_progress(self, job_id: str, progress: float) -> bool:
        """Set the progress of a job in memory; it is visible at once and nothing is ever written to the disk.

        Says whether there is such a job; one that another process removed less than 0.05 s ago may still count.
        Raises InvalidRecord for a progress that is not a finite number.
        """
        progress = checked_progress(job_id, progress)
        there = self._jobs.reported(job_id, progress)
        return await reading(self._jobs.report, job_id, progress) if there is None else there

    async def update_job(self, job_id: str, function: Callable[[Job], Job]) -> Job | None:
        """Store what the synchronous ``function`` makes of the job; see SyncJobStore.update_job."""
        changed: Job | None = await self._commits.commit(self._jobs.updating(job_id, function))
        return changed

    async def claim_next(self, job_type: str | None = None, *, worker: str | None = None) -> Job | None:
        """Take the first pending job, of this type if one is given, exactly once; see SyncJobStore.claim_next."""
        claimed: Job | None = await self._commits.commit(self._jobs.claiming(job_type, worker))
        return claimed

    async def delete(self, job_id: str) -> bool:
        """Remove the job, durably, and say whether it was there."""
        removed: bool = await self._commits.commit(self._jobs.deleting(job_id))
        return removed

    async def cleanup(self, days: float) -> int:
        """Remove, durably, the jobs that ended more than ``days`` days ago; see SyncJobStore.cleanup."""
        removed: int = await self._commits.commit(self._jobs.cleaning(days))
        return removed

    async def reseal(self) -> None:
        """Vouch for a ``jobs.json`` edited or written by hand; see SyncJobStore.reseal."""
        await whole(self._jobs.file.reseal)

    async def aclose(self) -> None:
        """Bring ``jobs.json`` up to date if this instance has changed it, and let go of the root; twice is fine."""
        await whole(self._jobs.file.close)
