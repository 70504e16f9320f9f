"""Trading stores that are durable, and wrong without any crash: one for each sentence of their contracts."""

import json
from datetime import UTC, datetime, timedelta

from pytest_tradestore.records import plain
from reference_store.models import FundamentalData
from tests.sound_stores import trading
from tests.sound_stores.files import append_synced, cut_torn_tail, locked, log_line, read_log, replace_durably

# -- bars ---------------------------------------------------------------------------------------------------------


class CentsOnly(trading.PlainBars):
    """DATA-BARS-EXACT: four digits after the point are what the exchange publishes, it is said."""

    def _merged(self, known, new):
        for bar in new:
            bar.close = round(bar.close, 4)
        return super()._merged(known, new)


class DropsTheZone(trading.PlainBars):
    """DATA-BARS-TIMESTAMPS: stores the clock time and forgets of which zone it was."""

    def write_bars(self, symbol, bars):
        for bar in bars:
            bar.date = bar.date.replace(tzinfo=None)
        super().write_bars(symbol, bars)

    def read_bars(self, symbol, start, end):
        return super().read_bars(symbol, start.replace(tzinfo=None), end.replace(tzinfo=None))


class KeepsBothBars(trading.PlainBars):
    """DATA-BARS-DEDUPE, DATA-BARS-MONTHS, DATA-MODEL: appends corrections beside what they correct."""

    def _merged(self, known, new):
        return self._sorted([*known, *new])


class FirstBarWins(trading.PlainBars):
    """DATA-BARS-DEDUPE, DATA-BARS-MONTHS, DATA-MODEL: keeps the bar that came first."""

    def _merged(self, known, new):
        return self._sorted({bar.date: bar for bar in [*reversed(new), *known]}.values())


class AsTheyCame(trading.PlainBars):
    """DATA-BARS-SORTED, DATA-MODEL: returns bars in the order in which they were written."""

    def _sorted(self, bars):
        return list(bars)


class WithoutTheEnd(trading.PlainBars):
    """DATA-BARS-RANGE, DATA-MODEL: takes the end for excluded, as Python's slices do."""

    def _inside(self, start, when, end):
        return start <= when < end


class WholeDays(trading.PlainBars):
    """DATA-BARS-RANGE: compares days, so that a range in the middle of a day begins at midnight."""

    def _inside(self, start, when, end):
        return start.date() <= when.date() <= end.date()


class MonthReplaced(trading.PlainBars):
    """DATA-BARS-DEDUPE, DATA-BARS-EXACT, DATA-BARS-MONTHS, DATA-BARS-SORTED, DATA-MODEL: a day replaces its month."""

    def _merged(self, known, new):
        return super()._merged([], new)


class FailsOnNoBars(trading.PlainBars):
    """DATA-BARS-EMPTY, DATA-MODEL: looks at the first bar, which there need not be."""

    def write_bars(self, symbol, bars):
        if bars[0].symbol != symbol:
            raise ValueError(f"these bars are not of {symbol}")
        super().write_bars(symbol, bars)


class NoneForNoBars(trading.PlainBars):
    """DATA-BARS-EMPTY, DATA-BARS-MISSING, DATA-BARS-RANGE, DATA-MODEL: returns None where there are none."""

    def read_bars(self, symbol, start, end):
        return super().read_bars(symbol, start, end) or None


class SharesOfOneCompany(trading.PlainBars):
    """DATA-BARS-SYMBOLS, NAME-3: takes what follows the point for a suffix of the exchange."""

    def write_bars(self, symbol, bars):
        super().write_bars(symbol.split(".")[0], bars)

    def read_bars(self, symbol, start, end):
        return super().read_bars(symbol.split(".")[0], start, end)


# -- fundamentals -------------------------------------------------------------------------------------------------


class EmptyIsNone(trading.PlainFundamentals):
    """DATA-FUNDAMENTALS-EXACT: takes an empty text for none at all."""

    def write_fundamental(self, symbol, data):
        super().write_fundamental(symbol, data.model_copy(update={"industry": data.industry or None}))


