"""Which schedule comes next. Each strategy gives the same schedules for the same seed and the same store.

A strategy is asked at every point where two or more actors could go on; what is not asked for is forced.

Depth-first with a bound on preemptions is the iterative context bounding of CHESS (Musuvathi and Qadeer, PLDI 2007):
most bugs need few preemptions, and with few of them the schedules can be counted. Random priorities are PCT
(Burckhardt, Kothari, Musuvathi and Nagarakatte, ASPLOS 2010), which finds a bug of depth d among n actors and k steps
with a chance of at least 1 / (n k^(d-1)) in each schedule. Where we differ, each class says so.
"""

import random
import sys
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from pytest_tradestore.race.actors import Actor
from pytest_tradestore.race.execution import CANCELLING, START_JOB, Search

EVER = sys.maxsize


class Strategy(Protocol):
    """A source of schedules."""

    def begin(self) -> bool:
        """Begin the next schedule; False if there is none."""

    def choose(self, enabled: Sequence[Actor], current: Actor | None) -> Actor:
        """Return one of ``enabled``; ``current`` is the first of them if it could go on, else None."""

    def stays(self, enabled: Sequence[Actor]) -> int:
        """Return how often in a row the first of ``enabled`` would now be chosen, if they stay the same."""

    def soon_says(self) -> bool:
        """Say whether ``stays`` costs no more than a few choices."""

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        """Take note that the first of ``enabled`` was chosen so often, each time about to do one of the operations."""


Choice = tuple[int, str]
_Path = tuple["_Path", int, Sequence[str], int] | None
"""What was chosen, from the end: what came before, and of whom so many of these operations."""


class DepthFirst:
    """Every schedule with at most ``bound`` preemptions, those with fewer before those with more, none twice.

    Unlike CHESS it leaves no schedules out because they only reorder independent steps: which steps of a store are
    independent the file system does not tell. With two preemptions there are too many, and those are drawn at random.
    """

    def __init__(self, bound: int = 2, seed: int = 0) -> None:
        self.most = bound
        self._open: list[list[_Path]] = [[None], *([] for _ in range(bound))]
        self._random = random.Random(f"depth-first {seed}")  # noqa: S311 - chance, not secrecy
        self.bound = 0
        """Preemptions of the schedule that is running."""
        self.cut = False
        """Whether schedules were left out because they have more preemptions than the bound."""
        self.diverged = False
        """Whether a store did not do the same again in the same schedule: then nothing is exhausted."""
        self._prefix: list[Choice] = []
        self._at = 0
        self._path: _Path = None

    @property
    def exhausted(self) -> int | None:
        """The number of preemptions up to which every schedule has been run; None if there is none yet."""
        for bound, paths in enumerate(self._open):
            if paths:
                return bound - 1 if bound else None
        return self.most

    def begin(self) -> bool:
        if self._at < len(self._prefix):
            self.diverged = True  # it ended before it came to where it was to turn
        for bound, paths in enumerate(self._open):
            if paths:
                # Late preemptions lie on top. With two of them there are too many to try these first.
                at = self._random.randrange(len(paths)) if bound > 1 else len(paths) - 1
                paths[at], paths[-1] = paths[-1], paths[at]
                path = paths.pop()
                self.bound, self._at, self._path = bound, 0, None
                self._prefix = []
                while path is not None:
                    path, number, operations, count = path
                    self._prefix.extend([(number, operations[at]) for at in range(count - 1, -1, -1)])
                self._prefix.reverse()
                return True
        return False

    def choose(self, enabled: Sequence[Actor], current: Actor | None) -> Actor:
        at, self._at = self._at, self._at + 1
        chosen = enabled[0]
        if at < len(self._prefix):
            chosen = self._wanted(enabled, self._prefix[at])
        else:
            for other in enabled[1:]:
                bound = self.bound + (current is not None and not other.free)
                if bound > self.most:
                    self.cut = True
                else:
                    self._open[bound].append((self._path, other.number, (other.pending,), 1))
        self._path = (self._path, chosen.number, (chosen.pending,), 1)
        return chosen

    def stays(self, enabled: Sequence[Actor]) -> int:
        for ahead, (number, _) in enumerate(islice(self._prefix, self._at, None)):
            if number != enabled[0].number:
                return ahead
        return EVER

    def soon_says(self) -> bool:
        return True

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        number, path, begun = enabled[0].number, self._path, max(0, len(self._prefix) - self._at)
        for operation, wanted in zip(operations, islice(self._prefix, self._at, None), strict=False):
            if operation != wanted[1]:
                self.diverged = True
        left = []  # the others, each with the schedules to which a switch to it belongs
        for other in enabled[1:] if begun < len(operations) else ():
            bound = self.bound + (not other.free)
            if bound > self.most:
                self.cut = True
            else:
                left.append((self._open[bound], other.number, (other.pending,)))
        for ahead in range(begun, len(operations)) if left else ():
            before = (path, number, operations, ahead) if ahead else path
            for paths, other_number, its_operation in left:
                paths.append((before, other_number, its_operation, 1))
        self._path, self._at = (path, number, operations, len(operations)), self._at + len(operations)

    def _wanted(self, enabled: Sequence[Actor], wanted: Choice) -> Actor:
        for actor in enabled:
            if actor.number == wanted[0]:
                if actor.pending != wanted[1]:
                    self.diverged = True
                return actor
        self.diverged = True
        return enabled[0]


