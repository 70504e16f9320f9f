"""Runs a program under many schedules and says whether one of them goes wrong: the way in to everything here.

All of it happens in a process of its own, because the stand-ins stay, and a store may hang.
"""

import gc
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_tradestore.crash.recorders.fake_locations import Lines
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, stream_isolated
from pytest_tradestore.race import interposition
from pytest_tradestore.race.actors import Actor, stable
from pytest_tradestore.race.callers import Order, run_threads
from pytest_tradestore.race.clock import CLOCK
from pytest_tradestore.race.execution import Actors, Completed, Ending, Execution, Judge, Program, Search
from pytest_tradestore.race.scheduler import Chooser, Scheduler
from pytest_tradestore.race.strategies import Mixture, search_of
from pytest_tradestore.race.tasks import run_tasks
from pytest_tradestore.race.threads import Carrier, Control
from pytest_tradestore.sandbox import Sandbox, remove_tree
from pytest_tradestore.target import StoreUnderTest

REPETITIONS = 10
_mkdir, _rmdir, _unlink, _scandir = os.mkdir, os.rmdir, os.unlink, os.scandir


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


class Laboratory:
    """Where executions are run, one after the other, in this process. Leaves stand-ins in it for good."""

    _installed = False

    def __init__(self, sandbox: Sandbox) -> None:
        if not Laboratory._installed:
            interposition.install()
            Laboratory._installed = True
        self._place = os.fspath(sandbox.path)
        self._count = 0
        self._carriers: list[Carrier] = []
        gc.collect()
        gc.freeze()
        gc.disable()  # finalizers at a random moment would make system calls at a random moment

    def run(self, store: StoreUnderTest, program: Program, chooser: Chooser, detailed: bool = False) -> Execution:
        """Run the program once, in a new root, under the schedule that ``chooser`` gives."""
        self._count += 1
        if not self._count % 100:
            gc.collect()
        outer = f"{self._place}/{self._count}"
        root = f"{outer}/store"
        _mkdir(outer)
        _mkdir(root)
        interposition.begin(root)
        scheduler = Scheduler(chooser, CLOCK, keep_steps=detailed)
        if isinstance(chooser, Following):
            chooser.scheduler = scheduler
        control = Control(scheduler, self._carriers, Lines() if detailed else None)
        order = Order(store, program, root)
        try:
            return (run_tasks if program.kind is Actors.TASKS else run_threads)(order, scheduler, control)
        finally:
            _remove(outer)

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
    ) -> SearchResult:
        """Run up to ``budget`` schedules; shrink and repeat the first one that ``judge`` objects to."""
        strategy = Mixture(seed)
        uncontrolled: dict[str, None] = {}
        first: tuple[Execution, str] | None = None
        count = 0
        while count < budget and strategy.begin():
            count += 1
            if channel is not None:
                channel.step(count)
            execution = self.run(store, program, strategy)
            uncontrolled.update(dict.fromkeys(execution.uncontrolled))
            sentence = judge(execution)
            if sentence is not None:
                first = first or (execution, sentence)
                if stop_at_first:
                    break
            if execution.ending is Ending.HUNG:
                break  # threads of it may still hold what the next execution needs
        search = search_of(strategy, count, tuple(uncontrolled))
        if first is None:
            return SearchResult(search)
        return self._confirmed(store, program, judge, search, first)

    def _confirmed(
        self, store: StoreUnderTest, program: Program, judge: Judge, search: Search, first: tuple[Execution, str]
    ) -> SearchResult:
        execution, sentence = first
        repeated = 0
        for _ in range(REPETITIONS):
            following = Following(execution.choices)
            again = self.run(store, program, following, detailed=True)
            said = judge(again)
            if said is not None and again.choices == execution.choices:
                repeated += 1
                shown, sentence = again, said
        return SearchResult(search, shown if repeated else execution, sentence, "", repeated)


class Following:
    """Follows the choices of an earlier execution, and notices when the code does not do the same any more."""

    def __init__(self, choices: Sequence[tuple[int, str]]) -> None:
        self._choices = choices
        self.scheduler: Scheduler | None = None
        self.mismatch = ""

    def choose(self, enabled: Sequence[Actor], current: Actor | None) -> Actor:
        assert self.scheduler is not None, "the scheduler is known before it asks"
        at = len(self.scheduler.choices)
        wanted = self._choices[at] if at < len(self._choices) else None
        for actor in enabled:
            if wanted is not None and (actor.number, stable(actor.pending)) == wanted:
                return actor
        if not self.mismatch:
            could = " or ".join(f"{actor.label}: {actor.pending}" for actor in enabled)
            self.mismatch = f"step {at + 1} was {wanted}, and now it could be {could}"
        return enabled[0]


def _remove(outer: str) -> None:
    """Remove an execution's directory, quickly where it is as simple as usual."""
    try:
        _clear(outer)
        _rmdir(outer)
    except OSError:
        from pathlib import Path

        remove_tree(Path(outer))


def _clear(directory: str) -> None:
    with _scandir(directory) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _clear(entry.path)
            _rmdir(entry.path)
        else:
            _unlink(entry.path)


def run_schedules(
    store: StoreUnderTest, program: Program, *, budget: int, seed: int, judge: Judge, stop_at_first: bool = True
) -> SearchResult:
    """Search in a process of its own, which ends in time whatever the store does."""

    def task(channel: Channel) -> SearchResult:
        with Sandbox() as sandbox:
            result = Laboratory(sandbox).explore(
                store, program, budget=budget, seed=seed, judge=judge, stop_at_first=stop_at_first, channel=channel
            )
        return replace(result, found=_sendable(result.found))

    for event in stream_isolated(task, store.declarations.deadline):
        match event:
            case Finished(value):
                return value  # type: ignore[no-any-return]
            case Hung(step, seconds):
                trouble = f"schedule {step} made no step within {seconds:g} s"
                return SearchResult(Search(step, False), trouble=trouble)
            case Died(step, how):
                return SearchResult(Search(step, False), trouble=f"the process was {how} in schedule {step}")
            case Sent():
                continue
    raise AssertionError("the stream of a task ends with its ending")


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
