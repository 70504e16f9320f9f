"""The contract of runs, sentence by sentence. The store keeps the times, so they are compared with one another only."""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.grammar import OneOf, Step, StepKind
from pytest_tradestore.kits.kit import REOPEN, Case, Concurrent, Kit
from pytest_tradestore.kits.protocol import Now
from pytest_tradestore.kits.slots import ALL, Ask, Back, Slot, listed, remove, shown
from pytest_tradestore.kits.spec import UNSAID, Spec, State, comparable, told_by
from pytest_tradestore.kits.times import as_time
from pytest_tradestore.observation import Absent, Names, Seen, Value, canonical
from pytest_tradestore.records import Records, field, page_of, plain

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit


@runtime_checkable
class Runs(Protocol):
    """The history of backtest runs."""

    def create_or_update_run(self, run_id: str | None = None, kind: str = "") -> Now[Any]:
        """Add a run, or update the one with the same id; further fields are keyword arguments."""

    def get_run(self, run_id: str) -> Now[Any]:
        """Return a run, ``None`` when there is none."""

    def list_runs(self, kind: Any = None, status: Any = None, limit: int = 50, offset: int = 0) -> Now[Any]:
        """Return a page of the runs, the one updated last first."""

    def delete_run(self, run_id: str) -> Now[Any]:
        """Remove a run."""


# -- what is recorded, raced and looked at ------------------------------------------------------------------------

_LIST = "list_runs()"


def _recorded(name: str, status: str) -> Call:
    return Call("create_or_update_run", (name, "backtest"), name, options={"status": status})


def _get_call(name: str) -> Call:
    return Call("get_run", (name,), name)


@dataclass(frozen=True, slots=True)
class RunsSpec(Spec):
    """Runs by id, each as it was updated last; states are rows of id, kind and status, in the order of their ids.

    ``by`` is what of a run is compared.
    """

    by: Callable[[Any], Hashable] = comparable
    initial: State = ()
    reads: tuple[str, ...] = ("get_run", "list_runs")
    overwrites: bool = True

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        match call.method, call.arguments:
            case "create_or_update_run", (name, kind):
                others = (row for row in state if row[0] != name)
                return tuple(sorted((*others, (name, kind, call.options.get("status", "pending"))))), UNSAID
            case "delete_run", (name,):
                return tuple(row for row in state if row[0] != name), UNSAID
            case "get_run", (name,):
                return state, next((_given(*row) for row in state if row[0] == name), None)
        kind, status = call.options.get("kind"), call.options.get("status")
        return state, [row[0] for row in state if kind in (None, row[1]) and status in (None, row[2])]

    def told(self, answer: Any) -> Hashable:
        return self.by(answer)

    def seen(self, call: Call, result: Any) -> Hashable:
        if call.method == "list_runs":
            return self.by(sorted(_listed_names(result)))
        return self.by(_told(result) if result else None)

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        if call.method != "get_run":
            return Spec.made_of(self, call, result, updates)
        made = (self.apply((), update)[0] for update in updates if update.method == "create_or_update_run")
        return self.seen(call, result) in (self.by(None), *(self.by(_given(*row)) for (row,) in made))


_RUNS = "the runs"
"""The key of all runs in a program, since listings are about all of them."""
_PAGED = ("limit", "offset")
_NAME = OneOf(("run-1", "run-2", "run-3"))


_HUNDREDS = 320
"""Runs, where there are many."""


