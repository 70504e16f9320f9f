"""One client of a server whose callers share an instance: threads or tasks of this process, each with its own link.

A caller asks before each of its calls; that it makes requests, the coordinator sees for itself. Sleeping takes virtual
time. Whoever waits for another caller of this process simply waits: its requests do not come, and nothing here runs.
"""

import asyncio
import contextlib
import gc
import inspect
import math
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from pytest_tradestore.backends import hosts
from pytest_tradestore.isolation import is_ours
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race import interposition
from pytest_tradestore.race import process_worker as wire
from pytest_tradestore.race.actors import Held
from pytest_tradestore.race.callers import Order, Plain
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.execution import SIGNALS, Actors, Blow, Program
from pytest_tradestore.race.in_force import Chance, InForce, execution, running
from pytest_tradestore.race.interrupts import AlarmError
from pytest_tradestore.race.process_worker import Coordinated
from pytest_tradestore.race.refusals import is_an_answer, told
from pytest_tradestore.race.tasks import LoopBridge
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

CANCEL, CANCEL_ALL, TIME, OBSERVE = b"C", b"A", b"T", b"O"
"""What the coordinator says by the link that belongs to no caller."""
WAKES, STRUCK = b"W", b"S"
"""What it is told there: when the first timer of the event loop is due; that the handler of a signal has run."""
_UNDISTURBED = 1.0
"""Seconds for which a thread goes on before others may take its turn: usually until it waits for something."""
_SWEPT = 50
"""Executions after which what they left in memory is swept away."""
THREAD = b"i"
"""What a caller says of itself first: the number of its thread."""
MOMENT = struct.Struct("<d")
_NAMES = {Blow.CTRL_C: "SIGINT", Blow.ALARM: "SIGALRM"}
SIGNAL_OF = {blow: signal.Signals[name] for blow, name in _NAMES.items() if hasattr(signal, name)}
"""Those that there are; Windows has no alarm, and this module is imported there all the same."""


@dataclass(frozen=True, slots=True)
class Links:
    """The worker's ends: one for each caller, one for who prepares and observes, and one for all of them."""

    callers: tuple[socket.socket, ...]
    observer: socket.socket
    control: socket.socket


def install(chance: Chance) -> None:
    """Make the switch points; whoever is forked from this process has them, and draws what ``chance`` gives."""
    interposition.install_time_and_chance(of_all_threads=chance)


def serve(links: Links, store: StoreUnderTest, program: Program, chance: Chance) -> None:
    """Run one execution after the other, until the coordinator closes the link that belongs to no caller."""
    gc.disable()  # finalizers at a random moment would make requests at a random moment
    gc.freeze()
    sys.setswitchinterval(_UNDISTURBED)
    kind = _OfTasks if program.kind is Actors.TASKS else _OfThreads
    plain: Plain = {}
    count = 0
    while message := links.control.recv(wire.PACKET):
        root, address, detailed, struck = pickle.loads(message[1:])  # noqa: S301 - from our own parent
        hosts.give(root, address)
        order = Order(store, replace(program, struck=struck), root, plain)
        with execution(root, chance=chance) as in_force:
            kind(links, order, store, in_force, detailed).run()
        count += 1
        if not count % _SWEPT:
            gc.collect()


