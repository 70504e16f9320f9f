"""Updates of one file from many tasks: those that wait while a thread writes go into its next write, all of them.

There is one hop to a thread for each write, however many updates it carries. Tasks that have just been served get the
turn of the loop that they need to ask again before the next write takes what waits: it costs nothing, and keeps writes
full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from reference_store.core.group_commit import Ticket, Together

C = TypeVar("C")

_TURNS = 3
"""Turns of the loop from a result that is set to the next call of the task that waited for it through a shield."""


class LoopCommits(Generic[C]):
    """Hands changes to ``write_all`` in a thread, in the order of their arrival; event loops do not mix.

    Only changes that are ``together`` with the first one go into one write; all do, if that is not given.
    """

    def __init__(
        self, write_all: Callable[[Sequence[C]], list[Ticket[C]]], together: Together[C] | None = None
    ) -> None:
        self._write_all, self._together = write_all, together
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[C]] = WeakKeyDictionary()

    async def commit(self, change: C) -> Any:
        """Make ``change`` durable and return its result; raises what stood in its way.

        A cancelled caller withdraws a change that no thread has taken yet, and otherwise waits for its end.
        """
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue()
        waiting = _Waiting(change, loop.create_future())
        queue.waiting.append(waiting)
        self._launch(loop, queue)
        try:
            return (await asyncio.shield(waiting.ended)).outcome()
        except asyncio.CancelledError:
            if waiting in queue.waiting:
                queue.waiting.remove(waiting)
                raise
            while not waiting.ended.done():
                try:
                    await asyncio.wait([waiting.ended])
                except asyncio.CancelledError:
                    continue  # noted already; the thread cannot be called back
            if not waiting.ended.cancelled():
                waiting.ended.exception()  # looked at, so that it is not reported as lost
            raise

    def _launch(self, loop: asyncio.AbstractEventLoop, queue: _Queue[C]) -> None:
        if not queue.writing:
            self._write(loop, queue)

    def _write(self, loop: asyncio.AbstractEventLoop, queue: _Queue[C]) -> None:
        queue.writing = bool(queue.waiting)
        if not queue.waiting:
            return
        batch, queue.waiting = self._first_of(queue.waiting)
        try:
            # A future and not a task: nobody who cancels all tasks cancels this one for the others.
            running = loop.run_in_executor(None, self._write_all, [waiting.change for waiting in batch])
        except RuntimeError as error:  # the loop takes no more work: it is shutting down
            queue.writing = False
            for waiting in batch:
                if not waiting.ended.done():
                    waiting.ended.set_exception(error)
            return
        running.add_done_callback(partial(self._written, loop, queue, batch))

    def _first_of(self, waiting: list[_Waiting[C]]) -> tuple[list[_Waiting[C]], list[_Waiting[C]]]:
        """What goes into the next write, and what stays."""
        together, first, count = self._together, waiting[0].change, len(waiting)
        if together is not None:
            count = next((n for n, other in enumerate(waiting) if not together(first, other.change)), count)
        return waiting[:count], waiting[count:]

    def _written(
        self,
        loop: asyncio.AbstractEventLoop,
        queue: _Queue[C],
        batch: list[_Waiting[C]],
        running: asyncio.Future[list[Ticket[C]]],
    ) -> None:
        error: BaseException | None = None
        tickets: Sequence[Ticket[C]] = ()
        if running.cancelled():
            error = asyncio.CancelledError()
        elif (error := running.exception()) is None:
            tickets = running.result()
        for number, waiting in enumerate(batch):
            if waiting.ended.done():
                continue
            if error is None:
                waiting.ended.set_result(tickets[number])
            elif isinstance(error, asyncio.CancelledError):
                waiting.ended.cancel()
            else:
                waiting.ended.set_exception(error)
        self._after_turns(loop, queue, _TURNS)

    def _after_turns(self, loop: asyncio.AbstractEventLoop, queue: _Queue[C], turns: int) -> None:
        if turns:
            loop.call_soon(self._after_turns, loop, queue, turns - 1)
        else:
            self._write(loop, queue)


class _Waiting(Generic[C]):
    __slots__ = ("change", "ended")

    def __init__(self, change: C, ended: asyncio.Future[Ticket[C]]) -> None:
        self.change, self.ended = change, ended


class _Queue(Generic[C]):
    __slots__ = ("__weakref__", "waiting", "writing")

    def __init__(self) -> None:
        self.waiting: list[_Waiting[C]] = []
        self.writing = False
