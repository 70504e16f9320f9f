"""Trading stores that are durable, and wrong without any crash: one for each sentence of their contracts."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

from pytest_tradestore.records import plain
from reference_store.models import FundamentalData
from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores import trading
from tests.sound_stores.files import append_synced, cut_torn_tail, locked, log_line, read_log, replace_durably

breaks_audit = partial(breaks, "audit", recorders=IN_MEMORY)
breaks_bars = partial(breaks, "bars", recorders=IN_MEMORY)
breaks_events = partial(breaks, "events", recorders=IN_MEMORY)
breaks_fundamentals = partial(breaks, "fundamentals", recorders=IN_MEMORY)
breaks_jobs = partial(breaks, "jobs", recorders=IN_MEMORY)
breaks_runs = partial(breaks, "runs", recorders=IN_MEMORY)
breaks_state = partial(breaks, "state", recorders=IN_MEMORY)

# -- bars ---------------------------------------------------------------------------------------------------------


@breaks_bars(DATA_BARS_EXACT="a bar is not read as it was written")
class CentsOnly(trading.PlainBars):
    """four digits after the point are what the exchange publishes, it is said."""

    def _merged(self, known, new):
        for bar in new:
            bar.close = round(bar.close, 4)
        return super()._merged(known, new)


@breaks_bars(DATA_BARS_TIMESTAMPS="a timestamp (UTC) is not kept as given")
class DropsTheZone(trading.PlainBars):
    """stores the clock time and forgets of which zone it was."""

    def write_bars(self, symbol, bars):
        for bar in bars:
            bar.date = bar.date.replace(tzinfo=None)
        super().write_bars(symbol, bars)

    def read_bars(self, symbol, start, end):
        return super().read_bars(symbol, start.replace(tzinfo=None), end.replace(tzinfo=None))


@breaks_bars(
    DATA_BARS_DEDUPE="of two bars with one timestamp the last written is not the only one read",
    DATA_BARS_MONTHS="after a write into existing months their other bars are not what they were",
    DATA_MODEL="the bars read are not those that were written",
)
class KeepsBothBars(trading.PlainBars):
    """appends corrections beside what they correct."""

    def _merged(self, known, new):
        return self._sorted([*known, *new])


@breaks_bars(
    DATA_BARS_DEDUPE="of two bars with one timestamp the last written is not the only one read",
    DATA_BARS_MONTHS="after a write into existing months their other bars are not what they were",
    DATA_MODEL="the bars read are not those that were written",
)
class FirstBarWins(trading.PlainBars):
    """keeps the bar that came first."""

    def _merged(self, known, new):
        return self._sorted({bar.date: bar for bar in [*reversed(new), *known]}.values())


@breaks_bars(
    DATA_BARS_SORTED="bars written in one call are not read in order of time",
    DATA_MODEL="the bars read are not those that were written",
)
class AsTheyCame(trading.PlainBars):
    """returns bars in the order in which they were written."""

    def _sorted(self, bars):
        return list(bars)


@breaks_bars(
    DATA_BARS_RANGE="the bars read are not those from start to end, both included",
    DATA_MODEL="the bars read are not those that were written",
)
class WithoutTheEnd(trading.PlainBars):
    """takes the end for excluded, as Python's slices do."""

    def _inside(self, start, when, end):
        return start <= when < end


@breaks_bars(
    DATA_BARS_RANGE="the bars read are not those from start to end, both included",
    DATA_MODEL="the bars read are not those that were written",
)
class WholeDays(trading.PlainBars):
    """compares days, so that a range in the middle of a day begins at midnight."""

    def _inside(self, start, when, end):
        return start.date() <= when.date() <= end.date()


@breaks_bars(
    DATA_BARS_DEDUPE="of two bars with one timestamp the last written is not the only one read",
    DATA_BARS_EXACT="a bar is not read as it was written",
    DATA_BARS_MONTHS="after a write into existing months their other bars are not what they were",
    DATA_BARS_SORTED="bars written later are not read in order of time",
    DATA_MODEL="the bars read are not those that were written",
)
class MonthReplaced(trading.PlainBars):
    """a day replaces its month."""

    def _merged(self, known, new):
        return super()._merged([], new)


