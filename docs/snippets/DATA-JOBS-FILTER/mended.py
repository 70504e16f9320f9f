import pickle
from datetime import UTC, datetime, timedelta


class Store:
    def __init__(self, root):
        self.file, self.progress = root / "jobs", {}

    def save(self, job):
        self.progress.pop(job.job_id, None)
        self._keep(self._all() | {job.job_id: job})

    def get(self, job_id):
        return next((job for job in self.list(limit=10**9) if job.job_id == job_id), None)

    def list(self, status=None, job_type=None, limit=50, offset=0):
        jobs = [
            job.model_copy(update={"progress": self.progress.get(job.job_id, job.progress)})
            for job in self._all().values()
        ]
        found = [job for job in jobs if status in (None, job.status) and job_type in (None, job.job_type)]
        return found[offset : offset + limit]

    def update_progress(self, job_id, progress):
        self.progress[job_id] = progress

    def cleanup(self, days):
        before = datetime.now(UTC) - timedelta(days=days)
        self._keep({name: job for name, job in self._all().items() if not job.finished_at or job.finished_at > before})

    def _all(self):
        return pickle.loads(self.file.read_bytes()) if self.file.exists() else {}

    def _keep(self, jobs):
        self.file.write_bytes(pickle.dumps(jobs))
