"""An event loop under virtual time whose waiting and whose callbacks are switch points.

Callbacks stay first in, first out, as asyncio promises.
"""

import _thread
import asyncio
import collections
import selectors
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from pytest_tradestore.race.actors import running
from pytest_tradestore.race.clock import CLOCK

_ident = _thread.get_ident
CALLER: ContextVar[int] = ContextVar("caller", default=-1)
"""For which caller of the program the code runs: tasks and callbacks inherit it."""
RESUME, AWAIT = "resume", "wait for an event"
_real_loop = asyncio.SelectorEventLoop


class _Ready(collections.deque[Any]):
    """The callbacks that are due. Before each is taken another actor may go on, and append one."""

    def popleft(self) -> Any:
        actor: Any = running.get(_ident())
        if actor is not None:
            actor.caller = self[0]._context.get(CALLER, -1)
            actor.reach(RESUME)
        return super().popleft()


class _Selector(selectors.BaseSelector):
    """Waits until a callback is due. A real selector stands behind it, once somebody registers a real file."""

    def __init__(self) -> None:
        self._real: selectors.BaseSelector | None = None
        self.loop: ControlledLoop | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        actor, loop, real = running.get(_ident()), self.loop, self._real
        if actor is None or loop is None:
            return (real or self._made()).select(timeout)
        events = real.select(0) if real is not None else []
        if events or (timeout is not None and timeout <= 0):
            return events
        until = None if timeout is None else CLOCK.now + timeout
        if real is None or not real.get_map():
            actor.reach(AWAIT, loop.is_due, until)
            loop.woken()
            return []
        actor.reach(AWAIT, lambda: loop.is_due() or bool(real.select(0)), until, probe=lambda: bool(real.select(0.05)))
        loop.woken()
        return real.select(0)

    def _made(self) -> selectors.BaseSelector:
        if self._real is None:
            self._real = selectors.DefaultSelector()
        return self._real

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._made().unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._made().modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._made().get_key(fileobj)

    def get_map(self) -> Any:
        return self._real.get_map() if self._real is not None else {}

    def close(self) -> None:
        if self._real is not None:
            self._real.close()


class ControlledLoop(_real_loop):  # type: ignore[misc,valid-type] # a variable, because the name is patched
    """The loop that every actor gets from asyncio."""

    def __init__(self) -> None:
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self._ready = _Ready()
        self.when_idle: Callable[[], None] | None = None
        """Called when the loop was let go on though nothing is due: everybody else waits."""
        self.set_exception_handler(_silent)

    def is_due(self) -> bool:
        return bool(self._ready) or self._stopping

    def woken(self) -> None:
        if self.when_idle is not None and not self._ready and not self._stopping:
            self.when_idle()

    def time(self) -> float:
        return CLOCK.loop_time()

    def _make_self_pipe(self) -> None:
        """Nothing: nobody wakes this loop from a real wait."""

    def _close_self_pipe(self) -> None:
        """Nothing: see above."""

    def _write_to_self(self) -> None:
        """Nothing: see above."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        executor = self._default_executor
        self._executor_shutdown_called = True
        if executor is not None:
            executor.shutdown(wait=True)


def _silent(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """What a store leaves behind after a deadlock is not worth a message on a terminal that nobody sees."""


def new_loop() -> asyncio.AbstractEventLoop:
    """What ``asyncio.new_event_loop`` gives: controlled for actors."""
    return ControlledLoop() if _ident() in running else _real_loop()