class RunsKit(Kit):
    """Runs created, updated, finished and deleted."""

    name = "runs"
    protocol = Runs
    required = ("create_or_update_run", "get_run", "list_runs", "delete_run")
    deletes = True
    several = True
    listing = _LIST
    spec = RunsSpec()
    differs = "a run is not read as it was updated last"

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return (*(_get_call(f"run-{number}") for number in range(1, 4)), Call("list_runs", (), _LIST))

    def seen(self, look: Call, result: Any) -> Seen:
        if look.key == _LIST:
            return Names(tuple(sorted(str(field(run, "run_id")) for run in page_of(result))))
        return Absent() if result is None or result == {} else Value(canonical(plain(result)))

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        yield from (_recorded("run-1", "pending"), _recorded("run-2", "pending"), _recorded("run-1", "running"))
        yield _recorded("run-3", "pending")
        yield Call("delete_run", ("run-2",), "run-2")
        yield _recorded("run-1", "completed")

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return _recorded(key, "failed")

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        def write(number: int, kind: str) -> Call:
            return Call("create_or_update_run", (f"run-{number}", kind), f"run-{number}")

        return Concurrent(
            lambda number: write(number, f"kind{number}"),
            lambda number: write(0, f"kind1{number}"),
            lambda number: _get_call(f"run-{number}"),
            lambda count: tuple(_get_call(f"run-{number}") for number in range(count)),
            Call("delete_run", ("run-0",), "run-0"),
        )

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[list[Call], list[Call]]:
        say, numbers = self.concurrent(make, methods), range(min(most, _HUNDREDS))
        return [say.write(number) for number in numbers], list(say.last(len(numbers)))

    def spec_of(self, key: str) -> Spec:
        return RunsSpec(told_by("kind"))  # what the store keeps beside it is not asked of concurrent callers

    def slots(self) -> tuple[Slot, ...]:
        names, delete = listed(_all_runs, "run_id"), remove("delete_run")
        return (
            Slot("run id", _write_mark, _read_mark, names=names, delete=delete, blank=True, symbols=False),
            Slot("kind", _write_kind, normalises=True, symbols=False),
        )

    grammar = (
        StepKind("put", (_NAME, OneOf(("backtest", "optimise")), OneOf(("pending", "running", "completed"))), often=4),
        StepKind("get", (_NAME,)),
        StepKind("list", (OneOf((None, "backtest")), OneOf((None, "pending", "completed")))),
        StepKind("page", (OneOf((1, 2)), OneOf((0, 1, 2)), OneOf((None, "backtest"))), often=2),
        StepKind("delete", (_NAME,)),
        StepKind(REOPEN),
    )

    def call(self, visit: "Visit", step: Step) -> Call:
        match step:
            case ("put", name, kind, status):
                return Call("create_or_update_run", (name, kind), _RUNS, options={"status": status})
            case ("list", kind, status):
                return _listing(kind=kind, status=status)
            case ("page", limit, offset, kind):
                return _listing(kind=kind, limit=limit, offset=offset)
            case ("delete", name):
                return Call("delete_run", (name,), _RUNS)
        return Call("get_run", (step[1],), _RUNS)

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        return (*(Call("get_run", (name,), _RUNS) for name in _NAME.values), _listing())

    def answered(self, visit: "Visit", states: dict[str, Any], call: Call) -> "DataViolation | None":
        if call.method == "delete_run" and all(row[0] != call.arguments[0] for row in states.get(_RUNS, ())):
            return None  # of a run that there is not: nothing is said
        if not call.options.keys() & set(_PAGED):
            return super().answered(visit, states, call)
        filters = {name: value for name, value in call.options.items() if name not in _PAGED}
        limit, offset = (call.options[name] for name in _PAGED)
        whole, page = _names(visit, **filters), _names(visit, **call.options)
        return visit.expect("a page is not that part of the list", page, whole[offset : offset + limit])

    def mismatch(self, visit: "Visit", found: Any, wanted: Any) -> "DataViolation | None":
        if isinstance(wanted, list):
            return visit.expect("not the right runs are listed", sorted(_listed_names(found)), wanted)
        return visit.expect(self.differs, _told(found), wanted)

    def cases(self) -> Iterable[Case]:
        return (
            Case("DATA-RUNS-UPSERT", _upserted),
            Case("DATA-RUNS-MISSING", _missing),
            Case("DATA-RUNS-IDS", _ids),
            Case("DATA-RUNS-TIMES", _times),
            Case("DATA-RUNS-KIND", _kind),
            Case("DATA-RUNS-ORDER", _ordered),
            Case("DATA-RUNS-FILTER", _filtered),
            Case("DATA-RUNS-PAGES", _paged),
            Case("DATA-RUNS-DELETE", _deleted),
            Case("DATA-REOPEN", _reopened),
        )


def _listing(**options: Any) -> Call:
    given = {name: value for name, value in options.items() if value is not None}
    return Call("list_runs", (), _RUNS, options=given)


# -- identifiers --------------------------------------------------------------------------------------------------


def _write_mark(ask: Ask, run_id: Any, mark: int) -> Any:
    kind = f"mark{mark}"
    return ask.call("create_or_update_run", run_id, kind, shown=f"create_or_update_run({shown(run_id)}, '{kind}')")


def _write_kind(ask: Ask, kind: Any, mark: int) -> Any:
    run_id = f"run-{mark}"
    return ask.call("create_or_update_run", run_id, kind, shown=f"create_or_update_run('{run_id}', {shown(kind)})")


def _read_mark(ask: Ask, run_id: Any) -> Back:
    found = ask.call("get_run", run_id, shown=f"get_run({shown(run_id)})")
    if found is None or found == {}:
        return Back((), (), found)
    kind = str(plain(field(found, "kind"))).removeprefix("mark")
    return Back((int(kind),) if kind.isdecimal() else (), (field(found, "run_id"),), found)


def _all_runs(ask: Ask) -> list[Any]:
    return page_of(ask.call("list_runs", limit=ALL, shown=f"list_runs(limit={ALL})"))


# -- the data, sentence by sentence -------------------------------------------------------------------------------

_LONGEST_KIND = 64