class RandomWalk:
    """Any actor that could go on, each as likely."""

    def __init__(self, seed: int = 0) -> None:
        self._seed, self._count = seed, 0
        self._random = random.Random()  # noqa: S311 - as above

    def begin(self) -> bool:
        self._random.seed(f"walk {self._seed} {self._count}")
        self._count += 1
        return True

    def choose(self, enabled: Sequence[Actor], _current: Actor | None) -> Actor:
        return enabled[self._random.randrange(len(enabled))]

    def stays(self, enabled: Sequence[Actor]) -> int:
        before, ahead = self._random.getstate(), 0
        while not self._random.randrange(len(enabled)):
            ahead += 1
        self._random.setstate(before)
        return ahead

    def soon_says(self) -> bool:
        return False  # it would have to remember the state of its chance

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        for _ in operations:
            self._random.randrange(len(enabled))


class Pct:
    """PCT: the actor with the highest random priority goes on; at ``depth`` - 1 random points it becomes the lowest.

    Unlike in the paper k, the number of steps, is not known beforehand: it is that of the longest schedule so far.
    Actors that appear later get their priority when they do.
    """

    def __init__(self, depth: int, seed: int = 0) -> None:
        self._depth, self._seed, self._count = depth, seed, 0
        self._random = random.Random()  # noqa: S311 - as above
        self._longest = 10
        self._at = 0
        self._priorities: dict[int, float] = {}
        self._changes: set[int] = set()

    def begin(self) -> bool:
        self._longest = max(self._longest, self._at)
        self._random.seed(f"priorities {self._depth} {self._seed} {self._count}")
        self._count += 1
        self._at = 0
        self._priorities = {}
        self._changes = set(self._random.sample(range(1, self._longest + 1), self._depth - 1))
        return True

    def choose(self, enabled: Sequence[Actor], _current: Actor | None) -> Actor:
        self._at += 1
        for actor in enabled:
            if actor.number not in self._priorities:
                self._priorities[actor.number] = self._random.random()
        chosen = max(enabled, key=self._priority)
        if self._at in self._changes:
            self._priorities[chosen.number] = -self._at
            chosen = max(enabled, key=self._priority)
        return chosen

    def stays(self, enabled: Sequence[Actor]) -> int:
        if any(actor.number not in self._priorities for actor in enabled):
            return 0
        if max(enabled, key=self._priority) is not enabled[0]:
            return 0
        return min((at - self._at - 1 for at in self._changes if at > self._at), default=EVER)

    def soon_says(self) -> bool:
        return True

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:  # noqa: ARG002 - as all
        self._at += len(operations)

    def _priority(self, actor: Actor) -> float:
        return self._priorities[actor.number]


class CancelFirst:
    """Whoever cancels does so as soon as it can; else whoever runs goes on."""

    def begin(self) -> bool:
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor | None) -> Actor:
        usual = current if current is not None and current in enabled else enabled[0]
        return next((actor for actor in enabled if actor.free and actor.inline), usual)

    def stays(self, _enabled: Sequence[Actor]) -> int:
        return 0

    def soon_says(self) -> bool:
        return True

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        """It never says that it stays."""


