"""The way in to all races: one program, many schedules, in a process of its own, and whether one of them goes wrong.

All of it happens in a process of its own, because the stand-ins stay, and a store may hang.
"""

import gc
import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_tradestore.crash.recorders.fake_locations import Lines
from pytest_tradestore.crash.recorders.fake_patches import look_around
from pytest_tradestore.errors import ReplayError
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, run_isolated
from pytest_tradestore.race import interposition, interrupts
from pytest_tradestore.race.callers import Order, Plain, run_threads
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.execution import (
    SIGNALS,
    Actors,
    Blow,
    Completed,
    ContextSwitch,
    Ending,
    Execution,
    Judge,
    Program,
    Search,
)
from pytest_tradestore.race.following import Repeating, Replaying, Turning
from pytest_tradestore.race.in_force import execution as begun
from pytest_tradestore.race.line_switches import LineSwitches, files_of
from pytest_tradestore.race.removing import remove
from pytest_tradestore.race.scheduler import Chooser, Scheduler
from pytest_tradestore.race.slowness import OneSlowOperation
from pytest_tradestore.race.strategies import Overtaking, Portfolio, search_of
from pytest_tradestore.race.tasks import run_tasks
from pytest_tradestore.race.threads import Carrier, Control
from pytest_tradestore.race.tokens import Choices, parse, token_of, with_lines
from pytest_tradestore.race.watchdog import Watchdog
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

