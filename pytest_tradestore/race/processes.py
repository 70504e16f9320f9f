"""Callers that are processes on one root: a coordinator that runs nothing itself lets one of them go on at a time.

The workers are forked from a process that has one thread and has opened no store, and serve one execution after the
other; one that is killed, or still waits when an execution is over, is replaced. Where the data is on a server, what
they let go on is its requests: the coordinator is the server, or stands before it.
"""

import os
import pickle
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_tradestore.backends import Address
from pytest_tradestore.backends.lines import Asked, Blocked, Line, Lines
from pytest_tradestore.crash.operations import Location
from pytest_tradestore.isolation import Channel, processor_seconds
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race import process_worker
from pytest_tradestore.race import process_worker as wire
from pytest_tradestore.race.actors import Actor
from pytest_tradestore.race.coordinating import CALLS, OPENING, Calling, Coordinating, Worker, executed, pair
from pytest_tradestore.race.execution import KILLS, Blow, Ending, Execution, Program
from pytest_tradestore.race.killing import Witness
from pytest_tradestore.race.scheduler import MOST_STEPS, Chooser, Scheduler
from pytest_tradestore.race.search import strategy_of
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

_LONGEST_SLEEP = 60.0
_LEASE = 3600.0
"""Seconds after which a lock that is taken for a time only has to be free again, when its holder was killed."""
_MET = (
    frozenset[Blow](),
    frozenset({Blow.SLOW}),
    frozenset({Blow.KILLED_AND_SUCCEEDED}),
    frozenset({Blow.SLOW, Blow.KILLED_AND_SUCCEEDED}),
)
_FOR_EVER = 1.0
"""Seconds that everybody waits, and time can pass for nobody, before that counts as for ever: a server may have a limit
of its own for the wait for a lock."""
_MOST_POLLS = 150
"""So often may the only process that is left sleep and look again, for hours by then: what it waits for never comes."""


class _Worker(Worker):
    """A process that makes the calls of one caller; or, with ``lends``, opens an instance for others to inherit."""

    def __init__(self, number: int, store: StoreUnderTest, program: Program, *, lends: bool = False) -> None:
        work = wire.lend if lends else wire.work
        super().__init__(1, lambda links: work(links[0], number, store, program))
        (self.link,) = self.ends

    def fork(self, number: int) -> "_Heir":
        """Return a process that is forked from this one, which lends it its instance."""
        ours, theirs = pair()
        socket.send_fds(self.link, [wire.FORK + bytes([number])], [theirs.fileno()])
        theirs.close()
        return _Heir(ours, self.pid)

    def take_back(self) -> None:
        """Have those who were forked ended, and the instance closed."""
        if self.alive:
            self.link.send(wire.OVER)
            if not self.link.recv(wire.PACKET):
                self.kill()


class _Heir:
    """A process that makes the calls of one caller on an instance that it has inherited; its parent looks after it."""

    def __init__(self, link: socket.socket, parent: int) -> None:
        self.link, self.pid = link, parent
        self.alive = True

    def kill(self) -> None:
        self.alive = False
        self.link.close()