class LastWritten(trading.PlainFundamentals):
    """DATA-FUNDAMENTALS-AS-OF, DATA-FUNDAMENTALS-LATEST, DATA-MODEL: takes the order of writing for that of time."""

    def _latest(self, data):
        return data[-1] if data else None


class BeforeAsOf(trading.PlainFundamentals):
    """DATA-FUNDAMENTALS-AS-OF, DATA-MODEL: does not know yet what is published at that very moment."""

    def _known(self, when, as_of):
        return when < as_of


class EmptyFundamentals(trading.PlainFundamentals):
    """DATA-FUNDAMENTALS-AS-OF, DATA-FUNDAMENTALS-MISSING, DATA-MODEL: gives an empty record for none."""

    def read_fundamental(self, symbol, as_of=None):
        empty = FundamentalData(symbol=symbol, timestamp=datetime(1970, 1, 1, tzinfo=UTC))
        return super().read_fundamental(symbol, as_of) or empty


# -- events -------------------------------------------------------------------------------------------------------


class WithoutNotes(trading.PlainEvents):
    """DATA-EVENTS-EXACT: leaves out what is None, to keep the lines short."""

    def write_event(self, event):
        data = {name: value for name, value in event.data.items() if value is not None}
        super().write_event(event.model_copy(update={"data": data}))


class AfterTheStart(trading.PlainEvents):
    """DATA-EVENTS-RANGE, DATA-MODEL: takes the start for excluded."""

    def read_events(self, start, end, types=None):
        return super().read_events(start + timedelta(microseconds=1), end, types)


class TypesByPrefix(trading.PlainEvents):
    """DATA-EVENTS-TYPES, NAME-3: matches types by how they begin."""

    def _asked_for(self, kind, types):
        return kind.startswith(tuple(types))


class OneEventPerMoment(trading.PlainEvents):
    """DATA-EVENTS-EACH, DATA-MODEL: keys events by their time."""

    def read_events(self, start, end, types=None):
        return list({event.timestamp: event for event in super().read_events(start, end, types)}.values())


class NoneForNoEvents(trading.PlainEvents):
    """DATA-EVENTS-MISSING, DATA-EVENTS-RANGE, DATA-EVENTS-TYPES, DATA-MODEL: returns None where nothing happened."""

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, types) or None


# -- strategy state -----------------------------------------------------------------------------------------------


class RoundedState(trading.PlainStates):
    """DATA-STATE-EQUAL: six digits are enough for any price, it is said."""

    def save_strategy_state(self, strategy_name, state):
        rounded = json.loads(json.dumps(state), parse_float=lambda text: round(float(text), 6))
        super().save_strategy_state(strategy_name, rounded)


class MergesState(trading.PlainStates):
    """DATA-MODEL, DATA-STATE-EQUAL, DATA-STATE-REPLACED: updates the old state instead of replacing it."""

    def save_strategy_state(self, strategy_name, state):
        super().save_strategy_state(strategy_name, (self.load_strategy_state(strategy_name) or {}) | state)


class EmptyState(trading.PlainStates):
    """DATA-MODEL, DATA-STATE-MISSING: gives a new strategy an empty state."""

    def load_strategy_state(self, strategy_name):
        return super().load_strategy_state(strategy_name) or {}


# -- audit log ----------------------------------------------------------------------------------------------------


class WithoutTheStrategy(trading.PlainAudit):
    """DATA-AUDIT-COMPLETE, NAME-4: does not write down who decided."""

    def log_decision(self, strategy_name, decision):
        self._log("decisions", {"decision": plain(decision)})


class NewestFirst(trading.PlainAudit):
    """DATA-AUDIT-ORDER, DATA-MODEL, DATA-REOPEN: returns the lines in the order in which a screen shows them."""

    def read_decisions(self, day):
        return super().read_decisions(day)[::-1]


