"""One caller that is a process: runs its calls, and asks the coordinator before each file-system or lock operation.

Messages are single packets of a socket pair; the first byte says what one is. The worker is forked while its parent
has one thread, and keeps to one thread itself: jobs for a pool are done at once by whoever hands them over, and a
thread's work by whoever starts it.
"""

import asyncio
import contextlib
import gc
import itertools
import os
import pickle
import signal
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pytest_tradestore.backends import hosts
from pytest_tradestore.crash.recorders.fake_locations import Lines, location_of
from pytest_tradestore.isolation import end_with_parent
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race import interposition, pids
from pytest_tradestore.race.actors import Held, never
from pytest_tradestore.race.execution import Program
from pytest_tradestore.race.in_force import InForce, execution, running
from pytest_tradestore.race.locks import ControlledLock
from pytest_tradestore.race.refusals import is_an_answer, told
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

PACKET = 1 << 20
STOP, WAITING, NOTE, RESULT, ERROR, DONE, YES, NO, BATCH = b"s", b"w", b"n", b"r", b"e", b"d", b"y", b"x", b"b"
GO, TIME_IS_UP, ASK, RUN, FORK, OVER = b"g", b"t", b"?", b"R", b"F", b"o"
PERMIT = struct.Struct("<dI")
"""What comes with leave to go on: the time it is, and how many operations more may be done without asking."""
OPENING = "open the store"
PREPARE, ACTOR, OBSERVE = "prepare", "actor", "observe"
_CALLS = (OPENING[:4], "call")
_ASKING = (OPENING, "call ", "try flock", "try lockf", "fcntl lock")
"""Operations that are asked for in any case: calls, and what takes a lock that another process may wait for."""


class Coordinated:
    """The worker's side of the baton: it goes on when the coordinator says so."""

    def __init__(self, link: socket.socket, caller: int, in_force: InForce, detailed: bool, alone: bool) -> None:
        self.link, self._alone, self.in_force = link, alone, in_force
        self.caller, self.label = caller, f"process {caller}"
        self.watched = detailed
        self._lines = Lines() if detailed else None
        self._ahead = 0
        """How many operations may still be done without asking."""
        self._freed = 0
        """How often locks had been let go when leave was given: once more, and somebody else may be able to go on."""
        self._done: list[str] = []
        """What was done without asking, and not yet told."""

    def reach(
        self,
        operation: str,
        ready: Callable[[], bool] | None = None,
        until: float | None = None,
        probe: Callable[[], bool] | None = None,
        waits_on: Held | None = None,
    ) -> bool:
        """Stop before ``operation`` until the coordinator lets it be done; False if the time ``until`` came first.

        The observer, who is alone, asks only where it would have to wait.
        """
        if self._alone and operation[:4] not in _CALLS and (ready is None or ready()):
            return True
        settled = None if ready is None else _settled(ready, waits_on)
        if (
            self._ahead
            and (ready is None or settled)
            and self._freed == self.in_force.flocks.freed
            and not operation.startswith(_ASKING)
        ):
            self._ahead -= 1
            self._done.append(operation)
            return True
        me = threading.get_ident()
        del running[me]  # what is done to ask is nobody's operation
        try:
            place = None if self._lines is None else location_of(self._lines.of_this_call())
            refused = ready is not None and not ready()
            told = (self._done, operation, until, place, refused, met(self.in_force), settled)
            self._done = []
            self.link.send((STOP if ready is None else WAITING) + pickle.dumps(told))
            while True:
                answer = self.link.recv(PACKET)
                if not answer:
                    os._exit(0)
                if answer[:1] != ASK:
                    now, self._ahead = PERMIT.unpack(answer[1:])
                    self._freed = self.in_force.flocks.freed
                    self.in_force.clock.advance(now)
                    return answer[:1] == GO
                self.link.send(YES if self._could(ready, probe) else NO)
        finally:
            running[me] = self

    def _could(self, ready: Callable[[], bool] | None, probe: Callable[[], bool] | None) -> bool:
        """Say whether a waiting operation could be done now: locks of other processes are known to the kernel alone."""
        if ready is None or ready():
            return True
        if probe is not None:
            return probe()
        self.in_force.flocks.releases += 1  # some other process went on: it may have let go
        return ready()

    def did(self, note: str) -> None:
        """Add a detail about the operation that was just done."""
        self.link.send(NOTE + note.encode())

    def _tell(self) -> None:
        """Say what was done without asking."""
        if self._done:
            self.link.send(BATCH + pickle.dumps(self._done))
            self._done = []

    def finish(self) -> None:
        """Say that all calls are made."""
        self._tell()
        self.link.send(DONE)

    def give(self, kind: bytes, value: Any) -> None:
        """Hand over the result of a call, or its error."""
        self._tell()
        self.link.send(kind + packed(value))