def _put(visit: "Visit", name: str | None, kind: str = "backtest", status: str = "pending") -> Any:
    return visit.must("create_or_update_run", name, kind, status=status)


def _told(run: Any) -> Any:
    """Return what the caller gave of a run: its id, kind and status."""
    return {name: plain(field(run, name)) for name in ("run_id", "kind", "status")} if run is not None else None


def _given(name: str, kind: str = "backtest", status: str = "pending") -> dict[str, str]:
    return {"run_id": name, "kind": kind, "status": status}


def _get(visit: "Visit", name: str) -> Any:
    return _told(visit.call("get_run", name))


def _names(visit: "Visit", **options: Any) -> list[str]:
    return _listed_names(visit.call("list_runs", **options))


def _listed_names(runs: Any) -> list[str]:
    return [str(field(run, "run_id")) for run in page_of(runs)]


def _upserted(visit: "Visit") -> "DataViolation | None":
    _put(visit, "run-1")
    _put(visit, "run-2", "optimise")
    created, other = plain(field(visit.call("get_run", "run-1"), "created_at")), plain(visit.call("get_run", "run-2"))
    if found := visit.expect("a run is not read as it was created", _get(visit, "run-1"), _given("run-1")):
        return found
    _put(visit, "run-1", status="completed")
    wanted = _given("run-1", status="completed")
    if found := visit.expect("a run is not read as it was updated", _get(visit, "run-1"), wanted):
        return found
    if found := visit.expect("updating one run changed another", _get(visit, "run-2"), _given("run-2", "optimise")):
        return found
    if found := visit.expect_records("updating one run changed another", visit.call("get_run", "run-2"), other):
        return found
    again = plain(field(visit.call("get_run", "run-1"), "created_at"))
    if found := visit.expect("updating a run changed when it was created", again, created):
        return found
    return visit.expect("an updated run is not listed once", sorted(_names(visit)), ["run-1", "run-2"])


def _missing(visit: "Visit") -> "DataViolation | None":
    sentence = "a run that was never created does not read as None"
    if found := visit.expect(sentence, _get(visit, "run-1"), None):
        return found
    if found := visit.expect("a store without runs lists some", _names(visit), []):
        return found
    _put(visit, "run-10")
    return visit.expect(sentence, _get(visit, "run-1"), None)


def _ids(visit: "Visit") -> "DataViolation | None":
    _put(visit, "run-1")
    known = {"run-1"}
    for _ in range(3):
        made = visit.must("create_or_update_run", None, "backtest", status="pending")
        name = made if isinstance(made, str) else field(made, "run_id")
        new = [n for n in _names(visit) if n not in known]
        if len(new) != 1:
            return visit.mismatch("a run without an id does not get one of its own", f"listed: {new}", "one new id")
        if name is not None and (found := visit.expect("the id returned is not the one listed", str(name), new[0])):
            return found
        if found := visit.expect("a run is not found under its new id", _get(visit, new[0]), _given(new[0])):
            return found
        known |= set(new)
    last = new[0]
    visit.call("delete_run", last)
    _put(visit, None)
    again = [n for n in _names(visit) if n not in known - {last}]
    if len(again) != 1:
        return visit.mismatch("a run without an id does not get one of its own", f"listed: {again}", "one new id")
    if again == [last]:
        return visit.mismatch("a new run got the id of one that was deleted", last, "an id that no run had before")
    return None


def _times(visit: "Visit") -> "DataViolation | None":
    def seen() -> tuple[Any, Any]:
        run = visit.call("get_run", "run-1")
        return plain(field(run, "started_at")), plain(field(run, "finished_at"))

    _put(visit, "run-1", status="pending")
    if found := visit.expect("a run that has not ended has a finished_at", seen()[1], None):
        return found
    _put(visit, "run-1", status="running")
    started, finished = seen()
    if started is None:
        return visit.mismatch("a run that is running has no started_at", "None", "the time when it began")
    if found := visit.expect("a run that is running has a finished_at", finished, None):
        return found
    _put(visit, "run-1", status="running")
    if found := visit.expect("a second update while a run is running changed its started_at", seen()[0], started):
        return found
    _put(visit, "run-1", status="completed")
    again, finished = seen()
    if finished is None:
        return visit.mismatch("a run that is completed has no finished_at", "None", "the time when it ended")
    if found := visit.expect("the end of a run changed its started_at", again, started):
        return found
    if as_time(finished) < as_time(started):
        return visit.mismatch("a run ended before it began", f"{started} to {finished}", "started_at <= finished_at")
    visit.reopen()
    return visit.expect("after reopening the times of a run are not what they were", list(seen()), [started, finished])


KINDS = {"BackTest": "backtest", "Walk Forward!": None, "../Kind\n2": None, "x" * 100: None}
"""Kinds, and what they have to become where that is said to the letter."""