class _Client:
    """What both kinds have in common: who is alone prepares, and observes in the end."""

    def __init__(self, links: Links, order: Order, store: StoreUnderTest, in_force: InForce, detailed: bool) -> None:
        self.links, self.order, self.store, self.in_force, self.detailed = links, order, store, in_force, detailed
        self.program = order.program
        self.shared: OpenStore | None = None
        self.bridge: Bridge = Bridge()

    def alone(self, calls: tuple[Call, ...], *, opening: bool, closing: bool) -> bool:
        """Make calls as the only caller there is; False if the store could not be opened."""
        actor = Coordinated(self.links.observer, len(self.program.actors), self.in_force, self.detailed, True)
        with wire.steered(actor):
            if opening:
                self.shared = self._opened(actor, self.bridge)
            if self.shared is not None:
                for call in calls:
                    actor.reach(f"call {call.rendered}")
                    self._make(actor, lambda call=call: call.make(self.shared))  # type: ignore[misc] # of this round
            if closing and self.shared is not None:
                with contextlib.suppress(Exception, asyncio.CancelledError):
                    self.shared.close()
                self.shared = None
        actor.finish()
        return self.shared is not None or closing

    def _opened(self, actor: Coordinated, bridge: Bridge) -> OpenStore | None:
        actor.reach(wire.OPENING)
        opened: list[OpenStore] = []
        self._make(actor, lambda: opened.append(self.order.open(bridge)))
        return opened[0] if opened else None

    def _make(self, actor: "Coordinated | _Task", call: Callable[[], Any]) -> None:
        try:
            result = call()
        except BaseException as error:
            self.failed(actor, error)
        else:
            actor.give(wire.RESULT, result)

    def failed(self, actor: "Coordinated | _Task", error: BaseException, *, interrupted: bool = False) -> None:
        """Tell what a call has raised."""
        declared = self.store.declarations.errors
        words = told(error, self.order.root)
        answer = is_an_answer(error, words, declared)
        actor.give(wire.ERROR, (words, not answer, isinstance(error, declared), interrupted))

    def run(self) -> None:
        own = self.program.own_instances
        if (self.program.prepare or not own) and not self.alone(self.program.prepare, opening=True, closing=own):
            return
        self.callers()
        again = own or self.program.blow is Blow.ALL_CANCELLED
        self.alone(self.program.observe, opening=again, closing=True)

    def callers(self) -> None:
        raise NotImplementedError

    def until_told(self) -> None:
        """Wait until the coordinator lets the observer begin."""
        while (message := self.links.control.recv(wire.PACKET)) != OBSERVE:
            if not message:
                os._exit(0)


class _OfThreads(_Client):
    """Each caller is a thread; one that is to be interrupted is the main one, which alone gets signals."""

    _in_store = _struck = False
    """Of the one that is to be interrupted: whether it is in a call, and whether a handler has raised in that."""

    def callers(self) -> None:
        victim = self.program.struck[0] if self.program.blow in SIGNALS and self.program.struck is not None else -1
        if victim >= 0:
            for kind in SIGNAL_OF.values():
                signal.signal(kind, self._interrupted)
        others = [number for number in range(len(self.program.actors)) if number != victim]
        for number in others:
            threading.Thread(target=self._caller, args=(number,), daemon=True).start()
        if victim >= 0:
            self._caller(victim, victim=True)
        self.until_told()

    def _caller(self, number: int, *, victim: bool = False) -> None:
        actor = Coordinated(self.links.callers[number], number, self.in_force, self.detailed, False)
        self.links.callers[number].send(THREAD + b"%d" % threading.get_native_id())
        with wire.steered(actor):
            opened, bridge = self.shared, Bridge()
            if self.program.own_instances:
                opened = self._opened(actor, bridge)
            for call in self.program.actors[number] if opened is not None else ():
                actor.reach(f"call {call.rendered}")
                if victim:
                    self._in_store, self._struck = True, False
                try:
                    result = call.make(opened)  # type: ignore[arg-type] # looked at above
                except BaseException as error:
                    self._in_store = self._in_store and not victim
                    self.failed(actor, error, interrupted=victim and self._struck)
                else:
                    self._in_store = self._in_store and not victim
                    actor.give(wire.RESULT, result)
            if self.program.own_instances and opened is not None:
                with contextlib.suppress(Exception):  # what closing does wrong, the observer finds
                    opened.close()
        actor.finish()

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Raise in the store's code, and nowhere else."""
        self.links.control.send(STRUCK)
        if not self._in_store or frame is None or is_ours(frame.f_code.co_filename):
            return
        self._struck = True
        raise KeyboardInterrupt if number == signal.SIGINT else AlarmError("the alarm went off")


class _Waits(selectors.DefaultSelector):
    """Waits for what comes, and never for a time: when that is up, the coordinator says."""

    def __init__(self, clock: Clock, wakes: Callable[[float], None]) -> None:
        super().__init__()
        self._clock, self._wakes = clock, wakes

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        self._wakes(math.inf if timeout is None else self._clock.now + timeout)
        return super().select(None)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop under virtual time."""

    def __init__(self, control: socket.socket, clock: Clock) -> None:
        self._control, self._virtual, self._until = control, clock, math.inf
        super().__init__(_Waits(clock, self._wakes))
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self._virtual.loop_time()

    def _wakes(self, until: float) -> None:
        if until != self._until:
            self._until = until
            self._control.send(WAKES + MOMENT.pack(until))


class _Task:
    """The worker's side of a caller that is a task."""

    def __init__(self, link: socket.socket, loop: asyncio.AbstractEventLoop, in_force: InForce) -> None:
        self._link, self._loop, self._in_force = link, loop, in_force
        link.setblocking(False)

    async def turn(self, operation: str) -> None:
        """Wait until the call may begin."""
        self._send(wire.STOP + pickle.dumps(([], operation, None, None, False, wire.met(self._in_force))))
        answer = await self._loop.sock_recv(self._link, wire.PACKET)
        if not answer:
            os._exit(0)
        now, _ = wire.PERMIT.unpack(answer[1:])
        self._in_force.clock.advance(now)

    def give(self, kind: bytes, value: Any) -> None:
        self._send(kind + wire.packed(value))

    def finish(self) -> None:
        self._send(wire.DONE)

    def _send(self, message: bytes) -> None:
        self._link.setblocking(True)
        self._link.send(message)
        self._link.setblocking(False)


