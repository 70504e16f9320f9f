"""Jobs and runs as guidelines describe them: a temporary file, ``os.replace``, and no fsync anywhere."""

import asyncio
import json
import os
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from reference_store.models import Job, Run
from tests.broken_stores import breaks

_RUN_ID_RE = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_TERMINAL = ("completed", "failed", "cancelled")


def _now() -> str:
    return datetime.now(UTC).isoformat()


@breaks(
    "jobs",
    ATOM_2="partly lost write jobs.tmp",
    DATA_ALIAS="what save() was given after the call shows",
    DUR_2="partly lost write jobs.tmp",
    DUR_4="lost rename jobs.tmp -> jobs.json",
    RACE_1="then gives nothing",
    RACE_2="then gives nothing",
    RACE_4="gives nothing, and no order of the calls explains that",
    RACE_6="because of another caller",
)
class SeedJobStore:
    """all jobs in one file, loaded lazily, written to ``.tmp`` and replaced, never synced."""

    def __init__(self, root: Path):
        self._file = root / "jobs.json"
        self._jobs: dict[str, Job] | None = None
        self._lock = asyncio.Lock()

    async def _ensure_loaded(self):
        if self._jobs is None:
            self._jobs = await asyncio.to_thread(self._load)

    def _load(self):
        if not self._file.exists():
            return {}
        listed = json.loads(self._file.read_text())["jobs"]
        return {fields["job_id"]: Job.model_validate_json(json.dumps(fields)) for fields in listed}

    async def _flush(self):
        jobs = [json.loads(job.model_dump_json()) for job in self._jobs.values()]
        await asyncio.to_thread(self._write, {"jobs": jobs, "updated_at": _now()})

    def _write(self, document):
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps(document, indent=2))
        os.replace(temporary, self._file)

    async def save(self, job):
        async with self._lock:
            await self._ensure_loaded()
            self._jobs[job.job_id] = job
            await self._flush()

    async def get(self, job_id):
        await self._ensure_loaded()
        return self._jobs.get(job_id)

    async def list(self, status=None, job_type=None, limit=50, offset=0):
        await self._ensure_loaded()
        found = [j for j in self._jobs.values() if status in (None, j.status) and job_type in (None, j.job_type)]
        return found[offset : offset + limit]

    async def update_progress(self, job_id, progress):
        await self._ensure_loaded()
        self._jobs[job_id].progress = progress

    async def cleanup(self, days):
        before = datetime.now(UTC) - timedelta(days=days)
        async with self._lock:
            await self._ensure_loaded()
            old = [j.job_id for j in self._jobs.values() if j.status in _TERMINAL and j.finished_at < before]
            for job_id in old:
                del self._jobs[job_id]
            await self._flush()
        return len(old)


@breaks(
    "runs",
    ATOM_2="partly lost write runs.tmp",
    DUR_2="partly lost write runs.tmp",
    DUR_4="lost rename runs.tmp -> runs.json",
    RACE_2="then gives nothing",
)
class SeedRunStore:
    """all runs in one file under a lock, written to ``.tmp`` and replaced, never synced."""

    def __init__(self, root: Path):
        self._file = root / "runs.json"
        self._lock = threading.Lock()

    def _load(self):
        return json.loads(self._file.read_text())["runs"] if self._file.exists() else []

    def _write(self, runs):
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"runs": runs, "updated_at": _now()}, indent=2))
        os.replace(temporary, self._file)

    def create_or_update_run(self, run_id=None, kind="", status="pending"):
        run_id = run_id or uuid4().hex
        if not _RUN_ID_RE.fullmatch(run_id):
            raise ValueError(f"not a run id: {run_id!r}")
        with self._lock:
            runs = self._load()
            known = next((run for run in runs if run["run_id"] == run_id), None)
            now = _now()
            run = known or {"run_id": run_id, "created_at": now, "started_at": None, "finished_at": None}
            run |= {"kind": re.sub("[^a-z0-9]", "", kind.lower())[:64], "status": status, "updated_at": now}
            run["started_at"] = run["started_at"] or (now if status != "pending" else None)
            run["finished_at"] = now if status in _TERMINAL else None
            self._write(runs if known else [*runs, run])
        return Run.model_validate_json(json.dumps(run))

    def get_run(self, run_id):
        return next((run for run in self._all() if run.run_id == run_id), None)

    def _all(self):
        with self._lock:
            return [Run.model_validate_json(json.dumps(run)) for run in self._load()]

    def list_runs(self, kind=None, status=None, limit=50, offset=0):
        found = [run for run in self._all() if kind in (None, run.kind) and status in (None, run.status)]
        return sorted(found, key=lambda run: run.updated_at, reverse=True)[offset : offset + limit]

    def delete_run(self, run_id):
        with self._lock:
            self._write([run for run in self._load() if run["run_id"] != run_id])