class _Caller(Calling):
    """The coordinator's side of one worker in one execution."""

    def __init__(
        self,
        scheduler: Scheduler,
        number: int,
        caller: int,
        worker: "_Worker | _Heir",
        calls: tuple[Call, ...],
        progress: list[int],
        gone: int = 0,
        line: Line | None = None,
    ) -> None:
        # Who has inherited an instance opens none.
        calls = calls if isinstance(worker, _Heir) else (OPENING, *calls)
        super().__init__(scheduler, number, caller, f"process {chr(ord('A') + number)}", calls)
        self.worker = worker
        self._progress = progress
        """How many steps of all callers have changed something, in a list that they share."""
        self._gone = gone
        self._line = line
        """Its way to the server, where its data is on one."""
        self._asks: Asked | Blocked | None = None
        """The request that it waits to be answered."""
        self.met = 0
        """What the store was seen to ask, see ``process_worker.met``."""
        self._place: Location | None = None
        self._refused = -1
        """How far all had come when it was refused what it waits for."""
        self._tried: str | None = None
        self._settled: bool | None = None
        """Whether it can do what it waits for, where nobody else can change that."""

    def begin(self, root: str, phase: str, detailed: bool, address: Address | None = None) -> None:
        """Let the worker go to its first switch point."""
        told = (root, phase, detailed, self._gone, address, self.scheduler.clock.origin)
        self.worker.link.send(wire.RUN + pickle.dumps(told))
        self._listen()

    def let_run(self, most: int = 0) -> None:
        """Let the worker do its pending operation, and up to ``most`` more while nobody else would be chosen."""
        position = self.scheduler.note(self.caller, self.pending, self._place)
        self._progress[0] += 1
        if self._asks is not None:
            self._be_answered()
            return
        self._tried = self.pending if self.ready is not None else None
        if self.pending.startswith(CALLS):
            self._begins(position)
        word = wire.TIME_IS_UP if self.timed_out else wire.GO
        self.timed_out = False
        ahead = min(most, self.scheduler.ahead(self))
        self.worker.link.send(word + wire.PERMIT.pack(self.scheduler.clock.now, ahead))
        self._listen()

    def die(self) -> None:
        """Kill the worker where it stands."""
        self.scheduler.note(self.caller, "killed", self._place)
        self._progress[0] += 1
        self.killed = True
        self.end_worker()
        self._end()

    def end_worker(self) -> None:
        """Kill the worker, and let the server see that it is gone."""
        self.worker.kill()
        if self._line is not None:
            self._line.cut()

    def _be_answered(self) -> None:
        """Let the server do the request that waits, or go on with what it gave to one that was blocked."""
        asks, self._asks = self._asks, None
        if self._line is not None and isinstance(asks, Asked):
            told, steps = self._line.answer(), self.scheduler.steps
            if steps:
                steps[-1] = replace(steps[-1], note=told or "waits for another client", asked=True)
        self._listen()

    def _stops_at(self, asks: Asked | Blocked) -> None:
        """Take in that the worker waits to be answered."""
        assert self._line is not None, "requests come over a line"
        self._asks, self._place, self._tried, self.until, self._refused = asks, None, None, None, -1
        if isinstance(asks, Asked):
            self.pending, self.ready, self.probe = asks.text, None, None
        else:
            line, others = self._line, self.scheduler.live
            self.pending, self.ready = f"go on with {self.pending}", line.freed
            self.probe = lambda: line.let_go(0.0 if any(other.until is not None for other in others) else _FOR_EVER)

    def is_refused(self) -> bool:
        """Say whether it waits for what it was refused just now."""
        return not self.done and self._progress[0] == self._refused

    def _could(self) -> bool:
        return self._asked() if self._settled is None else self._settled and self._progress[0] != self._refused

    def _asked(self) -> bool:
        """Ask the worker whether it could do what it waits for."""
        if self._progress[0] == self._refused:
            return False  # nobody has done anything since it was refused
        self.worker.link.send(wire.ASK)
        return self._received()[:1] == wire.YES

    def _received(self) -> bytes:
        message = self.worker.link.recv(wire.PACKET)
        if not message:
            self.worker.kill()
            return wire.DONE
        return message

    def _listen(self) -> None:
        """Take in what the worker says until it stops."""
        while True:
            if self._line is not None and (asks := self._line.wait(self.worker.link)) is not None:
                return self._stops_at(asks)
            message = self._received()
            kind, rest = message[:1], message[1:]
            if kind in (wire.STOP, wire.WAITING):
                told = pickle.loads(rest)  # noqa: S301 - our own child
                done, operation, self.until, self._place, refused, met, self._settled = told
                self.met |= met
                self._went_on(done)
                self.pending = operation
                self.ready = None if kind == wire.STOP else self._could
                # A thread that is no actor may still let go of a lock: asked when nobody else can go on.
                self.probe = self._asked if self._settled is False else None
                if refused and self.pending == self._tried:
                    self._progress[0] -= 1  # it tried, and nothing has changed: others need not try again
                self._tried = None
                self._refused = self._progress[0] if refused else -1
                return None
            if kind == wire.NOTE:
                steps = self.scheduler.steps
                if steps:
                    steps[-1] = replace(steps[-1], note=rest.decode())
            elif kind == wire.BATCH:
                self._went_on(pickle.loads(rest))  # noqa: S301 - as above
            elif kind == wire.DONE:
                return self._end()
            else:
                self._came_back(kind, pickle.loads(rest))  # noqa: S301 - as above

    def _went_on(self, operations: list[str]) -> None:
        self._tried = None if operations else self._tried
        if operations:
            self.scheduler.went_on(self, operations)

    def _came_back(self, kind: bytes, value: Any) -> None:
        self._tried = None
        super()._came_back(kind, value)

    def _end(self) -> None:
        self.done, self.ready, self.until = True, None, None