def met(in_force: InForce) -> int:
    """Return what the store was seen to ask in this execution: 1 for the time, 2 for another process."""
    return in_force.clock.asked + 2 * in_force.numbers.asked


def _settled(ready: Callable[[], bool], waits_on: Held | None) -> bool | None:
    """Return whether an operation can be done, where no other process can change that; None where one can.

    It has one thread: what that waits for inside the process stays as it is, but for time.
    """
    return ready() if ready is never or isinstance(waits_on, ControlledLock) else None


def packed(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception:  # a record of a type of the store's own
        return pickle.dumps(repr(value))


def install() -> None:
    """Make the switch points; whoever is forked from this process has them."""
    interposition.install(pids.wrapped, pids.install)
    ThreadPoolExecutor.submit = _at_once  # type: ignore[assignment,method-assign]
    for name, method in (("start", _start_at_once), ("join", _join), ("is_alive", _is_alive)):
        setattr(threading.Thread, name, method)


def install_for_servers() -> None:
    """Make the switch points of those whose data is on a server: their threads and their files are their own affair."""
    interposition.install_time_and_chance()


def keep_to_one_processor() -> None:
    """Only one process goes on at a time: to hand over is quickest where no other processor has to be woken."""
    with contextlib.suppress(AttributeError, OSError):
        able = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {able[os.getpid() % len(able)]})


def work(link: socket.socket, number: int, store: StoreUnderTest, program: Program) -> None:
    """Serve the coordinator until it closes the link. ``number`` counts the callers; the last is the observer."""
    gc.disable()  # finalizers at a random moment would make system calls at a random moment
    while message := link.recv(PACKET):
        root, phase, detailed, gone, address, began = pickle.loads(message[1:])  # noqa: S301 - from our own parent
        if address is not None:
            hosts.give(root, address)
        alone = phase != ACTOR
        calls = {PREPARE: program.prepare, OBSERVE: program.observe}[phase] if alone else program.actors[number]
        with execution(root, began) as in_force:
            _begin(in_force, number, gone)
            actor = Coordinated(link, number, in_force, detailed, alone)
            _caller(actor, store, root, calls)
            actor.finish()


def lend(link: socket.socket, number: int, store: StoreUnderTest, program: Program) -> None:
    """Serve the coordinator as the process from which callers are forked that use the instance it has opened."""
    gc.disable()  # as above
    while message := link.recv(PACKET):
        root, _, detailed, gone, _, began = pickle.loads(message[1:])  # noqa: S301 - as above
        with execution(root, began) as in_force:
            _begin(in_force, number, gone)
            actor = Coordinated(link, number, in_force, detailed, alone=True)
            if not _lent(actor, store, program, root):
                return
        link.send(DONE)


def _lent(actor: Coordinated, store: StoreUnderTest, program: Program, root: str) -> bool:
    """Prepare, and lend the instance to callers until one says that it is over; False if the link was closed."""
    bridge, link = Bridge(), actor.link
    opened = _opened(actor, store, root, bridge)
    if opened is not None:
        with steered(actor):
            _make_all(actor, opened, program.prepare, store, root)
    actor.finish()
    children = []
    while True:
        message, ends, _, _ = socket.recv_fds(link, PACKET, 1)
        if message[:1] != FORK:
            break
        children.append(_fork(socket.socket(fileno=ends[0]), message[1], opened, store, program, actor, root))
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # it is done, or waits for what never comes
        os.waitpid(child, 0)
    with contextlib.suppress(Exception):
        if opened is not None:
            opened.close()
        bridge.close()
    return bool(message)