@breaks_bars(
    DATA_BARS_EMPTY="write_bars('MSFT', []) raised IndexError: list index out of range",
    DATA_MODEL="write_bars('AAPL', []) raised IndexError: list index out of range",
)
class FailsOnNoBars(trading.PlainBars):
    """looks at the first bar, which there need not be."""

    def write_bars(self, symbol, bars):
        if bars[0].symbol != symbol:
            raise ValueError(f"these bars are not of {symbol}")
        super().write_bars(symbol, bars)


@breaks_bars(
    DATA_BARS_EMPTY="after writing no bars some are read",
    DATA_BARS_MISSING="a symbol that was never written does not read as []",
    DATA_BARS_RANGE="the bars read are not those from start to end, both included",
    DATA_MODEL="the bars read are not those that were written",
)
class NoneForNoBars(trading.PlainBars):
    """returns None where there are none."""

    def read_bars(self, symbol, start, end):
        return super().read_bars(symbol, start, end) or None


@breaks_bars(DATA_BARS_SYMBOLS="BRK.B does not have its own bars", NAME_3="share data")
class SharesOfOneCompany(trading.PlainBars):
    """takes what follows the point for a suffix of the exchange."""

    def write_bars(self, symbol, bars):
        super().write_bars(symbol.split(".")[0], bars)

    def read_bars(self, symbol, start, end):
        return super().read_bars(symbol.split(".")[0], start, end)


# -- fundamentals -------------------------------------------------------------------------------------------------


@breaks_fundamentals(DATA_FUNDAMENTALS_EXACT="fundamentals are not read as they were written")
class EmptyIsNone(trading.PlainFundamentals):
    """takes an empty text for none at all."""

    def write_fundamental(self, symbol, data):
        super().write_fundamental(symbol, data.model_copy(update={"industry": data.industry or None}))


@breaks_fundamentals(
    DATA_FUNDAMENTALS_AS_OF="what is read is not the latest up to that time",
    DATA_FUNDAMENTALS_LATEST="written out of order, what is read is not the latest by its timestamp",
    DATA_MODEL="what is read is not what was published last",
)
class LastWritten(trading.PlainFundamentals):
    """takes the order of writing for that of time."""

    def _latest(self, data):
        return data[-1] if data else None


@breaks_fundamentals(
    DATA_FUNDAMENTALS_AS_OF="what is read is not the latest up to that time",
    DATA_MODEL="what is read is not what was published last",
)
class BeforeAsOf(trading.PlainFundamentals):
    """does not know yet what is published at that very moment."""

    def _known(self, when, as_of):
        return when < as_of


@breaks_fundamentals(
    DATA_FUNDAMENTALS_AS_OF="what is read is not the latest up to that time",
    DATA_FUNDAMENTALS_MISSING="a symbol without fundamentals does not read as None",
    DATA_MODEL="what is read is not what was published last",
)
class EmptyFundamentals(trading.PlainFundamentals):
    """gives an empty record for none."""

    def read_fundamental(self, symbol, as_of=None):
        empty = FundamentalData(symbol=symbol, timestamp=datetime(1970, 1, 1, tzinfo=UTC))
        return super().read_fundamental(symbol, as_of) or empty


# -- events -------------------------------------------------------------------------------------------------------


@breaks_events(DATA_EVENTS_EXACT="the events are not read as they were written")
class WithoutNotes(trading.PlainEvents):
    """leaves out what is None, to keep the lines short."""

    def write_event(self, event):
        data = {name: value for name, value in event.data.items() if value is not None}
        super().write_event(event.model_copy(update={"data": data}))


@breaks_events(
    DATA_EVENTS_RANGE="the events read are not those from start to end, both included",
    DATA_MODEL="the events read are not those that were written",
)
class AfterTheStart(trading.PlainEvents):
    """takes the start for excluded."""

    def read_events(self, start, end, types=None):
        return super().read_events(start + timedelta(microseconds=1), end, types)


@breaks_events(
    DATA_EVENTS_TYPES="the events read are not those of the types asked for",
    NAME_3="the types 'AAPL' and 'AAPL US Equity' share data",
)
class TypesByPrefix(trading.PlainEvents):
    """matches types by how they begin."""

    def _asked_for(self, kind, types):
        return kind.startswith(tuple(types))


@breaks_events(
    DATA_EVENTS_EACH="of several events at one time not each is read, once",
    DATA_MODEL="the events read are not those that were written",
)
class OneEventPerMoment(trading.PlainEvents):
    """keys events by their time."""

    def read_events(self, start, end, types=None):
        return list({event.timestamp: event for event in super().read_events(start, end, types)}.values())


