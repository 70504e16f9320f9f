"""What can be let run, one at a time.

An actor stops at each switch point, says what it is about to do, and goes on when the scheduler lets it.
"""

import functools
import gc
import re
from collections.abc import Callable
from typing import Protocol

_VARIES = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4,})*|\d{3,}")


def never() -> bool:
    """The readiness of what only the end of all others, or time, lets go on."""
    return False


class Abandoned(BaseException):
    """Raised at a switch point when the execution is over: it unwinds what still waits there."""


class Actor:
    """One schedulable thing: its pending operation, whether that could be done now, and how to let it run.

    ``number`` is its place in the order in which actors appeared, the same in every run of one schedule; ``caller``
    says for which caller of the program it works, -1 for none. ``ready`` is None for an operation that can always be
    done, else it says whether it could be done now; ``until`` is the virtual time at which waiting ends in any case.
    ``probe`` asks the kernel where ``ready`` rests on a model. ``free``: to switch to it is not a preemption.
    ``inline``: what it does takes no thread; ``let_run`` does it at once.
    """

    free = False
    inline = False

    def __init__(self, number: int, caller: int, label: str) -> None:
        self.number, self.caller, self.label = number, caller, label
        self.pending = "begin"
        self.ready: Callable[[], bool] | None = None
        self.until: float | None = None
        self.probe: Callable[[], bool] | None = None
        self.timed_out = False
        self.steps = 0
        """How often it was let run so far."""
        self.floating = False
        """Whether it was given up as out of control, until it stops at a switch point again."""
        self.waits_on: Held | None = None

    def let_run(self) -> None:
        """Let it do its pending operation and go on to its next switch point."""
        raise NotImplementedError

    def waits(self) -> str:
        """Say in words what it waits for: one edge of the wait cycle of a deadlock."""
        holder = self.waits_on.holder if self.waits_on is not None else None
        me: object = self
        held = "" if holder is None else f", which {'it holds itself' if holder is me else f'{holder.label} holds'}"
        return f"{self.label} waits to {self.pending}{_attribute_of(self.waits_on)}{held}"


def _attribute_of(thing: object) -> str:
    """Return by which name somebody keeps a lock, in parentheses: two that are made in one place differ in no more."""
    names: set[str] = set()
    for keeper in gc.get_referrers(thing) if thing is not None else ():
        kept = keeper if isinstance(keeper, dict) else getattr(keeper, "__dict__", {})
        if not isinstance(keeper, Actor) and isinstance(kept, dict):
            names.update(name for name, value in list(kept.items()) if value is thing and isinstance(name, str))
    names -= {"waits_on", "self", "thing"}
    return f" ({min(names)})" if names else ""


class Holder(Protocol):
    """Who holds a thing, as far as reports name it."""

    @property
    def label(self) -> str: ...


class Held(Protocol):
    """A thing that one actor holds and others wait for."""

    @property
    def holder(self) -> Holder | None: ...


@functools.lru_cache(maxsize=20_000)
def stable(operation: str) -> str:
    """Return the name of an operation without what differs between two runs of one schedule: pids, random names."""
    return _VARIES.sub("#", operation)