def _fork(
    link: socket.socket,
    number: int,
    opened: OpenStore | None,
    store: StoreUnderTest,
    program: Program,
    lender: Coordinated,
    root: str,
) -> int:
    """Start a caller that uses the instance of this process."""
    parent = os.getpid()
    child = os.fork()
    if child:
        link.close()
        return child
    try:
        end_with_parent(parent)
        lender.link.close()
        _, _, detailed, gone, *_ = pickle.loads(link.recv(PACKET)[1:])  # noqa: S301 - from the coordinator
        in_force = lender.in_force
        in_force.flocks.forget()
        _begin(in_force, number, gone)
        actor = Coordinated(link, number, in_force, detailed, alone=False)
        if opened is not None:
            opened.lent(Bridge())  # the loop of a parent is none for its child
            with steered(actor):
                _make_all(actor, opened, program.actors[number], store, root)
        actor.finish()
    finally:
        os._exit(0)


def _begin(in_force: InForce, number: int, gone: int) -> None:
    """Start an execution: the same random numbers as in any other, but not those of another process."""
    in_force.numbers.begin(gone)
    in_force.chance.draw_as(number)
    tempfile._name_sequence = (f"{number}{count:07d}" for count in itertools.count(1))  # type: ignore[attr-defined]


def _caller(actor: Coordinated, store: StoreUnderTest, root: str, calls: tuple[Call, ...]) -> None:
    """Open the store and make the calls, one after the other."""
    bridge = Bridge()
    opened = _opened(actor, store, root, bridge)
    if opened is not None:
        with steered(actor):
            _make_all(actor, opened, calls, store, root)
    with contextlib.suppress(Exception):
        if opened is not None:
            opened.close()
        bridge.close()


@contextlib.contextmanager
def steered(actor: Coordinated) -> Iterator[None]:
    """Let this thread run as the actor."""
    me = threading.get_ident()
    running[me] = actor
    try:
        yield
    finally:
        running.pop(me, None)


def _opened(actor: Coordinated, store: StoreUnderTest, root: str, bridge: Bridge) -> OpenStore | None:
    """Open the store; None if that raised, and then the coordinator knows."""
    with steered(actor):
        try:
            actor.reach(OPENING)
            opened = store.open(Path(root), bridge)
        except Exception as error:
            actor.give(ERROR, _failed(error, root, store.declarations.errors))
            return None
        actor.give(RESULT, None)
        return opened


def _make_all(actor: Coordinated, opened: OpenStore, calls: tuple[Call, ...], store: StoreUnderTest, root: str) -> None:
    for call in calls:
        actor.reach(f"call {call.rendered}")
        try:
            result = call.make(opened)
        except Exception as error:
            actor.give(ERROR, _failed(error, root, store.declarations.errors))
        else:
            actor.give(RESULT, result)


def _failed(error: BaseException, root: str, declared: tuple[type[BaseException], ...]) -> tuple[str, bool, bool]:
    """Return the error in words, whether it is none that a store may answer with, and whether the store declares it."""
    words = told(error, root)
    return words, not is_an_answer(error, words, declared), isinstance(error, declared)


def _at_once(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ARG001
    """Do a job for a pool in the thread that hands it over."""
    future: Future[Any] = Future()
    try:
        future.set_result(fn(*args, **kwargs))
    except (Exception, asyncio.CancelledError) as error:
        future.set_exception(error)
    return future


_real_start, _real_join, _real_is_alive = threading.Thread.start, threading.Thread.join, threading.Thread.is_alive


def _start_at_once(self: threading.Thread) -> None:
    """Do a thread's work in the thread that starts it; work that never ends does not let it go on."""
    if threading.get_ident() not in running:
        return _real_start(self)
    self._tradestore_over = True  # type: ignore[attr-defined]
    try:
        self.run()
    except Exception:
        threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), self)))
    return None


def _join(self: threading.Thread, timeout: float | None = None) -> None:
    if not hasattr(self, "_tradestore_over"):
        _real_join(self, timeout)


def _is_alive(self: threading.Thread) -> bool:
    return not hasattr(self, "_tradestore_over") and _real_is_alive(self)