def _kind(visit: "Visit") -> "DataViolation | None":
    for number, (kind, wanted) in enumerate(KINDS.items()):
        name = f"run-{number}"
        if wanted is not None:
            _put(visit, name, kind)
        elif not visit.accepted("create_or_update_run", name, kind, status="pending"):
            continue
        found = plain(field(visit.call("get_run", name), "kind"))
        if wanted is not None and (mismatch := visit.expect("kind is not lower-case", found, wanted)):
            return mismatch
        if not isinstance(found, str) or not re.fullmatch(r"[a-z0-9]+", found):
            return visit.mismatch("kind is not made of lower-case letters and digits", repr(found), "[a-z0-9]+")
        if len(found) > _LONGEST_KIND:
            return visit.mismatch("kind is longer than 64 characters", f"{len(found)} characters", "at most 64")
    return None


def _ordered(visit: "Visit") -> "DataViolation | None":
    for name in ("run-2", "run-3", "run-1", "run-4"):
        _put(visit, name)
    for name in ("run-3", "run-2"):
        _put(visit, name, status="running")
    wanted = ["run-2", "run-3", "run-4", "run-1"]
    for again in (False, True):
        if again:
            visit.reopen()
        listed = page_of(visit.call("list_runs"))
        times = [plain(field(run, "updated_at")) for run in listed]
        names = [str(field(run, "run_id")) for run in listed]
        if len(set(map(canonical, times))) == len(wanted):
            if found := visit.expect("the run updated last does not come first", names, wanted):
                return found
        elif None in times:
            return visit.mismatch("a run has no updated_at", canonical(times), "the time of its last update")
        elif [as_time(t) for t in times] != sorted((as_time(t) for t in times), reverse=True):
            return visit.mismatch("runs are not sorted by updated_at, latest first", canonical(times), "descending")
    return None


_MANY = (
    ("run-1", "backtest", "pending"),
    ("run-2", "optimise", "pending"),
    ("run-3", "backtest", "completed"),
    ("run-4", "backtest2", "pending"),
    ("run-5", "backtest", "running"),
)


def _filtered(visit: "Visit") -> "DataViolation | None":
    for row in _MANY:
        _put(visit, *row)
    for kind, status in (("backtest", None), (None, "pending"), ("backtest", "completed"), ("other", None)):
        wanted = sorted(name for name, k, s in _MANY if kind in (None, k) and status in (None, s))
        options = {n: v for n, v in (("kind", kind), ("status", status)) if v is not None}
        sentence = "the runs listed are not those of that kind and status"
        if found := visit.expect(sentence, sorted(_names(visit, **options)), wanted):
            return found
    return None


def _paged(visit: "Visit") -> "DataViolation | None":
    names = [f"run-{number}" for number in (3, 10, 1, 7, 2)]
    for name in names:
        _put(visit, name)
    whole = _names(visit)
    if found := visit.expect("the list does not hold each run once", sorted(whole), sorted(names)):
        return found
    pages = [_names(visit, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    wanted = [whole[:2], whole[2:4], whole[4:], []]
    if found := visit.expect("the pages are not the parts of the list, in its order", pages, wanted):
        return found
    for number in range(20, 28):  # every other one of another kind: a page of all is none of those asked for
        _put(visit, f"run-{number}", ("backtest", "optimise")[number % 2])
    whole = _names(visit, kind="optimise")
    pages = [_names(visit, kind="optimise", limit=2, offset=offset) for offset in (0, 2, 4)]
    if found := visit.expect(
        "with a filter, the pages are not the parts of the list", pages, [whole[:2], whole[2:4], []]
    ):
        return found
    visit.call("list_runs", limit=3, offset=0)
    _put(visit, "run-99")
    page, whole = _names(visit, limit=30, offset=3), _names(visit)
    sentence = "a page that is asked for after an update is not that part of the list"
    return visit.expect(sentence, page, whole[3:33])


def _deleted(visit: "Visit") -> "DataViolation | None":
    for name in ("run-1", "run-10", "run-2"):
        _put(visit, name)
    visit.call("delete_run", "run-1")
    for again in (False, True):
        if again:
            visit.reopen()
        if found := visit.expect("a deleted run is still read", _get(visit, "run-1"), None):
            return found
        if found := visit.expect(
            "the runs left are not all but the deleted", sorted(_names(visit)), ["run-10", "run-2"]
        ):
            return found
    return None


def _reopened(visit: "Visit") -> "DataViolation | None":
    _put(visit, "run-1")
    _put(visit, "run-2", "optimise", "running")
    _put(visit, "run-1", status="completed")
    before = [plain(visit.call("get_run", name)) for name in ("run-1", "run-2")]
    visit.reopen()
    found = [visit.call("get_run", name) for name in ("run-1", "run-2")]
    return visit.expect_records("after reopening the store shows something else", found, before, "run_id")