class StarveCancelled:
    """The cancelled caller's jobs go on last: everybody else begins after the cancellation, and is done before them."""

    def __init__(self, victim: int) -> None:
        self._victim = victim
        self._jobs: frozenset[int] = frozenset()
        self._executors: set[int] = set()
        self._cancelled = False

    def begin(self) -> bool:
        self._jobs, self._cancelled = frozenset(), False
        self._executors.clear()
        return True

    def _has_not_begun(self, job: Actor) -> bool:
        """Whether a job would be cancelled with its caller. A thread of the store's own begins behind its queue; in one
        of an executor the first lock may be the store's, for which all others would wait."""
        if job.pending.startswith(START_JOB):
            self._executors.add(job.number)
            return True
        return job.number not in self._executors and job.pending.startswith(("start thread", "acquire"))

    def choose(self, enabled: Sequence[Actor], current: Actor | None) -> Actor:
        canceller = next((actor for actor in enabled if actor.pending.startswith(CANCELLING)), None)
        if canceller is not None:
            # The loop stands between two callbacks now: what else has a thread is a job.
            jobs = [actor for actor in enabled if actor.caller == self._victim and not actor.inline]
            if waiting := next((job for job in jobs if self._has_not_begun(job)), None):
                return waiting
            self._jobs, self._cancelled = frozenset(job.number for job in jobs), True
            return canceller
        if self._cancelled:
            first = [actor for actor in enabled if actor.number not in self._jobs]
        else:
            first = [actor for actor in enabled if not actor.inline or actor.caller == self._victim]
        if current is not None and current in first:
            return current
        return (first or list(enabled))[0]

    def stays(self, _enabled: Sequence[Actor]) -> int:
        return 0

    def soon_says(self) -> bool:
        return True

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        """It never says that it stays."""


class Portfolio:
    """Depth-first alone at first, then in turn with random walks and PCT, until it has run every schedule it may.

    No strategy wins on every bug, and the budget is one: so each gets its share of the schedules.
    """

    _ROUND: tuple[str | int, ...] = (
        "depth",
        "walk",
        "depth",
        2,
        "depth",
        "walk",
        "depth",
        3,
        "depth",
        "walk",
        "depth",
        4,
    )

    def __init__(self, seed: int = 0, bound: int = 2, alone: int = 12) -> None:
        self.depth_first = DepthFirst(bound, seed)
        self._others: dict[str | int, Strategy] = {
            "walk": RandomWalk(seed),
            **{depth: Pct(depth, seed) for depth in (2, 3, 4)},
        }
        self._alone, self._count = alone, 0
        self._now: Strategy = self.depth_first

    def begin(self) -> bool:
        turn = self._count - self._alone
        kind = "depth" if turn < 0 else self._ROUND[turn % len(self._ROUND)]
        self._count += 1
        if self.depth_first.exhausted == self.depth_first.most:
            return False
        self._now = self.depth_first if kind == "depth" else self._others[kind]
        return self._now.begin()

    def choose(self, enabled: Sequence[Actor], current: Actor | None) -> Actor:
        return self._now.choose(enabled, current)

    def stays(self, enabled: Sequence[Actor]) -> int:
        return self._now.stays(enabled)

    def soon_says(self) -> bool:
        return self._now.soon_says()

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        self._now.stayed(enabled, operations)


class Overtaking(Portfolio):
    """For callers that are cancelled: the job that goes on must be overtaken in its middle, by one that begins later.

    The first schedule cancels at once, so that it is known whether there is such an await; the second leaves the jobs
    of a cancelled task behind. Random priorities find overtaking in dozens of schedules where order needs hundreds.
    ``victim`` is the task that is cancelled; None where a process is killed.
    """

    _ROUND = (4, 3, 4, 2, 4, 3, "walk", "depth")

    def __init__(self, seed: int = 0, victim: int | None = 0) -> None:
        super().__init__(seed, alone=2)
        self._before: list[Strategy] = [] if victim is None else [StarveCancelled(victim), CancelFirst()]

    def begin(self) -> bool:
        if self._before:
            self._now = self._before.pop()
            return self._now.begin()
        return super().begin()


def search_of(strategy: Portfolio, executions: int, uncontrolled: tuple[str, ...]) -> Search:
    """Return what a search with this strategy amounts to."""
    depth_first = strategy.depth_first
    sure = not depth_first.diverged and not uncontrolled
    bound = depth_first.exhausted if sure else None
    return Search(executions, sure and bound == depth_first.most, bound, uncontrolled)
