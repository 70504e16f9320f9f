"""The callers of a program as tasks of one event loop: the loop is one actor, every job that it gives away another.

When a caller makes its next call, and when it is cancelled, are choices too.
"""

import asyncio
import contextvars
import gc
import inspect
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.registry import kits_of
from pytest_tradestore.race.actors import Abandoned, Actor
from pytest_tradestore.race.callers import CLOSING, OPENING, Ledger, Order, Unusable, finished, in_turn
from pytest_tradestore.race.event_loop import AWAIT, CALLER, RESUME, ControlledLoop
from pytest_tradestore.race.execution import CANCELLING, Blow, Execution
from pytest_tradestore.race.in_force import unsteered
from pytest_tradestore.race.line_switches import is_somebodys, line_of
from pytest_tradestore.race.scheduler import Scheduler
from pytest_tradestore.race.threads import Control, Ended
from pytest_tradestore.target import Bridge, OpenStore

_CANCELS = (None, Blow.CANCELLED, Blow.ALL_CANCELLED)


class LoopBridge(Bridge):
    """Settles on the controlled loop what a store returns."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def settle(self, value: Any) -> Any:
        if not inspect.isawaitable(value):
            return value

        async def wait() -> Any:
            return await value

        return self._loop.run_until_complete(wait())


class _Caller(Actor):
    """Makes the calls of one caller begin: an actor that needs no thread."""

    inline = True

    def __init__(self, number: int, loop: ControlledLoop, loop_actor: Actor) -> None:
        super().__init__(number, number, f"caller {number}")
        self._loop, self._loop_actor = loop, loop_actor
        self._next: asyncio.Future[None] | None = None
        self.ready = self._is_next
        self.position = 0
        self.context = contextvars.copy_context()
        self.context.run(CALLER.set, number)
        self.task: asyncio.Task[None] | None = None
        self.suspended = 0
        """The number of the await at which it stands, while it stands there."""
        self.awaits = 0
        self.manager: Any = None
        """What gave the caller its own instance."""

    def _is_next(self) -> bool:
        return self._next is not None and not self._next.cancelled()

    def turn(self, operation: str) -> asyncio.Future[None]:
        """Return what a task awaits before its next call."""
        self._next = self._loop.create_future()
        self.pending = operation
        return self._next

    def let_run(self) -> None:
        future, self._next = self._next, None
        if future is not None:
            self.context.run(future.set_result, None)

    def waits(self) -> str:
        if self.task is None or self.task.done():
            return ""
        if not self.task.get_coro().cr_suspended:  # type: ignore[union-attr]
            return f"{self._loop_actor.waits()}: that stops the event loop"
        return f"{self.label} waits in {_where(self.task.get_coro())}"


class _Canceller(Actor):
    """Cancels a caller while it stands at one particular await."""

    inline = True
    free = True

    def __init__(
        self, scheduler: Scheduler, victim: _Caller, at: int, loop_actor: Actor, loop: ControlledLoop, *, all_: bool
    ) -> None:
        super().__init__(scheduler.next_number(), victim.number, f"the canceller of caller {victim.number}")
        self._loop, self._all = loop, all_
        self._scheduler, self._victim, self._at, self._loop_actor = scheduler, victim, at, loop_actor
        self.pending = f"{CANCELLING} {victim.number} {'and every other task' if all_ else f'at its await {at}'}"
        self.ready = self._in_place
        self._over = False

    def _in_place(self) -> bool:
        # Only between two callbacks: in the middle of one nobody on the loop could cancel.
        if self._over or self._loop_actor.pending not in (RESUME, AWAIT):
            return False
        if self._all:
            return self._loop_actor.steps == self._at and self._victim.suspended > 0
        return self._victim.suspended == self._at

    def let_run(self) -> None:
        self._over = True
        self._scheduler.note(self._victim.number, self.pending)
        if self._victim.task is not None:
            self._victim.task.cancel()
        for task in self._loop.tasks if self._all else ():
            if task is not self._victim.task and not task.done():
                task.cancel()

    def waits(self) -> str:
        return ""


class _Counted:
    """Awaits something, and counts at how many points that stands still."""

    def __init__(self, inner: Awaitable[Any], caller: _Caller) -> None:
        self.inner, self._caller = inner, caller

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.inner.__await__()
        caller = self._caller
        step: Callable[[], Any] = lambda: next(steps)  # noqa: E731 - changes below
        while True:
            try:
                yielded = step()
            except StopIteration as stop:
                return stop.value
            caller.awaits += 1
            caller.suspended = caller.awaits
            try:
                sent = yield yielded
            except BaseException as error:
                caller.suspended = 0
                step = lambda error=error: steps.throw(error)  # type: ignore[misc] # noqa: E731 - as above
            else:
                caller.suspended = 0
                step = lambda sent=sent: steps.send(sent)  # type: ignore[misc] # noqa: E731 - as above


def run_tasks(order: Order, scheduler: Scheduler, control: Control) -> Execution:
    """Run the program once, each caller a task, and return what happened."""
    program, ledger = order.program, Ledger(scheduler, order)
    loop_number = len(program.actors)
    main = control.adopt_this_thread(loop_number, -1, "the event loop")
    loop = ControlledLoop()
    asyncio.set_event_loop(loop)
    bridge = LoopBridge(loop)
    for _ in range(loop_number + 1):  # before the preparation, see ``run_threads``
        scheduler.next_number()
    try:
        shared: OpenStore | None = None
        if program.prepare or not program.own_instances:  # else the callers are the first to open it
            shared = ledger.alone(OPENING, lambda: order.open(bridge))
            in_turn(shared, program.prepare, ledger, scheduler)
            if program.own_instances:
                ledger.alone(CLOSING, shared.close)
        callers = [_Caller(number, loop, main) for number in range(loop_number)]
        if program.blow in _CANCELS and program.struck is not None:
            victim, at = program.struck
            all_ = program.blow is Blow.ALL_CANCELLED
            scheduler.add(_Canceller(scheduler, callers[victim], at, main, loop, all_=all_))
        for caller, calls in zip(callers, program.actors, strict=True):
            scheduler.add(caller)
            coroutine = _calls(caller, calls, order, None if program.own_instances else shared, ledger)
            caller.task = loop.create_task(coroutine, context=caller.context)
        _explore(loop, [caller.task for caller in callers], scheduler)
        control.in_force.clock.settle()
        main.label, main.caller = "the observer", -1
        if program.blow is Blow.ALL_CANCELLED and shared is not None:
            _closed_at_the_end(shared)
            _forget(loop, callers)
        if program.own_instances or program.blow is Blow.ALL_CANCELLED or shared is None:
            shared = ledger.alone(OPENING, lambda: order.open(bridge))
        in_turn(shared, program.observe, ledger, scheduler)
        ledger.alone(CLOSING, shared.close)
        _cancel_rest(loop)
    except Unusable:
        pass
    except Ended:
        scheduler.waits_for = tuple(edge for edge in scheduler.waits_for if edge)
    finally:
        control.close()
        asyncio.set_event_loop(None)
        _close(loop)
    return finished(scheduler, ledger)


def _explore(loop: ControlledLoop, tasks: list[Any], scheduler: Scheduler) -> None:
    """Let the callers run to their end, and what they left behind until all of that waits."""

    rest = loop.create_future()

    def idle() -> None:
        if all(task.done() for task in tasks) and not rest.done():
            rest.set_result(None)

    loop.when_idle = idle
    scheduler.quiet = lambda: all(task.done() for task in tasks) and not rest.done()
    scheduler.exploring = True
    try:
        loop.run_until_complete(rest)
    finally:
        loop.when_idle, scheduler.quiet = None, lambda: False
        scheduler.exploring = False


async def _calls(
    caller: _Caller,
    calls: tuple[Call, ...],
    order: Order,
    shared: OpenStore | None,
    ledger: Ledger,
) -> None:
    number = caller.number
    if shared is None:
        await caller.turn(OPENING.rendered)
        ledger.invoked(number, OPENING, ledger.note(number, OPENING.rendered))
        try:
            store = await _opened(order, caller)
        except Exception as error:
            return ledger.failed(number, error)
        ledger.returned(number)
    else:
        store = shared.store
    for call in calls:
        await caller.turn(f"call {call.rendered}")
        ledger.invoked(number, call, ledger.note(number, f"call {call.rendered}"))
        try:
            result = getattr(store, call.method)(*call.arguments)
            if inspect.isawaitable(result):
                result = await (_Counted(result, caller) if order.program.struck is not None else result)
        except asyncio.CancelledError as error:
            return ledger.failed(number, error)
        except (Abandoned, Ended):
            raise
        except BaseException as error:
            ledger.failed(number, error)
        else:
            ledger.returned(number, result)
    if shared is None:
        with suppress(Exception):  # what closing does wrong, the observer finds
            await _closed(store, caller.manager)
    return None


def _closed_at_the_end(opened: OpenStore) -> None:
    """Close an instance whose tasks are gone, as a program does that ends: what that raises does not matter."""
    try:
        opened.close()
    except (Abandoned, Ended):
        raise
    except (Exception, asyncio.CancelledError):
        return


def _forget(loop: ControlledLoop, callers: list[_Caller]) -> None:
    """Let go of the tasks, as a program does that ends: files that they had open are closed then."""
    loop.tasks[:] = [task for task in loop.tasks if not task.done()]
    for caller in callers:
        caller.task = None
    gc.collect()


async def _closed(store: Any, manager: Any) -> None:
    """Close a caller's own instance by whichever way it offers."""
    if hasattr(type(manager), "__aexit__"):
        await manager.__aexit__(None, None, None)
    elif hasattr(type(manager), "__exit__"):
        manager.__exit__(None, None, None)
    else:
        close = getattr(store, "aclose", None) or getattr(store, "close", None)
        left = close() if callable(close) else None
        if inspect.isawaitable(left):
            await left


