"""What is in force in one execution, and in which threads: its clock, names of files, locks and random numbers.

It is made when the execution begins, given to whoever takes part, and ended with it. The functions that stand in for
those of ``os``, ``time`` or ``threading`` are given nothing but what a store passes: they find it by who calls them.
"""

import _thread
import hashlib
import itertools
import os
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pytest_tradestore.race.actors import Held
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.flocks import Flocks
from pytest_tradestore.race.paths import Names

_ident = _thread.get_ident


class Numbers:
    """The numbers of processes, in one of several under a coordinator, see ``race.pids``."""

    def __init__(self) -> None:
        self.asked = False
        """Whether a store has asked for a process by its number."""
        self._gone = self._heir = 0

    def begin(self, gone: int) -> None:
        """Let the number of ``gone``, once it is dead, be that of the coordinator."""
        self.asked, self._gone, self._heir = False, gone, os.getppid()

    def heir_of(self, number: int) -> int | None:
        """Return the process that has a dead one's number now, if any has."""
        return self._heir if number == self._gone else None


class Chance:
    """Random numbers that come again in each run of a schedule."""

    def __init__(self) -> None:
        self._left = itertools.count()

    def begin(self) -> None:
        """Draw from now on what any execution draws."""
        self._left = itertools.count()
        random.seed(0)

    def draw_as(self, number: int) -> None:
        """Draw the same as any other process of this number, but no other's: a nonce stays one."""
        self._left = itertools.count((number + 1) * 1_000_000)
        random.seed(number)

    def drawn(self, size: int, /) -> bytes:
        """Return what ``os.urandom`` is to give."""
        return hashlib.shake_128(b"%d" % next(self._left)).digest(size)


@dataclass(frozen=True, slots=True)
class InForce:
    """What one process has in force in one execution."""

    clock: Clock
    names: Names
    chance: Chance
    flocks: Flocks = field(default_factory=Flocks)
    numbers: Numbers = field(default_factory=Numbers)


@contextmanager
def execution(
    root: str, origin: tuple[int, int] | None = None, *, chance: Chance | None = None, remember: bool = False
) -> Iterator[InForce]:
    """Give what is in force in an execution with this root, and end it.

    ``origin`` is that of the clock, where the execution began in another process; ``chance`` is given where threads
    draw that are no actors; ``remember``: it is asked afterwards which files appeared unseen.
    """
    begun = InForce(Clock(origin), Names(root, remember=remember), chance or Chance())
    if origin is None:
        begun.clock.stamp(root)
    begun.chance.begin()
    tempfile._name_sequence = (f"{number:08d}" for number in itertools.count(1))  # type: ignore[attr-defined]
    threading._counter = itertools.count(1).__next__  # type: ignore[attr-defined] # numbers the names of threads
    try:
        yield begun
    finally:
        begun.flocks.forget()


class Stopping(Protocol):
    """What a stand-in asks of the actor in whose thread it was called; children of a coordinator can offer it too.

    ``reach`` stops before an operation until it may be done; False says that the time ``until`` came first.
    ``did`` adds a detail about the operation just done, if anybody wants to know it.
    """

    def reach(
        self,
        operation: str,
        ready: Callable[[], bool] | None = None,
        until: float | None = None,
        probe: Callable[[], bool] | None = None,
        waits_on: Held | None = None,
    ) -> bool: ...

    @property
    def label(self) -> str: ...

    @property
    def caller(self) -> int: ...

    @property
    def watched(self) -> bool: ...

    @property
    def in_force(self) -> InForce: ...

    def did(self, note: str) -> None: ...


running: dict[int, Stopping] = {}
"""By thread identifier the actor whose code the thread runs; a thread that is not in it runs uncontrolled.

All that this process knows of its executions without being told: stand-ins have to ask something, see above.
"""


@contextmanager
def unsteered() -> Iterator[None]:
    """Let this thread run as if it were no actor: for what the harness itself does on the way."""
    me = _ident()
    actor = running.pop(me, None)
    try:
        yield
    finally:
        if actor is not None:
            running[me] = actor
