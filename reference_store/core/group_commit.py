"""Concurrent updates of one file become one write that acknowledges them all.

What comes while nobody writes is written at once, and with it all that has come until the moment when the new content
is put together; what comes later is in the next write. Nobody waits for company. The writing is done by the ``Writer``
of the root. A caller only leaves its change and waits, so an exception that a signal raises in it, at
whatever point, concerns nobody else: it takes the change back, or waits for its end when it is being written already.

Each change has a deadline, a result and an error of its own. A change that no write can be made with is found by
writing the others without it.
"""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Generic, TypeAlias, TypeVar

from reference_store.core import forks, telling
from reference_store.core.by_key import ByKey as ByKey
from reference_store.core.writer import Writer
from reference_store.errors import CalledInside, LockTimeout, StorageFailure, StoreError

C = TypeVar("C")

_TAKEN, _WITHDRAWN = "taken", "withdrawn"
_SOON = 0.01
"""Seconds between two looks of a caller whose time is over while its turn has just begun."""
_LONGEST = 3600.0
"""Seconds of one wait; the system does not take just any number."""
_TOO_LARGE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says to one change because of its size, and may not say to another."""


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False, slots=True)
class Ticket(Generic[C]):
    """One update that waits: the ``change`` to make, and what became of it."""

    change: C
    result: Any = None
    error: BaseException | None = None
    ended: bool = False
    caller: int = field(default_factory=threading.get_ident)
    """The thread that waits, or that has asked for tasks that do."""
    notify: Callable[[], None] | None = None
    """Called in the writer's thread when this has ended."""
    _fate: dict[str, str] = field(default_factory=dict)
    _bell: Any = field(default_factory=_locked)

    def outcome(self) -> Any:
        """Return what the change returned, or raise what stood in its way."""
        if self.error is not None:
            raise self.error
        return self.result

    def take(self) -> bool:
        """Say that this is being written from now on; False when it was withdrawn."""
        return self._fate.setdefault("is", _TAKEN) is _TAKEN

    def withdraw(self) -> bool:
        """Say that this must not be written any more; False when it is too late for that."""
        # One step that can be repeated: interrupted behind it, the same question has the same answer.
        return self._fate.setdefault("is", _WITHDRAWN) is _WITHDRAWN

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has taken or withdrawn this."""
        return "is" not in self._fate

    def wait(self, seconds: float) -> None:
        """Wait for the end."""
        if not self.ended:
            self._bell.acquire(timeout=min(max(seconds, 0), _LONGEST))

    def end(self) -> None:
        """Let whoever waits go on."""
        if not self.ended:
            self.ended = True
            self._bell.release()
            notify, self.notify = self.notify, None  # it may lead back here, and this must go with its last user
            if notify is not None:
                notify()

    def give_up(self) -> None:
        """Withdraw, or wait for the end: whatever is raised meanwhile has been raised once already."""
        while True:
            try:
                if self.withdraw():
                    return
                while not self.ended:
                    self.wait(_LONGEST)
                return
            except BaseException:  # noqa: S112 - the caller learns of the first one
                continue


Take: TypeAlias = Callable[[], Sequence[Ticket[C]]]
Together: TypeAlias = Callable[[C, C], bool]
"""Whether the second of two changes can be part of the write that begins with the first."""


class _NobodyWaits(BaseException):
    """All who had asked for a write have withdrawn until it could begin."""


class GroupCommit(Generic[C]):
    """Collects changes and has them written, in the order of their arrival, by ``writer``.

    ``write(first, take)`` calls ``take()`` once, as late as it can and under the lock, for the tickets to write, of
    which ``first`` is like the first change; it makes their changes durable in one go and sets ``result`` of each, or
    its ``error`` when just this change could not be made. When it raises, nothing may have been made (but for a
    StorageFailure that says so): each change is then tried with fewer others, at last alone, and what is raised there
    is its error. Only changes that are ``together`` with the first one are taken; all are, if that is not given.

    ``timeout`` (seconds) is how long a change may wait until it is taken; ``place`` names the directory when it took
    longer. Groups of one root share its ``writer``; without one a group has its own. ``about`` says which operation
    a change is, and of what, for the log (``telling``).
    """

    def __init__(
        self,
        write: Callable[[C, Take[C]], None],
        timeout: float,
        place: str,
        together: Together[C] | None = None,
        writer: Writer | None = None,
        about: Callable[[C], tuple[str, str]] | None = None,
    ) -> None:
        self._write, self.timeout, self._place, self._together = write, timeout, place, together
        self._about = about
        self.writer = writer or Writer()
        self.forget()

    def forget(self) -> None:
        """Begin anew: what waits belongs to threads that are not there any more."""
        self._waiting: deque[Ticket[C]] = deque()  # the writer's thread takes from it, all others only add
        self._has_taken = False
        self._forks = forks.count()

    def commit(self, change: C) -> Any:
        """Make ``change`` durable and return its result; raises what stood in its way, or LockTimeout."""
        return self.commit_all([change])[0].outcome()

    def commit_all(self, changes: Sequence[C]) -> list[Ticket[C]]:
        """Make ``changes`` durable, in one write where they go together, and return their tickets.

        The ``error`` of a ticket says what stood in its way, LockTimeout too. Raises CalledInside.
        """
        deadline = time.monotonic() + self.timeout
        tickets = [Ticket(change) for change in changes]
        try:
            self.begin(tickets)
            for ticket in tickets:
                self._wait(ticket, deadline)
        except BaseException:
            for ticket in tickets:
                ticket.give_up()
            raise
        return tickets

    def begin(self, tickets: Sequence[Ticket[C]]) -> None:
        """Have the changes written, and return at once; ``notify`` of each ticket tells of its end.

        Raises CalledInside where that could not come before the caller has returned.
        """
        if _is_inside(self.writer):
            raise CalledInside(self._place)
        if self._forks != forks.count():
            self.forget()  # what waited when this process was forked is written by the parent
        self._waiting.extend(tickets)
        self.writer.ask(self)

    def is_late(self, ticket: Ticket[C]) -> bool:
        """Withdraw, at its deadline, a change that somebody else stands in the way of; says whether that was done.

        If its turn has just begun it is not known yet whether anybody does: then ask again in a moment.
        """
        writer = self.writer
        current = writer.current
        behind = current is not None and (current is not self or self._has_taken)
        return (writer.waits or behind) and ticket.is_waiting and self.refuse_late(ticket)

    def refuse_late(self, ticket: Ticket[C]) -> bool:
        """Withdraw a change that has waited too long; False when it is too late for that."""
        if not ticket.withdraw():
            return False
        ticket.error = LockTimeout(self._place, self.timeout)
        return True

    def _wait(self, ticket: Ticket[C], deadline: float) -> None:
        while not ticket.ended:
            left = deadline - time.monotonic()
            if left > 0:
                ticket.wait(left)
            elif self.is_late(ticket):
                return
            else:
                ticket.wait(_SOON if ticket.is_waiting else _LONGEST)  # its end is near

    def lead(self) -> list[Ticket[C]]:
        """Write what waits and goes together; done by the writer."""
        self._has_taken = False
        while self._waiting and not self._waiting[0].is_waiting:
            self._waiting.popleft()
        if not self._waiting:
            return []
        taken: list[Ticket[C]] = []
        self.writer.serves = taken
        first = self._waiting[0].change
        began = telling.begun(telling.CHANGE)

        def take() -> Sequence[Ticket[C]]:
            while self._waiting and (self._together is None or self._together(first, self._waiting[0].change)):
                ticket = self._waiting.popleft()
                if ticket.take():
                    taken.append(ticket)
            self._has_taken = True
            if not taken:
                raise _NobodyWaits
            return taken

        try:
            self._write(first, take)
        except _NobodyWaits:
            pass
        except Exception as error:
            self._failed(taken, error)
        finally:
            if self._waiting:
                self.writer.ask(self)
        if self._about is not None and began is not None:
            for ticket in taken:
                telling.ended(telling.CHANGE, began, self._place, *self._about(ticket.change), ticket.error)
        return taken

    def _failed(self, taken: list[Ticket[C]], error: Exception) -> None:
        """Find out whose change it was, by writing each half of them without the other."""
        if not taken:
            # Before it was asked for the others: it is about the first one, and they have their own turn.
            ticket = self._waiting.popleft()
            if ticket.take():
                ticket.error = error
                taken.append(ticket)
        elif len(taken) == 1 or not _may_concern_one(error):
            for ticket in taken:
                ticket.error = ticket.error or (_twin(error) if isinstance(error, StoreError) else error)
        else:
            half = len(taken) // 2
            for part in (taken[:half], taken[half:]):
                for ticket in part:
                    ticket.result = ticket.error = None
                try:
                    self._write(part[0].change, lambda part=part: part)  # type: ignore[misc] # bound now
                except Exception as its_error:
                    self._failed(part, its_error)


def _may_concern_one(error: Exception) -> bool:
    if isinstance(error, StorageFailure):
        return error.errno in _TOO_LARGE and not error.may_have_happened
    return True


def _is_inside(writer: Writer) -> bool:
    """Whether this is called, in the end, by a change of the same root, or by a signal's handler during one.

    The stack is looked at, and nothing noted: a note could be left behind by an exception.
    """
    loan = writer.loan
    if writer.is_here() or (loan is not None and loan.thread == threading.get_ident() and loan.is_needed()):
        return True
    if writer.waits_for_this_thread():
        return True
    frame: FrameType | None = sys._getframe(2)
    if frame is not None and frame.f_code is _CALLERS:
        frame = frame.f_back  # the call that asks
    while frame is not None:
        if frame.f_code is _CALLERS and frame.f_locals["self"].writer is writer:
            return True
        frame = frame.f_back
    return False


_CALLERS = GroupCommit.commit_all.__code__


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
