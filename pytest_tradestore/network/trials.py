"""One trial: a workload on an empty server, in which the client dies or a request is spoilt, and what is seen after it.

Facts only; what is wrong with a trial is decided in ``judging``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from pytest_tradestore.backends.lines import Asked, Lines, Spoil
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.kits.call import Call
from pytest_tradestore.network.client import CLOSE, LOOK, OPEN, Decision, Life, Outcome, Process, Request, Step, let_all
from pytest_tradestore.observation import Observation
from pytest_tradestore.race.in_force import Chance
from pytest_tradestore.target import StoreUnderTest

_ROUNDS = 4
FIRST, SECOND, THIRD = 0, 1, 2
"""The clients of a trial: who works, who comes after it, and who comes last."""
_CLIENTS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to the first client: it dies before a request, or one is spoilt; both count its requests from 1.

    ``again``: before which of its own requests the client that comes after it dies, too.
    """

    dies: int = 0
    spoilt: int = 0
    spoil: Spoil | None = None
    again: int = 0

    def __str__(self) -> str:
        told = [f"request {self.spoilt}: {self.spoil.value}"] if self.spoil is not None else []
        told += [f"the client dies before request {self.dies}"] if self.dies else []
        told += [f"the next client dies before its request {self.again}"] if self.again else []
        return ", ".join(told)

    def decide(self, number: int, _asked: Asked) -> Spoil | bool:
        if number == self.dies:
            return False
        return self.spoil if number == self.spoilt and self.spoil is not None else True

    def decide_again(self, number: int, _asked: Asked) -> bool:
        return number != self.again


