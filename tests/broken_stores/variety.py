"""Trading stores that are wrong only where a program varies: times within a day, equal records, pages with filters."""

import json
from datetime import UTC, datetime
from functools import partial

from reference_store.models import Event, FundamentalData
from tests.broken_stores import IN_MEMORY, breaks
from tests.sound_stores import plain, trading
from tests.sound_stores.files import encode, file_name, locked, read_document, replace_durably
from tests.sound_stores.trading import TERMINAL

breaks_audit = partial(breaks, "audit", recorders=IN_MEMORY)
breaks_fundamentals = partial(breaks, "fundamentals", recorders=IN_MEMORY)
breaks_jobs = partial(breaks, "jobs", recorders=IN_MEMORY)
breaks_runs = partial(breaks, "runs", recorders=IN_MEMORY)

# -- documents ----------------------------------------------------------------------------------------------------


@breaks("documents", recorders=IN_MEMORY, DATA_ROUNDTRIP="what is read is not what was written")
class SignlessZero(plain.PlainDocuments):
    """makes -0.0 a zero like any other."""

    def put(self, key, document):
        super().put(key, json.loads(json.dumps(document), parse_float=lambda text: float(text) + 0.0))


@breaks("state", recorders=IN_MEMORY, DATA_STATE_EQUAL="the state loaded is not the one saved")
class SignlessState(trading.PlainStates):
    """makes -0.0 a zero like any other."""

    def save_strategy_state(self, strategy_name, state):
        unsigned = json.loads(json.dumps(state), parse_float=lambda text: float(text) + 0.0)
        super().save_strategy_state(strategy_name, unsigned)


@breaks(
    "state",
    recorders=IN_MEMORY,
    DATA_MODEL="the state loaded is not the one saved last",
    DATA_REOPEN="after reopening the store shows something else",
    DATA_STATE_REPLACED="after a save of the same length the new state is not what is loaded",
)
class TrustsTheLength(trading.PlainStates):
    """saves nothing where the file is as long as what is to be written."""

    def save_strategy_state(self, strategy_name, state):
        path = self.directory / file_name(strategy_name)
        if not (path.exists() and path.stat().st_size == len(encode(state).encode())):
            super().save_strategy_state(strategy_name, state)


# -- fundamentals -------------------------------------------------------------------------------------------------


@breaks_fundamentals(
    DATA_FUNDAMENTALS_AS_OF="of several on one day, what is read is not the latest up to that time",
    DATA_MODEL="what is read is not what was published last",
)
class KnowsTheEvening(trading.PlainFundamentals):
    """compares days: at noon it knows what is published after the close."""

    def _known(self, when, as_of):
        return when.date() <= as_of.date()


@breaks_fundamentals(
    DATA_FUNDAMENTALS_AS_OF="of several on one day, what is read is not the latest up to that time",
    DATA_FUNDAMENTALS_LATEST="of several on one day, what is read is not the latest by its timestamp",
    DATA_MODEL="what is read is not what was published last",
)
class LatestDay(trading.PlainFundamentals):
    """takes the first of the latest day for the latest."""

    def _latest(self, data):
        return max(data, key=lambda d: d.timestamp.date(), default=None)


# -- events -------------------------------------------------------------------------------------------------------


@breaks(
    "events",
    recorders=IN_MEMORY,
    DATA_EVENTS_EXACT="the events are not read as they were written",
    DATA_MODEL="the events read are not those that were written",
)
class EverythingHasASymbol(trading.PlainEvents):
    """writes an empty symbol for none."""

    def write_event(self, event):
        super().write_event(event.model_copy(update={"symbol": event.symbol or ""}))


@breaks(
    "events",
    recorders=IN_MEMORY,
    DATA_EVENTS_EACH="of two equal events not each is read",
    DATA_MODEL="the events read are not those that were written",
)
class EqualIsTheSame(trading.PlainEvents):
    """takes two fills of one price and size for a repetition."""

    def read_events(self, start, end, types=None):
        found = super().read_events(start, end, types)
        return [Event.model_validate_json(text) for text in dict.fromkeys(e.model_dump_json() for e in found)]


# -- audit log ----------------------------------------------------------------------------------------------------


@breaks_audit(DATA_AUDIT_ORDER="of two equal decisions not each is in the audit log")
class NothingNew(trading.PlainAudit):
    """does not log what the line before says already."""

    _last = None

    def _log(self, kind, record):
        if record != self._last:
            super()._log(kind, record)
        self._last = record


# -- jobs ---------------------------------------------------------------------------------------------------------


@breaks_jobs(
    DATA_JOBS_PAGES="with a filter, the pages are not the parts of the list",
    DATA_MODEL="a page is not that part of the list",
)
class FiltersThePage(trading.PlainJobs):
    """cuts the page first, and leaves out of it what was not asked for."""

    def list(self, status=None, job_type=None, limit=50, offset=0):
        page = super().list(None, None, limit, offset)
        return [job for job in page if self._matches(job, status, job_type)]


@breaks_jobs(
    DATA_JOBS_PAGES="a page that is asked for after a save is not that part of the list",
)
class PagesOfTheFirstCall(trading.PlainJobs):
    """keeps the list of the first page for those that follow."""

    def list(self, status=None, job_type=None, limit=50, offset=0):
        if offset == 0:
            self._kept = super().list(status, job_type, 100_000, 0)
        return self._kept[offset : offset + limit]


