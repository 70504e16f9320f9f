"""Runs a workload on a fresh store once, under a recorder, in a process that is gone before anything is judged.

The store that is opened on a crash image later is then really another process: a lock file that names the old
process id is stale, and nothing is remembered in memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_tradestore.crash.images import THE_ROOT, DurableImage
from pytest_tradestore.crash.operations import Create, MarkKind
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recorders.base import Recorder, Recording
from pytest_tradestore.crash.recorders.fake_patches import look_around
from pytest_tradestore.crash.trace import Snapshot, Trace
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, run_isolated
from pytest_tradestore.kits.call import Call
from pytest_tradestore.observation import Failed, Observation
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded run: what was done, what was seen live, and what the store printed."""

    trace: Trace
    history: History
    output: str = ""


@dataclass(frozen=True, slots=True)
class NotRecorded:
    """Why a run gave no evidence, in a sentence about the store; and what the store printed."""

    reason: str
    output: str = ""


def choose_recorder(wanted: str) -> tuple[Recorder, str]:
    """Return the recorder to use and a sentence about the choice, empty when it is the best one.

    Raises RuntimeError with the reason if the wanted one cannot work here.
    """
    from pytest_tradestore.crash.recorders.fake import FakeRecorder
    from pytest_tradestore.crash.recorders.strace import StraceRecorder

    if wanted == "fake":
        look_around()
        return FakeRecorder(), ""
    strace = StraceRecorder()
    reason = strace.unavailable()
    if reason is None:
        return strace, ""
    if wanted == "strace":
        raise RuntimeError(reason)
    look_around()
    return FakeRecorder(), f"the strace recorder cannot be used ({reason}); the fake one records instead"


def record(
    store: StoreUnderTest,
    workload: Workload,
    updates: tuple[Call, ...],
    recorder: Recorder,
    sandbox: Sandbox,
    start: DurableImage | None = None,
    reopened: frozenset[int] = frozenset(),
) -> Recorded | NotRecorded:
    """Run ``updates`` on a fresh store, or on one that finds ``start``, and record it.

    Before those that are ``reopened`` (by number, from 1) the store is closed and opened again, if it can be closed.
    """
    root = sandbox.fresh_root()
    if start is not None:
        start.write(root)
    declared = store.declarations
    names = _step_names(updates)

    def run(channel: Channel) -> tuple[Trace | None, tuple[Observation, ...], frozenset[int], str]:
        states: list[Observation] = []
        sessions: set[int] = set()
        problem = ""
        store.load()
        with recorder.record(root, volatile=declared.volatile) as recording:
            problem = _drive(store, workload, updates, root, recording, channel, states, reopened, sessions)
        return (recording.trace, tuple(states), frozenset(sessions), problem)

    ending = run_isolated(run, declared.deadline)
    match ending:
        case Finished((trace, states, sessions, problem), output):
            if problem:
                return NotRecorded(problem, output)
            names = ("the opening", *(u.rendered for u in updates))
            history = History(states, ("", *(u.key for u in updates)), names, workload.kit.loses, sessions)
            vacuous = _without_effect(history, updates)
            return NotRecorded(vacuous, output) if vacuous else Recorded(movable(trace, str(root)), history, output)
        case Hung(step, seconds, output):
            return NotRecorded(
                f"{names[min(step, len(names) - 1)]} took longer than {seconds:g} s (tradestore_deadline)", output
            )
        case Died(step, how, output):
            return NotRecorded(f"its process {how} during {names[min(step, len(names) - 1)]}", output)
    raise AssertionError("every ending is matched")


def _step_names(updates: tuple[Call, ...]) -> tuple[str, ...]:
    """Return what the steps of a recording are called: each call, and the reading after it."""
    calls = [name for u in updates for name in (u.rendered, f"reading after {u.rendered}")]
    return ("opening the store", "reading after opening the store", *calls, "closing the store", *_BETWEEN)


_BETWEEN = "closing the store before another session", "opening the store once more"


