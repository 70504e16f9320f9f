"""A caller that is merely slow: one operation of it takes ten minutes, and everybody else goes on meanwhile.

A disk that hangs, a laptop that is closed, a machine that swaps: nobody has died, and what a caller holds it still
needs. Whoever takes its lock away after some seconds, or goes on without, works beside it. Time is virtual; it passes
as it does otherwise, when everybody waits. Other callers make one call at once, and their next ones when most of the
time is over: a lease of seconds has run out by then, unless its holder is alive enough to renew it.
"""

from collections.abc import Callable, Sequence

from pytest_tradestore.race.actors import Actor, never, stable
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.scheduler import Scheduler

SECONDS = 600.0
"""How long one operation takes. A lease that is longer is no lease that this could end."""
_BEFORE_ITS_END = 10.0
"""Seconds before the operation is over at which the others make their later calls."""
SLOW = "is slow, and"
"""How the note begins that an operation takes long."""
_NOT_OF_FILES = (
    "begin",
    "call ",
    "fail ",
    "line ",
    "nothing",
    "open the store",
    "resume",
    "return ",
    "start ",
    "wait for an event",
)
_PATIENT = 20
"""Wakings after which who polls sleeps longer each time than it asked for, or ten minutes would take for ever."""
_LONGER = 1.0


def can_be_slow(operation: str) -> bool:
    """Say whether this is an operation of the store, which may take long."""
    return not operation.startswith(_NOT_OF_FILES)


class OneSlowOperation:
    """Holds up the n-th operation of a caller, counted from 1, and the later calls of the others until it is late."""

    def __init__(self, scheduler: Scheduler, clock: Clock, caller: int, at: int) -> None:
        self._scheduler, self._clock = scheduler, clock
        self._caller, self._at = caller, at
        self._done = self._polls = 0
        self._until: float | None = None
        self._held: dict[Actor, tuple[Callable[[], bool] | None, float | None, Callable[[], bool] | None]] = {}
        self._begun: set[int] = set()

    def holds(self, chosen: Actor, live: Sequence[Actor]) -> bool:  # noqa: ARG002 - others may want to know
        if chosen.caller == self._caller:
            if self._until is None and can_be_slow(chosen.pending):
                self._done += 1
                if self._done == self._at:
                    self._until = self._clock.now + SECONDS
                    self._scheduler.note(self._caller, f"{SLOW} takes ten minutes to {stable(chosen.pending)}")
                    self._hold(chosen, self._until)
                    return True
            return False
        if chosen.pending.startswith("call "):
            late = (self._until or 0.0) - _BEFORE_ITS_END
            if self._until is not None and chosen.caller in self._begun and self._clock.now < late:
                self._hold(chosen, late)
                return True
            self._begun.add(chosen.caller)
        return False

    def _hold(self, actor: Actor, until: float) -> None:
        self._held[actor] = (actor.ready, actor.until, actor.probe)
        actor.ready, actor.until, actor.probe = never, until, None

    def wakes(self, first: Actor, others: Sequence[Actor]) -> bool:
        held = self._held.pop(first, None)
        if held is not None:
            first.ready, first.until, first.probe = held
            return first.ready is None or first.ready()
        first.timed_out = True
        if self._until is not None and self._may_poll(first):
            self._polls += 1
            if self._polls > _PATIENT:
                # Who renews a lease is woken in time. Who polls too is not: two would keep each other to their pace.
                kept = [other.until for other in others if other.until is not None and not self._may_poll(other)]
                ends = [held.until for held in self._held if held.until is not None]
                self._clock.advance(min((self._clock.now + _LONGER, *kept, *ends)))
        return True

    def _may_poll(self, actor: Actor) -> bool:
        """Say whether it is a caller itself, who waits for others; what a caller has started may be waited for."""
        return actor.number == actor.caller or actor is self._scheduler.main