@breaks_events(
    DATA_EVENTS_MISSING="where nothing happened the events do not read as []",
    DATA_EVENTS_RANGE="the events read are not those from start to end, both included",
    DATA_EVENTS_TYPES="the events read are not those of the types asked for",
    DATA_MODEL="the events read are not those that were written",
)
class NoneForNoEvents(trading.PlainEvents):
    """returns None where nothing happened."""

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, types) or None


# -- strategy state -----------------------------------------------------------------------------------------------


@breaks_state(DATA_STATE_EQUAL="the state loaded is not the one saved")
class RoundedState(trading.PlainStates):
    """six digits are enough for any price, it is said."""

    def save_strategy_state(self, strategy_name, state):
        rounded = json.loads(json.dumps(state), parse_float=lambda text: round(float(text), 6))
        super().save_strategy_state(strategy_name, rounded)


@breaks_state(
    DATA_MODEL="the state loaded is not the one saved last",
    DATA_STATE_EQUAL="the state loaded is not the one saved",
    DATA_STATE_REPLACED="after another save the new state is not what is loaded",
)
class MergesState(trading.PlainStates):
    """updates the old state instead of replacing it."""

    def save_strategy_state(self, strategy_name, state):
        super().save_strategy_state(strategy_name, (self.load_strategy_state(strategy_name) or {}) | state)


@breaks_state(
    DATA_MODEL="the state loaded is not the one saved last",
    DATA_STATE_MISSING="the state of a strategy that saved none does not load as None",
)
class EmptyState(trading.PlainStates):
    """gives a new strategy an empty state."""

    def load_strategy_state(self, strategy_name):
        return super().load_strategy_state(strategy_name) or {}


# -- audit log ----------------------------------------------------------------------------------------------------


@breaks_audit(
    DATA_AUDIT_COMPLETE="a line of the audit log (decisions) does not hold all that was logged",
    NAME_4="the strategy name 'BRK.B' does not come back as it was given",
)
class WithoutTheStrategy(trading.PlainAudit):
    """does not write down who decided."""

    def log_decision(self, strategy_name, decision):
        self._log("decisions", {"decision": plain(decision)})


@breaks(
    "audit",
    name="newest-decision-first",
    recorders=IN_MEMORY,
    DATA_AUDIT_ORDER="the audit log is not what was logged, once each and in order",
    DATA_MODEL="the audit log is not what was logged, once each and in order",
    DATA_REOPEN="after reopening the audit log is not what was logged",
)
class NewestFirst(trading.PlainAudit):
    """returns the lines in the order in which a screen shows them."""

    def read_decisions(self, day):
        return super().read_decisions(day)[::-1]


@breaks_audit(DATA_AUDIT_APPEND_ONLY="was replaced by another file")
class RewritesTheDay(trading.PlainAudit):
    """writes the whole day anew for each line, whole and durable."""

    def _log(self, kind, record):
        path = self._path(kind, datetime.now())  # noqa: DTZ005 - the day is the local one
        with locked(self.root):
            lines = [log_line(known) for known in (*read_log(path), record)]
            replace_durably(path, b"".join(lines).decode())


@breaks_audit(
    ATOM_1="decisions holds no records",
    ATOM_2="decisions holds no records",
    DATA_AUDIT_APPEND_ONLY="was cut from",
)
class CutsAndAppends(trading.PlainAudit):
    """takes the last line off to write it once more with the new one."""

    def _log(self, kind, record):
        path = self._path(kind, datetime.now())  # noqa: DTZ005 - the day is the local one
        last = read_log(path)[-1:]
        if last:
            with open(path, "r+b") as log:
                log.truncate(path.stat().st_size - len(log_line(last[0])))
            super()._log(kind, last[0])
        super()._log(kind, record)


@breaks_audit(
    DATA_AUDIT_DAYS="the file of a day is chosen when the store is opened, not when it logs",
)
class DayOfOpening(trading.PlainAudit):
    """the file is chosen when the store is opened; a program that runs for a week fills one."""

    def __init__(self, root):
        super().__init__(root)
        self._day = datetime.now()  # noqa: DTZ005 - the day is the local one

    def _log(self, kind, record):
        path = self._path(kind, self._day)
        with locked(self.root):
            cut_torn_tail(path)
            append_synced(path, log_line(record))


