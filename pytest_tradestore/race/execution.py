"""One controlled execution as frozen facts: who ran when, what each caller called and got, and how it ended.

Schedulers make executions; the linearizability checker judges their histories; the timeline shows their steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pytest_tradestore.crash.operations import Location
from pytest_tradestore.kits.call import Call

CANCELLED = "CancelledError"
"""The error of a call whose caller was cancelled."""
CANCELLING = "cancel caller"
"""How the operation that cancels a caller begins."""
INTERRUPTING = "interrupt caller"
"""How the note begins that a signal's handler raised in a caller."""
START_JOB = "start job"
"""How the operation that begins an executor job begins."""


class Actors(Enum):
    """What runs side by side."""

    THREADS = "threads"
    TASKS = "tasks"
    PROCESSES = "processes"


class Blow(Enum):
    """What happens to one caller in the middle of a call, while others make theirs."""

    CANCELLED = "cancelled"
    """Its task is cancelled."""
    ALL_CANCELLED = "cancelled with all others"
    """Every task of the event loop is, its own first: so does ``asyncio.run`` when a program ends."""
    KILLED = "killed"
    KILLED_AND_SUCCEEDED = "killed, and its number given to another process"
    """What asks whether a process of its number is there is told that one is."""
    CTRL_C = "interrupted by KeyboardInterrupt"
    ALARM = "interrupted by an alarm"
    """The handler of a signal raises an ordinary exception: so are time limits made."""
    SLOW = "slow"
    """One operation of it takes ten minutes."""


SIGNALS = (Blow.CTRL_C, Blow.ALARM)
KILLS = (Blow.KILLED, Blow.KILLED_AND_SUCCEEDED)


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
    interrupted: bool = False
    """Whether a signal's handler raised in the middle of it."""

    @property
    def broken_off(self) -> bool:
        """Whether it raised because it was cancelled or interrupted, and not of itself."""
        return bool(self.error) and (self.interrupted or self.error.startswith(CANCELLED))


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
    asked: bool = False
    """Whether it is a request to a server, or a statement: what is called so of a file is something else."""


class Ending(Enum):
    FINISHED = "finished"
    DEADLOCK = "deadlock"
    HUNG = "hung"
    """Somebody waited for something that the scheduler does not control, and nothing moved within the deadline."""


@dataclass(frozen=True, slots=True)
class ContextSwitch:
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
    turns: tuple[ContextSwitch, ...] = ()
    given_up: bool = False
    met: frozenset[Blow] = frozenset()
    """Blows that could matter to this store, by what it was seen to ask: for the time, for another process."""


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
    blow: Blow | None = None
    """What happens to a caller, where anything does."""
    struck: tuple[int, int] | None = None
    """To whom it happens, and when: at its n-th await (of a cancelled task), at the n-th step of the event loop (of all
    tasks), before its n-th operation (of a process, or a slow caller) or after it (of one that is interrupted), each
    counted from 1 over all its calls. None while that is not chosen yet."""
    again: tuple[Call, ...] = ()
    """An update that has to be possible when it has happened."""
    inherited: bool = False
    """Whether processes use an instance that the process opened which they were forked from."""

    def struck_at(self, caller: int, at: int) -> "Program":
        """Return the program with the moment of the blow, and one more update when all is over."""
        observe = (*self.observe, *self.again, *self.observe) if self.again else self.observe
        usual = Blow.KILLED if self.kind is Actors.PROCESSES else Blow.CANCELLED
        return replace(self, blow=self.blow or usual, struck=(caller, at), observe=observe)


@dataclass(frozen=True, slots=True)
class Search:
    """What a search through schedules found: executions tried, whether that was all of them, and up to which bound.

    ``cut``: how many more there would have been, had they not taken so long.
    """

    executions: int
    exhausted: bool
    bound: int | None = None
    uncontrolled: tuple[str, ...] = ()
    cut: int = 0

    @property
    def asked(self) -> int:
        """How many schedules there were to be run: what is cut off is nobody else's gain, or their schedules would be
        others on a slow machine."""
        return self.executions + self.cut


Judge = Callable[[Execution], str | None]
"""Says in a sentence what is wrong with an execution, None when nothing is."""