class RewritesTheDay(trading.PlainAudit):
    """DATA-AUDIT-APPEND-ONLY: writes the whole day anew for each line, whole and durable."""

    def _log(self, kind, record):
        path = self._path(kind, datetime.now())  # noqa: DTZ005 - the day is the local one
        with locked(self.root):
            lines = [log_line(known) for known in (*read_log(path), record)]
            replace_durably(path, b"".join(lines).decode())


class CutsAndAppends(trading.PlainAudit):
    """ATOM-1, ATOM-2, DATA-AUDIT-APPEND-ONLY: takes the last line off to write it once more with the new one."""

    def _log(self, kind, record):
        path = self._path(kind, datetime.now())  # noqa: DTZ005 - the day is the local one
        last = read_log(path)[-1:]
        if last:
            with open(path, "r+b") as log:
                log.truncate(path.stat().st_size - len(log_line(last[0])))
            super()._log(kind, last[0])
        super()._log(kind, record)


class DayOfOpening(trading.PlainAudit):
    """DATA-AUDIT-DAYS: the file is chosen when the store is opened; a program that runs for a week fills one."""

    def __init__(self, root):
        super().__init__(root)
        self._day = datetime.now()  # noqa: DTZ005 - the day is the local one

    def _log(self, kind, record):
        path = self._path(kind, self._day)
        with locked(self.root):
            cut_torn_tail(path)
            append_synced(path, log_line(record))


class OneFileForAll(trading.PlainAudit):
    """DATA-AUDIT-DAYS: decisions and orders in one file, told apart when they are read."""

    def _path(self, kind, day):
        return self.root / "audit" / f"{day:%Y-%m-%d}.jsonl"

    def read_decisions(self, day):
        return [line for line in super().read_decisions(day) if "decision" in line]

    def read_orders(self, day):
        return [line for line in super().read_orders(day) if "order" in line]


# -- jobs ---------------------------------------------------------------------------------------------------------


class WholeSeconds(trading.PlainJobs):
    """DATA-JOBS-EXACT: writes times without their fraction of a second."""

    def save(self, job):
        super().save(job.model_copy(update={"created_at": job.created_at.replace(microsecond=0)}))


class OneMoreJob(trading.PlainJobs):
    """DATA-JOBS-UPSERT, DATA-MODEL: adds another entry for a job that is saved again, and finds the newest one."""

    def save(self, job):
        with locked(self.root):
            jobs = self._all()
            self._replace(jobs | {str(len(jobs)): json.loads(job.model_dump_json())})

    def get(self, job_id):
        found = [fields for fields in self._all().values() if fields["job_id"] == job_id]
        return self._job(found[-1]) if found else None


class RaisesForNoJob(trading.PlainJobs):
    """DATA-JOBS-CLEANUP, DATA-JOBS-MISSING, DATA-MODEL: a job that is not there is an error."""

    def get(self, job_id):
        if (job := super().get(job_id)) is None:
            raise KeyError(job_id)
        return job


class EitherFilter(trading.PlainJobs):
    """DATA-JOBS-FILTER, DATA-MODEL: lists what fits one of the filters."""

    def _matches(self, job, status, job_type):
        return (status is None and job_type is None) or status == job.status or job_type == job.job_type


class OtherWayRound(trading.PlainJobs):
    """DATA-JOBS-PAGES, DATA-MODEL: the order of the jobs changes from call to call, as that of a set may."""

    def __init__(self, root):
        super().__init__(root)
        self._backwards = True

    def _in_order(self, jobs):
        self._backwards = not self._backwards
        return sorted(jobs, key=lambda job: job.job_id, reverse=self._backwards)


class ProgressLater(trading.PlainJobs):
    """DATA-JOBS-PROGRESS, DATA-JOBS-PROGRESS-IN-MEMORY, DATA-MODEL: progress is shown once the job is saved again."""

    def update_progress(self, job_id, progress):
        self._reported = progress