async def _opened(order: Order, caller: _Caller) -> Any:
    """Open an instance inside the loop; a context manager that gives it lives as long as the caller."""
    made = order.store.target(order.store.place(Path(order.root)))
    if inspect.isawaitable(made):
        made = await made
    if not (kits_of(made, order.store.kits) and (hasattr(made, "close") or hasattr(made, "aclose"))):
        caller.manager = made
        if isinstance(made, AbstractAsyncContextManager):
            made = await made.__aenter__()
        elif isinstance(made, AbstractContextManager):
            made = made.__enter__()
    return made


def _cancel_rest(loop: ControlledLoop) -> None:
    """End as ``asyncio.run`` does: what still runs in the background is cancelled, generators are closed."""
    rest = [task for task in loop.tasks if not task.done()]
    if rest:
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
    if len(loop._asyncgens):  # type: ignore[attr-defined] # not public
        loop.run_until_complete(loop.shutdown_asyncgens())


def _close(loop: ControlledLoop) -> None:
    """Close a loop that may have been left in the middle of something."""
    loop._ready.clear()
    loop._scheduled.clear()
    for task in loop.tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined] # not public
    loop.tasks.clear()
    loop._default_executor = None
    loop.close()


def _where(coroutine: Any) -> str:
    """Say at which line of the store a coroutine stands still."""
    told = "an unknown line"
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None:
            with unsteered():  # looking at paths is not what the store does
                told = line_of(frame) if is_somebodys(frame.f_code.co_filename) else told
        coroutine = getattr(coroutine, "cr_await", None)
        counting = getattr(coroutine, "gi_frame", None)
        if counting is not None and isinstance(counting.f_locals.get("self"), _Counted):
            coroutine = counting.f_locals["self"].inner
    return told
