"""The contract of jobs, sentence by sentence.

What counts as the age of a job that was created long ago and ended lately is not said, so it is not asked.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from dataclasses import field as field_
from datetime import UTC, datetime, timedelta, timezone
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits import times
from pytest_tradestore.kits.call import Call, rendered_call
from pytest_tradestore.kits.grammar import OneOf, Step, StepKind
from pytest_tradestore.kits.kit import ABSENT, LARGE, REOPEN, Case, Concurrent, Kit, Unstorable
from pytest_tradestore.kits.protocol import Now
from pytest_tradestore.kits.slots import ALL, FIRST, Ask, Back, Slot, listed, marked, shown
from pytest_tradestore.kits.spec import UNSAID, Spec, State, comparable, told_by
from pytest_tradestore.observation import Absent, Names, Seen, Value, canonical
from pytest_tradestore.records import Records, field, page_of, plain
from pytest_tradestore.settings import Budget

if TYPE_CHECKING:
    from pytest_tradestore.conformance.recorded import Inside
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@runtime_checkable
class Jobs(Protocol):
    """Long-running jobs."""

    def save(self, job: Any) -> Now[None]:
        """Add a job, or replace the one with the same id."""

    def get(self, job_id: str) -> Now[Any]:
        """Return a job, ``None`` when there is none."""

    def list(self, status: Any = None, job_type: Any = None, limit: int = 50, offset: int = 0) -> Now[Any]:
        """Return a page of the jobs with the given status and type."""

    def update_progress(self, job_id: str, progress: Any) -> Now[None]:
        """Note progress in memory, without a disk write."""

    def cleanup(self, days: int) -> Now[Any]:
        """Remove the jobs that ended more than ``days`` days ago."""


# -- what is recorded, raced and looked at ------------------------------------------------------------------------

_ENDED = ("completed", "failed", "cancelled")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_LIST = "list()"


def _recorded(
    make: Records, name: str, status: str, version: int, size: int = 0, finished: datetime | None = None
) -> Call:
    job = make.make_job(
        job_id=name,
        job_type="backtest",
        status=status,
        created_at=_LONG_AGO + timedelta(minutes=version),
        finished_at=finished,
        params={"version": version, "note": "parameter sweep; " * (size // 17)},
    )
    long = f", {size:,} bytes" if size else ""
    return Call("save", (job,), name, f"save({{job_id: {name!r}, status: {status!r}, version: {version}{long}}})")


def _get(name: str) -> Call:
    return Call("get", (name,), name)


_FORGOTTEN = -1.0
"""Progress is kept in memory only: what is left of it after reopening is not said."""


@dataclass(frozen=True, slots=True)
class _Saved:
    """A job as it was saved last; ``told`` is what it is compared by, ``progress`` what was reported since."""

    name: str
    status: str
    kind: str
    told: Hashable
    finished: datetime | None
    fields: Any = field_(default=None, compare=False)
    progress: float | None = None


@dataclass(frozen=True, slots=True)
class JobsSpec(Spec):
    """Jobs by id, each as it was saved last, in the order of their ids: which order a listing has is not said.

    ``by`` is what a job is told from its like by: by all its fields, or by the one that a program makes unique.
    """

    by: Callable[[Any], Hashable] = comparable
    initial: State = ()
    reads: tuple[str, ...] = ("get", "list")
    overwrites: bool = True

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        match call.method, call.arguments:
            case "save", (job,):
                return self._with(state, self._saved(job)), UNSAID
            case "update_progress", (name, progress):
                known = (job for job in state if job.name == name)
                return next((self._with(state, replace(job, progress=progress)) for job in known), state), UNSAID
            case "cleanup", (days,):
                before = datetime.now(UTC) - timedelta(days=days)
                return tuple(job for job in state if not _is_over(job, before)), UNSAID
            case "get", (name,):
                return state, next((_as_read(job) for job in state if job.name == name), None)
        status, kind = call.options.get("status"), call.options.get("job_type")
        return state, [job.name for job in state if status in (None, job.status) and kind in (None, job.kind)]

    def reopened(self, state: State) -> State:
        return tuple(job if job.progress is None else replace(job, progress=_FORGOTTEN) for job in state)

    def told(self, answer: Any) -> Hashable:
        return self.by(answer)

    def seen(self, call: Call, result: Any) -> Hashable:
        return self.by(result if call.method == "get" else sorted(_ids(result)))

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        if call.method != "get":
            return Spec.made_of(self, call, result, updates)
        saved = (self.by(update.arguments[0]) for update in updates if update.method == "save")
        return self.seen(call, result) in (self.by(None), *saved)

    def _saved(self, job: Any) -> _Saved:
        name, status, kind = (str(plain(field(job, what))) for what in ("job_id", "status", "job_type"))
        ended = plain(field(job, "finished_at"))
        finished = datetime.fromisoformat(ended) if isinstance(ended, str) else None
        return _Saved(name, status, kind, self.by(job), finished, plain(job))

    def _with(self, state: State, job: _Saved) -> State:
        return tuple(sorted((*(other for other in state if other.name != job.name), job), key=attrgetter("name")))


def _is_over(job: _Saved, before: datetime) -> bool:
    return job.status in _ENDED and job.finished is not None and job.finished < before


def _as_read(job: _Saved) -> Any:
    if job.progress is None or not isinstance(job.fields, dict):
        return job.fields
    return job.fields | {"progress": UNSAID if job.progress == _FORGOTTEN else job.progress}


_NAME, _KIND = OneOf(("job-1", "job-2")), OneOf(("backtest", "download"))
_JOBS = "the jobs"
"""The key of all jobs in a program, since listings are about all of them."""
_PAGED = ("limit", "offset")


_HUNDREDS = 320
"""Jobs, where there are many."""


class JobsKit(Kit):
    """A job changed in a file with several, until the file covers pages; old jobs cleaned up."""

    name = "jobs"
    protocol = Jobs
    required = ("save", "get", "list", "update_progress", "cleanup")
    replaces = True
    deletes = True
    several = True
    listing = _LIST
    spec = JobsSpec()
    differs = "a job is not read as it was saved last"

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return (*(_get(f"job-{number}") for number in range(1, 5)), Call("list", (), _LIST))

    def seen(self, look: Call, result: Any) -> Seen:
        if look.key == _LIST:
            return Names(tuple(sorted(_ids(result))))
        return Absent() if result is None or result == {} else Value(canonical(plain(result)))

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        yield _recorded(make, "job-1", "pending", 1)
        yield _recorded(make, "job-2", "completed", 2, 6000, _LONG_AGO)
        yield _recorded(make, "job-3", "pending", 3, LARGE)
        yield _recorded(make, "job-1", "running", 4)
        yield Call("cleanup", (30,), "job-2")
        yield _recorded(make, "job-4", "pending", 5)

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return _recorded(make, key, "running", version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        def save(name: str, version: int) -> Call:
            job = make.make_job(
                job_id=name,
                job_type="backtest",
                status="running",
                created_at=datetime(2026, 1, 5, 10, tzinfo=UTC) + timedelta(minutes=version),
                params={"version": version, "note": "sweep" * (version % 3)},
            )
            return Call("save", (job,), name, f"save({{job_id: {name!r}, version: {version}}})")

        return Concurrent(
            lambda number: save(f"job-{number}", number),
            lambda number: save("job-0", 10 + number),
            lambda number: _get(f"job-{number}"),
            lambda count: tuple(_get(f"job-{number}") for number in range(count)),
        )

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[list[Call], list[Call]]:
        say, numbers = self.concurrent(make, methods), range(min(most, _HUNDREDS))
        return [say.write(number) for number in numbers], list(say.last(len(numbers)))

    def spec_of(self, key: str) -> Spec:
        return JobsSpec(told_by("params", "version"))

    def slots(self) -> tuple[Slot, ...]:
        names = listed(_all_jobs, "job_id")
        return (
            Slot("job id", _write_mark("job_id"), _read_mark, names=names, touch=_touch, symbols=False),
            Slot("job type", _write_mark("job_type"), everything=_all_jobs, symbols=False),
        )

    grammar = (
        StepKind("save", (_NAME, OneOf(("pending", "running", "completed")), _KIND), often=4),
        StepKind("get", (_NAME,)),
        StepKind("list", (OneOf((None, "pending", "completed")), OneOf((None, *_KIND.values)))),
        StepKind("page", (OneOf((1, 2)), OneOf((0, 1)), OneOf((None, "pending")))),
        StepKind("progress", (_NAME, OneOf(range(1, 9)))),
        StepKind("cleanup"),
        StepKind(REOPEN),
    )

    def call(self, visit: "Visit", step: Step) -> Call:
        match step:
            case ("save", name, status, kind):
                ended = {"finished_at": _LONG_AGO} if status == "completed" else {}
                return _saving(visit, name, status, kind, created_at=_LONG_AGO, **ended)
            case ("list", status, kind):
                return _listing(status=status, job_type=kind)
            case ("page", limit, offset, status):
                return _listing(status=status, limit=limit, offset=offset)
            case ("progress", name, eighths):
                return Call("update_progress", (name, eighths / 8), _JOBS)
            case ("cleanup",):
                return Call("cleanup", (30,), _JOBS)
        return Call("get", (step[1],), _JOBS)

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        return (*(Call("get", (name,), _JOBS) for name in _NAME.values), _listing())

    def answered(self, visit: "Visit", states: dict[str, Any], call: Call) -> "DataViolation | None":
        if call.method == "update_progress" and all(job.name != call.arguments[0] for job in states.get(_JOBS, ())):
            return None  # of a job that there is not: nothing is said
        if not call.options.keys() & set(_PAGED):
            return super().answered(visit, states, call)
        filters = {name: value for name, value in call.options.items() if name not in _PAGED}
        limit, offset = (call.options[name] for name in _PAGED)
        whole, page = _ids(visit.call("list", **filters)), _ids(visit.call("list", **call.options))
        return visit.expect("a page is not that part of the list", page, whole[offset : offset + limit])

    def mismatch(self, visit: "Visit", found: Any, wanted: Any) -> "DataViolation | None":
        if isinstance(wanted, list):
            return visit.expect("not the right jobs are listed", sorted(_ids(found)), wanted)
        told = plain(found)
        if isinstance(wanted, dict) and wanted.get("progress") is UNSAID:
            wanted = wanted | {"progress": told.get("progress") if isinstance(told, dict) else None}
        return visit.expect(self.differs, told, wanted)

    def cases(self) -> Iterable[Case]:
        return (
            Case("DATA-JOBS-EXACT", _exact),
            *times.cases_of_one(_timed_write, _timed_read),
            Case("DATA-TIME", _kept_by_the_instant, "retention"),
            Case("DATA-JOBS-UPSERT", _upserted),
            Case("DATA-JOBS-MISSING", _missing),
            Case("DATA-JOBS-FILTER", _filtered),
            Case("DATA-JOBS-PAGES", _paged),
            Case("DATA-JOBS-PROGRESS", _progress),
            Case("DATA-JOBS-PROGRESS-IN-MEMORY", _without_disk_writes),
            Case("DATA-JOBS-CLEANUP", _cleaned_up),
            Case("DATA-REOPEN", _reopened),
        )

    def unstorable(self) -> Unstorable:
        """A job whose result is what nobody can write down."""

        def save(visit: "Visit", result: Any, told: str) -> Callable[[], None] | None:
            try:
                job = visit.make.make_job(job_id="job-1", job_type="backtest", status="completed", result=result)
            except Exception:
                return None
            return lambda: visit.call("save", job, shown=f"save(a job with {told} for its result)")

        def good(visit: "Visit") -> None:
            if write := save(visit, {"profit": 1.5}, "a number"):
                write()

        # The values that no library of records makes text of by a rule of its own, as pydantic does of sets and NaN.
        values = ("an object", "an object that raises when it is looked at", "a generator that raises half way")
        return Unstorable(
            good,
            lambda visit, value, name: save(visit, {"text": "x" * 20_000, "value": value}, name),
            lambda visit: field(visit.call("get", "job-1"), "result"),
            lambda result: result.get("value", ABSENT) if isinstance(result, dict) else ABSENT,
            values,
        )


def _ids(jobs: Any) -> list[str]:
    return [str(field(job, "job_id")) for job in page_of(jobs)]


# -- identifiers --------------------------------------------------------------------------------------------------


def _write_mark(which: str) -> Callable[[Ask, Any, int], Any]:
    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        fields = {"job_id": f"job-{mark}", "job_type": "backtest"} | {which: identifier}
        job = ask.make.make_job(
            status="pending",
            created_at=(FIRST + timedelta(seconds=mark)).replace(tzinfo=UTC),
            params={"mark": mark},
            **fields,
        )
        return ask.call("save", job, shown=f"save(job {mark} with {which}={shown(identifier)})")

    return write


def _read_mark(ask: Ask, job_id: Any) -> Back:
    found = ask.call("get", job_id, shown=f"get({shown(job_id)})")
    if found is None or found == {}:
        return Back((), (), found)
    return Back(marked(field(found, "params")), (field(found, "job_id"),), found)


def _all_jobs(ask: Ask) -> list[Any]:
    return page_of(ask.call("list", limit=ALL, shown=f"list(limit={ALL})"))


def _touch(ask: Ask, job_id: Any) -> Any:
    return ask.call("update_progress", job_id, 0.5, shown=f"update_progress({shown(job_id)}, 0.5)")


# -- the data, sentence by sentence -------------------------------------------------------------------------------

PROGRESS_CALLS = 10_000
_MORE_THAN_A_PAGE = 60
_QUICK_CALLS = 1_000


def _saving(visit: "Visit", name: str, status: str = "pending", kind: str = "backtest", **other: Any) -> Call:
    fields = {"created_at": datetime(2026, 1, 5, tzinfo=UTC)} | other
    job = visit.make.make_job(job_id=name, job_type=kind, status=status, **fields)
    told = rendered_call("job", (name, status, kind), {n: v for n, v in other.items() if len(str(v)) < 40})
    return Call("save", (job,), _JOBS, f"save({told})")


def _listing(**options: Any) -> Call:
    return Call("list", (), _JOBS, options={name: value for name, value in options.items() if value is not None})


def _save(visit: "Visit", name: str, status: str = "pending", kind: str = "backtest", **other: Any) -> Any:
    """Save a job and return its fields as they were given."""
    call = _saving(visit, name, status, kind, **other)
    told = plain(call.arguments[0])
    visit.must("save", *call.arguments, shown=call.rendered)
    return told


def _exact(visit: "Visit") -> "DataViolation | None":
    begun = datetime(2026, 1, 5, 9, 30, 0, 123456, tzinfo=UTC)
    wanted = [
        _save(visit, "job-1"),
        _save(visit, "job-2", "completed", "download", started_at=begun, finished_at=begun + timedelta(hours=1)),
        _save(visit, "job-3", "failed", error="Société: \U0001f680 \n\"'\\", created_at=begun),
        _save(visit, "job-4", "running", params={"eps": 0.1 + 0.2, "id": 2**53 + 1, "list": [{}, None, True]}),
        _save(visit, "job-6", "completed", result={}, params={"zero": 0, "no": False, "text": "", "list": []}),
        _save(visit, "job-5", "completed", result={"rows": [1, 2.5, "005930"]}, created_at=begun, finished_at=begun),
    ]
    for job in wanted:
        found = visit.call("get", job["job_id"] if isinstance(job, dict) and "job_id" in job else "job-1")
        if mismatch := visit.expect_records("a job is not read as it was saved", found, job):
            return mismatch
    return None


def _upserted(visit: "Visit") -> "DataViolation | None":
    other = _save(visit, "job-2")
    _save(visit, "job-1", params={"old": True, "version": 1})
    wanted = _save(visit, "job-1", "running", params={"version": 2})
    if found := visit.expect_records("a job saved again is not the one saved last", visit.call("get", "job-1"), wanted):
        return found
    if found := visit.expect_records("saving one job changed another", visit.call("get", "job-2"), other):
        return found
    listed = sorted(_ids(visit.call("list")))
    return visit.expect("a job saved again is not listed once", listed, ["job-1", "job-2"])


def _missing(visit: "Visit") -> "DataViolation | None":
    sentence = "a job that was never saved does not read as None"
    if found := visit.expect_records(sentence, visit.call("get", "job-1"), None):
        return found
    if found := visit.expect("a store without jobs lists some", _ids(visit.call("list")), []):
        return found
    _save(visit, "job-10")
    return visit.expect_records(sentence, visit.call("get", "job-1"), None)


_MANY = (
    ("job-1", "pending", "backtest"),
    ("job-2", "completed", "backtest"),
    ("job-3", "pending", "download"),
    ("job-4", "failed", "download"),
    ("job-5", "pending", "backtest"),
)


def _filtered(visit: "Visit") -> "DataViolation | None":
    for row in _MANY:
        _save(visit, *row)
    for status, kind in (("pending", None), (None, "download"), ("pending", "backtest"), ("cancelled", None)):
        wanted = sorted(name for name, s, k in _MANY if status in (None, s) and kind in (None, k))
        options = {n: v for n, v in (("status", status), ("job_type", kind)) if v is not None}
        found = sorted(_ids(visit.call("list", **options)))
        if mismatch := visit.expect("the jobs listed are not those with that status and type", found, wanted):
            return mismatch
    return None


def _paged(visit: "Visit") -> "DataViolation | None":
    names = [f"job-{number}" for number in (3, 10, 1, 7, 2, 9, 4)]
    for number, name in enumerate(names):
        _save(visit, name, created_at=datetime(2026, 1, 1 + number % 3, tzinfo=UTC))
    whole = _ids(visit.call("list"))
    if found := visit.expect("the list does not hold each job once", sorted(whole), sorted(names)):
        return found
    pages = [_ids(visit.call("list", limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
    wanted = [whole[:3], whole[3:6], whole[6:], []]
    if found := visit.expect("the pages are not the parts of the list, in its order", pages, wanted):
        return found
    visit.reopen()
    again = _ids(visit.call("list"))
    if found := visit.expect("after reopening the jobs are listed in another order", again, whole):
        return found
    return _paged_with_a_filter(visit) or _paged_while_saved(visit)


def _paged_with_a_filter(visit: "Visit") -> "DataViolation | None":
    """Let every other job be of another status, so that a page of all of them is none of those asked for."""
    for number in range(20, 28):
        when = datetime(2026, 2, 1 + number % 3, tzinfo=UTC)
        _save(visit, f"job-{number}", ("running", "failed")[number % 2], created_at=when)
    whole = _ids(visit.call("list", status="running"))
    pages = [_ids(visit.call("list", status="running", limit=2, offset=offset)) for offset in (0, 2, 4)]
    return visit.expect("with a filter, the pages are not the parts of the list", pages, [whole[:2], whole[2:4], []])


def _paged_while_saved(visit: "Visit") -> "DataViolation | None":
    """Save a job between two pages: the second one is a part of the list as it is then."""
    visit.call("list", limit=3, offset=0)
    _save(visit, "job-99", created_at=datetime(2026, 1, 2, 12, tzinfo=UTC))
    page = _ids(visit.call("list", limit=30, offset=3))
    whole = _ids(visit.call("list"))
    sentence = "a page that is asked for after a save is not that part of the list"
    return visit.expect(sentence, page, whole[3:33])


def _progress(visit: "Visit") -> "DataViolation | None":
    other = _save(visit, "job-2", "running")
    _save(visit, "job-1", "running")
    for value in (0.25, 0.5):
        visit.must("update_progress", "job-1", value)
        sentence = "progress is not visible at once"
        if found := visit.expect(sentence, plain(field(visit.call("get", "job-1"), "progress")), value):
            return found
        listed = {str(field(j, "job_id")): plain(field(j, "progress")) for j in page_of(visit.call("list"))}
        if found := visit.expect(f"in the list {sentence}", listed.get("job-1"), value):
            return found
    return visit.expect_records("the progress of one job changed another", visit.call("get", "job-2"), other)


def _without_disk_writes(visit: "Visit") -> "DataViolation | None":
    """Report progress many times while a recorder watches; where it cannot, compare the states of all files."""
    before: dict[str, tuple[int, ...]] = {}
    after: dict[str, tuple[int, ...]] = {}
    seen: list[Any] = []
    calls = _QUICK_CALLS if visit.settings.budget is Budget.QUICK else PROGRESS_CALLS
    shown = f"update_progress('job-1', …)  # {calls:,} times"

    def report(inside: "Inside") -> None:
        _save(visit, "job-1", "running")
        before.update(visit.fingerprint())
        with inside(1):
            visit.many([Call("update_progress", ("job-1", n / calls)) for n in range(1, calls + 1)])
        visit.calls.append(shown)
        after.update(visit.fingerprint())
        seen.append(plain(field(visit.call("get", "job-1"), "progress")))

    recording = visit.watched(report)
    if recording.trace is None:
        visit.fresh()
        for known in (before, after, seen):
            known.clear()
        report(lambda _: nullcontext())
    visit.checked["calls"] = calls
    visit.checked["recorded" if recording.trace is not None else "compared_files"] = max(1, len(before))
    if found := visit.expect("the last progress is not visible at once", seen[-1], 1.0):
        return found
    if recording.trace is not None:
        operations = recording.during(1)
        if not operations:
            return None
        kinds = sorted({type(operation).__name__.lower() for operation in operations})
        told = f"{len(operations):,} file operations during {calls:,} calls: {', '.join(kinds)}"
        return visit.mismatch("update_progress writes to the disk", told, "no file operation at all")
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if not changed:
        return None
    told = f"files changed by {calls:,} calls: {', '.join(changed[:5])}"
    return visit.mismatch("update_progress writes to the disk", told, "no file is touched")


def _cleaned_up(visit: "Visit") -> "DataViolation | None":
    now = datetime.now(UTC)
    old, lately = now - timedelta(days=31), now - timedelta(days=29)
    for status in ("completed", "failed", "cancelled"):
        _save(visit, f"old-{status}", status, created_at=old, started_at=old, finished_at=old)
        _save(visit, f"new-{status}", status, created_at=lately, started_at=lately, finished_at=lately)
    for status in ("pending", "running"):
        _save(visit, f"old-{status}", status, created_at=old)
    wanted = ["new-cancelled", "new-completed", "new-failed", "old-pending", "old-running"]
    visit.call("cleanup", 30)
    sentence = "cleanup(30) does not remove the jobs that ended 31 days ago, and only them"
    if found := visit.expect(sentence, sorted(_ids(visit.call("list"))), wanted):
        return found
    if found := visit.expect_records(sentence, visit.call("get", "old-failed"), None):
        return found
    visit.reopen()
    if found := visit.expect(f"after reopening, {sentence}", sorted(_ids(visit.call("list"))), wanted):
        return found
    for number in range(_MORE_THAN_A_PAGE):
        _save(visit, f"many-{number}", "completed", created_at=old, started_at=old, finished_at=old)
    visit.call("cleanup", 30)
    left = sorted(_ids(visit.call("list", limit=ALL)))
    return visit.expect(f"of more jobs than a page holds, {sentence}", left, wanted)


def _timed_write(visit: "Visit", when: datetime, number: int) -> bool:
    call = _saving(visit, f"job-{number}", "pending", "backtest", created_at=when)
    return visit.accepted(call.method, *call.arguments, shown=call.rendered)


def _timed_read(visit: "Visit", number: int) -> datetime:
    return times.as_time(field(visit.call("get", f"job-{number}"), "created_at"))  # type: ignore[no-any-return] # a time


def _kept_by_the_instant(visit: "Visit") -> "DataViolation | None":
    """Let jobs end an hour before and after the border, told by clocks that are a day apart."""
    border = datetime.now(UTC) - timedelta(days=30)
    for hours in (-14, 0, 14):
        clock = timezone(timedelta(hours=hours))
        for name, apart in (("old", -1), ("new", 1)):
            when = (border + timedelta(hours=apart)).astimezone(clock)
            _save(visit, f"{name}-{14 + hours}", "completed", created_at=when, started_at=when, finished_at=when)
    visit.call("cleanup", 30)
    sentence = "cleanup(30) does not keep the jobs that ended less than 30 days ago, whatever their clock shows"
    return visit.expect(sentence, sorted(_ids(visit.call("list"))), ["new-0", "new-14", "new-28"])


def _reopened(visit: "Visit") -> "DataViolation | None":
    _save(visit, "job-1")
    wanted = [_save(visit, "job-2", "running"), _save(visit, "job-1", "completed", params={"version": 2})]
    visit.reopen()
    found = [visit.call("get", "job-2"), visit.call("get", "job-1")]
    return visit.expect_records("after reopening the store shows something else", found, wanted, "job_id")