@breaks_audit(DATA_AUDIT_DAYS="decisions and orders are in one file")
class OneFileForAll(trading.PlainAudit):
    """decisions and orders in one file, told apart when they are read."""

    def _path(self, kind, day):
        return self.root / "audit" / f"{day:%Y-%m-%d}.jsonl"

    def read_decisions(self, day):
        return [line for line in super().read_decisions(day) if "decision" in line]

    def read_orders(self, day):
        return [line for line in super().read_orders(day) if "order" in line]


# -- jobs ---------------------------------------------------------------------------------------------------------


@breaks_jobs(DATA_JOBS_EXACT="a job is not read as it was saved")
class WholeSeconds(trading.PlainJobs):
    """writes times without their fraction of a second."""

    def save(self, job):
        super().save(job.model_copy(update={"created_at": job.created_at.replace(microsecond=0)}))


@breaks_jobs(
    DATA_JOBS_CLEANUP="of more jobs than a page holds, cleanup(30) does not remove",
    DATA_JOBS_UPSERT="a job saved again is not listed once",
    DATA_MODEL="not the right jobs are listed",
)
class OneMoreJob(trading.PlainJobs):
    """adds another entry for a job that is saved again, and finds the newest one."""

    def save(self, job):
        with locked(self.root):
            jobs = self._all()
            self._replace(jobs | {str(len(jobs)): json.loads(job.model_dump_json())})

    def get(self, job_id):
        found = [fields for fields in self._all().values() if fields["job_id"] == job_id]
        return self._job(found[-1]) if found else None


@breaks_jobs(
    DATA_JOBS_CLEANUP="get('old-failed') raised KeyError: 'old-failed'",
    DATA_JOBS_MISSING="get('job-1') raised KeyError: 'job-1'",
    DATA_MODEL="raised KeyError: 'job-",
)
class RaisesForNoJob(trading.PlainJobs):
    """a job that is not there is an error."""

    def get(self, job_id):
        if (job := super().get(job_id)) is None:
            raise KeyError(job_id)
        return job


@breaks_jobs(
    DATA_JOBS_FILTER="the jobs listed are not those with that status and type",
    DATA_MODEL="not the right jobs are listed",
)
class EitherFilter(trading.PlainJobs):
    """lists what fits one of the filters."""

    def _matches(self, job, status, job_type):
        return (status is None and job_type is None) or status == job.status or job_type == job.job_type


@breaks_jobs(
    DATA_JOBS_PAGES="the pages are not the parts of the list, in its order",
    DATA_MODEL="a page is not that part of the list",
)
class OtherWayRound(trading.PlainJobs):
    """the order of the jobs changes from call to call, as that of a set may."""

    def __init__(self, root):
        super().__init__(root)
        self._backwards = True

    def _in_order(self, jobs):
        self._backwards = not self._backwards
        return sorted(jobs, key=lambda job: job.job_id, reverse=self._backwards)


@breaks_jobs(
    DATA_JOBS_PROGRESS="progress is not visible at once",
    DATA_JOBS_PROGRESS_IN_MEMORY="the last progress is not visible at once",
    DATA_MODEL="a job is not read as it was saved last",
)
class ProgressLater(trading.PlainJobs):
    """progress is shown once the job is saved again."""

    def update_progress(self, job_id, progress):
        self._reported = progress


@breaks_jobs(DATA_JOBS_PROGRESS_IN_MEMORY="file operations during 1,000 calls")
class ProgressOnDisk(trading.PlainJobs):
    """saves the job for each step of progress."""

    def update_progress(self, job_id, progress):
        job = self.get(job_id)
        job.progress = progress
        self.save(job)


@breaks_jobs(
    DATA_JOBS_CLEANUP="cleanup(30) does not remove the jobs that ended 31 days ago, and only them",
)
class CleansUpEverything(trading.PlainJobs):
    """removes every terminal job, however young."""

    def _over(self, fields, before):
        return super()._over(fields, before + timedelta(days=10_000))


@breaks_jobs(
    DATA_JOBS_CLEANUP="cleanup(30) does not remove the jobs that ended 31 days ago, and only them",
    DATA_MODEL="a job is not read as it was saved last",
)
class CleansUpTheRunning(trading.PlainJobs):
    """removes every job that was created long ago, running ones included."""

    def _over(self, fields, before):
        return datetime.fromisoformat(fields["created_at"]) < before


