"""Threads that the store starts itself, and jobs that it gives to thread pools: they become actors.

A pool keeps its promises: as many jobs at a time as it has workers, in the order in which they came, and each worker
one thread for as long as the pool lives.
"""

import _thread
import concurrent.futures
import contextvars
import functools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from pytest_tradestore.race.actors import Abandoned
from pytest_tradestore.race.execution import START_JOB
from pytest_tradestore.race.in_force import running, unsteered
from pytest_tradestore.race.threads import Carrier, Control, ThreadActor

_ident = _thread.get_ident
_RealRLock, _RealEvent = threading.RLock, threading.Event
_submit, _shutdown = ThreadPoolExecutor.submit, ThreadPoolExecutor.shutdown
_start, _join, _is_alive = threading.Thread.start, threading.Thread.join, threading.Thread.is_alive


class ControlledFuture(Future[Any]):
    """The result of a controlled job: to wait for it is a switch point, to set it is none."""

    def __init__(self) -> None:
        super().__init__()
        self._condition = threading.Condition(_RealRLock())

    def _wait(self, timeout: float | None) -> None:
        actor = running.get(_ident())
        if actor is not None and not self.done():
            actor.reach("wait for a job", self.done, None if timeout is None else actor.in_force.clock.after(timeout))
            if not self.done():
                raise concurrent.futures.TimeoutError

    def result(self, timeout: float | None = None) -> Any:
        self._wait(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._wait(timeout)
        return super().exception(timeout)


class Ticket(Protocol):
    """Where a job puts its result."""

    def set_running_or_notify_cancel(self) -> bool: ...

    def set_result(self, result: Any) -> None: ...

    def set_exception(self, error: BaseException | None) -> None: ...

    def cancel(self) -> bool: ...


class Pool:
    """A thread pool during one execution: ``workers`` threads at most, jobs in the order in which they came."""

    def __init__(self, workers: int, control: Control, initialize: Callable[[], object] | None = None) -> None:
        self._most, self.control, self._initialize = workers, control, initialize
        self.waiting: deque[tuple[Ticket, str, Callable[[], Any], int]] = deque()
        self._idle: list[Carrier] = []
        self._workers = 0
        self.unfinished = 0

    def is_done(self) -> bool:
        return not self.unfinished

    def take(self, ticket: Ticket, name: str, job: Callable[[], Any], caller: int) -> None:
        """Give a job to an idle worker, a new one, or whoever is free next."""
        self.unfinished += 1
        if self._idle:
            self._start(self._idle.pop(), job, ticket, name, caller)
        elif self._workers < self._most:
            self._workers += 1
            self._start(self.control.carrier(), self._first(job), ticket, name, caller)
        else:
            self.waiting.append((ticket, name, job, caller))

    def _first(self, job: Callable[[], Any]) -> Callable[[], Any]:
        """Return what a new worker does for its first job."""
        initialize = self._initialize
        if initialize is None:
            return job

        def first() -> Any:
            initialize()
            return job()

        return first

    def _start(self, carrier: Carrier, job: Callable[[], Any], ticket: Ticket, name: str, caller: int) -> None:
        def work() -> None:
            carrier.then = next_one
            _run(ticket, job)

        def next_one() -> None:
            self.unfinished -= 1
            if self.waiting:
                following, its_name, its_job, its_caller = self.waiting.popleft()
                self._start(carrier, its_job, following, its_name, its_caller)
            else:
                self._idle.append(carrier)

        self.control.start(caller, _worker(caller), f"{START_JOB} {name}", work, carrier)


def _worker(caller: int) -> str:
    return f"a job of caller {caller}" if caller >= 0 else "a job"


def _run(ticket: Ticket, job: Callable[[], Any]) -> None:
    if not ticket.set_running_or_notify_cancel():
        return
    try:
        result = job()
    except Abandoned:
        raise
    except BaseException as error:
        ticket.set_exception(error)
    else:
        ticket.set_result(result)


def name_of(function: Any, arguments: tuple[Any, ...] = ()) -> str:
    """Return what to call a job in an operation: the function that it comes down to."""
    while True:
        name = getattr(function, "__name__", "")
        if name == "run" and arguments and isinstance(getattr(function, "__self__", None), contextvars.Context):
            function, arguments = arguments[0], ()  # asyncio.to_thread
        elif isinstance(function, functools.partial):
            function, arguments = function.func, function.args
        else:
            return str(name or type(function).__name__)


def install() -> None:
    """Let pools and threads be controlled wherever an actor uses them."""
    for name, stand_in in (("submit", submit), ("shutdown", shutdown)):
        setattr(ThreadPoolExecutor, name, stand_in)
    for name, method in (("start", start), ("join", join), ("is_alive", is_alive)):
        setattr(threading.Thread, name, method)


def submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    actor = running.get(_ident())
    if not isinstance(actor, ThreadActor):
        return _submit(self, fn, *args, **kwargs)
    if self._shutdown:
        raise RuntimeError("cannot schedule new futures after shutdown")
    control = actor.control
    pool = control.pools.get(id(self))
    if pool is None:
        initializer = self._initializer
        initialize = None if initializer is None else functools.partial(initializer, *self._initargs)
        pool = control.pools[id(self)] = Pool(self._max_workers, control, initialize)
    future = ControlledFuture()
    job = functools.partial(fn, *args, **kwargs)
    pool.take(future, name_of(fn, args), control.blamed(job), actor.caller)
    return future


def shutdown(self: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
    actor = running.get(_ident())
    pool = actor.control.pools.get(id(self)) if isinstance(actor, ThreadActor) else None
    if actor is None or pool is None:
        return _shutdown(self, wait, cancel_futures=cancel_futures)
    self._shutdown = True
    if cancel_futures:
        while pool.waiting:
            pool.waiting.popleft()[0].cancel()
            pool.unfinished -= 1
    if wait and pool.unfinished:
        actor.reach("wait for the jobs of a pool", pool.is_done)
    return None


def start(self: threading.Thread) -> None:
    """Start a thread; started by an actor, it becomes one."""
    actor = running.get(_ident())
    if not isinstance(actor, ThreadActor):
        _start(self)
        return
    control = actor.control
    made = ThreadActor(control, actor.caller, f"thread {self.name}")
    made.pending = f"start thread {name_of(getattr(self, '_target', None) or self.run)}"
    run = self.run

    def controlled() -> None:
        made.thread, made.native = _ident(), _thread.get_native_id()
        try:
            made.wait_for_turn()
            running[made.thread] = made
            made.passed()
            control.in_thread(run)
        except Abandoned:
            pass
        finally:
            running.pop(made.thread, None)
            made.finish()

    self.run = controlled  # type: ignore[method-assign]
    self._tradestore_actor = made  # type: ignore[attr-defined]
    control.scheduler.add(made)
    with unsteered():  # how threading itself waits for a thread to be up is nobody's business
        _start(self)


def join(self: threading.Thread, timeout: float | None = None) -> None:
    actor, made = running.get(_ident()), getattr(self, "_tradestore_actor", None)
    if actor is None or made is None:
        _join(self, timeout)
        return
    until = None if timeout is None else actor.in_force.clock.after(max(timeout, 0))
    if actor.reach(f"join {made.label}", lambda: made.done, until):
        with unsteered():
            _join(self)


def is_alive(self: threading.Thread) -> bool:
    made = getattr(self, "_tradestore_actor", None)
    if made is not None and made.done and _ident() in running:
        return False
    return _is_alive(self)