@dataclass(frozen=True, slots=True)
class After:
    """What a client found that came after the trial: it opened the store, looked, updated a place, and looked again.

    ``failed`` is the step that raised, or in which it died; ``later`` is what one more client saw.
    """

    requests: tuple[Request, ...]
    seen: Observation | None = None
    updated: Observation | None = None
    later: Observation | None = None
    failed: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was done, and what came of it.

    ``states`` are what the first client saw right after opening and after each update that returned; ``window`` is
    where in the workload it ended. ``struck`` is the outcome of the step in which a request was spoilt, and ``own``
    what the client itself saw after that; ``fresh`` what another one saw then.
    """

    plan: Plan
    requests: tuple[Request, ...]
    states: tuple[Observation, ...]
    window: Window
    step: str = ""
    struck: Outcome | None = None
    own: Observation | None = None
    fresh: After | None = None
    after: After | None = None
    left: tuple[str, ...] = ()
    trouble: str = ""
    weak: str = ""
    keeps_files: bool = False
    """Whether the client keeps anything in its directory besides."""


@dataclass(frozen=True, slots=True)
class Piled:
    """What clients leave that die before one and the same request: ``counts`` of all there is after each death."""

    request: Request
    counts: tuple[int, ...]
    newest: tuple[str, ...]
    calls: tuple[str, ...]


def history_of(workload: Workload, states: tuple[Observation, ...]) -> History:
    """Return what the client of a run saw, in which nothing happened, as what others are held against."""
    names = ("the opening", *(update.rendered for update in workload.updates))
    return History(states, ("", *(update.key for update in workload.updates)), names, workload.kit.loses)


class Trials:
    """Makes trials of one workload, one after the other."""

    def __init__(
        self,
        store: StoreUnderTest,
        workload: Workload,
        lines: Lines,
        chance: Chance,
        fresh_root: Callable[[], Path],
        begun: Callable[[], None],
    ) -> None:
        self._store, self._workload, self._lines, self._chance = store, workload, lines, chance
        self._fresh_root = fresh_root
        self._begun = begun
        self._root = Path()
        self._processes: dict[int, Process] = {}
        self.requests = 0
        """How many requests clients have made by now, in all trials."""
        self._keeps_files = False
        self._steady: int | None = None
        """By how many things one update after the other grows the data where nobody dies; None: not known yet."""

    def client(self, number: int, decide: Decision = let_all, *, another: int = 0) -> Life:
        """Return a new client; there is one of each number at a time.

        It draws the random numbers that the one before it drew, so that a trial can be made again; ``another`` has it
        draw others, as clients do that come one after the other.
        """
        if number not in self._processes or not self._processes[number].alive:
            self._processes[number] = Process(self._store, self._workload, self._chance)
        address = self._lines.address(number, self._root)
        line, draws = self._lines.line(number), number + _CLIENTS * another
        return Life(self._processes[number], line, address, decide, self._begun, self._count, draws)

    def _count(self) -> None:
        self.requests += 1
        self._look_for_files()  # what a client has there during a call only stays there when it dies in it

    def _look_for_files(self) -> bool:
        """Say whether clients were seen to keep files in this trial; who takes the directory away does, too."""
        try:
            self._keeps_files |= any(self._root.iterdir())
        except OSError:
            self._keeps_files = True
        return self._keeps_files

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()

    def begin(self) -> None:
        """Make an empty place."""
        self._root, self._keeps_files = self._fresh_root(), False
        self._lines.begin()

    def trial(self, plan: Plan) -> Trial:
        """Run the workload under a plan, and look at what is left."""
        self.begin()
        life = self.client(FIRST, plan.decide)
        states: list[Observation] = []
        steps: list[tuple[int, int, Step]] = [(0, 0, OPEN), (0, 0, LOOK)]
        for number, update in enumerate(self._workload.updates, 1):
            steps += [(number - 1, number, update), (number, number, LOOK)]
        last = len(self._workload.updates)
        steps.append((last, last, CLOSE))
        trial = Trial(plan, (), (), Window(0, 0))
        for acknowledged, invoked, step in steps:
            outcome = life.do(step)
            name = step if isinstance(step, str) else step.rendered
            files = self._look_for_files()
            trial = replace(trial, window=Window(acknowledged, invoked), step=name, keeps_files=files)
            if outcome.died:
                trial = replace(trial, requests=tuple(life.requests), states=tuple(states))
                return self._looked_after(trial)
            if outcome.struck:
                trial = replace(trial, states=tuple(states), requests=tuple(life.requests))
                if plan.dies:
                    return self._died_after(trial, life, outcome)
                return self._struck(replace(trial, struck=outcome), life, step)
            if outcome.error:
                life.die()
                return replace(trial, trouble=f"{name} raised {outcome.error}", requests=tuple(life.requests))
            if step == LOOK:
                states.append(outcome.value)
        life.leave()
        weak = self._lines.weak()
        done = replace(trial, requests=tuple(life.requests), states=tuple(states))
        return replace(done, weak=weak, left=self._lines.leftovers())

    def _died_after(self, trial: Trial, life: Life, outcome: Outcome) -> Trial:
        """Let a client die behind a step in which it asked for less than the last time.

        What a pool asks for in the background it does when it comes to it.
        """
        life.die()
        window = trial.window if outcome.error else Window(trial.window.invoked, trial.window.invoked)
        next_ = Request(trial.step, Asked("its next request", writes=False))
        return self._looked_after(replace(trial, window=window, requests=(*trial.requests, next_)))

    def _place(self, window: Window) -> str:
        """Return where the next update is made: where the last one was invoked."""
        updates = self._workload.updates
        return updates[max(0, min(window.invoked, len(updates)) - 1)].key

    def _looked_after(self, trial: Trial) -> Trial:
        """Let others come after a client that has died."""
        place = self._place(trial.window)
        if trial.plan.again:
            second = self.client(SECOND, trial.plan.decide_again)
            for step in (OPEN, LOOK):
                if second.do(step).died:
                    break
            second.die()
        another = int(bool(trial.plan.again))  # names that it drew, and left, are not drawn once more
        after = self.after(place, 41, another=another)
        return replace(trial, after=after, left=self._lines.leftovers(), keeps_files=self._keeps_files)

    def after(self, place: str, version: int, *, another: int = 0) -> After:
        """Let a client come, look and make an update, and another one after it."""
        second = self.client(SECOND, another=another)
        found = self._visited(second, self._workload.next_update(place, version))
        second.leave()
        if found.failed:
            return found
        third = self.client(THIRD)
        last = self._visited(third, None)
        third.leave()
        if last.failed:
            return replace(found, failed=f"{last.failed} once more", error=last.error)
        return replace(found, later=last.seen)

    def _visited(self, life: Life, update: Call | None) -> After:
        found = After(())
        steps: tuple[Step, ...] = (OPEN, LOOK, *(() if update is None else (update, LOOK)))
        for step in steps:
            outcome = life.do(step)
            found = replace(found, requests=tuple(life.requests))
            if outcome.error:
                return replace(found, failed=step if isinstance(step, str) else step.rendered, error=outcome.error)
            if step == LOOK:
                found = replace(found, **{"seen" if found.seen is None else "updated": outcome.value})
        return found

    def _struck(self, trial: Trial, life: Life, step: Step) -> Trial:
        """Look at what became of a step in which a request was spoilt, and whether the store works again."""
        place = self._place(trial.window)
        if step == CLOSE or not life.alive or (step == OPEN and trial.struck is not None and trial.struck.error):
            life.die()
            return replace(trial, after=self.after(place, 41), left=self._lines.leftovers())
        own = trial.struck.value if step == LOOK and trial.struck is not None else life.do(LOOK).value
        fresh = self._visit_of(THIRD)
        left = self._lines.leftovers()
        updated = life.do(self._workload.next_update(place, 42))
        seen = life.do(LOOK)
        life.leave()
        later = self._visit_of(SECOND)
        after = After(
            tuple(life.requests), own, seen.value, later.seen, "the next update" if updated.error else "", updated.error
        )
        return replace(trial, own=own, fresh=fresh, after=after, left=left)

    def piled_up(self, at: int) -> "Piled | None":
        """Let clients die, one after the other, before the same request of the same update; None if nothing piles up.

        ``at`` counts the requests of the update from 1. What the next update that succeeds takes away is no pile.
        """
        self.begin()
        place = self._workload.updates[min(1, len(self._workload.updates) - 1)].key
        counts: list[int] = []
        things: list[tuple[str, ...]] = []
        requests: tuple[Request, ...] = ()
        for round_ in range(_ROUNDS):
            life = self.client(FIRST, another=round_ + 1)
            before = life.do(OPEN).error or life.do(self._workload.next_update(place, 60 + 2 * round_)).error
            seen = life.do(LOOK).value
            begun = len(life.requests)
            life.decide = Plan(dies=begun + at).decide
            died = not before and life.do(self._workload.next_update(place, 61 + 2 * round_)).died
            requests = tuple(life.requests)
            life.die()
            if not died:
                return None
            other = self._visit_of(THIRD)
            if other.seen != seen:
                return None  # it was done, or others see something else: no leftover is what is seen
            things.append(self._lines.things())
            counts.append(len(things[-1]))
        if self._steady is None:
            self._steady = self._growth_without_deaths(place)
        steady = self._steady
        if any(later - sooner <= steady for sooner, later in pairwise(counts)):
            return None
        newest = tuple(sorted(set(things[-1]) - set(things[-2])))
        return Piled(
            requests[-1], tuple(counts), newest, tuple(update.rendered for update in self._workload.updates[:1])
        )

    def _growth_without_deaths(self, place: str) -> int:
        """Return by how many things the same updates grow the data where nobody dies."""
        self.begin()
        counts = []
        for round_ in range(2):
            life = self.client(FIRST, another=round_ + 1)
            life.do(OPEN)
            life.do(self._workload.next_update(place, 60 + round_))
            life.leave()
            counts.append(len(self._lines.things()))
        return counts[1] - counts[0]

    def _visit_of(self, number: int) -> After:
        life = self.client(number)
        found = self._visited(life, None)
        life.leave()
        return found
