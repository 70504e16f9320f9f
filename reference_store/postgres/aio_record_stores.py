"""Jobs and runs on PostgreSQL, for asyncio."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from reference_store.core.strict_json import Document
from reference_store.models import Job, Run, Status
from reference_store.postgres.aio_database import AsyncDatabase
from reference_store.postgres.aio_stores import OnAsyncDatabase
from reference_store.postgres.record_programs import RecordPrograms, understood
from reference_store.postgres.record_stores import ENDED
from reference_store.stores import job_records, run_records
from reference_store.stores.ids import checked_id
from reference_store.stores.job_records import JobChanges, checked_progress, utc_now
from reference_store.stores.record_file import Clock
from reference_store.stores.record_index import Change
from reference_store.stores.run_records import RunChanges, random_id


class AsyncPostgresJobStore(OnAsyncDatabase):
    """PostgresJobStore for asyncio; see there. Functions given to ``update_job`` run in the event loop."""

    def __init__(self, database: AsyncDatabase | str, *, place: str = "jobs", clock: Clock = utc_now) -> None:
        self._programs = RecordPrograms(place, job_records.FORM)
        self._changes = JobChanges(clock)
        super().__init__(database)

    async def save(self, job: Job) -> None:
        """Store ``job`` under its ``job_id``, in place of what was there; its place in listings stays."""
        await self._change("save", job.job_id, self._changes.saving(job))

    async def get(self, job_id: str) -> Job | None:
        """Return the job with its latest progress, or None if there is none."""
        checked_id("job_id", job_id)
        found = await self.database.read("get", job_id, lambda: self._programs.get(job_id))
        return None if found is None else job_records.job_of(found)

    async def list(
        self, status: str | None = None, job_type: str | None = None, limit: int = 100, offset: int = 0
    ) -> builtins.list[Job]:
        """Return jobs in the order in which they were first saved, filtered; see SyncJobStore.list."""
        facets = job_records.checked_query(status, job_type, limit, offset)
        found = await self.database.read("list", "jobs", lambda: self._programs.page(facets, limit, offset))
        return understood(found, job_records.job_of)

    async def update_progress(self, job_id: str, progress: float) -> bool:
        """Set the progress of a job in memory, and say whether there is such a job; see SyncJobStore."""
        progress = checked_progress(job_id, progress)
        return await self.database.read("update_progress", job_id, lambda: self._programs.report(job_id, progress))

    async def update_job(self, job_id: str, function: Callable[[Job], Job]) -> Job | None:
        """Store what ``function`` makes of the job and return it; see SyncJobStore.update_job."""
        changed: Job | None = await self._change("update_job", job_id, self._changes.updating(job_id, function))
        return changed

    async def claim_next(self, job_type: str | None = None, *, worker: str | None = None) -> Job | None:
        """Take a pending job, of this type if one is given, exactly once; None if there is none."""
        change = self._changes.claiming(job_type, worker)
        facets = Status.PENDING.value, job_type
        claimed: Job | None = await self.database.write(
            "claim_next", "jobs", lambda: self._programs.change_first(facets, change)
        )
        return claimed

    async def delete(self, job_id: str) -> bool:
        """Remove the job and say whether it was there."""
        removed: bool = await self._change("delete", job_id, self._changes.deleting(job_id))
        return removed

    async def cleanup(self, days: float) -> int:
        """Remove the jobs that ended more than ``days`` days ago; see SyncJobStore.cleanup."""
        change = self._changes.cleaning(days)
        removed: int = await self.database.write("cleanup", "jobs", lambda: self._programs.change_all(ENDED, change))
        return removed

    async def _change(self, operation: str, job_id: str, change: Change) -> Any:
        return await self.database.write(operation, job_id, lambda: self._programs.change_one(job_id, change))


class AsyncPostgresRunStore(OnAsyncDatabase):
    """PostgresRunStore for asyncio; see there. Functions given to ``update_run`` run in the event loop."""

    def __init__(
        self,
        database: AsyncDatabase | str,
        *,
        place: str = "runs",
        clock: Clock = utc_now,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._programs = RecordPrograms(place, run_records.FORM)
        self._changes, self._new_id = RunChanges(clock, new_id), new_id
        super().__init__(database)

    async def create_or_update_run(
        self,
        run_id: str | None = None,
        kind: str | None = None,
        *,
        status: str | None = None,
        artifact_id: str | None = None,
        params: Document | None = None,
        metrics: Document | None = None,
        error: str | None = None,
    ) -> Run:
        """Create the run, or change what is given of it; see RunStore.create_or_update_run."""
        identifier = checked_id("new_id", self._new_id()) if run_id is None else run_id
        change = self._changes.upserting(identifier, kind, status, artifact_id, params, metrics, error)
        made: Run = await self._change("create_or_update_run", identifier, change)
        return made

    async def update_run(self, run_id: str, function: Callable[[Run], Run]) -> Run | None:
        """Store what ``function`` makes of the run and return it; see RunStore.update_run."""
        changed: Run | None = await self._change("update_run", run_id, self._changes.updating(run_id, function))
        return changed

    async def get_run(self, run_id: str) -> Run | None:
        """Return the run, or None if there is none."""
        checked_id("run_id", run_id)
        found = await self.database.read("get_run", run_id, lambda: self._programs.get(run_id))
        return None if found is None else run_records.run_of(found)

    async def list_runs(
        self, kind: str | None = None, status: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[Run]:
        """Return runs, the one updated last first, filtered; see RunStore.list_runs."""
        facets = run_records.checked_query(kind, status, limit, offset)
        found = await self.database.read(
            "list_runs", "runs", lambda: self._programs.page(facets, limit, offset, latest_first=True)
        )
        return understood(found, run_records.run_of)

    async def delete_run(self, run_id: str) -> bool:
        """Remove the run and say whether it was there."""
        removed: bool = await self._change("delete_run", run_id, self._changes.deleting(run_id))
        return removed

    async def _change(self, operation: str, run_id: str, change: Change) -> Any:
        return await self.database.write(operation, run_id, lambda: self._programs.change_one(run_id, change))
