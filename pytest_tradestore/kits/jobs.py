"""The contract of jobs, sentence by sentence.

What counts as the age of a job that was created long ago and ended lately is not said, so it is not asked.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits.call import Call, rendered_call
from pytest_tradestore.kits.grammar import OneOf, Step, StepKind
from pytest_tradestore.kits.kit import ABSENT, LARGE, REOPEN, Case, Concurrent, Kit, Unstorable
from pytest_tradestore.kits.protocol import Now
from pytest_tradestore.kits.slots import ALL, FIRST, Ask, Back, Slot, listed, marked, shown
from pytest_tradestore.kits.spec import Register, Spec, told_by
from pytest_tradestore.observation import Absent, Names, Seen, Value, canonical
from pytest_tradestore.records import Records, field, page_of, plain
from pytest_tradestore.settings import Budget

if TYPE_CHECKING:
    from pytest_tradestore.conformance.recorded import Inside
    from pytest_tradestore.conformance.visit import Mismatch, Visit


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


_NAME, _KIND = OneOf(("job-1", "job-2")), OneOf(("backtest", "download"))


class JobsKit(Kit):
    """A job changed in a file with several, until the file covers pages; old jobs cleaned up."""

    name = "jobs"
    protocol = Jobs
    required = ("save", "get", "list", "update_progress", "cleanup")
    replaces = True
    deletes = True
    several = True
    listing = _LIST

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

    def spec_of(self, key: str) -> Spec:
        return Register("save", "get", value=told_by("params", "version"))

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
        StepKind("page", (OneOf((1, 2)), OneOf((0, 1)))),
        StepKind("progress", (_NAME, OneOf(range(1, 9)))),
        StepKind("cleanup"),
        StepKind(REOPEN),
    )

    def play(self, visit: "Visit", program: Sequence[Step]) -> "Mismatch | None":
        model: dict[str, tuple[str, str, Any]] = {}
        reported: dict[str, float] = {}  # in memory only: what is left of it after reopening is not said

        def wrong(name: str) -> "Mismatch | None":
            found, wanted = plain(visit.call("get", name)), model[name][2] if name in model else None
            if isinstance(found, dict) and isinstance(wanted, dict) and name in reported:
                wanted = wanted | {"progress": reported[name] if reported[name] >= 0 else found.get("progress")}
            return visit.expect("a job is not read as it was saved last", found, wanted)

        def listed(status: str | None = None, kind: str | None = None) -> "Mismatch | None":
            options = {n: v for n, v in (("status", status), ("job_type", kind)) if v is not None}
            wanted = sorted(name for name, (s, k, _) in model.items() if status in (None, s) and kind in (None, k))
            return visit.expect("not the right jobs are listed", sorted(_ids(visit.call("list", **options))), wanted)

        for step in program:
            mismatch = None
            match step:
                case ("save", name, status, kind):
                    ended = {"finished_at": _LONG_AGO} if status == "completed" else {}
                    told = _save(visit, name, status, kind, created_at=_LONG_AGO, **ended)
                    model[name] = (status, kind, told)
                    reported.pop(name, None)
                case ("get", name):
                    mismatch = wrong(name)
                case ("list", status, kind):
                    mismatch = listed(status, kind)
                case ("page", limit, offset):
                    whole = _ids(visit.call("list"))
                    page = _ids(visit.call("list", limit=limit, offset=offset))
                    mismatch = visit.expect("a page is not that part of the list", page, whole[offset : offset + limit])
                case ("progress", name, eighths) if name in model:
                    visit.must("update_progress", name, eighths / 8)
                    reported[name] = eighths / 8
                case ("cleanup",):
                    visit.call("cleanup", 30)
                    model = {name: job for name, job in model.items() if job[0] != "completed"}
                case ("reopen",):
                    visit.reopen()
                    reported = dict.fromkeys(reported, -1.0)
                case _:
                    pass
            if mismatch:
                return mismatch
        for name in ("job-1", "job-2"):
            if mismatch := wrong(name):
                return mismatch
        return listed()

    def cases(self) -> Iterable[Case]:
        return (
            Case("DATA-JOBS-EXACT", _exact),
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
_QUICK_CALLS = 1_000


def _save(visit: "Visit", name: str, status: str = "pending", kind: str = "backtest", **other: Any) -> Any:
    """Save a job and return its fields as they were given."""
    fields = {"created_at": datetime(2026, 1, 5, tzinfo=UTC)} | other
    job = visit.make.make_job(job_id=name, job_type=kind, status=status, **fields)
    told = plain(job)
    told_call = rendered_call("job", (name, status, kind), {n: v for n, v in other.items() if len(str(v)) < 40})
    visit.must("save", job, shown=f"save({told_call})")
    return told


def _exact(visit: "Visit") -> "Mismatch | None":
    begun = datetime(2026, 1, 5, 9, 30, 0, 123456, tzinfo=UTC)
    wanted = [
        _save(visit, "job-1"),
        _save(visit, "job-2", "completed", "download", started_at=begun, finished_at=begun + timedelta(hours=1)),
        _save(visit, "job-3", "failed", error="Société: \U0001f680 \n\"'\\", created_at=begun),
        _save(visit, "job-4", "running", params={"eps": 0.1 + 0.2, "id": 2**53 + 1, "list": [{}, None, True]}),
        _save(visit, "job-5", "completed", result={"rows": [1, 2.5, "005930"]}, created_at=begun, finished_at=begun),
    ]
    for job in wanted:
        found = visit.call("get", job["job_id"] if isinstance(job, dict) and "job_id" in job else "job-1")
        if mismatch := visit.expect_records("a job is not read as it was saved", found, job):
            return mismatch
    return None


def _upserted(visit: "Visit") -> "Mismatch | None":
    other = _save(visit, "job-2")
    _save(visit, "job-1", params={"old": True, "version": 1})
    wanted = _save(visit, "job-1", "running", params={"version": 2})
    if found := visit.expect_records("a job saved again is not the one saved last", visit.call("get", "job-1"), wanted):
        return found
    if found := visit.expect_records("saving one job changed another", visit.call("get", "job-2"), other):
        return found
    listed = sorted(_ids(visit.call("list")))
    return visit.expect("a job saved again is not listed once", listed, ["job-1", "job-2"])


def _missing(visit: "Visit") -> "Mismatch | None":
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


def _filtered(visit: "Visit") -> "Mismatch | None":
    for row in _MANY:
        _save(visit, *row)
    for status, kind in (("pending", None), (None, "download"), ("pending", "backtest"), ("cancelled", None)):
        wanted = sorted(name for name, s, k in _MANY if status in (None, s) and kind in (None, k))
        options = {n: v for n, v in (("status", status), ("job_type", kind)) if v is not None}
        found = sorted(_ids(visit.call("list", **options)))
        if mismatch := visit.expect("the jobs listed are not those with that status and type", found, wanted):
            return mismatch
    return None


def _paged(visit: "Visit") -> "Mismatch | None":
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
    return visit.expect("after reopening the jobs are listed in another order", again, whole)


def _progress(visit: "Visit") -> "Mismatch | None":
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


def _without_disk_writes(visit: "Visit") -> "Mismatch | None":
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
            visit.many("update_progress", [("job-1", n / calls) for n in range(1, calls + 1)])
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


def _cleaned_up(visit: "Visit") -> "Mismatch | None":
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
    return visit.expect(f"after reopening, {sentence}", sorted(_ids(visit.call("list"))), wanted)


def _reopened(visit: "Visit") -> "Mismatch | None":
    _save(visit, "job-1")
    wanted = [_save(visit, "job-2", "running"), _save(visit, "job-1", "completed", params={"version": 2})]
    visit.reopen()
    found = [visit.call("get", "job-2"), visit.call("get", "job-1")]
    return visit.expect_records("after reopening the store shows something else", found, wanted, "job_id")
