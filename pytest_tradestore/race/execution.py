"""One controlled execution as frozen facts: who ran when, what each caller called and got, and how it ended.

Schedulers make executions; the linearizability checker judges their histories; the timeline shows their steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pytest_tradestore.crash.operations import Location
from pytest_tradestore.kits.call import Call

CANCELLING = "cancel caller"
"""How the operation that cancels a caller begins."""
START_JOB = "start job"
"""How the operation that begins an executor job begins."""


class Actors(Enum):
    """What runs side by side."""

    THREADS = "threads"
    TASKS = "tasks"
    PROCESSES = "processes"


@dataclass(frozen=True, slots=True)
class Completed:
    """A call as it happened: ``invoked`` and ``returned`` are positions in the order of all steps of the execution.

    ``returned`` is None for a call that never came back (its process killed, the run ended in a deadlock): it may have
    happened at any moment after its invocation, or not at all. ``error`` is set when it raised, as ``Type: message``;
    ``undeclared`` says that this is no error that the store may answer with (see ``race.refusals``). A call whose
    caller was cancelled has the error ``CancelledError`` and ``returned`` where the cancellation came through;
    ``killed`` is one whose process was.
    ``actor`` is -1 for the calls made before and after by one caller alone.
    """

    actor: int
    call: Call
    invoked: int
    returned: int | None
    result: Any = None
    error: str = ""
    undeclared: bool = False
    killed: bool = False
    declared: bool = False
    """Whether its error is one that the store declares: then it may have been refused, whoever else was there."""


History = tuple[Completed, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One switch point that was passed: ``actor`` was let run and did ``operation`` (named, with its object).

    ``location`` is the line of the store; ``note`` a detail worth showing: the content of a file after a write or
    rename, the holder of a lock.
    """

    actor: int
    operation: str
    location: Location | None = None
    note: str = ""


class Ending(Enum):
    FINISHED = "finished"
    DEADLOCK = "deadlock"
    HUNG = "hung"
    """Somebody waited for something that the scheduler does not control, and nothing moved within the deadline."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A choice that was not the plain one: when ``passed_over``, with so many steps behind it, was about to do
    ``operation``, ``chosen`` went on instead.

    The plain choice is whoever ran before, and when it cannot go on, the first who can. A schedule is its turns.
    """

    passed_over: int
    steps: int
    operation: str
    chosen: int


@dataclass(frozen=True, slots=True)
class Execution:
    """One run under one schedule.

    ``choices`` are the actors in the order in which they were let run, by name of the operation each was about to do:
    they replay the run, and fit only the code that it was. ``preemptions`` counts switches away from an actor that
    could have gone on. ``waits_for`` is the cycle of a deadlock in words. ``uncontrolled`` names lines that did
    something the scheduler could not steer: with them an exhausted search is only a sampled one. ``given_up``: an
    actor was left behind because of it. ``turns`` are the schedule, as short as it can be told.
    """

    history: History
    steps: tuple[Step, ...]
    choices: tuple[tuple[int, str], ...]
    ending: Ending
    preemptions: int = 0
    waits_for: tuple[str, ...] = ()
    uncontrolled: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """What is run under many schedules: per actor the calls it makes, in order.

    ``prepare`` are calls made before, ``observe`` calls made after all actors are done, both by one caller alone.
    ``instances`` says whether each actor opens the store for itself or all share one instance.
    """

    actors: tuple[tuple[Call, ...], ...]
    prepare: tuple[Call, ...] = ()
    observe: tuple[Call, ...] = ()
    own_instances: bool = False
    kind: Actors = Actors.THREADS
    cancel: tuple[int, int] | None = None
    """Cancel this caller while it stands at its n-th await, counted from 1 over all its calls; kill a process before
    its n-th operation."""
    again: tuple[Call, ...] = ()
    """An update that has to be possible when somebody was cancelled or killed."""

    def interrupted(self, caller: int, at: int) -> "Program":
        """Return the program with a caller cancelled or killed, and one more update when all is over."""
        observe = (*self.observe, *self.again, *self.observe) if self.again else self.observe
        return replace(self, cancel=(caller, at), observe=observe)


@dataclass(frozen=True, slots=True)
class Search:
    """What a search through schedules found: executions tried, whether that was all of them, and up to which bound."""

    executions: int
    exhausted: bool
    bound: int | None = None
    uncontrolled: tuple[str, ...] = ()


Judge = Callable[[Execution], str | None]
"""Says in a sentence what is wrong with an execution, None when nothing is."""
