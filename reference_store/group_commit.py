"""Concurrent updates of one file become one write that acknowledges them all.

Whoever comes while nobody writes writes at once, and takes along all that has come until the moment when the new
content is put together; those behind it are woken when theirs is done. Nobody waits for company.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from reference_store.errors import LockTimeout, StoreError

C = TypeVar("C")


@dataclass(eq=False, slots=True)
class Ticket(Generic[C]):
    """One update that waits: the ``change`` to make, and what became of it."""

    change: C
    result: Any = None
    error: Exception | None = None

    def outcome(self) -> Any:
        """Return what the change returned, or raise what stood in its way."""
        if self.error is not None:
            raise self.error
        return self.result


class _Party(Generic[C]):
    """The changes of one caller, and what it is woken by: they are done, or it is its turn to write."""

    __slots__ = ("done", "tickets", "woken")

    def __init__(self, changes: Sequence[C]) -> None:
        self.tickets = [Ticket(change) for change in changes]
        self.done = False
        self.woken = threading.Event()


Take: TypeAlias = Callable[[], Sequence[Ticket[C]]]


class GroupCommit(Generic[C]):
    """Collects changes and has them written, in the order of their arrival, by one caller at a time.

    ``write(take)`` calls ``take()`` once, as late as it can, for the tickets to write; it makes their changes durable
    in one go and sets ``result`` of each, or its ``error`` when just this change could not be made. What it raises
    concerns all of them. ``timeout`` (seconds) is how long a change may wait for its turn; ``place`` names the
    directory when it took longer.
    """

    def __init__(self, write: Callable[[Take[C]], None], timeout: float, place: str) -> None:
        self._write, self._timeout, self._place = write, timeout, place
        self._waiting: deque[_Party[C]] = deque()
        self._writing = False
        self._mutex = threading.Lock()

    def commit(self, change: C) -> Any:
        """Make ``change`` durable and return its result; raises what stood in its way, or LockTimeout."""
        return self.commit_all([change])[0].outcome()

    def commit_all(self, changes: Sequence[C]) -> list[Ticket[C]]:
        """Make all ``changes`` durable in one write and return their tickets; raises LockTimeout."""
        party = _Party(changes)
        with self._mutex:
            self._waiting.append(party)
            first = not self._writing
            self._writing = True
        if not first:
            if not party.woken.wait(max(self._timeout, 0)):
                self._give_up(party)
            if party.done:
                return party.tickets
        self._lead()
        return party.tickets

    def _give_up(self, party: _Party[C]) -> None:
        """Withdraw, unless somebody has taken these changes along: then their end is near, and is waited for."""
        with self._mutex:
            if party in self._waiting and not party.woken.is_set():
                self._waiting.remove(party)
                raise LockTimeout(self._place, self._timeout)
        party.woken.wait()

    def _lead(self) -> None:
        taken: list[_Party[C]] = []

        def take() -> Sequence[Ticket[C]]:
            with self._mutex:
                taken.extend(self._waiting)
                self._waiting.clear()
            return [ticket for party in taken for ticket in party.tickets]

        try:
            self._write(take)
        except StoreError as error:
            for ticket in [ticket for party in taken for ticket in party.tickets] or take():
                if ticket.error is None:
                    ticket.error = _twin(error)
        except BaseException:
            # Interrupted, which the others did not ask for: the next one in turn takes their changes up again.
            with self._mutex:
                own, others = (taken or [self._waiting.popleft()])[0], taken[1:]
                own.done = True
                self._waiting.extendleft(reversed(others))
                taken.clear()
            raise
        finally:
            for party in taken:
                party.done = True
                party.woken.set()
            with self._mutex:
                if self._waiting:
                    self._waiting[0].woken.set()  # its turn
                else:
                    self._writing = False


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
