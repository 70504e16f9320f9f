"""Trading stores that are right until something crashes."""

import json
import os
from datetime import datetime
from pathlib import Path

from tests.broken_stores import breaks
from tests.broken_stores.logs import parsed_lines
from tests.sound_stores import trading
from tests.sound_stores.files import (
    append_synced,
    cut_torn_tail,
    encode,
    file_name,
    locked,
    log_line,
    make_directory,
    read_document,
    replace_durably,
    whole_lines,
)


@breaks("bars", ATOM_3="is half done: AAPL 2026-01 as after it")
class MonthAfterMonth(trading.MonthByMonth):
    """each month is whole, a call over three of them is not; and it does not say so."""

    tradestore_disclaims = ()


@breaks("bars", ATOM_2="lost create prices/")
class SwitchesTooEarly(trading.PlainBars):
    """the months are synced before the manifest names them, their names are not."""

    def _sync_months(self, directory):
        pass


@breaks("fundamentals", ATOM_3="is half done: AAPL as of 2026-01-04 as after it, AAPL latest as before it")
class LatestApart(trading.PlainFundamentals):
    """what is latest stands in a file of its own, written after the one that holds everything."""

    def write_fundamental(self, symbol, data):
        super().write_fundamental(symbol, data)
        latest = super().read_fundamental(symbol)
        with locked(self.root):
            replace_durably(self.root / f"latest-{file_name(symbol)}", latest.model_dump_json())

    def read_fundamental(self, symbol, as_of=None):
        if as_of is not None:
            return super().read_fundamental(symbol, as_of)
        found = read_document(self.root / f"latest-{file_name(symbol)}")
        return type(super().read_fundamental(symbol)).model_validate_json(json.dumps(found)) if found else None


@breaks("audit", DUR_2="decisions has lost 1 acknowledged record", DUR_3="decisions shows record 4 without record 3")
class SkippedLines(trading.PlainAudit):
    """appends without fsync, and the reader skips every line that is not whole, also in the middle."""

    def _log(self, kind, record):
        with open(self._path(kind, datetime.now()), "a") as log:  # noqa: DTZ005 - the day is the local one
            log.write(f"\n{encode(record)}\n")  # on a line of its own, whatever a crash left before it

    def read_decisions(self, day):
        return self._lines("decisions", day)

    def read_orders(self, day):
        return self._lines("orders", day)

    def _lines(self, kind, day):
        return [record for _, record in parsed_lines(self._path(kind, day)) if record is not None]


@breaks(
    "events",
    ATOM_2="the log is damaged at byte",
    DUR_2="events has lost 1 acknowledged record",
    DUR_3="events shows record 5 without record 4",
    REC_1="the log is damaged",
)
class EventsByDay(trading.PlainEvents):
    """a file per day, of which only the latest is synced; events of other days come late."""

    def _repair(self):
        self.days = self.root / "events"
        make_directory(self.days)
        for path in self.days.glob("*.log"):
            cut_torn_tail(path)

    def write_event(self, event):
        path = self.days / f"{event.timestamp:%Y-%m-%d}.log"
        line = log_line(json.loads(event.model_dump_json()))
        with locked(self.root):
            if not path.exists():
                cut_torn_tail(path)
            if path == max(self.days.glob("*.log")):
                append_synced(path, line)
            else:
                with open(path, "ab") as log:
                    log.write(line)

    def read_events(self, start, end, types=None):
        found = [
            trading.Event.model_validate_json(json.dumps(line))
            for path in sorted(self.days.glob("*.log"))
            for line in whole_lines(path.read_bytes())[0]
        ]
        return [e for e in found if start <= e.timestamp <= end and (types is None or e.type in types)]


@breaks("jobs", DUR_4="lost unlink jobs/job-2+.json")
class JobPerFile(trading.PlainJobs):
    """a file per job, and a cleanup that removes them without syncing the directory."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.directory = root / "jobs"
        make_directory(self.directory)

    def _all(self):
        paths = sorted(self.directory.glob("*.json"))
        return {fields["job_id"]: fields for fields in (json.loads(path.read_text()) for path in paths)}

    def _replace(self, jobs):
        known = self._all()
        for name, fields in jobs.items():
            if known.get(name) != fields:
                replace_durably(self.directory / file_name(name), json.dumps(fields))
        for name in known.keys() - jobs.keys():
            os.unlink(self.directory / file_name(name))


@breaks("runs", DUR_4="lost unlink runs/run-2+.json")
class RunPerFile(trading.PlainRuns):
    """a file per run, deleted without syncing the directory."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.directory = root / "runs"
        make_directory(self.directory)

    def _all(self):
        found = [json.loads(path.read_text()) for path in self.directory.glob("*.json")]
        return {run["run_id"]: run for run in sorted(found, key=lambda run: run["updated_at"])}

    def _replace(self, runs):
        known = self._all()
        for name, fields in runs.items():
            if known.get(name) != fields:
                replace_durably(self.directory / file_name(name), json.dumps(fields))
        for name in known.keys() - runs.keys():
            os.unlink(self.directory / file_name(name))


@breaks("events", REC_2="after a crash while it recovered, events holds no records")
class RepairsEventsInPlace(trading.PlainEvents):
    """drops a torn last line by writing the whole log over itself, so that a second crash loses all of it."""

    def _repair(self):
        if not self.log.exists():
            cut_torn_tail(self.log)
        content = self.log.read_bytes()
        good = content[: whole_lines(content)[1]]
        if good != content:
            with open(self.log, "wb") as log:
                log.write(good)
                log.flush()
                os.fsync(log.fileno())


@breaks("runs", ATOM_3="is half done: run-1 as after it, list_runs() as before it")
class IndexOfRuns(trading.PlainRuns):
    """the list of runs stands in a file of its own."""

    def _replace(self, runs):
        super()._replace(runs)
        replace_durably(self.root / "index", json.dumps(list(runs)))

    def list_runs(self, kind=None, status=None, limit=50, offset=0):
        names = json.loads((self.root / "index").read_text()) if (self.root / "index").exists() else []
        runs = [run for run in super().list_runs(kind, status, 1000) if run.run_id in names]
        return runs[offset : offset + limit]
