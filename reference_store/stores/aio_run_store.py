"""The history of runs in one JSON file, for asyncio: the same methods as coroutines."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from reference_store.core.aio_commit import LoopCommits
from reference_store.core.closing import AsyncClosing
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.models import Run
from reference_store.stores.aio import _whole as whole
from reference_store.stores.aio import reading
from reference_store.stores.documents import CLAIMS
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock
from reference_store.stores.run_records import RunRecords, checked_query, random_id


class AsyncRunStore(AsyncClosing, Reopened):
    """RunStore for asyncio; see there. All work on files is done in threads, one hop for a whole call.

    A cancelled call has happened whole or not at all. ``aclose`` closes it.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = ("tasks", *CLAIMS)

    def __init__(
        self,
        root: Place,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = utc_now,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._runs = RunRecords(root, lock_timeout, clock, new_id)
        self._commits = LoopCommits(self._runs.file.commits())

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
        """Create the run, or change what is given of it, durably; see RunStore.create_or_update_run."""
        change = self._runs.upserting(run_id, kind, status, artifact_id, params, metrics, error)
        made: Run = await self._commits.commit(change)
        return made

    async def update_run(self, run_id: str, function: Callable[[Run], Run]) -> Run | None:
        """Store what the synchronous ``function`` makes of the run; see RunStore.update_run."""
        changed: Run | None = await self._commits.commit(self._runs.updating(run_id, function))
        return changed

    async def get_run(self, run_id: str) -> Run | None:
        """Return the run, or None if there is none."""
        return await reading(self._runs.get, run_id)

    async def list_runs(
        self, kind: str | None = None, status: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[Run]:
        """Return runs, the one updated last first; see RunStore.list_runs."""
        return await reading(self._runs.page, checked_query(kind, status, limit, offset), limit, offset)

    async def delete_run(self, run_id: str) -> bool:
        """Remove the run, durably, and say whether it was there."""
        removed: bool = await self._commits.commit(self._runs.deleting(run_id))
        return removed

    async def reseal(self) -> None:
        """Vouch for a ``runs.json`` edited or written by hand; see RunStore.reseal."""
        await whole(self._runs.file.reseal)

    async def aclose(self) -> None:
        """Bring ``runs.json`` up to date if this instance has changed it, and let go of the root; twice is fine."""
        await whole(self._runs.file.close)
