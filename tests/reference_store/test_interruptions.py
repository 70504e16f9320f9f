"""An exception that a signal raises in a call, at whatever step: the call has happened or not, and all goes on."""

import gc
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakValueDictionary

import pytest

import reference_store
from reference_store import (
    DocumentStore,
    FileDataStore,
    JournalStore,
    LockTimeout,
    RunStore,
    SingleDocumentStore,
    SyncJobStore,
)
from reference_store.core import atomic
from reference_store.core.atomic import Directory
from reference_store.core.locking import RootLock
from reference_store.core.root import Root
from reference_store.models import Action, Decision, Event, FundamentalData, Job
from tests.reference_store.trading import ALWAYS, DAY, JANUARY, bar, bars

PACKAGE = str(Path(reference_store.__file__).parent)


class Interruption(BaseException):
    """What the handler of a signal raises."""


def interrupted_at_each_step(call: Callable[[], Any], by: type[BaseException] = Interruption) -> Iterator[int]:
    """Make the call again and again, interrupted before the first, second, ... instruction of the package.

    Yields after each time that it was interrupted; ends when the call comes to its end, which no interruption may give.
    """
    step = 0
    while True:
        step += 1
        left = step

        def trace(frame: FrameType, event: str, _argument: object) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.startswith(PACKAGE):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode" and left:
                left -= 1
                if not left:
                    raise by
            return trace

        sys.settrace(trace)
        try:
            call()
        except by:
            sys.settrace(None)
            yield step
        else:
            assert left, f"swallowed at step {step}"
            return
        finally:
            sys.settrace(None)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(atomic, "sync", lambda _descriptor: None)  # thousands of writes, and no power loss
    return tmp_path


def is_free(root: Path, seconds: float = 5) -> bool:
    """Whether another process could write within so many seconds: a borrower that is gone may have to be found out."""
    directory = Directory.open(str(root))
    lock = RootLock(directory.descriptor)
    try:
        lock.acquire(directory.descriptor, str(root), seconds)
    except LockTimeout:
        return False
    lock.release()
    return True


def test_a_put_interrupted_at_any_step_has_happened_or_not_and_the_next_one_is_made(root: Path) -> None:
    store, number = DocumentStore(root, lock_timeout=5), [0]
    store.put("K", {"n": 0})

    def put() -> None:
        number[0] += 1
        store.put("K", {"n": number[0]})

    steps = 0
    for steps in interrupted_at_each_step(put):
        seen = store.get("K")
        assert seen in ({"n": number[0]}, {"n": number[0] - 1})
        assert is_free(root), steps
        store.put("OTHER", {"step": steps})
        assert store.get("K") == seen, f"landed late, interrupted at step {steps}"
        number[0] += 1
        store.put("K", {"n": number[0]})
    assert steps > 100


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.get("K"),
        lambda store: store.keys(),
        lambda store: store.delete("K"),
        lambda store: store.reseal("OTHER"),
        lambda store: DocumentStore(store.place, lock_timeout=5),
    ],
    ids=["get", "keys", "delete", "reseal", "open"],
)
def test_any_other_call_interrupted_at_any_step_leaves_the_root_usable(
    root: Path, call: Callable[[DocumentStore], Any]
) -> None:
    store = DocumentStore(root, lock_timeout=5)
    store.place = root  # type: ignore[attr-defined]
    store.put("OTHER", {"step": 0})

    steps = 0
    for steps in interrupted_at_each_step(lambda: call(store)):
        assert is_free(root), steps
        store.put("K", {"step": steps})
        assert store.get("K") == {"step": steps}
        assert store.keys() == ["K", "OTHER"]
    assert steps > 20


def test_a_call_interrupted_at_any_step_while_it_waits_and_when_its_time_is_over_never_lands(root: Path) -> None:
    store, other = DocumentStore(root, lock_timeout=0.001), DocumentStore(root, lock_timeout=5)
    store.put("K", {"n": 0})
    directory = Directory.open(str(root))
    lock = RootLock(directory.descriptor)

    def put_in_vain() -> None:
        with pytest.raises(LockTimeout):
            store.put("K", {"n": 1})

    interrupted = interrupted_at_each_step(put_in_vain)
    while True:
        lock.acquire(directory.descriptor, str(root), 5)
        try:
            ended = next(interrupted, None) is None
        finally:
            lock.release()
        other.put("OTHER", {})
        assert store.get("K") == {"n": 0}
        if ended:
            break


