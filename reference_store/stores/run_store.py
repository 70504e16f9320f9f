"""The history of runs in one JSON file, for threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from reference_store.core.closing import Closing
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place
from reference_store.core.strict_json import Document
from reference_store.errors import StoreError
from reference_store.models import Run
from reference_store.stores.documents import CLAIMS
from reference_store.stores.job_records import utc_now
from reference_store.stores.record_file import Clock
from reference_store.stores.run_records import RunRecords, checked_query, random_id


class RunStore(Closing, Reopened):
    """Runs by id in ``<root>/runs.json``, ``{"runs": [...], "updated_at": "ISO string"}``, datetimes as ISO strings.

    Every update is durable on return, updates of several threads that meet are written together, and several instances
    and processes on one root lose none and see each other's. An update costs one line in ``.runs.changes.jsonl`` and
    one sync, however many runs there are; ``runs.json`` is as old as the last time that this log was full (it has about
    the size of ``runs.json``, and at least 64 KiB), or that a store which had changed something was closed.

    A run that a newer version has written, with a status or field that this one does not know, is kept as it is: it is
    not listed, and the log ``reference_store`` says so; ``get_run``, and what would write over it, raise NewerRecord;
    ``delete_run`` removes it.

    Writers wait up to ``lock_timeout`` seconds for others; ``clock`` tells the time, ``new_id`` the id of a run that is
    given none. Raises InvalidIdentifier, InvalidRecord and UnserialisableValue for what cannot be stored, CorruptData
    for files that are not what was acknowledged, StorageFailure, LockTimeout, and StoreClosed after ``close``.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(
        self,
        root: Place,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = utc_now,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._runs = RunRecords(root, lock_timeout, clock, new_id)

    def create_or_update_run(
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
        """Create the run, or change what is given of it, durably, and return it as it is stored.

        Without ``run_id`` a new run gets an id of its own. ``kind`` is needed for a new run; of it lower-case ASCII
        letters and digits are kept, at most 64. A new run is running unless ``status`` says otherwise. ``started_at``
        is set when the run first is no longer pending, ``finished_at`` when it completes, fails or is cancelled, and
        taken back when it goes on after that.
        """
        change = self._runs.upserting(run_id, kind, status, artifact_id, params, metrics, error)
        made: Run = self._runs.file.commit(change)
        return made

    def update_run(self, run_id: str, function: Callable[[Run], Run]) -> Run | None:
        """Store what ``function`` makes of the run and return it; None, without a call, if there is no such run.

        ``function`` is synchronous and quick, and runs under the lock, in any thread: no other change comes in between,
        whichever process makes it. What it raises comes out here and leaves the run as it was. It may be called again
        when a write fails. It must not use a store on the same root. The store keeps the times of the run as
        ``create_or_update_run`` does, whatever ``function`` makes of them.
        """
        changed: Run | None = self._runs.file.commit(self._runs.updating(run_id, function))
        return changed

    def get_run(self, run_id: str) -> Run | None:
        """Return the run, or None if there is none."""
        return self._runs.get(run_id)

    def list_runs(
        self, kind: str | None = None, status: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[Run]:
        """Return runs, the one updated last first, filtered, then at most ``limit`` from ``offset`` on.

        The order is that of the updates, whatever the clock said. Costs what it returns. Raises InvalidRecord for a
        status or kind that no run can have and for a negative limit or offset.
        """
        return self._runs.page(checked_query(kind, status, limit, offset), limit, offset)

    def delete_run(self, run_id: str) -> bool:
        """Remove the run, durably, and say whether it was there."""
        removed: bool = self._runs.file.commit(self._runs.deleting(run_id))
        return removed

    def reseal(self) -> None:
        """Vouch for a ``runs.json`` edited or written by hand; what the log has beyond it is settled on top of it.

        Raises CorruptData when it is no strict JSON with a list of runs that have ids of their own.
        """
        self._runs.file.reseal()

    def close(self) -> None:
        """Bring ``runs.json`` up to date if this instance has changed it, and let go of the root; twice is fine."""
        self._runs.file.close()