@breaks_jobs(
    DATA_JOBS_CLEANUP="of more jobs than a page holds, cleanup(30) does not remove",
)
class CleansUpAPage(trading.PlainJobs):
    """goes through what its own list() gives, which is a page."""

    def cleanup(self, days):
        page = {job.job_id for job in self.list()}
        kept = {name: fields for name, fields in self._all().items() if name not in page}
        super().cleanup(days)
        with locked(self.root):
            self._replace(self._all() | kept)


# -- runs ---------------------------------------------------------------------------------------------------------


@breaks_runs(
    DATA_MODEL="a page is not that part of the list",
    DATA_RUNS_PAGES="with a filter, the pages are not the parts of the list",
)
class FiltersThePageOfRuns(trading.PlainRuns):
    """cuts the page first, and leaves out of it what was not asked for."""

    def list_runs(self, kind=None, status=None, limit=50, offset=0):
        return [run for run in super().list_runs(None, None, limit, offset) if self._matches(run, kind, status)]


@breaks_runs(
    DATA_RUNS_PAGES="a page that is asked for after an update is not that part of the list",
)
class RunsOfTheFirstCall(trading.PlainRuns):
    """keeps the list of the first page for those that follow."""

    def _page(self, runs, limit, offset):
        if offset == 0:
            self._kept = runs
        return self._kept[offset : offset + limit]


@breaks_runs(DATA_RUNS_UPSERT="updating a run changed when it was created")
class CreatedAnew(trading.PlainRuns):
    """notes the time of every update as that of the creation."""

    def _updated(self, run, given):
        return super()._updated(run, given) | {"created_at": given["updated_at"]}


@breaks_runs(DATA_RUNS_UPSERT="updating one run changed another")
class TouchesAll(trading.PlainRuns):
    """notes the time of an update in every run."""

    def _replace(self, runs):
        now = datetime.now(UTC).isoformat()
        replace_durably(
            self.file, json.dumps({"runs": {name: run | {"updated_at": now} for name, run in runs.items()}})
        )


@breaks_runs(DATA_RUNS_IDS="a new run got the id of one that was deleted")
class NumbersRuns(trading.PlainRuns):
    """counts the runs for the next id."""

    def _new_id(self, kind):
        return f"numbered-{len(self._all()) + 1}"


@breaks_runs(
    DATA_RUNS_TIMES="a second update while a run is running changed its started_at",
)
class StartsWhileRunning(trading.PlainRuns):
    """notes the start with every update of a run that is running."""

    def _note_times(self, run, now):
        super()._note_times(run, now)
        if run["status"] == "running":
            run["started_at"] = now


@breaks(
    "document",
    DATA_ROUNDTRIP="an empty document was taken, and is not what is read",
    DATA_OVERWRITE="an empty document was taken, and is not what is read",
    recorders=IN_MEMORY,
)
class TakesNothingForNone(plain.PlainDocument):
    """asks whether there is a document by whether there is anything in it."""

    def load(self):
        return super().load() or None


@breaks("journal", DATA_ROUNDTRIP="an empty document was taken, and is not what is read", recorders=IN_MEMORY)
class SkipsEmptyRecords(plain.PlainJournal):
    """writes no record that has nothing in it."""

    def append(self, stream, record):
        if record:
            super().append(stream, record)


# -- much, and times of other zones -------------------------------------------------------------------------------


@breaks_fundamentals(DATA_VOLUME="not all is read")
class KeepsFortyFilings(trading.PlainFundamentals):
    """throws the oldest away, so that files stay small; whoever asks as of an early day gets nothing."""

    def read_fundamental(self, symbol, as_of=None):
        known = (read_document(self.directory / file_name(symbol)) or {"published": []})["published"]
        data = [FundamentalData.model_validate_json(json.dumps(one)) for one in known[-40:]]
        return self._latest([d for d in data if as_of is None or self._known(d.timestamp, as_of)])


@breaks_audit(DATA_VOLUME="not all is read")
class ShowsAPageOfADay(trading.PlainAudit):
    """reads the first page of a day."""

    def read_decisions(self, day):
        return super().read_decisions(day)[:50]


@breaks_fundamentals(DATA_TIME="whatever zone it was written in and is asked for in")
class ComparesWhatClocksShow(trading.PlainFundamentals):
    """leaves zones out where it compares."""

    def _known(self, when, as_of):
        return when.replace(tzinfo=None) <= as_of.replace(tzinfo=None)

    def _latest(self, data):
        return max(data, key=lambda d: d.timestamp.replace(tzinfo=None), default=None)


@breaks_jobs(DATA_TIME="each is its own")
class TakesEveryClockForUtc(trading.PlainJobs):
    """keeps what the clock shows, and reads it as UTC."""

    def save(self, job):
        super().save(job.model_copy(update={"created_at": job.created_at.replace(tzinfo=UTC)}))


@breaks_jobs(DATA_TIME="whatever their clock shows")
class ComparesTimesAsText(trading.PlainJobs):
    """cleans up by the text of a time, in which the zone stands last."""

    def _over(self, fields, before):
        return fields["status"] in TERMINAL and fields["finished_at"] < before.isoformat()


@breaks_audit(DATA_TIME="what was logged under one time zone is not all found under another")
class ReadsTodayAlone(trading.PlainAudit):
    """takes a day that its own clock has not reached for one without a log."""

    def read_decisions(self, day):
        return super().read_decisions(day) if day <= datetime.now().date() else []  # noqa: DTZ005 - the local day
