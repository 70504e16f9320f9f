"""Trading contracts in plain files: a manifest that switches months, one file per document, logs of sealed lines."""

import json
import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from pytest_tradestore.records import plain
from reference_store.models import Event, FundamentalData, Job, PriceBar, Run
from tests.sound_stores.files import (
    append_or_take_back,
    cut_torn_tail,
    encode,
    file_name,
    locked,
    log_line,
    make_directory,
    read_document,
    read_log,
    replace_durably,
    sync_directory,
    write_synced,
)

TERMINAL = ("completed", "failed", "cancelled")


PRICES = ("symbol", "open", "high", "low", "close", "volume")
"""What a bar says beside its date."""


class PlainBars:
    """A directory per symbol: months in files of a generation each, and a manifest that says which ones count.

    All months of a call are durable before the one rename that switches to them.
    """

    def __init__(self, root: Path):
        self.root, self.prices = root, root / "prices"
        make_directory(self.prices)

    def write_bars(self, symbol, bars):
        if not bars:
            return
        with locked(self.root):
            directory = self.prices / file_name(symbol)
            make_directory(directory)
            manifest = self._manifest(directory)
            months = {}
            for bar in bars:
                months.setdefault(f"{bar.date:%Y-%m}", []).append(bar)
            generation = manifest["generation"] + 1
            named = dict(manifest["months"])
            for month, new in months.items():
                merged = self._merged(self._read(directory, named.get(month)), new)
                named[month] = f"{month}.{generation}"
                write_synced(
                    directory / named[month],
                    json.dumps([self._row(bar) for bar in merged]),
                )
            self._sync_months(directory)
            replace_durably(directory / "manifest", json.dumps({"generation": generation, "months": named}))
            for name in os.listdir(directory):
                if name not in (*named.values(), "manifest"):
                    (directory / name).unlink()  # of a generation before, or left by a crash

    def read_bars(self, symbol, start, end):
        directory = self.prices / file_name(symbol)
        months = self._manifest(directory)["months"]
        while True:
            try:
                found = self._bars_of(directory, months, start, end)
                break
            except FileNotFoundError:  # a writer has removed it: by then the manifest names another
                known, months = months, self._manifest(directory)["months"]
                if months == known:
                    raise
        return self._sorted([bar for bar in found if self._inside(start, bar.date, end)])

    def _bars_of(self, directory, months, start, end):
        return [
            bar
            for month in sorted(months)
            if self._touches(month, start, end)
            for bar in self._read(directory, months[month])
        ]

    def _merged(self, known, new):
        return self._sorted({bar.date: bar for bar in [*known, *new]}.values())

    def _sorted(self, bars):
        return sorted(bars, key=lambda bar: bar.date)

    def _inside(self, start, when, end):
        return start <= when <= end

    def _sync_months(self, directory):
        sync_directory(directory)  # the manifest must never name a file that is not there

    def _touches(self, month, start, end):
        """Months are those of the bars' own zones, which may be a day away from those of the range."""
        day = timedelta(days=1)
        return f"{start - day:%Y-%m}" <= month <= f"{end + day:%Y-%m}"

    def _manifest(self, directory):
        return read_document(directory / "manifest") or {"generation": 0, "months": {}}

    def _row(self, bar):
        return {name: getattr(bar, name) for name in PRICES} | {"date": bar.date.isoformat()}

    def _read(self, directory, name):
        try:
            rows = json.loads((directory / name).read_text()) if name else ()
        except RecursionError:
            raise ValueError("the bars are nested too deeply") from None
        return [PriceBar(**row | {"date": datetime.fromisoformat(row["date"])}) for row in rows]


