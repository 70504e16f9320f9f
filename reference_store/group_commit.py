"""Concurrent updates of one file become one write that acknowledges them all.

Whoever gets its turn writes everything that waits by then, its own update included, and those behind it find theirs
done. Nobody waits for company: a single writer writes at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from reference_store.errors import LockTimeout, StoreError

C = TypeVar("C")


@dataclass(eq=False, slots=True)
class Ticket(Generic[C]):
    """One update that waits: the ``change`` to make, and what became of it once it is ``done``."""

    change: C
    result: Any = None
    error: Exception | None = None
    done: bool = field(default=False)

    def outcome(self) -> Any:
        """Return what the change returned, or raise what stood in its way."""
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit(Generic[C]):
    """Collects changes and hands them, in the order of their arrival, to ``write``.

    ``write(tickets)`` makes all changes durable in one go and sets ``result`` of each ticket, or its ``error`` when
    just this change could not be made. What it raises concerns all of them. ``timeout`` (seconds) is how long a change
    may wait for its turn; ``place`` names the directory when it took longer.
    """

    def __init__(self, write: Callable[[Sequence[Ticket[C]]], None], timeout: float, place: str) -> None:
        self._write, self._timeout, self._place = write, timeout, place
        self._waiting: deque[Ticket[C]] = deque()
        self._turn = threading.Lock()

    def commit(self, change: C) -> Any:
        """Make ``change`` durable and return its result; raises what stood in its way, or LockTimeout."""
        return self.commit_all([change])[0].outcome()

    def commit_all(self, changes: Sequence[C]) -> list[Ticket[C]]:
        """Make all ``changes`` durable in one write and return their tickets, done; raises LockTimeout."""
        tickets = [Ticket(change) for change in changes]
        self._waiting.extend(tickets)
        if not self._turn.acquire(timeout=max(self._timeout, 0)):
            self._withdraw(tickets)
        try:
            if not all(ticket.done for ticket in tickets):
                self._lead()
        finally:
            self._turn.release()
        return tickets

    def _withdraw(self, tickets: list[Ticket[C]]) -> None:
        """Give up, unless somebody has begun to write these changes: then their end is near, and is waited for."""
        withdrawn = 0
        for ticket in tickets:
            try:
                self._waiting.remove(ticket)
                withdrawn += 1
            except ValueError:
                pass
        if withdrawn:
            raise LockTimeout(self._place, self._timeout)
        self._turn.acquire()

    def _lead(self) -> None:
        batch: list[Ticket[C]] = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        try:
            self._write(batch)
        except StoreError as error:
            for ticket in batch:
                if ticket.error is None:
                    ticket.error = _twin(error)
        except BaseException:
            # Interrupted: those who wait did not ask for that, and the next one in turn takes their changes up again.
            self._waiting.extendleft(reversed(batch))
            raise
        for ticket in batch:
            ticket.done = True


def _twin(error: StoreError) -> StoreError:
    """An error like this one for somebody else to raise: two threads must not share a traceback."""
    twin = type(error).__new__(type(error))
    if isinstance(twin, OSError):
        OSError.__init__(twin, *error.args)
    else:
        twin.args = error.args
    twin.__dict__.update(error.__dict__)
    twin.__cause__ = error.__cause__
    return twin