class _Loops:
    """Stands for the event loop where its code asks for the time: whoever sleeps there lets nobody else go on."""

    caller, label, watched = -1, "the event loop", False

    def __init__(self, in_force: InForce) -> None:
        self.in_force = in_force

    def reach(
        self,
        operation: str,  # noqa: ARG002 - nobody is asked
        ready: Callable[[], bool] | None = None,
        until: float | None = None,
        probe: Callable[[], bool] | None = None,  # noqa: ARG002 - as above
        waits_on: Held | None = None,  # noqa: ARG002 - as above
    ) -> bool:
        self.in_force.clock.advance(until or 0.0)
        return ready is None

    def did(self, note: str) -> None: ...


class _OfTasks(_Client):
    """Each caller is a task of one event loop."""

    def __init__(self, links: Links, order: Order, store: StoreUnderTest, in_force: InForce, detailed: bool) -> None:
        super().__init__(links, order, store, in_force, detailed)
        self._loop = _Loop(links.control, in_force.clock)
        asyncio.set_event_loop(self._loop)
        self.bridge = LoopBridge(self._loop)
        self._tasks: list[asyncio.Task[None]] = []

    def callers(self) -> None:
        over = self._loop.create_future()

        def heard() -> None:
            message = self.links.control.recv(wire.PACKET)
            if not message:
                os._exit(0)
            if message == OBSERVE:
                over.set_result(None)
            elif message[:1] == TIME:
                self.in_force.clock.advance(MOMENT.unpack(message[1:])[0])
            else:
                self._cancel(all_=message == CANCEL_ALL)

        self._loop.add_reader(self.links.control.fileno(), heard)
        for number in range(len(self.program.actors)):
            self._tasks.append(self._loop.create_task(self._caller(number)))
        running[threading.get_ident()] = _Loops(self.in_force)
        self._loop.run_until_complete(over)
        del running[threading.get_ident()]
        self._loop.remove_reader(self.links.control.fileno())
        self.links.control.setblocking(True)
        if self.program.blow is Blow.ALL_CANCELLED and self.shared is not None:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                self.shared.close()  # as a program does that ends: what that raises does not matter

    def _cancel(self, *, all_: bool) -> None:
        victim = self._tasks[self.program.struck[0] if self.program.struck is not None else 0]
        victim.cancel()
        for task in asyncio.all_tasks(self._loop) if all_ else ():
            if task is not victim:
                task.cancel()

    async def _caller(self, number: int) -> None:
        actor = _Task(self.links.callers[number], self._loop, self.in_force)
        try:
            opened = self.shared
            if self.program.own_instances:
                await actor.turn(wire.OPENING)
                opened = await self._own(actor)
            for call in self.program.actors[number] if opened is not None else ():
                await actor.turn(f"call {call.rendered}")
                try:
                    result = getattr(opened.store, call.method)(*call.arguments)  # type: ignore[union-attr] # as above
                    if inspect.isawaitable(result):
                        result = await result
                except asyncio.CancelledError as error:
                    return self.failed(actor, error)
                except BaseException as error:
                    self.failed(actor, error)
                else:
                    actor.give(wire.RESULT, result)
            return None
        except asyncio.CancelledError:
            return None  # before one of its calls
        finally:
            actor.finish()

    async def _own(self, actor: _Task) -> OpenStore | None:
        """Open an instance for one caller."""
        made = self.store.target(self.store.place(self.order.path))
        try:
            if inspect.isawaitable(made):
                made = await made
            if hasattr(made, "__aenter__") and not (hasattr(made, "close") or hasattr(made, "aclose")):
                made = await made.__aenter__()
        except Exception as error:
            self.failed(actor, error)
            return None
        actor.give(wire.RESULT, None)
        return OpenStore(made, (), self.order.path, self.bridge, None)
