"""Races in people's own tests: a class of theirs, what its callers do, and what has to hold afterwards.

This is what the fixture ``tradestore_race`` hands out; the suite itself does not come here.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tradestore.errors import TargetError
from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.race.execution import Actors, Call, Ending, Execution, Program
from pytest_tradestore.race.judging import Finding, Wrong
from pytest_tradestore.race.search import REPETITIONS, run_schedules
from pytest_tradestore.race.timeline import counterexample
from pytest_tradestore.report.counterexample import render
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest
from pytest_tradestore.verdict import Counterexample

_WIDTH = 110
Asked = str | tuple[Any, ...]
"""A call: the name of a method, or a tuple of its name and its arguments."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the callers got under one schedule, and what was seen afterwards.

    ``results[i][j]`` is what the j-th call of caller i returned, or the text of what it raised; ``afterwards`` are the
    results of the calls made when all callers were done. A call that never came back has no result.
    """

    results: tuple[tuple[Any, ...], ...]
    afterwards: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """How much was tried: ``exhausted`` says that there are no other schedules with ``bound`` preemptions or fewer."""

    schedules: int
    exhausted: bool
    bound: int | None
    uncontrolled: tuple[str, ...] = ()


class RaceFound(AssertionError):  # noqa: N818 - a finding about the code under test, not an error of ours
    """A schedule under which something does not hold; its text is the timeline."""

    def __init__(self, counterexample: Counterexample) -> None:
        self.counterexample = counterexample
        text = render(counterexample, "", _WIDTH).replace(" VIOLATED: ", "", 1)
        super().__init__(text)


class Race:
    """Runs callers of one object under many schedules.

    ``target(root)`` makes the object on an empty directory; it may be of any class. ``budget`` is how many schedules
    are run at most, ``seed`` which ones where there are more.
    """

    def __init__(
        self, target: Callable[[Path], Any], *, budget: int = 500, seed: int = 0, deadline: float = 10.0
    ) -> None:
        self._target, self._budget, self._seed = target, budget, seed
        self._store = StoreUnderTest("race", _Opening(target), errors=(Exception,), deadline=deadline)
        self._kind: Actors | None = None

    def check(
        self,
        *callers: Sequence[Asked],
        holds: Callable[[Outcome], bool | None],
        before: Sequence[Asked] = (),
        afterwards: Sequence[Asked] = (),
        own_instances: bool = False,
    ) -> Searched:
        """Let each of ``callers`` make its calls side by side, and ask ``holds`` after each schedule.

        ``holds`` fails by returning False or by an AssertionError. With ``own_instances`` each caller makes an object
        of its own on the same directory. Raises RaceFound for the simplest schedule that fails, and for a deadlock;
        TargetError if nothing could be run.
        """
        actors = tuple(_calls(calls) for calls in callers)
        kind = self._who(call.method for calls in actors for call in calls)
        program = Program(actors, _calls(before), _calls(afterwards), own_instances, kind)

        def judge(execution: Execution) -> str | None:
            finding = _wrong(execution, program, holds)
            return None if finding is None else finding.sentence

        result = run_schedules(self._store, program, budget=self._budget, seed=self._seed, judge=judge)
        if result.trouble:
            raise TargetError(f"the search for races did not come to its end: {result.trouble}")
        if result.found is not None:
            finding = _wrong(result.found, program, holds) or Finding(Wrong.LOST, result.sentence, "")
            before_, after = f"schedule {result.search.executions:,}, ", f", replayed {result.repeated}/{REPETITIONS}"
            raise RaceFound(counterexample(result.found, program, finding, before_, after, ""))
        search = result.search
        return Searched(search.executions, search.exhausted, search.bound, search.uncontrolled)

    def _who(self, methods: Iterable[str]) -> Actors:
        """Return who the callers are: tasks if what they call is awaited."""
        if self._kind is None:
            names = tuple(methods)

            with Sandbox() as sandbox:

                def look(channel: Channel) -> bool:
                    channel.step(0)
                    made = Bridge().settle(self._target(sandbox.fresh_root()))
                    return any(inspect.iscoroutinefunction(getattr(made, name, None)) for name in names)

                ending = run_isolated(look, self._store.declarations.deadline)
            if not isinstance(ending, Finished):
                raise TargetError("the object under test could not be made on an empty directory")
            self._kind = Actors.TASKS if ending.value else Actors.THREADS
        return self._kind


def _calls(asked: Sequence[Asked]) -> tuple[Call, ...]:
    calls = []
    for one in asked:
        name, *arguments = (one,) if isinstance(one, str) else one
        calls.append(Call(name, tuple(arguments), "", f"{name}({', '.join(map(repr, arguments))})"))
    return tuple(calls)


def _wrong(execution: Execution, program: Program, holds: Callable[[Outcome], bool | None]) -> Finding | None:
    if execution.ending is Ending.HUNG:
        return None
    if execution.ending is Ending.DEADLOCK:
        return Finding(Wrong.STUCK, "the callers wait for ever", "; ".join(execution.waits_for))
    results = tuple(
        tuple(c.error or c.result for c in execution.history if c.actor == actor and c.call.method != "open")
        for actor in range(len(program.actors))
    )
    last = [c for c in execution.history if c.actor < 0][len(program.prepare) :]
    outcome = Outcome(results, tuple(c.error or c.result for c in last))
    try:
        if holds(outcome) is not False:
            return None
        reason = "what has to hold does not"
    except AssertionError as error:
        reason = str(error).partition("\n")[0] or "what has to hold does not"
    found = [f"caller {chr(ord('A') + i)} got {list(got)!r}" for i, got in enumerate(results)]
    return Finding(Wrong.LOST, reason, "; ".join([*found, f"afterwards {list(outcome.afterwards)!r}"]))


class _Opening:
    """Opens objects of any class: the harness wants a contract, and is given one that nobody calls."""

    def __init__(self, target: Callable[[Path], Any]) -> None:
        self.__wrapped__ = target
        self.__module__ = getattr(target, "__module__", type(self).__module__)

    def __call__(self, root: Path) -> Any:
        made = self.__wrapped__(root)
        if inspect.isawaitable(made):
            return _awaited(made)
        return _Offered(made)


async def _awaited(made: Any) -> Any:
    return _Offered(await made)


class _Offered:
    """An object under test, with the methods of a contract beside its own."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    def save(self, *arguments: Any) -> Any:
        return self._made.save(*arguments)

    def load(self, *arguments: Any) -> Any:
        return self._made.load(*arguments)
