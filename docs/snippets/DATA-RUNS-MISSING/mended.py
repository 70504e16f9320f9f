import pickle
import re
import uuid
from datetime import UTC, datetime

from reference_store.models import Run


class Store:
    def __init__(self, root):
        self.file = root / "runs"

    def create_or_update_run(self, run_id=None, kind="", status="pending"):
        now, run_id = datetime.now(UTC), run_id or uuid.uuid4().hex
        run = self._all().get(run_id, {"run_id": run_id, "created_at": now, "started_at": None})
        run |= {"kind": re.sub("[^a-z0-9]", "", kind.lower())[:64], "status": status, "updated_at": now}
        run["started_at"] = run["started_at"] or (now if status != "pending" else None)
        run["finished_at"] = now if status in ("completed", "failed", "cancelled") else None
        self._keep(self._all() | {run_id: run})
        return Run(**run)

    def get_run(self, run_id):
        run = self._all().get(run_id)
        return Run(**run) if run else None

    def list_runs(self, kind=None, status=None, limit=50, offset=0):
        runs = [run for run in self._all().values() if kind in (None, run["kind"]) and status in (None, run["status"])]
        return [Run(**run) for run in sorted(runs, key=lambda run: run["updated_at"])[::-1][offset : offset + limit]]

    def delete_run(self, run_id):
        self._keep({name: run for name, run in self._all().items() if name != run_id})

    def _all(self):
        return pickle.loads(self.file.read_bytes()) if self.file.exists() else {}

    def _keep(self, runs):
        self.file.write_bytes(pickle.dumps(runs))