# -- runs ---------------------------------------------------------------------------------------------------------


@breaks_runs(
    DATA_MODEL="a run is not read as it was updated last",
    DATA_RUNS_TIMES="a run that is running has no started_at",
    DATA_RUNS_UPSERT="a run is not read as it was updated",
)
class StatusOfTheFirstDay(trading.PlainRuns):
    """an update changes the time of the update only."""

    def _updated(self, run, given):
        return given | run | {"updated_at": given["updated_at"]}


@breaks_runs(
    DATA_MODEL="raised KeyError: 'run-",
    DATA_RUNS_DELETE="get_run('run-1') raised KeyError: 'run-1'",
    DATA_RUNS_MISSING="get_run('run-1') raised KeyError: 'run-1'",
)
class RaisesForNoRun(trading.PlainRuns):
    """a run that is not there is an error."""

    def get_run(self, run_id):
        if (run := super().get_run(run_id)) is None:
            raise KeyError(run_id)
        return run


@breaks_runs(DATA_RUNS_IDS="a run without an id does not get one of its own")
class IdByKind(trading.PlainRuns):
    """derives the id from the kind."""

    def _new_id(self, kind):
        return f"{kind}-run"


@breaks_runs(DATA_RUNS_TIMES="a run that is completed has no finished_at")
class NeverFinished(trading.PlainRuns):
    """does not note when a run ends."""

    def _note_times(self, run, now):
        super()._note_times(run, now)
        run["finished_at"] = None


@breaks_runs(DATA_RUNS_TIMES="the end of a run changed its started_at")
class StartsAgain(trading.PlainRuns):
    """notes the time of the end as the start, too."""

    def _note_times(self, run, now):
        super()._note_times(run, now)
        run["started_at"] = run["finished_at"] or run["started_at"]


@breaks_runs(DATA_RUNS_KIND="kind is not lower-case")
class KindAsGiven(trading.PlainRuns):
    """keeps kind as it comes."""

    def _normalised(self, kind):
        return kind


@breaks_runs(DATA_RUNS_KIND="kind is longer than 64 characters")
class EndlessKind(trading.PlainRuns):
    """normalises kind, but does not shorten it."""

    def _normalised(self, kind):
        return "".join(letter for letter in kind.lower() if letter.isascii() and letter.isalnum())


@breaks_runs(DATA_RUNS_ORDER="the run updated last does not come first")
class OldestFirst(trading.PlainRuns):
    """sorts by the time of creation."""

    def _in_order(self, runs):
        return sorted(runs, key=lambda run: run.created_at, reverse=True)


@breaks_runs(DATA_RUNS_FILTER="the runs listed are not those of that kind and status")
class KindByPrefix(trading.PlainRuns):
    """matches kinds by how they begin."""

    def _matches(self, run, kind, status):
        return run.kind.startswith(kind or "") and status in (None, run.status)


@breaks_runs(
    DATA_MODEL="a page is not that part of the list",
    DATA_RUNS_PAGES="the pages are not the parts of the list, in its order",
)
class OffsetInPages(trading.PlainRuns):
    """counts the offset in pages."""

    def _page(self, runs, limit, offset):
        return runs[offset * limit : (offset + 1) * limit]


@breaks(
    "runs",
    name="deletes-runs-by-prefix",
    recorders=IN_MEMORY,
    DATA_RUNS_DELETE="the runs left are not all but the deleted",
    NAME_3="deleting other run ids has",
)
class DeletesByPrefix(trading.PlainRuns):
    """removes every run whose id begins so."""

    def _is_meant(self, name, run_id):
        return name.startswith(run_id)


@breaks_runs(DATA_MODEL="a run is not read as it was updated last")
class DeletedRunsLinger(trading.PlainRuns):
    """keeps what it noted of a deleted run, and gives it to the next one with that id."""

    def __init__(self, root):
        super().__init__(root)
        self._noted = {}

    def _updated(self, run, given):
        self._noted[run["run_id"]] = self._noted.get(run["run_id"], 0) + 1
        deleted = run["run_id"] not in self._all()
        return run | given | ({"status": "failed"} if deleted and self._noted[run["run_id"]] > 1 else {})
