"""Threads that the store starts itself, and jobs that it gives to thread pools: they become actors.

A pool keeps its promises: as many jobs at a time as it has workers, in the order in which they came, and each worker
one thread for as long as the pool lives.
"""

import _thread
import concurrent.futures
import functools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pytest_tradestore.race.actors import Abandoned, running, unsteered
from pytest_tradestore.race.clock import CLOCK
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
            actor.reach("wait for a job", self.done, None if timeout is None else CLOCK.now + timeout)
            if not self.done():
                raise concurrent.futures.TimeoutError

    def result(self, timeout: float | None = None) -> Any:
        self._wait(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._wait(timeout)
        return super().exception(timeout)


class _Pool:
    """What is known of one executor during one execution."""

    def __init__(self, executor: ThreadPoolExecutor, control: Control) -> None:
        self.executor, self.control = executor, control
        self.waiting: deque[tuple[ControlledFuture, str, Callable[[], Any], int]] = deque()
        self.idle: list[Carrier] = []
        self.workers = 0
        self.unfinished = 0

    def take(self, future: ControlledFuture, label: str, job: Callable[[], Any], caller: int) -> None:
        self.unfinished += 1
        if self.idle:
            self._start(self.idle.pop(), False, future, label, job, caller)
        elif self.workers < self.executor._max_workers:
            self.workers += 1
            self._start(self.control.carrier(), True, future, label, job, caller)
        else:
            self.waiting.append((future, label, job, caller))

    def _start(
        self, carrier: Carrier, new: bool, future: ControlledFuture, label: str, job: Callable[[], Any], caller: int
    ) -> None:
        def work() -> None:
            initializer = self.executor._initializer  # type: ignore[attr-defined]
            if new and initializer is not None:
                initializer(*self.executor._initargs)  # type: ignore[attr-defined]
            try:
                _run(future, job)
            finally:
                self.unfinished -= 1
                if not self.control.over:
                    carrier.then = next_one

        def next_one() -> None:
            if self.waiting:
                self._start(carrier, False, *self.waiting.popleft())
            else:
                self.idle.append(carrier)

        self.control.start(caller, _worker(caller), f"start job {label}", work, carrier)


def _worker(caller: int) -> str:
    return f"a job of caller {caller}" if caller >= 0 else "a job"


def _run(future: ControlledFuture, job: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = job()
    except Abandoned:
        raise
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def name_of(function: Any) -> str:
    """Return what to call a function in an operation."""
    while isinstance(function, functools.partial):
        if function.args and getattr(function.func, "__name__", "") == "run":  # contextvars: asyncio.to_thread
            function = function.args[0]
        else:
            function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


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
    if self._shutdown:  # type: ignore[attr-defined]
        raise RuntimeError("cannot schedule new futures after shutdown")
    control = actor.control
    pool = control.pools.get(id(self))
    if pool is None:
        pool = control.pools[id(self)] = _Pool(self, control)
    future = ControlledFuture()
    job = functools.partial(fn, *args, **kwargs)
    if control.detail is not None:
        with unsteered():
            job = functools.partial(control.detail.handing_over(job))
    pool.take(future, name_of(functools.partial(fn, *args)), job, actor.caller)
    return future


def shutdown(self: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
    actor = running.get(_ident())
    pool = actor.control.pools.get(id(self)) if isinstance(actor, ThreadActor) else None
    if actor is None or pool is None:
        return _shutdown(self, wait, cancel_futures=cancel_futures)
    self._shutdown = True  # type: ignore[attr-defined]
    if cancel_futures:
        while pool.waiting:
            pool.waiting.popleft()[0].cancel()
            pool.unfinished -= 1
    if wait and pool.unfinished:
        actor.reach("wait for the jobs of a pool", lambda: not pool.unfinished)
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
    until = None if timeout is None else CLOCK.now + max(timeout, 0)
    if actor.reach(f"join {made.label}", lambda: made.done, until):
        with unsteered():
            _join(self)


def is_alive(self: threading.Thread) -> bool:
    made = getattr(self, "_tradestore_actor", None)
    if made is not None and made.done and _ident() in running:
        return False
    return _is_alive(self)