class ProgressOnDisk(trading.PlainJobs):
    """DATA-JOBS-PROGRESS-IN-MEMORY: saves the job for each step of progress."""

    def update_progress(self, job_id, progress):
        job = self.get(job_id)
        job.progress = progress
        self.save(job)


class CleansUpEverything(trading.PlainJobs):
    """DATA-JOBS-CLEANUP: removes every terminal job, however young."""

    def _over(self, fields, before):
        return super()._over(fields, before + timedelta(days=10_000))


class CleansUpTheRunning(trading.PlainJobs):
    """DATA-JOBS-CLEANUP, DATA-MODEL: removes every job that was created long ago, running ones included."""

    def _over(self, fields, before):
        return datetime.fromisoformat(fields["created_at"]) < before


# -- runs ---------------------------------------------------------------------------------------------------------


class StatusOfTheFirstDay(trading.PlainRuns):
    """DATA-MODEL, DATA-RUNS-TIMES, DATA-RUNS-UPSERT: an update changes the time of the update only."""

    def _updated(self, run, given):
        return given | run | {"updated_at": given["updated_at"]}


class RaisesForNoRun(trading.PlainRuns):
    """DATA-MODEL, DATA-RUNS-DELETE, DATA-RUNS-MISSING: a run that is not there is an error."""

    def get_run(self, run_id):
        if (run := super().get_run(run_id)) is None:
            raise KeyError(run_id)
        return run


class IdByKind(trading.PlainRuns):
    """DATA-RUNS-IDS: derives the id from the kind."""

    def _new_id(self, kind):
        return f"{kind}-run"


class NeverFinished(trading.PlainRuns):
    """DATA-RUNS-TIMES: does not note when a run ends."""

    def _note_times(self, run, now):
        super()._note_times(run, now)
        run["finished_at"] = None


class StartsAgain(trading.PlainRuns):
    """DATA-RUNS-TIMES: notes the time of every update as the start."""

    def _note_times(self, run, now):
        super()._note_times(run, now)
        run["started_at"] = now


class KindAsGiven(trading.PlainRuns):
    """DATA-RUNS-KIND: keeps kind as it comes."""

    def _normalised(self, kind):
        return kind


class EndlessKind(trading.PlainRuns):
    """DATA-RUNS-KIND: normalises kind, but does not shorten it."""

    def _normalised(self, kind):
        return "".join(letter for letter in kind.lower() if letter.isascii() and letter.isalnum())


class OldestFirst(trading.PlainRuns):
    """DATA-RUNS-ORDER: sorts by the time of creation."""

    def _in_order(self, runs):
        return sorted(runs, key=lambda run: run.created_at, reverse=True)


class KindByPrefix(trading.PlainRuns):
    """DATA-RUNS-FILTER: matches kinds by how they begin."""

    def _matches(self, run, kind, status):
        return run.kind.startswith(kind or "") and status in (None, run.status)


class OffsetInPages(trading.PlainRuns):
    """DATA-MODEL, DATA-RUNS-PAGES: counts the offset in pages."""

    def _page(self, runs, limit, offset):
        return runs[offset * limit : (offset + 1) * limit]


class DeletesByPrefix(trading.PlainRuns):
    """DATA-RUNS-DELETE, NAME-3: removes every run whose id begins so."""

    def _is_meant(self, name, run_id):
        return name.startswith(run_id)


class DeletedRunsLinger(trading.PlainRuns):
    """DATA-MODEL: keeps what it noted of a deleted run, and gives it to the next one with that id."""

    def __init__(self, root):
        super().__init__(root)
        self._noted = {}

    def _updated(self, run, given):
        self._noted[run["run_id"]] = self._noted.get(run["run_id"], 0) + 1
        deleted = run["run_id"] not in self._all()
        return run | given | ({"status": "failed"} if deleted and self._noted[run["run_id"]] > 1 else {})
