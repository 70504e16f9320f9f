"""The history of runs in one JSON file, for threads."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

from reference_store.core.records import from_json, instant, iso
from reference_store.core.reopening import Reopened
from reference_store.core.root import LOCK_TIMEOUT, Place
from reference_store.core.strict_json import Document
from reference_store.errors import InvalidRecord, StoreError
from reference_store.models import Run, Status
from reference_store.stores.documents import CLAIMS
from reference_store.stores.ids import checked_artifact_id, checked_id, checked_page, normalised_kind
from reference_store.stores.job_store import utc_now
from reference_store.stores.record_file import Clock, Entry, RecordFile, entry, entry_of_checked

FILE = "runs"


class RunStore(Reopened):
    """Runs by id in ``<root>/runs.json``, ``{"runs": [...], "updated_at": "ISO string"}``, datetimes as ISO strings.

    Every update is durable on return, updates of several threads that meet are written together, and several instances
    and processes on one root lose none. Writers wait up to ``lock_timeout`` seconds for others; ``clock`` tells the
    time. Raises InvalidIdentifier, InvalidRecord and UnserialisableValue for what cannot be stored, CorruptData when
    neither the file nor its backup is sound, StorageFailure, LockTimeout, and StoreClosed after ``close``.
    """

    tradestore_errors: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    tradestore_claims: ClassVar[tuple[str, ...]] = CLAIMS

    def __init__(self, root: Place, *, lock_timeout: float = LOCK_TIMEOUT, clock: Clock = utc_now) -> None:
        self._file = RecordFile(root, FILE, "run_id", lock_timeout, clock)
        self._clock = clock

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
        given = _given(run_id, kind, status, artifact_id, params, metrics, error)
        identifier: str = given.setdefault("run_id", uuid4().hex)

        def upsert(runs: dict[str, Entry]) -> Entry:
            before = runs.get(identifier)
            now = iso(self._clock(), "clock")
            new = entry_of_checked(_merged(before.content if before is not None else None, given, now))
            runs.pop(identifier, None)  # the order of the file is the order of the updates
            runs[identifier] = new
            return new

        return _run(self._file.update(upsert))

    def get_run(self, run_id: str) -> Run | None:
        """Return the run, or None if there is none."""
        checked_id("run_id", run_id)
        found = self._file.entries("get_run").get(run_id)
        return None if found is None else _run(found)

    def list_runs(
        self, kind: str | None = None, status: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[Run]:
        """Return runs, the one updated last first, filtered, then at most ``limit`` from ``offset`` on.

        Raises InvalidRecord for a status or kind that no run can have and for a negative limit or offset.
        """
        checked_page(limit, offset)
        wanted = {}
        if kind is not None:
            wanted["kind"] = normalised_kind(kind)
        if status is not None:
            wanted["status"] = _status(status)
        found = [
            run
            for run in reversed(list(self._file.entries("list_runs").values()))
            if all(run.content[name] == value for name, value in wanted.items())
        ]
        found.sort(key=_updated_at, reverse=True)  # stable: of two at the same time the later update comes first
        return [_run(run) for run in found[offset : offset + limit]]

    def delete_run(self, run_id: str) -> bool:
        """Remove the run, durably, and say whether it was there."""
        checked_id("run_id", run_id)
        removed: bool = self._file.update(lambda runs: runs.pop(run_id, None) is not None)
        return removed

    def close(self) -> None:
        """Let go of the root; closing twice is fine."""
        self._file.root.close()


def _given(
    run_id: str | None,
    kind: str | None,
    status: str | None,
    artifact_id: str | None,
    params: Document | None,
    metrics: Document | None,
    error: str | None,
) -> Document:
    """What is given, checked before anything waits for a lock."""
    given: Document = {}
    if run_id is not None:
        given["run_id"] = checked_id("run_id", run_id)
    if kind is not None:
        given["kind"] = normalised_kind(kind)
    if status is not None:
        given["status"] = _status(status)
    if artifact_id is not None:
        given["artifact_id"] = checked_artifact_id(artifact_id)
    for name, members in (("params", params), ("metrics", metrics)):
        if members is not None:
            given[name] = entry(members).content  # refused now rather than in the middle of others' updates
    if error is not None:
        if not isinstance(error, str):
            raise InvalidRecord("error", "is not text")
        given["error"] = entry({"error": error}).content["error"]
    return given


def _merged(before: Document | None, given: Document, now: str) -> Document:
    if before is None:
        if "kind" not in given:
            raise InvalidRecord("kind", "is missing from a new run")
        before = {
            "run_id": given["run_id"], "kind": given["kind"], "status": Status.RUNNING.value, "created_at": now,
            "updated_at": now, "started_at": None, "finished_at": None, "artifact_id": None,
            "params": {}, "metrics": {}, "error": None,
        }  # fmt: skip
        given = {"status": Status.RUNNING.value, **given}
    after = {**before, **given, "updated_at": now}
    if "status" in given:
        status = Status(given["status"])
        if status is not Status.PENDING and after["started_at"] is None:
            after["started_at"] = now
        if not status.terminal:
            after["finished_at"] = None
        elif after["finished_at"] is None or before["status"] != status:
            after["finished_at"] = now
    return after


def _run(found: Any) -> Run:
    # Validation makes new containers: what the caller does to them does not reach what is remembered.
    return from_json(Run, found.content, FILE, FILE + ".json")


def _updated_at(run: Entry) -> datetime:
    return instant(datetime.fromisoformat(run.content["updated_at"]))


def _status(status: str) -> str:
    try:
        return Status(status).value
    except ValueError:
        raise InvalidRecord("status", f"is none of {', '.join(Status)}") from None
