"""An event loop under virtual time whose waiting and whose callbacks are switch points.

Callbacks stay first in, first out, as asyncio promises.
"""

import _thread
import asyncio
import collections
import functools
import heapq
import os
import selectors
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from pytest_tradestore.race.executors import Pool, name_of
from pytest_tradestore.race.in_force import running
from pytest_tradestore.race.threads import ThreadActor

_ident = _thread.get_ident
CALLER: ContextVar[int] = ContextVar("caller", default=-1)
"""For which caller of the program the code runs: tasks and callbacks inherit it."""
RESUME, AWAIT = "resume", "wait for an event"
_RESOLUTION = 1e-9
_WORKERS = min(32, (os.cpu_count() or 1) + 4)
"""As many as asyncio's own pool has."""
_real_loop = asyncio.SelectorEventLoop


class _Selector(selectors.BaseSelector):
    """Makes a real selector when somebody registers a real file, and none before: most loops need none."""

    def __init__(self) -> None:
        self.real: selectors.BaseSelector | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        return self._made().select(timeout)

    def _made(self) -> selectors.BaseSelector:
        if self.real is None:
            self.real = selectors.DefaultSelector()
        return self.real

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._made().unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._made().get_key(fileobj)

    def get_map(self) -> Any:
        return self.real.get_map() if self.real is not None else {}

    def close(self) -> None:
        if self.real is not None:
            self.real.close()


class ControlledLoop(_real_loop):
    """The loop that every actor gets from asyncio."""

    _ready: collections.deque[Any]
    _scheduled: list[Any]
    _stopping: bool
    _timer_cancelled_count: int
    _selector: _Selector
    _default_executor: ThreadPoolExecutor | None

    def __init__(self) -> None:
        maker = running[_ident()]
        self._virtual = maker.in_force.clock
        super().__init__(_Selector())
        self.when_idle: Callable[[], object] | None = None
        """Called when the loop was let go on though nothing is due: everybody else waits."""
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task that was made on it."""
        self._jobs: Pool | None = None
        self._caller = maker.caller
        self.set_exception_handler(_silent)

    def is_due(self) -> bool:
        return bool(self._ready) or self._stopping

    def time(self) -> float:
        return self._virtual.loop_time()

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self.tasks.append(task)
        return task

    def _run_once(self) -> None:
        """Do what asyncio's own does: wait until something is due, and run what is due now, in order."""
        actor: Any = running.get(_ident())
        if actor is None:
            super()._run_once()  # type: ignore[misc] # not public
            return
        ready, timers = self._ready, self._scheduled
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1
        self._wait(actor, timers[0]._when if timers else None)
        now = self._virtual.now + _RESOLUTION
        while timers and timers[0]._when < now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            actor.caller = ready[0]._context.get(CALLER, self._caller)
            actor.reach(RESUME)
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _wait(self, actor: Any, until: float | None) -> None:
        """Wait for a callback, a time, or a real file."""
        self._virtual.asked = self._virtual.asked or until is not None
        real = self._selector.real
        if real is not None and real.get_map():
            if not self.is_due():
                actor.reach(
                    AWAIT, lambda: self.is_due() or bool(real.select(0)), until, probe=lambda: bool(real.select(0.05))
                )
            self._process_events(real.select(0))  # type: ignore[attr-defined] # not public
        elif not self.is_due():
            actor.reach(AWAIT, self.is_due, until)
            if self.when_idle is not None and not self.is_due():
                self.when_idle()

    def run_in_executor(  # type: ignore[override] # its types are richer than they need to be here
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Give a job away as asyncio does, to an actor; a job whose future was cancelled before is not begun."""
        actor = running.get(_ident())
        if executor is None and isinstance(actor, ThreadActor) and self._default_executor is None:
            if self._jobs is None:
                self._jobs = Pool(_WORKERS, actor.control)
            job = functools.partial(func, *args) if args else func
            ticket = _Ticket(self, self.create_future())
            self._jobs.take(ticket, name_of(func, args), actor.control.blamed(job), actor.caller)
            return ticket.future
        return super().run_in_executor(executor, func, *args)

    def _make_self_pipe(self) -> None:
        """Nothing: nobody wakes this loop from a real wait."""

    def _close_self_pipe(self) -> None:
        """Nothing: see above."""

    def _write_to_self(self) -> None:
        """Nothing: see above."""

    async def shutdown_default_executor(self, _timeout: float | None = None) -> None:
        self._executor_shutdown_called = True
        if self._default_executor is not None:
            self._default_executor.shutdown(wait=True)
        actor: Any = running.get(_ident())
        if self._jobs is not None and self._jobs.unfinished and actor is not None:
            actor.reach("wait for the jobs of a pool", self._jobs.is_done)


class _Ticket:
    """Where a job of the loop puts its result: into a future of asyncio, by a callback like any other."""

    def __init__(self, loop: ControlledLoop, future: asyncio.Future[Any]) -> None:
        self._loop, self.future = loop, future

    def set_running_or_notify_cancel(self) -> bool:
        return not self.future.cancelled()

    def set_result(self, result: Any) -> None:
        self._loop.call_soon_threadsafe(self._settle, self.future.set_result, result)

    def set_exception(self, error: BaseException | None) -> None:
        self._loop.call_soon_threadsafe(self._settle, self.future.set_exception, error)

    def cancel(self) -> bool:
        return self.future.cancel()

    def _settle(self, put: Callable[[Any], None], what: Any) -> None:
        if not self.future.done():
            put(what)


def _silent(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """What a store leaves behind after a deadlock is not worth a message on a terminal that nobody sees."""


def new_loop() -> asyncio.AbstractEventLoop:
    """What ``asyncio.new_event_loop`` gives: controlled for actors."""
    return ControlledLoop() if _ident() in running else _real_loop()
