"""Concurrent updates of one file become one write that acknowledges them all.

Whoever comes while nobody writes writes at once, and takes along all that has come until the moment when the new
content is put together; those behind it are woken when theirs is done. Nobody waits for company.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import ismethod
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakMethod, WeakSet, WeakValueDictionary

from reference_store.errors import LockTimeout, StoreError

C = TypeVar("C")
T = TypeVar("T")


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
        self.woken: threading.Event | None = None  # only those who wait need one

    @property
    def first(self) -> C:
        return self.tickets[0].change

    def wake(self) -> None:
        if self.woken is not None:
            self.woken.set()


Take: TypeAlias = Callable[[], Sequence[Ticket[C]]]
Together: TypeAlias = Callable[[C, C], bool]
"""Whether the second of two changes can be part of the write that begins with the first."""


class GroupCommit(Generic[C]):
    """Collects changes and has them written, in the order of their arrival, by one caller at a time.

    ``write(first, take)`` calls ``take()`` once, as late as it can, for the tickets to write, of which ``first`` is the
    first change; it makes their changes durable in one go and sets ``result`` of each, or its ``error`` when just this
    change could not be made. What it raises concerns all of them. Only changes that are ``together`` with the first
    one are taken; all are, if that is not given. ``timeout`` (seconds) is how long a change may wait for its turn;
    ``place`` names the directory when it took longer.
    """

    def __init__(
        self,
        write: Callable[[C, Take[C]], None],
        timeout: float,
        place: str,
        together: Together[C] | None = None,
    ) -> None:
        self._write, self._timeout, self._place, self._together = write, timeout, place, together
        self._waiting: deque[_Party[C]] = deque()
        self._writing = False
        self._mutex = threading.Lock()

    def commit(self, change: C) -> Any:
        """Make ``change`` durable and return its result; raises what stood in its way, or LockTimeout."""
        return self.commit_all([change])[0].outcome()

    def commit_all(self, changes: Sequence[C]) -> list[Ticket[C]]:
        """Make ``changes``, which go together, durable in one write and return their tickets; raises LockTimeout."""
        party = _Party(changes)
        woken: threading.Event | None = None
        with self._mutex:
            if self._writing:
                woken = party.woken = threading.Event()
            self._waiting.append(party)
            self._writing = True
        if woken is not None:
            if not woken.wait(max(self._timeout, 0)):
                self._give_up(party, woken)
            if party.done:
                return party.tickets
        self._lead(changes[0])
        return party.tickets

    def _give_up(self, party: _Party[C], woken: threading.Event) -> None:
        """Withdraw, unless somebody has taken these changes along: then their end is near, and is waited for."""
        with self._mutex:
            if party in self._waiting and not woken.is_set():
                self._waiting.remove(party)
                raise LockTimeout(self._place, self._timeout)
        woken.wait()

    def _lead(self, first: C) -> None:
        taken: list[_Party[C]] = []

        def take() -> Sequence[Ticket[C]]:
            with self._mutex:
                while self._waiting and (self._together is None or self._together(first, self._waiting[0].first)):
                    taken.append(self._waiting.popleft())
            return [ticket for party in taken for ticket in party.tickets]

        try:
            self._write(first, take)
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
                party.wake()
            with self._mutex:
                if self._waiting:
                    self._waiting[0].wake()  # its turn
                else:
                    self._writing = False


class ByKey(Generic[T]):
    """One object for each key that is in use: made when it is first asked for, gone with the last who holds it."""

    def __init__(self, make: Callable[[str], T]) -> None:
        # Weakly where it is a method: its object has this one, and has to go, and close its files, with its last user.
        self._make: Callable[[], Callable[[str], T] | None] = WeakMethod(make) if ismethod(make) else lambda: make
        self.forget()
        with _registry:
            _alive.add(self)

    def forget(self) -> None:
        """Begin anew: what was made belongs to threads that are not there any more."""
        self._mutex = threading.Lock()
        self._made: WeakValueDictionary[str, T] | None = None  # many stores are opened only to be read

    def __getitem__(self, key: str) -> T:
        with self._mutex:
            if self._made is None:
                self._made = WeakValueDictionary()
            found = self._made.get(key)
            if found is None:
                make = self._make()
                assert make is not None, "whoever asks has the object"
                found = self._made[key] = make(key)
            return found


_alive: WeakSet[ByKey[Any]] = WeakSet()
_registry = threading.Lock()


def _after_fork_in_child() -> None:
    """Whoever was writing when this process was forked writes in the parent: here nobody would ever wake the others."""
    global _registry
    _registry = threading.Lock()
    for by_key in list(_alive):
        by_key.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)


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
