"""What runs are to a store: how a run is created, changed, kept and listed, whoever waits for it and how.

Here is everything that ``RunStore`` and ``AsyncRunStore`` share; they add the waiting, for a thread or for a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from reference_store.core.records import exactly, from_json, iso, to_json
from reference_store.core.root import Place
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, NewerRecord, shown
from reference_store.models import Run, Status
from reference_store.stores.ids import checked_artifact_id, checked_id, checked_page, normalised_kind
from reference_store.stores.job_records import checked_function, status_of
from reference_store.stores.record_file import Clock, RecordFile, now_of
from reference_store.stores.record_index import Change, Draft, Entry, Facets, Form, Index, Pair, entry, entry_of_checked

FILE = "runs"
_CHANGEABLE = ("kind", "status", "artifact_id", "params", "metrics", "error")
"""What ``updating`` takes over from the function."""
_STATUSES = frozenset(status.value for status in Status)
_FIELDS = frozenset(Run.model_fields)


def facets_of(run: Document) -> Pair | None:
    """Return kind and status of a run, None if this version does not understand it."""
    kind, status = run.get("kind"), run.get("status")
    if type(kind) is str and type(status) is str and status in _STATUSES and run.keys() <= _FIELDS:
        return kind, status
    return None


FORM = Form(FILE, "run_id", facets_of, latest_last=True)


def random_id() -> str:
    """Return an id that nothing else has."""
    return uuid4().hex


class RunChanges:
    """What callers want of runs, wherever these are kept."""

    def __init__(self, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock, self._new_id = clock, new_id

    def upserting(
        self,
        run_id: str | None,
        kind: str | None,
        status: str | None,
        artifact_id: str | None,
        params: Document | None,
        metrics: Document | None,
        error: str | None,
    ) -> Change:
        """Return the change that creates the run or changes what is given of it; its result is the run."""
        given = _given(run_id, kind, status, artifact_id, params, metrics, error)
        if "run_id" not in given:
            given["run_id"] = checked_id("new_id", self._new_id())
        identifier: str = given["run_id"]

        def upsert(draft: Draft) -> Run:
            before = draft.get(identifier)
            if before is not None:
                run_of(before)
            return self._put(draft, _merged(before.content if before is not None else None, given, self._now()))

        return upsert

    def updating(self, run_id: str, function: Callable[[Run], Run]) -> Change:
        """Return the change that stores what ``function`` makes of the run; its result is that run, or None."""
        checked_id("run_id", run_id)
        checked_function(function)

        def update(draft: Draft) -> Run | None:
            before = draft.get(run_id)
            if before is None:
                return None
            changed = exactly(Run, function(run_of(before)))
            if changed.run_id != run_id:
                raise InvalidRecord("run_id", "was changed by the function; a run keeps its id")
            members = to_json(changed)
            after = {name: members[name] for name in _CHANGEABLE if members[name] != before.content.get(name)}
            given = _given(
                run_id,
                *(after.get(name) for name in ("kind", "status", "artifact_id", "params", "metrics", "error")),
            )
            gone: Document = {name: None for name in ("artifact_id", "error") if name in after and after[name] is None}
            return self._put(draft, _merged(before.content, {**given, **gone}, self._now()))

        return update

    def deleting(self, run_id: str) -> Change:
        """Return the change that removes the run; its result says whether it was there."""
        checked_id("run_id", run_id)
        return lambda draft: draft.remove(run_id)

    def _now(self) -> str:
        return iso(now_of(self._clock), "clock")

    def _put(self, draft: Draft, members: Document) -> Run:
        new = entry_of_checked(members)
        run = run_of(new)
        draft.put(run.run_id, new)
        return run


class RunRecords(RunChanges):
    """The runs of one root: reads, and changes to be made durable by ``file``."""

    def __init__(self, root: Place, lock_timeout: float, clock: Clock, new_id: Callable[[], str]) -> None:
        super().__init__(clock, new_id)
        self.file = RecordFile(root, FORM, lock_timeout, clock)

    def get(self, run_id: str) -> Run | None:
        """Return the run, or None; raises NewerRecord."""
        checked_id("run_id", run_id)
        found = self.file.read("get_run", lambda index: index.entries.get(run_id))
        return None if found is None else run_of(found)

    def page(self, facets: Facets, limit: int, offset: int) -> list[Run]:
        """Return runs, the one updated last first."""

        def page(index: Index) -> list[Entry]:
            return index.page(facets, limit, offset, latest_first=True)

        return self.file.listed("list_runs", page, run_of)


def checked_query(kind: str | None, status: str | None, limit: int, offset: int) -> Facets:
    """Return what is asked for; raises InvalidRecord for what no run can be, and for a negative limit or offset."""
    checked_page(limit, offset)
    return (
        None if kind is None else normalised_kind(kind),
        None if status is None else status_of(status),
    )


def run_of(found: Entry) -> Run:
    """Return the run; raises NewerRecord for one that this version does not understand."""
    if strange := sorted(found.content.keys() - _FIELDS):
        raise NewerRecord(found.content["run_id"], FILE + ".json", f"it has a field {shown(strange[0])}")
    # Validation makes new containers: what the caller does to them does not reach what is remembered.
    try:
        return from_json(Run, found.content, FILE, FILE + ".json")
    except CorruptData as unknown:
        raise NewerRecord(found.content["run_id"], FILE + ".json", unknown.reason) from None


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
        given["status"] = status_of(status)
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
