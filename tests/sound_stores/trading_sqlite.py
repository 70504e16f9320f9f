"""Every trading contract in one sqlite3 database; a call is a transaction.

Threads share one connection, and with it cursors and transactions: a lock lets one of them use it at a time.
"""

import json
import sqlite3
import threading
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest_tradestore.records import plain
from reference_store.models import Event, FundamentalData, Job, PriceBar, Run
from tests.sound_stores.files import encode, sync_directory
from tests.sound_stores.sqlite import ERRORS, text
from tests.sound_stores.trading import TERMINAL, PlainRuns

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bars (symbol TEXT, date TEXT, bar TEXT, PRIMARY KEY (symbol, date));
CREATE TABLE IF NOT EXISTS fundamentals (id INTEGER PRIMARY KEY, symbol TEXT, data TEXT);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, event TEXT);
CREATE TABLE IF NOT EXISTS states (strategy TEXT PRIMARY KEY, state TEXT);
CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, kind TEXT, day TEXT, line TEXT);
CREATE TABLE IF NOT EXISTS jobs (job_id TEXT PRIMARY KEY, job TEXT);
CREATE TABLE IF NOT EXISTS runs (run_id TEXT PRIMARY KEY, run TEXT);
"""


def connect(root: Path) -> sqlite3.Connection:
    """Open the database with a write-ahead log that is synced by each commit."""
    database = sqlite3.connect(root / "store.sqlite", check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        database.execute(f"PRAGMA {pragma}").fetchall()
    for statement in _SCHEMA.split(";"):
        with database:
            database.execute(statement)
    sync_directory(root)  # the log's name too: SQLite syncs the directory as well, but ignores it when that fails
    return database


def instant(when: datetime) -> str:
    """Return what is equal for equal instants only; summer time and other zones show one in several ways."""
    return (when if when.tzinfo is None else when.astimezone(UTC)).isoformat()


class Data:
    """Bars, fundamentals, events, state and audit lines: the sum of five contracts."""

    tradestore_volatile = ("*-shm",)

    tradestore_errors = ERRORS

    def __init__(self, root: Path):
        self._database, self._turn = connect(root), threading.Lock()

    def _change(self, statement, *rows):
        with self._turn, self._database as database:
            database.executemany(statement, rows)

    def _column(self, statement, *values):
        with self._turn:
            return [value for (value,) in self._database.execute(statement, values).fetchall()]

    def write_bars(self, symbol, bars):
        rows = [
            (text(symbol), instant(bar.date), json.dumps(asdict(bar) | {"date": bar.date.isoformat()})) for bar in bars
        ]
        self._change("INSERT OR REPLACE INTO bars VALUES (?, ?, ?)", *rows)

    def read_bars(self, symbol, start, end):
        rows = map(json.loads, self._column("SELECT bar FROM bars WHERE symbol = ?", text(symbol)))
        bars = [PriceBar(**row | {"date": datetime.fromisoformat(row["date"])}) for row in rows]
        return sorted((bar for bar in bars if start <= bar.date <= end), key=lambda bar: bar.date)

    def write_fundamental(self, symbol, data):
        self._change("INSERT INTO fundamentals (symbol, data) VALUES (?, ?)", (text(symbol), data.model_dump_json()))

    def read_fundamental(self, symbol, as_of=None):
        rows = self._column("SELECT data FROM fundamentals WHERE symbol = ? ORDER BY id", text(symbol))
        data = [d for d in map(FundamentalData.model_validate_json, rows) if as_of is None or d.timestamp <= as_of]
        return max(data, key=lambda d: d.timestamp, default=None)

    def write_event(self, event):
        self._change("INSERT INTO events (event) VALUES (?)", (event.model_dump_json(),))

    def read_events(self, start, end, types=None):
        events = map(Event.model_validate_json, self._column("SELECT event FROM events ORDER BY id"))
        found = [e for e in events if start <= e.timestamp <= end and (types is None or e.type in types)]
        return sorted(found, key=lambda e: e.timestamp)

    def save_strategy_state(self, strategy_name, state):
        self._change("INSERT OR REPLACE INTO states VALUES (?, ?)", (text(strategy_name), encode(state)))

    def load_strategy_state(self, strategy_name):
        rows = self._column("SELECT state FROM states WHERE strategy = ?", text(strategy_name))
        return json.loads(rows[0]) if rows else None

    def log_decision(self, strategy_name, decision):
        self._log("decisions", {"strategy": strategy_name, "decision": plain(decision)})

    def log_order(self, strategy_name, order, result):
        self._log("orders", {"strategy": strategy_name, "order": plain(order), "result": plain(result)})

    def _log(self, kind, line):
        row = (kind, f"{datetime.now():%Y-%m-%d}", json.dumps(line))  # noqa: DTZ005 - the day is the local one
        self._change("INSERT INTO audit (kind, day, line) VALUES (?, ?, ?)", row)

    def read_decisions(self, day):
        return self._lines("decisions", day)

    def read_orders(self, day):
        return self._lines("orders", day)

    def _lines(self, kind, day):
        statement = "SELECT line FROM audit WHERE kind = ? AND day = ? ORDER BY id"
        return [json.loads(line) for line in self._column(statement, kind, day.isoformat())]

    def close(self):
        self._database.close()


class Jobs:
    """Jobs; progress in memory."""

    tradestore_volatile = ("*-shm",)

    tradestore_errors = ERRORS

    def __init__(self, root: Path):
        self._database, self._turn = connect(root), threading.Lock()
        self._progress = {}

    def save(self, job):
        with self._turn, self._database as database:
            database.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?)", (job.job_id, job.model_dump_json()))
        self._progress.pop(job.job_id, None)

    def _all(self):
        with self._turn:
            rows = self._database.execute("SELECT job FROM jobs").fetchall()
        jobs = [Job.model_validate_json(row) for (row,) in rows]
        for job in jobs:
            job.progress = self._progress.get(job.job_id, job.progress)
        return sorted(jobs, key=lambda job: job.job_id)

    def get(self, job_id):
        return next((job for job in self._all() if job.job_id == job_id), None)

    def list(self, status=None, job_type=None, limit=50, offset=0):
        found = [j for j in self._all() if status in (None, j.status) and job_type in (None, j.job_type)]
        return found[offset : offset + limit], len(found)

    def update_progress(self, job_id, progress):
        self._progress[job_id] = progress

    def cleanup(self, days):
        before = datetime.now(UTC) - timedelta(days=days)
        over = [(j.job_id,) for j in self._all() if j.status in TERMINAL and j.finished_at < before]
        with self._turn, self._database as database:
            database.executemany("DELETE FROM jobs WHERE job_id = ?", over)

    def close(self):
        self._database.close()


class Runs(PlainRuns):
    """Runs, kept as the plain store keeps them, in rows instead of a file."""

    tradestore_volatile = ("*-shm",)

    tradestore_errors = ERRORS

    def __init__(self, root: Path):
        super().__init__(root)
        self._database, self._turn = connect(root), threading.Lock()

    def _all(self):
        with self._turn:
            found = self._database.execute("SELECT run FROM runs").fetchall()
        rows = [json.loads(row) for (row,) in found]
        return {row["run_id"]: row for row in sorted(rows, key=lambda row: row["updated_at"])}

    def _replace(self, runs):
        with self._turn, self._database as database:
            database.execute("DELETE FROM runs")
            database.executemany("INSERT INTO runs VALUES (?, ?)", [(n, json.dumps(r)) for n, r in runs.items()])

    def list_runs(self, *arguments, **options):
        return [self._run_as_document(run) for run in super().list_runs(*arguments, **options)]

    def get_run(self, run_id):
        found = super().get_run(run_id)
        return found and self._run_as_document(found)

    def _run_as_document(self, run: Run):
        return json.loads(run.model_dump_json())

    def close(self):
        self._database.close()
