"""Decides who runs next: one actor at a time, the strategy's choice wherever more than one could go on.

It knows nothing of threads or processes. Whoever stops at a switch point asks ``next_after`` and hands over to the
actor that it names. What nobody can go on from is a deadlock.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Protocol, cast

from pytest_tradestore.crash.operations import Location
from pytest_tradestore.race.actors import Actor, never, stable
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.execution import ContextSwitch, Ending, Step

MOST_STEPS = 20_000
"""Steps after which an execution counts as one that never ends."""
_MOST_AHEAD = 500
"""So many operations at most are done without asking: one that never ends must be noticed."""
_IDLE_WAKINGS = 200
"""So often may background actors wake from sleep, and no caller move, before the callers count as deadlocked."""


class Chooser(Protocol):
    """The part of a strategy that the scheduler needs."""

    def choose(self, enabled: Sequence[Actor], current: Actor | None) -> Actor:
        """Return one of ``enabled`` (two or more, ``current`` first if it could go on, the others by number)."""


class Foreseeing(Chooser, Protocol):
    """One that knows beforehand for how long it would choose the same again."""

    def stays(self, enabled: Sequence[Actor]) -> int:
        """Return how often in a row the first of ``enabled`` would now be chosen, if they stay the same."""

    def soon_says(self) -> bool:
        """Say whether ``stays`` costs no more than a few choices."""

    def stayed(self, enabled: Sequence[Actor], operations: Sequence[str]) -> None:
        """Take note that the first of ``enabled`` was chosen so often, each time about to do one of the operations."""


class Slowness(Protocol):
    """Lets an operation take long, see ``race.slowness``."""

    def holds(self, chosen: Actor, live: Sequence[Actor]) -> bool:
        """Say whether who was chosen does not go on yet after all."""

    def wakes(self, first: Actor, others: Sequence[Actor]) -> bool:
        """Wake the first sleeper; False if it then waits for something else."""


class Scheduler:
    """The state of one execution: who is alive, who runs, what was chosen."""

    def __init__(self, chooser: Chooser, clock: Clock, keep_steps: bool = False) -> None:
        self._chooser, self.clock = chooser, clock
        self.live: list[Actor] = []
        self.running: Actor | None = None
        self.exploring = False
        """Whether choices are the strategy's. Before and after, whoever runs goes on until it has to wait."""
        self.position = 0
        """How many steps there are so far."""
        self.moves = 0
        self.choices: list[tuple[int, str]] = []
        self.turns: list[ContextSwitch] = []
        self.preemptions = 0
        self.steps: list[Step] | None = [] if keep_steps else None
        self.ending: Ending | None = None
        self.waits_for: tuple[str, ...] = ()
        self.uncontrolled: dict[str, None] = {}
        self.given_up = False
        """Whether an actor was given up as out of control."""
        self.main: Actor | None = None
        """Who is told of the end."""
        self.quiet: Callable[[], bool] = lambda: False
        """Says whether the callers are done: then the main actor goes on as soon as nobody else can."""
        self._numbers = 0
        self._wakings = 0
        self._enabled: list[Actor] = []
        """Who could go on when it was last asked."""
        self._with_it: list[Actor] = []
        """Who else could, while one goes on without asking."""
        self.slowness: Slowness | None = None
        """Who holds up an operation, if anybody does."""
        self._foresees: Foreseeing | None = cast("Foreseeing", chooser) if hasattr(chooser, "stays") else None
        self.grants = False
        """Whether who is chosen may go on without asking, for as long as it would be chosen again."""
        self.granted = 0
        """How many operations who runs may still do without asking."""
        self._granted_to: Actor | None = None
        self._done: list[str] = []
        """What it has done without asking, and is not noted yet."""
        self._could: list[tuple[Callable[[], bool], bool]] = []
        """What says of each of the others that waits for something whether it could go on, and whether it could."""

    # Actors come and go

    def next_number(self) -> int:
        number = self._numbers
        self._numbers += 1
        return number

    def add(self, actor: Actor) -> None:
        """Let an actor take part from now on."""
        self.granted = 0
        self.live.append(actor)

    def remove(self, actor: Actor) -> None:
        """Forget an actor that is done."""
        self.live.remove(actor)

    # Choosing

    def next_after(self, current: Actor | None) -> Actor | None:
        """Return who runs next, after ``current`` stopped at a switch point or (None) was done.

        When nobody can go on, that is the main actor, with ``ending`` set. None: those who could go on are out of
        control, and the first of them that comes back asks again.
        """
        self.catch_up()
        while True:
            enabled = [actor for actor in self.live if actor.ready is None or actor.ready()]
            if not enabled:
                if any(actor.floating for actor in self.live):
                    self.running = None
                    return None
                enabled = self._rescued()
                if not enabled:
                    return self.end(Ending.DEADLOCK)
            self._enabled = enabled
            chosen = enabled[0] if len(enabled) == 1 else self._choice(enabled, current)
            if self.slowness is not None and self.exploring and self.slowness.holds(chosen, self.live):
                current = None
                continue
            chosen.pending = stable(chosen.pending)
            self.moves += 1
            if self.moves > MOST_STEPS:
                return self.end(Ending.HUNG)
            if self.exploring:
                chosen.steps += 1
                self.choices.append((chosen.number, chosen.pending))
                if chosen.caller >= 0:
                    self._wakings = 0
            if not chosen.inline:
                self.running = chosen
                if self.grants:
                    self._grant(chosen)
                return chosen
            chosen.let_run()

    def ahead(self, actor: Actor) -> int:
        """Return how many more operations the actor, which is about to go on, may do without asking.

        So many times it would be chosen again, as long as nobody else comes to be able to go on, or ceases to be.
        """
        if not self.exploring or self.steps is not None or self.slowness is not None:
            return 0
        self._with_it = [other for other in self.live if other in self._enabled and other is not actor]
        if not self._with_it:
            return _MOST_AHEAD
        return 0 if self._foresees is None else min(_MOST_AHEAD, self._foresees.stays([actor, *self._with_it]))

    def _grant(self, actor: Actor) -> None:
        """Tell an actor how many operations it may do without asking, as long as nothing changes for the others."""
        if len(self._enabled) > 1 and (self._foresees is None or not self._foresees.soon_says()):
            return
        self.granted = min(self.ahead(actor), MOST_STEPS - self.moves)
        if self.granted:
            self._granted_to = actor
            self._could = [
                (other.ready, other in self._with_it)
                for other in self.live
                if other is not actor and other.ready is not None and other.ready is not never
            ]

    def goes_on(self, operation: str) -> bool:
        """Say whether who runs may do an operation that waits for nothing without asking, and remember it."""
        if not self.exploring:
            self.moves += 1  # before and after, whoever runs goes on
            return self.moves <= MOST_STEPS
        if not self.granted:
            return False
        for ready, before in self._could:
            if bool(ready()) is not before:
                return False
        if self._granted_to is not None and self._granted_to.caller >= 0:  # a loop works for one after the other
            self._wakings = 0
        self.granted -= 1
        self._done.append(operation)
        return True

    def catch_up(self) -> None:
        """Note what was done without asking: the choices are made now, and can only be the one who has gone on."""
        self.granted = 0
        if not self._done:
            return
        operations, self._done = self._done, []
        assert self._granted_to is not None, "somebody was let go on"
        self._noted(self._granted_to, operations)

    def _noted(self, actor: Actor, operations: Sequence[str]) -> None:
        """Make the choices that an actor was let go on ahead of."""
        if self._with_it and self._foresees is not None:
            self._foresees.stayed([actor, *self._with_it], operations)
        actor.steps += len(operations)
        self.moves += len(operations)
        self.choices.extend(zip(repeat(actor.number), map(stable, operations), strict=False))

    def went_on(self, actor: Actor, operations: Sequence[str]) -> None:
        """Note what the actor did as was said by ``ahead``: the choices are made now, and can only be this actor."""
        self._noted(actor, operations)
        self._wakings = 0
        self.position += len(operations)

    def _choice(self, enabled: list[Actor], current: Actor | None) -> Actor:
        if current is not None and current in enabled:
            if enabled[0] is not current:
                enabled.remove(current)
                enabled.insert(0, current)
        else:
            current = None
        if not self.exploring:
            return enabled[0]
        chosen = self._chooser.choose(enabled, current)
        if chosen is not enabled[0]:
            self.turns.append(
                ContextSwitch(enabled[0].number, enabled[0].steps, stable(enabled[0].pending), chosen.number)
            )
        if current is not None and chosen is not current and not chosen.free:
            self.preemptions += 1
        return chosen

    def _rescued(self) -> list[Actor]:
        """Return who can go on after all, now that everybody waits: by asking the kernel, or because time passes."""
        for actor in self.live:
            if actor.probe is not None and actor.probe():
                return [actor]
        if self.main is not None and self.quiet():
            return [self.main]
        first = self._woken()
        return [] if first is None else [first]

    def _woken(self) -> Actor | None:
        """Let time pass until the first sleeper wakes, and return it."""
        sleepers = [(actor.until, actor.number, actor) for actor in self.live if actor.until is not None]
        if not sleepers or self._wakings > _IDLE_WAKINGS:
            return None
        until, _, first = min(sleepers, key=lambda sleeper: sleeper[:2])
        self._wakings += 1
        self.clock.advance(until)
        if self.slowness is None:
            first.timed_out = True
        elif not self.slowness.wakes(first, [other for _, _, other in sleepers if other is not first]):
            return self._woken()
        return first

    def next_sleeper(self) -> Actor | None:
        """Return who wakes next, although somebody who is out of control may still come back."""
        self.catch_up()
        self.running = self._woken()
        if self.running is not None and self.exploring:
            self.choices.append((self.running.number, stable(self.running.pending)))
        return self.running

    def end(self, ending: Ending) -> Actor | None:
        """End the execution early, and return who has to be told."""
        self.catch_up()
        if self.ending is None:
            self.ending = ending
            self.waits_for = tuple(actor.waits() for actor in self.live if actor is not self.main)
        self.running = self.main
        return self.main

    # Notes

    def note(self, caller: int, operation: str, location: Location | None = None, note: str = "") -> int:
        """Count one step, keep it if steps are kept, and return its position."""
        if self.steps is not None:
            self.steps.append(Step(caller, operation, location, note))
        self.position += 1
        return self.position - 1