def record_reopenings(
    store: StoreUnderTest, workload: Workload, starts: Sequence[DurableImage], recorder: Recorder, sandbox: Sandbox
) -> Iterator[Recorded | NotRecorded]:
    """Record for each of ``starts`` how the store is opened on it, read and closed; in one process, attached to once.

    A store that hangs or ends its process is recorded again with a process for each.
    """
    roots = [sandbox.fresh_root() for _ in starts]
    for root, start in zip(roots, starts, strict=True):
        start.write(root)
    volatile = store.declarations.volatile

    def run(channel: Channel) -> list[tuple[Trace, tuple[Observation, ...], str]]:
        made: list[tuple[Recording, list[Observation], str]] = []
        store.load()
        with recorder.several() as recordings:
            for root in roots:
                states: list[Observation] = []
                with recordings.record(root, volatile=volatile) as recording:
                    problem = _drive(store, workload, (), root, recording, channel, states)
                made.append((recording, states, problem))
                channel.rest()
        return [(recording.trace, tuple(states), problem) for recording, states, problem in made]

    match run_isolated(run, store.declarations.deadline) if starts else Finished([]):
        case Finished(recorded):
            for root, (trace, states, problem) in zip(roots, recorded, strict=True):
                history = History(states, ("",), ("the opening",), workload.kit.loses)
                yield NotRecorded(problem) if problem else Recorded(movable(trace, str(root)), history)
        case _:
            yield from (record(store, workload, (), recorder, sandbox, start) for start in starts)


def _drive(
    store: StoreUnderTest,
    workload: Workload,
    updates: tuple[Call, ...],
    root: Path,
    recording: Recording,
    channel: Channel,
    states: list[Observation],
    reopened: frozenset[int] = frozenset(),
    sessions: set[int] | None = None,
) -> str:
    """Open, update, look, close; return in a sentence what the store refused, or nothing.

    ``sessions`` gets those of ``reopened`` before which it really was: a store without a way to be closed stays.
    """
    errors = store.declarations.errors
    bridge = Bridge()

    def marked(number: int, shown: str, call: Callable[[], object]) -> str:
        channel.step(2 * number)
        recording.mark(MarkKind.INVOKED, number)
        try:
            call()
        except Exception as error:
            return f"{shown} raised {type(error).__name__}: {error}"
        recording.mark(MarkKind.ACKNOWLEDGED, number)
        return ""

    opened = None

    def opening() -> None:
        nonlocal opened
        opened = store.open(root, bridge)

    if problem := marked(0, "opening the store", opening):
        return problem
    assert opened is not None
    channel.step(1)
    states.append(workload.observe(opened, errors))
    for number, update in enumerate(updates, 1):
        if number in reopened and opened.can_be_closed:  # no call is under way: what has returned has to outlive it
            last = 2 * len(updates) + 2
            try:
                channel.step(last + 1)
                opened.close()
                opened = None
                channel.step(last + 2)
                opening()
            except Exception as error:
                return f"closing and opening the store before {update.rendered} raised {type(error).__name__}: {error}"
            assert opened is not None
            if sessions is not None:
                sessions.add(number)
        if problem := marked(number, update.rendered, lambda u=update, o=opened: u.make(o)):  # type: ignore[misc]
            return problem
        channel.step(2 * number + 1)
        states.append(workload.observe(opened, errors))
    problem = marked(len(updates) + 1, "closing the store", opened.close)
    bridge.close()
    return problem


def movable(trace: Trace, root: str) -> Trace:
    """Return the trace with symlinks into the root pointing to wherever the root is."""

    def moved(target: str) -> str:
        return THE_ROOT + target[len(root) :] if target == root or target.startswith(root + "/") else target

    nodes = {inode: replace(node, target=moved(node.target)) for inode, node in trace.initial.nodes.items()}
    operations = tuple(
        replace(op, target=moved(op.target)) if isinstance(op, Create) else op for op in trace.operations
    )
    return replace(trace, initial=Snapshot(nodes), operations=operations)


def _without_effect(history: History, updates: tuple[Call, ...]) -> str:
    """Say which update its own caller could not see: a crash test of it would find nothing and prove nothing."""
    for number, update in enumerate(updates, 1):
        state = history.states[number]
        for place, seen in state.places:
            if isinstance(seen, Failed):
                return f"after {update.rendered} its own caller cannot read {place}: {seen}"
        if state == history.states[number - 1]:
            return f"{update.rendered} returned, but its own caller does not see the change"
    return ""