REPETITIONS = 10
_SHRINKING = 200
"""Schedules that may be spent on making one simpler."""
_SHARE_OF_LINES = 4
"""The n-th part of the budget that is spent, besides, on schedules that switch between lines of the store."""
_LOOKED_AT = 3
"""Executions of each search after which it is looked for files that somebody made past the switch points."""
_MOST_STUCK = 20
"""Executions with something out of control after which a search ends: each has cost time, and proves little."""
_FIRST_FEW = 8
"""Schedules that are run of each program however long they take."""
_mkdir = os.mkdir


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found: with ``found`` the execution that goes wrong, and ``sentence`` what is wrong with it.

    ``repeated`` says how many of the ten repetitions went wrong again. ``trouble`` is set when the search itself did
    not come to its end: the process died, or hung past its deadline.
    """

    search: Search
    found: Execution | None = None
    sentence: str = ""
    token: str = ""
    repeated: int = 0
    trouble: str = ""


class Harness:
    """Where executions are run, one after the other, in this process. Leaves stand-ins in it for good."""

    sees_lines = True
    """Whether schedules can switch between lines of the store, too."""

    def __init__(self, sandbox: Sandbox, *, interrupting: bool = False) -> None:
        """``interrupting``: that of programs in which a signal's handler raises in a caller."""
        if not interposition.is_installed():
            interposition.install(interrupts.wrapped if interrupting else None)
            if interrupting:
                interrupts.install()
        self._place = os.fspath(sandbox.path)
        self._count = 0
        self._channel: Channel | None = None
        self._carriers: list[Carrier] = []
        self._plain: Plain = {}
        self._unsteered: dict[str, None] = {}
        self._first = 0
        self._watchdog = Watchdog()
        self._lines: dict[tuple[str, ...], LineSwitches] = {}
        gc.collect()
        gc.freeze()
        gc.disable()  # finalizers at a random moment would make system calls at a random moment

    def run(
        self,
        store: StoreUnderTest,
        program: Program,
        chooser: Chooser,
        *,
        detailed: bool = False,
        steps: bool = False,
        lines: bool = False,
    ) -> Execution:
        """Run the program once, in a new root, under the schedule that ``chooser`` gives.

        ``steps``: keep its steps; ``detailed``: with the line of each and what came of it, for which source files are
        read. ``lines``: stop at each line of the store's own source too.
        """
        self._count += 1
        if self._channel is not None:
            self._channel.step(self._count)
        if not self._count % 100:
            gc.collect()
        outer = f"{self._place}/{self._count}"
        root = f"{outer}/store"
        _mkdir(outer)
        _mkdir(root)
        looked_at = self._count - self._first < _LOOKED_AT
        with begun(root, remember=looked_at) as in_force:
            scheduler = scheduler_of(program, chooser, in_force.clock, keep_steps=detailed or steps)
            scheduler.grants = program.struck is None
            switches = self._lines_of(store) if lines else None
            control = Control(scheduler, in_force, self._carriers, Lines() if detailed else None, switches)
            order = Order(store, program, root, self._plain)
            self._watchdog.watch(control)
            if switches is not None:
                switches.begin()
            try:
                execution = (run_tasks if program.kind is Actors.TASKS else run_threads)(order, scheduler, control)
                return replace(execution, met=frozenset({Blow.SLOW})) if in_force.clock.asked else execution
            finally:
                self._watchdog.watch(None)
                if switches is not None:
                    switches.end()
                if looked_at:
                    self._unsteered.update(dict.fromkeys(map(_made_elsewhere, in_force.names.unseen())))
                remove(outer)

    def _lines_of(self, store: StoreUnderTest) -> LineSwitches:
        files = files_of(store.target)
        if files not in self._lines:
            self._lines[files] = LineSwitches(files)
        return self._lines[files]

    def replay(self, store: StoreUnderTest, program: Program, schedule: Choices | str) -> Execution:
        """Run one schedule again, given by its choices or by its token.

        Raises ReplayError if the code does not do the same any more.
        """
        chooser: Replaying | Repeating
        if isinstance(schedule, str):
            token = parse(schedule)
            chooser, lines = Replaying(token), token.lines
        else:
            chooser, lines = Repeating(schedule), with_lines(schedule)
        execution = self.run(store, program, chooser, detailed=True, lines=lines)
        chooser.check()
        return execution

    def first(self, store: StoreUnderTest, program: Program, seed: int, channel: Channel | None) -> Execution:
        """Run the first schedule of a program with its steps: in it nobody keeps the first caller from anything."""
        self._channel, self._first = channel, self._count + 1
        strategy = strategy_of(program, seed)
        strategy.begin()
        return self.run(store, program, strategy, steps=True)

    def spent(self) -> float:
        """Return the seconds of processor time that executions have taken so far, as far as is known."""
        return time.process_time()

    def explore(
        self,
        store: StoreUnderTest,
        program: Program,
        *,
        budget: int,
        seed: int,
        judge: Judge,
        stop_at_first: bool = True,
        channel: Channel | None = None,
        over: Callable[[], bool] = lambda: False,
    ) -> SearchResult:
        """Run up to ``budget`` schedules; simplify and repeat the first one that ``judge`` objects to.

        Threads get a quarter of the budget more, for races in memory. Which schedules come is settled by the seed; when
        the time is ``over`` those that are left are cut off, but for the first few.
        """
        self._channel, self._first = channel, self._count + 1
        self._unsteered.clear()
        strategy = strategy_of(program, seed)
        found, tally = self._phase(store, program, judge, strategy, budget, stop_at_first, over, lines=False)
        lines = self.sees_lines and program.kind is Actors.THREADS and program.struck is None
        if lines and not tally.hung and (found is None or not stop_at_first):
            share = max(1, budget // _SHARE_OF_LINES)
            in_memory, more = self._phase(
                store, program, judge, Portfolio(seed, alone=share // 4), share, stop_at_first, over, lines=True
            )
            found, tally = found or in_memory, tally + more
        uncontrolled = tuple(tally.uncontrolled | self._unsteered)
        search = search_of(strategy, tally.executions, uncontrolled)
        search = replace(search, cut=tally.cut, exhausted=search.exhausted and not tally.cut)
        if found is None:
            return SearchResult(search)
        if found.execution.ending is not Ending.HUNG:
            found = self._simplified(store, program, judge, found)
        return self._repeated(store, program, judge, found, search)

    def _phase(
        self,
        store: StoreUnderTest,
        program: Program,
        judge: Judge,
        strategy: Portfolio,
        budget: int,
        stop_at_first: bool,
        over: Callable[[], bool],
        *,
        lines: bool,
    ) -> tuple["_Found | None", "_Tally"]:
        """Run up to ``budget`` schedules, and return the first one that goes wrong."""
        first: _Found | None = None
        tally = _Tally()
        while tally.executions < budget:
            if tally.executions >= _FIRST_FEW and over():
                tally.cut = budget - tally.executions
                break
            if not strategy.begin():
                break
            execution = self.run(store, program, strategy, lines=lines)
            tally.count(execution)
            sentence = judge(execution)
            if sentence is not None and first is None:
                first = _Found(execution, sentence, lines)
            if tally.hung or tally.stuck > _MOST_STUCK or (first is not None and stop_at_first):
                break
        return first, tally

    def _simplified(self, store: StoreUnderTest, program: Program, judge: Judge, found: "_Found") -> "_Found":
        """Return the schedule with as few turns as still go wrong, and never more preemptions."""
        at, left = len(found.turns) - 1, _SHRINKING
        while at >= 0 and left:
            left -= 1
            fewer = Turning(found.turns[:at] + found.turns[at + 1 :])
            again = self.run(store, program, fewer, lines=found.lines)
            if len(again.turns) < len(found.turns) and again.preemptions <= found.execution.preemptions:
                sentence = judge(again)
                if sentence is not None:
                    found = _Found(again, sentence, found.lines)
                    at = len(found.turns)  # what could not be left out before may be now
            at -= 1
        return found

    def _repeated(
        self, store: StoreUnderTest, program: Program, judge: Judge, found: "_Found", search: Search
    ) -> SearchResult:
        """Run the schedule again to say how surely it goes wrong, and keep one run with its details."""
        result = SearchResult(search, found.execution, found.sentence)
        if found.execution.ending is Ending.HUNG:
            return result
        for _ in range(REPETITIONS):
            again = self.run(store, program, Turning(found.turns), detailed=True, lines=found.lines)
            sentence = judge(again)
            if sentence is None or (result.repeated and again.choices != result.found.choices):  # type: ignore[union-attr]
                continue
            token = str(token_of(again.turns, again.choices, found.lines))
            result = replace(result, found=again, sentence=sentence, token=token, repeated=result.repeated + 1)
        return result


@dataclass(frozen=True, slots=True)
class _Found:
    """What happened under a schedule that goes wrong."""

    execution: Execution
    sentence: str
    lines: bool

    @property
    def turns(self) -> tuple[ContextSwitch, ...]:
        return self.execution.turns


@dataclass(slots=True)
class _Tally:
    """How many executions there were, and what was the matter with them."""

    executions: int = 0
    stuck: int = 0
    cut: int = 0
    hung: bool = False
    uncontrolled: dict[str, None] = field(default_factory=dict)

    def count(self, execution: Execution) -> None:
        self.executions += 1
        self.stuck += execution.given_up
        self.hung = self.hung or execution.ending is Ending.HUNG
        self.uncontrolled.update(dict.fromkeys(execution.uncontrolled))

    def __add__(self, other: "_Tally") -> "_Tally":
        both = self.uncontrolled | other.uncontrolled
        return _Tally(
            self.executions + other.executions,
            self.stuck + other.stuck,
            self.cut + other.cut,
            self.hung or other.hung,
            both,
        )


def scheduler_of(program: Program, chooser: Chooser, clock: Clock, *, keep_steps: bool) -> Scheduler:
    """Return who decides, in one execution, who runs next."""
    scheduler = Scheduler(chooser, clock, keep_steps=keep_steps)
    if program.blow is Blow.SLOW and program.struck is not None:
        scheduler.slowness = OneSlowOperation(scheduler, clock, *program.struck)
    if isinstance(chooser, Repeating | Replaying):
        chooser.scheduler = scheduler
    return scheduler


def strategy_of(program: Program, seed: int) -> Portfolio:
    """Return what chooses the schedules of a program, those that are killed or cancelled in it apart."""
    if program.struck is None or program.blow is Blow.SLOW:
        return Portfolio(seed)
    return Overtaking(seed, program.struck[0] if program.kind is Actors.TASKS else None)


def _made_elsewhere(name: str) -> str:
    return f"{name} was made by code whose system calls are not seen: a native library, or another process"


def run_schedules(
    store: StoreUnderTest, program: Program, *, budget: int, seed: int, judge: Judge, stop_at_first: bool = True
) -> SearchResult:
    """Search in a process of its own, which ends in time whatever the store does."""
    look_around()

    with Sandbox() as sandbox:  # here, so that it is removed even if the process is killed

        def task(channel: Channel) -> SearchResult:
            result = Harness(sandbox).explore(
                store, program, budget=budget, seed=seed, judge=judge, stop_at_first=stop_at_first, channel=channel
            )
            return replace(result, found=_sendable(result.found))

        match run_isolated(task, store.declarations.deadline):
            case Finished(value):
                return value  # type: ignore[no-any-return]
            case Hung(step, seconds):
                return SearchResult(
                    Search(step, False),
                    trouble=f"schedule {step} made no step within {seconds:g} s (tradestore_deadline)",
                )
            case Died(step, how):
                return SearchResult(Search(step, False), trouble=f"the process ended in schedule {step}: {how}")
    raise AssertionError("every ending is matched")


def _sendable(execution: Execution | None) -> Execution | None:
    """Return an execution whose results survive the way between processes: what does not is shown by its repr."""
    if execution is None:
        return None

    def safe(value: Any) -> Any:
        try:
            pickle.loads(pickle.dumps(value))  # noqa: S301 - just made
            return value
        except Exception:
            return repr(value)

    def entry(completed: Completed) -> Completed:
        arguments = tuple(safe(argument) for argument in completed.call.arguments)
        call = replace(completed.call, arguments=arguments)
        return replace(completed, call=call, result=safe(completed.result))

    return replace(execution, history=tuple(entry(completed) for completed in execution.history))


def replay(store: StoreUnderTest, program: Program, schedule: Choices | str) -> Execution:
    """Run one schedule again in a process of its own, given by its choices or by its token.

    Raises ReplayError if the code does not do the same any more, or the process does not come to an end.
    """
    look_around()

    with Sandbox() as sandbox:

        def task(channel: Channel) -> Execution | str:
            channel.step(1)
            harness, said = Harness(sandbox, interrupting=program.blow in SIGNALS), ""
            for _ in range(2):  # what is done once in a process, late imports say, has been done the second time
                try:
                    return _sendable(harness.replay(store, program, schedule)) or ""
                except ReplayError as error:
                    said = str(error)
            return said

        ending = run_isolated(task, store.declarations.deadline)
    if isinstance(ending, Finished):
        if isinstance(ending.value, Execution):
            return ending.value
        raise ReplayError(ending.value)
    raise ReplayError("the schedule did not come to an end when it was run again")