def test_who_borrows_the_lock_and_is_interrupted_at_any_step_gives_it_back(root: Path) -> None:
    opened, store = Root(root, 5), DocumentStore(root, lock_timeout=5)

    def use() -> None:
        with opened.updating("use", "K") as directory:
            directory.names()

    for _ in interrupted_at_each_step(use):
        store.put("K", {})


def whatever_is_kept(root: Path) -> object:
    with FileDataStore(root) as store:
        bars = [one.date for one in store.read_bars("AAPL", *ALWAYS)]
        return bars, store.read_fundamental("AAPL"), store.read_fundamental("AAPL", as_of=JANUARY + DAY)


CHANGES: dict[str, Callable[[FileDataStore], object]] = {
    "delete_bars": lambda store: store.delete_bars("AAPL", JANUARY, JANUARY + 3 * DAY),
    "fold_bars": lambda store: store.fold_bars(),
    "write_bars_of_many": lambda store: store.write_bars_of_many({"AAPL": [bar(JANUARY + 90 * DAY)]}),
    "reseal_bars": lambda store: store.reseal_bars("AAPL"),
    "salvage_bars": lambda store: store.salvage_bars("AAPL"),
    "prune_fundamentals": lambda store: store.prune_fundamentals("AAPL", JANUARY + 2 * DAY),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_long_change_interrupted_behind_any_step_that_others_can_see_has_happened_or_not(
    root: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[FileDataStore], object]
) -> None:
    """Ctrl-C comes in the main thread: what was staged must not go when the manifest that names it is there."""
    change(filled(root / "done"))
    done = whatever_is_kept(root / "done")
    for place in itertools.count(1):
        here = root / str(place)
        store, steps = filled(here), [place]
        before = whatever_is_kept(here)
        with monkeypatch.context() as patch, suppress(Interruption):
            for name in ("rename", "unlink", "link", "fsync"):
                patch.setattr(os, name, interrupted_behind(getattr(os, name), steps))
            change(store)
        after = whatever_is_kept(here)
        assert after in (before, done), place
        if steps[0] > 0:
            break  # it has come to its end
        store.write_bars("MSFT", [bar(JANUARY, symbol="MSFT")])


def filled(root: Path) -> FileDataStore:
    store = FileDataStore(root, lock_timeout=5)
    store.write_bars("AAPL", bars(JANUARY, 40))
    store.write_bars_of_many({"AAPL": [bar(JANUARY + 60 * DAY)]})  # waits beside the months
    for day in range(4):
        at = JANUARY + day * DAY
        store.write_fundamental("AAPL", FundamentalData(symbol="AAPL", timestamp=at, employees=day))
    return store