class ProcessHarness(Coordinating):
    """Runs executions whose callers are processes; runs no code of the store itself."""

    def __init__(self, sandbox: Sandbox, store: StoreUnderTest) -> None:
        backend = store.declarations.backend
        super().__init__(sandbox, backend, process_worker.install if backend is None else wire.install_for_servers)
        self._workers: list[_Worker] = []
        self._lender: _Worker | None = None
        self._of: tuple[StoreUnderTest, Program] | None = None

    def run(
        self,
        store: StoreUnderTest,
        program: Program,
        chooser: Chooser,
        *,
        detailed: bool = False,
        steps: bool = False,
        lines: bool = False,  # noqa: ARG002 - lines of one process are nothing to another
    ) -> Execution:
        """Run the program once, in a new root, under the schedule that ``chooser`` gives."""
        return self._executed(store, program, chooser, detailed, None, steps=steps)

    def places_to_kill(
        self, store: StoreUnderTest, program: Program, seed: int, channel: Channel | None
    ) -> tuple[int, ...]:
        """Return before which operations of the first process, counted from 1, killing it shows something new."""
        self._channel = channel
        if self._server is not None:
            execution = self.first(store, program, seed, channel)
            own = [operation for number, operation in execution.choices if number == 0]
            return tuple(at for at, operation in enumerate(own, 1) if not operation.startswith(CALLS))
        witness, strategy = Witness(0), strategy_of(program, seed)
        strategy.begin()
        self._executed(store, program, strategy, False, witness)
        return witness.places()

    def _executed(
        self,
        store: StoreUnderTest,
        program: Program,
        chooser: Chooser,
        detailed: bool,
        witness: Witness | None,
        *,
        steps: bool = False,
    ) -> Execution:
        """Run the program once; ``witness`` looks on."""
        workers = self._ready(store, program)
        with self._begun(program, chooser, keep_steps=detailed or steps) as (scheduler, root):
            scheduler.clock.stamp(root)
            return _Run(scheduler, program, workers, self._lender, root, detailed, witness, self._server).whole()

    def _ready(self, store: StoreUnderTest, program: Program) -> list[_Worker]:
        """Return living workers: one per caller, and one that prepares and observes."""
        wanted = replace(program, blow=None, struck=None)  # who is killed, and where, is the coordinator's business
        if self._of is None or self._of[0] is not store or self._of[1] != wanted:
            self.close()
            self._of = (store, wanted)
        for number in range(len(program.actors) + 1):
            if number == len(self._workers):
                self._workers.append(_Worker(number, store, program))
            elif not self._workers[number].alive:
                self._workers[number] = _Worker(number, store, program)
        if program.inherited and (self._lender is None or not self._lender.alive):
            self._lender = _Worker(len(program.actors) + 1, store, program, lends=True)
        return self._workers

    def spent(self) -> float:
        living = [worker.pid for worker in (*self._workers, self._lender) if worker is not None and worker.alive]
        return sum(os.times()[:4]) + sum(map(processor_seconds, living))

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.kill()
        if self._lender is not None:
            self._lender.kill()
        self._workers.clear()
        self._lender = None

    def end(self) -> None:
        """Leave the server, too."""
        self.close()
        if self._server is not None:
            self._server.close()


