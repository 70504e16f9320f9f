"""Which tasks are run in isolated processes, one after the other, and when no further one is begun.

The one policy for code that hangs or ends its process again and again. What a task does, which is next, and what
follows from its end is said by whoever gives them; ``isolation`` runs each.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pytest_tradestore.isolation import Died, Ending, Finished, Hung, Sent, Task, run_isolated, stream_isolated

HANGS = 5
"""Hangs after which no further task is begun: each costs a deadline."""
DEATHS = 100
"""Ends of the process after which none is: each costs only a process."""
SECONDS = 90.0
"""What may be spent on waiting for hangs, however few: a store may declare a long deadline."""


class Runner:
    """Runs tasks of one store, and counts how they end."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._hangs = self._deaths = 0
        self._waited = 0.0
        self._ways: dict[str, None] = {}

    def through(self, next_task: Callable[[], Task | None]) -> Iterator[Sent | Ending]:
        """Run the tasks that ``next_task`` gives until it gives none, and yield all that comes of them.

        It is asked again after each process, when all that came of that is known. Raises what ``stream_isolated`` does.
        """
        while not self.gave_up and (task := next_task()) is not None:
            yield from self.of(task)

    def of(self, task: Task) -> Iterator[Sent | Ending]:
        """Run one task, and yield all that comes of it; its end counts. Raises what ``stream_isolated`` does."""
        for event in stream_isolated(task, self._deadline):
            if isinstance(event, (Hung, Died)):
                self._note(event)
            yield event

    @property
    def gave_up(self) -> bool:
        """Whether no further task is begun."""
        return self._hangs >= HANGS or self._deaths >= DEATHS or self._waited >= SECONDS

    @property
    def endings(self) -> int:
        """How often a process did not come to its end."""
        return self._hangs + self._deaths

    @property
    def ways(self) -> tuple[str, ...]:
        """How they ended, in words, each way once."""
        return tuple(self._ways)

    def _note(self, ending: Hung | Died) -> None:
        self._ways[ended_how(ending)] = None
        if isinstance(ending, Hung):
            self._hangs += 1
            self._waited += ending.seconds
        else:
            self._deaths += 1


def finished(task: Task, deadline: float) -> Any | str:
    """Run one task that uses a store in the ordinary way; return what it returned, or in a sentence why it did not."""
    ending = run_isolated(task, deadline)
    return ending.value if isinstance(ending, Finished) else of_the_workload(ending)


def begun_and_ended(task: Task, deadline: float, begun: Any) -> tuple[Any, Ending]:
    """Run one task that sends what it begins; return what it had begun last, ``begun`` at first, and how it ended.

    Raises what ``stream_isolated`` does.
    """
    for event in stream_isolated(task, deadline):
        if not isinstance(event, Sent):
            return begun, event
        begun = event.value
    raise AssertionError("the stream of a task ends with its ending")


def of_the_workload(ending: Hung | Died) -> str:
    """Say that ordinary use of a store did not come to its end."""
    match ending:
        case Hung(_, seconds):
            return f"the workload took longer than {seconds:g} s (tradestore_deadline) for one step"
        case Died(_, how):
            return f"the store ended its process: {how}"


def ended_how(ending: Hung | Died) -> str:
    """Return in words how a process ended that did not come to its end."""
    match ending:
        case Hung(_, seconds):
            return f"took longer than {seconds:g} s"
        case Died(_, how):
            return f"ended its process: {how}"


def so_often(how: Sequence[str]) -> str:
    """Say how a store ended again and again; where it took too long, what the time is called."""
    slow = any("longer than" in one for one in how)
    hint = " (a store that is merely slow declares a longer tradestore_deadline)" if slow else ""
    return f"{' or '.join(how[:3]) or 'ended its process'} again and again{hint}"