def interrupted_behind(real: Callable[..., Any], steps: list[int]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        result = real(*arguments, **options)
        if threading.current_thread() is threading.main_thread():
            steps[0] -= 1
            if not steps[0]:
                raise Interruption
        return result

    return call


def test_an_alarm_at_any_moment_neither_loses_nor_blocks_anything(tmp_path: Path) -> None:
    store = SingleDocumentStore(tmp_path, lock_timeout=5)
    armed = [False]
    acknowledged = n = alarms = 0

    def handler(_signal: int, _frame: FrameType | None) -> None:
        if armed[0]:
            raise Interruption

    before = signal.signal(signal.SIGALRM, handler)
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None  # an alarm in a finalizer
    try:
        for turn in range(60):
            try:
                try:
                    armed[0] = True
                    signal.setitimer(signal.ITIMER_REAL, 0.0002 * (turn % 15 + 1), 0.0001 * (turn % 2))
                    while True:
                        n += 1
                        store.save({"n": n})
                        acknowledged = n
                finally:
                    armed[0] = False
            except Interruption:
                armed[0] = False
                alarms += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            seen = store.load()
            assert seen.get("n", 0) >= acknowledged
            n = seen.get("n", 0) + 1
            store.save({"n": n})
            assert store.load() == {"n": n}
            acknowledged = n
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = unraisable
    assert alarms == 60


def test_control_interruptions_do_strike_where_the_package_takes_its_steps() -> None:
    struck = []

    def call() -> None:
        lock = threading.Lock()
        atomic._temporary_name()
        struck.append(lock)

    assert len(list(interrupted_at_each_step(call))) > 3
    assert len(struck) == 1


@contextmanager
def only_its_own_leftovers() -> Iterator[None]:
    """The collector finds in here only what is let go of in here: what other tests left is theirs to clear away."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def callbacks_during(call: Callable[[], Any]) -> set[str]:
    """The code that runs in this thread because something is gone: it lets nothing out that a handler raises."""
    seen: set[str] = set()

    def look(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        on_the_way = "weakref" in code.co_filename and code.co_name in ("remove", "_remove", "_cb")
        on_the_way |= code.co_name == "__del__" and code.co_filename.startswith(PACKAGE)
        on_the_way |= code.co_qualname == "finalize.__call__"
        if event == "call" and on_the_way:
            seen.add(f"{Path(code.co_filename).name}: {code.co_name}")

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


def test_no_call_runs_code_in_which_an_alarm_is_swallowed(root: Path) -> None:
    documents, journal = DocumentStore(root / "documents"), JournalStore(root / "journal")
    data, jobs, runs = FileDataStore(root / "data"), SyncJobStore(root / "jobs"), RunStore(root / "runs")
    single = SingleDocumentStore(root / "single")

    def calls() -> None:
        for key in ("A", "B"):
            documents.put(key, {"n": 1})
            documents.update(key, lambda document: {"n": (document or {"n": 0})["n"] + 1})
            documents.get(key)
            journal.append(key, {"n": 1})
            journal.read(key)
        documents.keys()
        documents.reseal("A")
        documents.delete("A")
        single.save({"n": 1})
        single.load()
        data.write_bars("AAPL", [bar(JANUARY)])
        data.read_bars("AAPL", *ALWAYS)
        data.months("AAPL")
        data.save_strategy_state("a", {"n": 1})
        data.write_event(Event(type="split", timestamp=JANUARY, symbol="AAPL"))
        data.log_decision("a", Decision(symbol="AAPL", action=Action.BUY, target_weight=0.5, confidence=0.5))
        jobs.save(Job(job_id="1", job_type="t"))
        jobs.claim_next("t", worker="w")
        jobs.list()
        runs.create_or_update_run("1", "backtest")
        runs.list_runs()

    with only_its_own_leftovers():
        assert callbacks_during(calls) == set()


class Alarm(Exception):
    """What a handler may raise as well: an ordinary exception."""


def test_an_alarm_comes_out_of_a_read_at_whatever_step_it_is_raised(root: Path) -> None:
    documents, journal, data = DocumentStore(root / "a"), JournalStore(root / "b"), FileDataStore(root / "c")
    documents.put("A", {"n": 1})
    journal.append("A", {"n": 1})
    data.write_bars("AAPL", [bar(JANUARY)])
    reads = (lambda: documents.get("A"), documents.keys, lambda: journal.read("A"))
    for read in (*reads, lambda: data.read_bars_table("AAPL", *ALWAYS), lambda: data.months("AAPL"), data.symbols):
        steps = len(list(interrupted_at_each_step(read, Alarm)))
        assert steps > 20


@pytest.mark.parametrize("in_a_cycle", [False, True], ids=["by-its-last-user", "by-the-collector"])
def test_a_directory_that_is_let_go_of_is_closed_without_such_code(root: Path, *, in_a_cycle: bool) -> None:
    closed: list[int] = []

    def let_go() -> None:
        directory = Directory.open(str(root))
        closed.append(directory.descriptor)
        if in_a_cycle:
            directory.__dict__["itself"] = directory
        del directory
        gc.collect()

    with only_its_own_leftovers():
        assert callbacks_during(let_go) == set()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(closed[0])


def test_a_directory_is_closed_once_however_often_that_is_asked_for(root: Path) -> None:
    directory = Directory.open(str(root))
    descriptor = directory.descriptor
    directory.close()
    again = os.open(root, os.O_RDONLY)
    assert again == descriptor, "the system gives the lowest one that is free"

    directory.close()
    del directory

    os.close(again)


def test_control_a_weak_dictionary_would_run_some() -> None:
    def call() -> None:
        made: WeakValueDictionary[str, DocumentStore] = WeakValueDictionary()
        made["A"] = type("Group", (), {})()

    assert callbacks_during(call)