class PlainFundamentals:
    """All that was published about a symbol in one file."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "fundamentals"
        make_directory(self.directory)

    def write_fundamental(self, symbol, data):
        path = self.directory / file_name(symbol)
        with locked(self.root):
            known = (read_document(path) or {"published": []})["published"]
            replace_durably(path, json.dumps({"published": [*known, json.loads(data.model_dump_json())]}))

    def read_fundamental(self, symbol, as_of=None):
        known = (read_document(self.directory / file_name(symbol)) or {"published": []})["published"]
        data = [FundamentalData.model_validate_json(json.dumps(one)) for one in known]
        return self._latest([d for d in data if as_of is None or self._known(d.timestamp, as_of)])

    def _known(self, when, as_of):
        return when <= as_of

    def _latest(self, data):
        return max(data, key=lambda d: d.timestamp, default=None)


class PlainEvents:
    """One log of sealed lines; a torn line is cut off when the store is opened."""

    def __init__(self, root: Path):
        self.root, self.log = root, root / "events.log"
        with locked(root):
            self._repair()

    def _repair(self):
        cut_torn_tail(self.log)

    def write_event(self, event):
        with locked(self.root):
            append_or_take_back(self.log, log_line(json.loads(event.model_dump_json())))

    def read_events(self, start, end, types=None):
        found = [Event.model_validate_json(json.dumps(line)) for line in read_log(self.log)]
        return [e for e in found if start <= e.timestamp <= end and (types is None or self._asked_for(e.type, types))]

    def _asked_for(self, kind, types):
        return kind in types


class PlainStates:
    """One file per strategy."""

    def __init__(self, root: Path):
        self.root, self.directory = root, root / "state"
        make_directory(self.directory)

    def save_strategy_state(self, strategy_name, state):
        text = encode(state)
        with locked(self.root):
            replace_durably(self.directory / file_name(strategy_name), text)

    def load_strategy_state(self, strategy_name):
        return read_document(self.directory / file_name(strategy_name))


class PlainAudit:
    """A log of sealed lines per day and kind; a torn line is cut off before the next one, and in no other case."""

    def __init__(self, root: Path):
        self.root = root
        for part in ("audit", "audit/decisions", "audit/orders"):
            make_directory(root / part)
        self._repaired = None

    def log_decision(self, strategy_name, decision):
        self._log("decisions", {"strategy": strategy_name, "decision": plain(decision)})

    def log_order(self, strategy_name, order, result):
        self._log("orders", {"strategy": strategy_name, "order": plain(order), "result": plain(result)})

    def _log(self, kind, record):
        path = self._path(kind, datetime.now())  # noqa: DTZ005 - the day is the local one
        with locked(self.root):
            cut_torn_tail(path)
            append_or_take_back(path, log_line(record))

    def _path(self, kind, day):
        return self.root / "audit" / kind / f"{day:%Y-%m-%d}.jsonl"

    def read_decisions(self, day: date):
        return read_log(self._path("decisions", day))

    def read_orders(self, day: date):
        return read_log(self._path("orders", day))


class PlainData(PlainBars, PlainFundamentals, PlainEvents, PlainStates, PlainAudit):
    """The sum of the five contracts, each in files of its own."""

    def __init__(self, root: Path):
        for part in (PlainBars, PlainFundamentals, PlainEvents, PlainStates, PlainAudit):
            part.__init__(self, root)


class MonthByMonth(PlainBars):
    """Replaces one month after the other: each of them whole, a call over several not; and says so."""

    tradestore_disclaims = ("atomic-batch",)

    def write_bars(self, symbol, bars):
        months = {}
        for bar in bars:
            months.setdefault(f"{bar.date:%Y-%m}", []).append(bar)
        for month in sorted(months):
            super().write_bars(symbol, months[month])


class PlainJobs:
    """All jobs in one file that is replaced as a whole; progress in memory."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "jobs.json"
        self._progress = {}

    def _all(self):
        return (read_document(self.file) or {"jobs": {}})["jobs"]

    def _replace(self, jobs):
        replace_durably(self.file, json.dumps({"jobs": jobs}))

    def save(self, job):
        with locked(self.root):
            self._replace(self._all() | {job.job_id: json.loads(job.model_dump_json())})
        self._progress.pop(job.job_id, None)

    def get(self, job_id):
        found = self._all().get(job_id)
        return self._job(found) if found else None

    def _job(self, fields):
        job = Job.model_validate_json(json.dumps(fields))
        job.progress = self._progress.get(job.job_id, job.progress)
        return job

    def list(self, status=None, job_type=None, limit=50, offset=0):
        found = [job for job in map(self._job, self._all().values()) if self._matches(job, status, job_type)]
        return self._in_order(found)[offset : offset + limit]

    def _matches(self, job, status, job_type):
        return status in (None, job.status) and job_type in (None, job.job_type)

    def _in_order(self, jobs):
        return sorted(jobs, key=lambda job: (job.created_at, job.job_id))

    def update_progress(self, job_id, progress):
        self._progress[job_id] = progress

    def cleanup(self, days):
        before = datetime.now(UTC) - timedelta(days=days)
        with locked(self.root):
            jobs = self._all()
            self._replace({name: fields for name, fields in jobs.items() if not self._over(fields, before)})

    def _over(self, fields, before):
        return fields["status"] in TERMINAL and datetime.fromisoformat(fields["finished_at"]) < before


class PlainRuns:
    """All runs in one file that is replaced as a whole, the one updated last at the end."""

    def __init__(self, root: Path):
        self.root, self.file = root, root / "runs.json"

    def _all(self):
        return (read_document(self.file) or {"runs": {}})["runs"]

    def _replace(self, runs):
        replace_durably(self.file, json.dumps({"runs": runs}))

    def create_or_update_run(self, run_id=None, kind="", status="pending"):
        now = self._now()
        with locked(self.root):
            runs = self._all()
            name = run_id or self._new_id(kind)
            run = {"run_id": name, "created_at": now, "started_at": None, "finished_at": None} | runs.pop(name, {})
            run = self._updated(run, {"kind": self._normalised(kind), "status": status, "updated_at": now})
            self._note_times(run, now)
            updated = self._run(run)  # refuses what cannot be read back, before it is written
            self._replace(runs | {name: run})
        return updated

    def _updated(self, run, given):
        return run | given

    def _now(self):
        return datetime.now(UTC).isoformat()

    def _new_id(self, kind):
        return uuid4().hex

    def _normalised(self, kind):
        return re.sub("[^a-z0-9]", "", kind.lower())[:64]

    def _note_times(self, run, now):
        if run["status"] != "pending" and run["started_at"] is None:
            run["started_at"] = now
        run["finished_at"] = now if run["status"] in TERMINAL else None

    def _run(self, fields):
        return Run.model_validate_json(json.dumps(fields))

    def get_run(self, run_id):
        found = self._all().get(run_id)
        return self._run(found) if found else None

    def list_runs(self, kind=None, status=None, limit=50, offset=0):
        found = [run for run in map(self._run, reversed(self._all().values())) if self._matches(run, kind, status)]
        return self._page(self._in_order(found), limit, offset)

    def _matches(self, run, kind, status):
        return kind in (None, run.kind) and status in (None, run.status)

    def _page(self, runs, limit, offset):
        return runs[offset : offset + limit]

    def _in_order(self, runs):
        return sorted(runs, key=lambda run: run.updated_at, reverse=True)

    def delete_run(self, run_id):
        with locked(self.root):
            self._replace({name: run for name, run in self._all().items() if not self._is_meant(name, run_id)})

    def _is_meant(self, name, run_id):
        return name == run_id
