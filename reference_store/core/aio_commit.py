"""Updates of one file from many tasks: those that wait while it is written go into its next write, all of them.

No thread waits for a task: the writer of the root tells the loop when an update has ended. Tasks that have just been
served get the turns of the loop that they need to ask again before what waits is handed over: it costs nothing, and
keeps writes full.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, ref

from reference_store.core.group_commit import GroupCommit, Ticket, Together
from reference_store.core.threads import CALLS

C = TypeVar("C")

_TURNS = 3
"""Turns of the loop from a result that is set to the next call of the task that waited for it through a shield."""
_SOON = 0.01
"""Seconds between two looks at a change whose time is over while its turn has just begun."""


class LoopCommits(Generic[C]):
    """Hands changes to ``commits``, in the order of their arrival; event loops do not mix.

    ``commits`` is the group that they belong to, or a function that makes several of them durable and returns their
    tickets; that one is called in a thread, and only with changes that are ``together`` with the first one, all if that
    is not given.
    """

    def __init__(
        self,
        commits: GroupCommit[C] | Callable[[Sequence[C]], list[Ticket[C]]],
        together: Together[C] | None = None,
    ) -> None:
        self._commits, self._together = commits, together
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[C]] = WeakKeyDictionary()

    async def commit(self, change: C) -> Any:
        """Make ``change`` durable and return its result; raises what stood in its way.

        A cancelled caller withdraws a change that nobody has taken yet, and otherwise waits for its end.
        """
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue(self._commits, self._together)
        waiting = queue.add(change)
        try:
            # A future and not a task: nobody who cancels all tasks cancels this one too.
            return (await asyncio.shield(waiting.ended)).outcome()
        except asyncio.CancelledError:
            if not queue.withdraw(waiting):
                while not waiting.ended.done():
                    try:
                        await asyncio.wait([waiting.ended])
                    except asyncio.CancelledError:
                        continue  # noted already; the write cannot be called back
            raise


class _Waiting(Generic[C]):
    __slots__ = ("ended", "ticket", "timer")

    def __init__(self, ticket: Ticket[C], ended: asyncio.Future[Ticket[C]]) -> None:
        self.ticket, self.ended = ticket, ended
        self.timer: asyncio.TimerHandle | None = None

    def settle(self) -> None:
        """Let the task go on that waits."""
        self.ticket.notify = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if not self.ended.done():
            self.ended.set_result(self.ticket)


class _Ends(Generic[C]):
    """Where the writer says what has ended; it holds no store, which must go with its last user."""

    def __init__(self, queue: _Queue[C]) -> None:
        self._queue = ref(queue)
        self._ended: deque[_Waiting[C]] = deque()
        self._is_told = False

    def tell(self, waiting: _Waiting[C]) -> None:
        """Let the loop know, once for all that end together; called by the writer."""
        self._ended.append(waiting)
        if not self._is_told:
            self._is_told = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                waiting.ended.get_loop().call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._is_told = False
        while self._ended:
            waiting = self._ended.popleft()
            waiting.settle()
            queue = self._queue()
            if queue is not None:
                queue.over(waiting)


class _Queue(Generic[C]):
    """The changes of one loop; all of this is done in the loop's thread.

    It must not hold the loop, which it would keep for as long as the store is there.
    """

    def __init__(
        self,
        commits: GroupCommit[C] | Callable[[Sequence[C]], list[Ticket[C]]],
        together: Together[C] | None,
    ) -> None:
        self._commits, self._together = commits, together
        self._waiting: list[_Waiting[C]] = []
        self._batch: set[_Waiting[C]] = set()
        """What was handed over last, as far as it has not ended."""
        self._turns_left = False
        self._ends: _Ends[C] = _Ends(self)

    def add(self, change: C) -> _Waiting[C]:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(Ticket(change), loop.create_future())
        if isinstance(self._commits, GroupCommit):
            waiting.timer = loop.call_later(self._commits.timeout, self._late, waiting)
        self._waiting.append(waiting)
        if not self._batch and not self._turns_left:
            self._hand_over()
        return waiting

    def withdraw(self, waiting: _Waiting[C]) -> bool:
        """Take a change back; False when that cannot be done any more."""
        if not waiting.ticket.withdraw():
            return False
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        waiting.settle()
        self.over(waiting)
        return True

    def _late(self, waiting: _Waiting[C]) -> None:
        commits = self._commits
        assert isinstance(commits, GroupCommit)
        waiting.timer = None
        if waiting in self._waiting:  # behind a write of this loop
            commits.refuse_late(waiting.ticket)
            self._waiting.remove(waiting)
            waiting.settle()
        elif commits.is_late(waiting.ticket):
            waiting.settle()
            self.over(waiting)
        elif waiting.ticket.is_waiting:
            waiting.timer = asyncio.get_running_loop().call_later(_SOON, self._late, waiting)

    def _hand_over(self) -> None:
        self._turns_left = False
        if not self._waiting:
            return
        batch, self._waiting = self._first()
        self._batch = set(batch)
        try:
            if isinstance(self._commits, GroupCommit):
                for waiting in batch:
                    waiting.ticket.notify = partial(self._ends.tell, waiting)
                self._commits.begin([waiting.ticket for waiting in batch])
            else:
                for waiting in batch:
                    waiting.ticket.take()
                changes = [waiting.ticket.change for waiting in batch]
                CALLS.in_loop(asyncio.get_running_loop(), partial(self._commits, changes)).add_done_callback(
                    partial(self._returned, batch)
                )
        except Exception as error:
            for waiting in batch:
                waiting.ticket.error = error
                waiting.settle()
            self._batch = set()

    def _first(self) -> tuple[list[_Waiting[C]], list[_Waiting[C]]]:
        """What goes into the next write, and what stays."""
        waiting = self._waiting
        count = len(waiting)
        if self._together is not None:
            first, together = waiting[0].ticket.change, self._together
            count = next((n for n, other in enumerate(waiting) if not together(first, other.ticket.change)), count)
        return waiting[:count], waiting[count:]

    def _returned(self, batch: list[_Waiting[C]], running: asyncio.Future[list[Ticket[C]]]) -> None:
        error = running.exception()
        for number, waiting in enumerate(batch):
            if error is None:
                waiting.ticket = running.result()[number]
            else:
                waiting.ticket.error = error
            waiting.settle()
            self.over(waiting)

    def over(self, waiting: _Waiting[C]) -> None:
        """Note that a change has ended; what waits goes next, when those that were served could ask again."""
        self._batch.discard(waiting)
        if not self._batch and not self._turns_left:
            self._turns_left = True
            self._after_turns(_TURNS)

    def _after_turns(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._after_turns, turns - 1)
        else:
            self._hand_over()