class _Run:
    """One execution."""

    def __init__(
        self,
        scheduler: Scheduler,
        program: Program,
        workers: list[_Worker],
        lender: _Worker | None,
        root: str,
        detailed: bool,
        witness: Witness | None,
        lines: Lines | None = None,
    ) -> None:
        self._lines = lines
        self._scheduler, self._program, self._workers, self._witness = scheduler, program, workers, witness
        self._lender = lender if program.inherited else None
        self._root, self._detailed = root, detailed
        self._callers: list[_Caller] = []
        self._progress = [0]

    def whole(self) -> Execution:
        """Prepare, let the callers run side by side, observe."""
        scheduler, program = self._scheduler, self._program
        observer = len(program.actors)
        if self._lender is not None:
            self._side_by_side([self._caller(observer, -1, program.prepare, wire.PREPARE, self._lender)])
        elif program.prepare:
            self._side_by_side([self._caller(observer, -1, program.prepare, wire.PREPARE)])
        if scheduler.ending is None:
            callers = [
                self._caller(number, number, calls, wire.ACTOR, self._lender and self._lender.fork(number))
                for number, calls in enumerate(program.actors)
            ]
            scheduler.exploring = True
            self._side_by_side(callers)
            scheduler.exploring = False
        if self._lender is not None:
            self._lender.take_back()
        if scheduler.ending is None:
            if program.blow in KILLS and program.struck is not None:
                scheduler.clock.advance(scheduler.clock.now + _LEASE)
            scheduler.clock.settle()
            self._side_by_side([self._caller(observer, -1, program.observe, wire.OBSERVE)])
        return executed(scheduler, self._callers, self._met())

    def _met(self) -> frozenset[Blow]:
        met = 0
        for caller in self._callers:
            met |= caller.met
        return _MET[met]

    def _caller(
        self, number: int, caller: int, calls: tuple[Call, ...], phase: str, worker: "_Worker | _Heir | None" = None
    ) -> _Caller:
        program, gone = self._program, 0
        if program.blow is Blow.KILLED_AND_SUCCEEDED and program.struck is not None:
            gone = self._workers[program.struck[0]].pid
        worker = worker or self._workers[number]
        line = address = None
        if self._lines is not None:
            line, address = self._lines.line(number), self._lines.address(number, Path(self._root))
            line.curious = False
        made = _Caller(self._scheduler, number, caller, worker, calls, self._progress, gone, line)
        made.begin(self._root, phase, self._detailed, address)
        self._callers.append(made)
        return made

    def _steps_left(self, chosen: _Caller, callers: list[_Caller]) -> int:
        """Return how many operations, with the pending one, a caller may do before it is to be killed or asked."""
        left = MOST_STEPS
        program = self._program
        if program.blow in KILLS and program.struck is not None and program.struck[0] == chosen.caller:
            left = program.struck[1] - chosen.steps
        if any(other.is_refused() for other in callers if other is not chosen):
            left = min(left, 1)  # as soon as anything has been done, those ask again
        return left

    def _side_by_side(self, callers: list[_Caller]) -> None:
        """Let the callers run until all are done, or nobody can go on."""
        scheduler = self._scheduler
        for caller in callers:
            scheduler.add(caller)
        current: Actor | None = None
        polls = 0
        while scheduler.live:
            chosen = scheduler.next_after(current)
            if scheduler.ending is not None or not isinstance(chosen, _Caller):
                break
            if chosen.timed_out and len(scheduler.live) == 1:
                polls += 1
                clock = scheduler.clock
                clock.advance(clock.now + min(_LONGEST_SLEEP, 0.01 * 2**polls))  # a sleep may last longer than asked
                if polls > _MOST_POLLS:
                    scheduler.end(Ending.DEADLOCK)
                    break
            left = self._steps_left(chosen, callers)
            if self._witness is not None and scheduler.exploring:
                self._witness.look(chosen, os.path.dirname(self._root))
                left = 1
            if not left:
                chosen.die()
            else:
                chosen.let_run(left - 1)
            current = chosen
            if chosen.done:
                scheduler.remove(chosen)
                current = None
        for caller in callers:
            if not caller.done:
                caller.end_worker()  # it waits for what never comes
        scheduler.live.clear()
