"""Callers that share one client of a server: threads or tasks of one process, let go on one request at a time.

Nothing inside of that process is steered. A caller goes on when its call may begin or a request of its is answered;
then it is waited until everybody in the process has asked something, is done, or stands still. Whose request it is
follows from that: it is made by whoever was let go on, or by somebody whom that one no longer keeps waiting. The rest
of the machinery (strategies, judging, shrinking, timelines) is that of all races.
"""

import contextlib
import math
import os
import pickle
import signal
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_tradestore.backends.declared import Address
from pytest_tradestore.backends.hosts import lines_to
from pytest_tradestore.backends.lines import Line, Waiting
from pytest_tradestore.isolation import Channel, end_with_parent, processor_seconds
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race import client_worker
from pytest_tradestore.race import process_worker as wire
from pytest_tradestore.race.actors import Actor
from pytest_tradestore.race.client_worker import SIGNAL_OF, Links
from pytest_tradestore.race.clock import CLOCK, REAL_MONOTONIC
from pytest_tradestore.race.execution import (
    CANCELLING,
    INTERRUPTING,
    SIGNALS,
    Actors,
    Blow,
    Completed,
    Ending,
    Execution,
    Program,
)
from pytest_tradestore.race.following import Repeating, Replaying
from pytest_tradestore.race.process_worker import keep_to_one_processor
from pytest_tradestore.race.processes import OPENING, pair
from pytest_tradestore.race.removing import remove
from pytest_tradestore.race.scheduler import Chooser, Scheduler
from pytest_tradestore.race.search import Harness
from pytest_tradestore.race.slowness import OneSlowOperation
from pytest_tradestore.race.threads import never
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

_CALLS = ("call ", wire.OPENING)
_LOOK = 0.001
"""Seconds without anything new after which it is looked whether all threads of the client stand still."""
_STILL = 1.0
"""Seconds that everybody stands still, and waits for no time, before that counts as for ever."""
_NOTICED = 0.25
"""Seconds in which a library that waits for an answer looks for signals; one that does not goes on when it has it."""
_FUTEX = "202"
"""The system call in which threads wait for locks; its fourth argument is the time for which (x86-64)."""
WAITS = "go on when another caller lets it"
_TIME = "let time pass"


def unavailable() -> str:
    """Say why callers of one client cannot be steered here; empty where they can."""
    if os.path.exists("/proc/self/task"):
        return ""
    return "this system does not say which threads of a process stand still (/proc): whose request it is is not known"


class OneClientHarness(Harness):
    """Runs executions whose callers share one client, each in a new process; runs no code of the store itself."""

    sees_lines = False

    def __init__(self, sandbox: Sandbox, store: StoreUnderTest) -> None:
        # Not the base's: this process starts no threads. The workers inherit its switch points.
        backend = store.declarations.backend
        assert backend is not None, "it is asked of stores on a server alone"
        self._server = lines_to(backend)
        client_worker.install()
        keep_to_one_processor()
        self._place = os.fspath(sandbox.path)
        self._count = self._first = 0
        self._channel: Channel | None = None
        self._unsteered = {}
        self._worker: _Worker | None = None
        self._of: tuple[StoreUnderTest, Program] | None = None

    def run(
        self,
        store: StoreUnderTest,
        program: Program,
        chooser: Chooser,
        *,
        detailed: bool = False,
        steps: bool = False,
        lines: bool = False,  # noqa: ARG002 - lines of another process
    ) -> Execution:
        """Run the program once, in a new root, under the schedule that ``chooser`` gives."""
        self._count += 1
        if self._channel is not None:
            self._channel.step(self._count)
        outer = f"{self._place}/{self._count}"
        root = f"{outer}/store"
        os.makedirs(root)
        self._server.begin()
        CLOCK.restart()
        scheduler = Scheduler(chooser, CLOCK, keep_steps=detailed or steps)
        if program.blow is Blow.SLOW and program.struck is not None:
            scheduler.slowness = OneSlowOperation(scheduler, CLOCK, *program.struck)
        if isinstance(chooser, Repeating | Replaying):
            chooser.scheduler = scheduler
        line, address = self._server.line(0), self._server.address(0, Path(root))
        worker = self._ready(store, program)
        run = _Run(scheduler, program, line, worker)
        try:
            worker.begin((root, address, detailed, program.struck))
            return run.whole()
        finally:
            if not run.end():
                self._worker = None
            remove(outer)

    def _ready(self, store: StoreUnderTest, program: Program) -> "_Worker":
        """Return a living process for this program, whenever the blow in it falls."""
        key = (store, replace(program, struck=None))
        if self._worker is None or self._of != key or self._worker.has_ended():
            if self._worker is not None:
                self._worker.kill()
            self._worker, self._of = _Worker(store, program), key
        return self._worker

    def places(self, store: StoreUnderTest, program: Program, seed: int, channel: Channel | None) -> tuple[int, ...]:
        """Return where a blow may fall: before (odd) and after (even) each request of the first caller is done."""
        execution = self.first(store, program, seed, channel)
        requests = sum(number == 0 and is_request(operation) for number, operation in execution.choices)
        return tuple(range(1, 2 * requests + 1))

    def spent(self) -> float:
        living = 0.0 if self._worker is None else processor_seconds(self._worker.pid)
        return sum(os.times()[:4]) + living

    def end(self) -> None:
        """End the process, and leave the server."""
        if self._worker is not None:
            self._worker.kill()
        self._server.close()


class _Worker:
    """The process of a client, for one execution after the other as long as nothing has gone wrong in it."""

    def __init__(self, store: StoreUnderTest, program: Program) -> None:
        links = [pair() for _ in range(len(program.actors) + 2)]
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                end_with_parent(parent)
                for ours, _ in links:
                    ours.close()
                *callers, observer, control = (theirs for _, theirs in links)
                client_worker.serve(Links(tuple(callers), observer, control), store, program)
                status = 0
            finally:
                os._exit(status)
        for _, theirs in links:
            theirs.close()
        *self.links, self.control = (ours for ours, _ in links)
        """Those of the callers, and last that of who prepares and observes; and that of all."""
        self.alive = True

    def begin(self, told: tuple[str, Address, bool, tuple[int, int] | None]) -> None:
        """Let it begin an execution: with its root, its address, whether steps are kept, and where a blow falls."""
        self.control.send(wire.RUN + pickle.dumps(told))

    def has_ended(self) -> bool:
        """Say whether the process is gone, though nobody has killed it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill(self) -> None:
        """End it; when this returns the kernel has closed its connections."""
        if self.alive:
            self.alive = False
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            for link in (*self.links, self.control):
                link.close()


def is_request(operation: str) -> bool:
    """Say whether a step is a request, and not the beginning of a call or a wait."""
    return not operation.startswith((*_CALLS, "sleep", "go on ", _TIME))


class _Caller(Actor):
    """The coordinator's side of one caller."""

    def __init__(self, run: "_Run", number: int, caller: int, link: socket.socket, calls: Sequence[Call]) -> None:
        label = f"caller {caller}" if caller >= 0 else "the observer"
        super().__init__(number, caller, label)
        self._run, self.link, self._calls = run, link, iter(calls)
        self.stops = self.done = False
        """Whether it has stopped before a call or asleep; whether it has made all its calls."""
        self.asks: deque[Waiting] = deque()
        """Its requests that wait to be done."""
        self.goes: int | None = None
        """The connection on which it waits for an answer that waits for another client, or for another request."""
        self._open: tuple[int, Call] | None = None
        self.entries: list[Completed] = []
        self.requests = 0
        self.ready = never
        self.pending = WAITS
        self.probe = run.comes_to_life

    @property
    def in_call(self) -> bool:
        return self._open is not None and not self.stops

    @property
    def accounted(self) -> bool:
        """Whether it is known what it waits for."""
        return self.done or self.stops or (self.in_call and (bool(self.asks) or self.goes is not None))

    def let_run(self) -> None:
        """Let its call begin, its sleep end or its request be done; without any of these it is looked at again."""
        run = self._run
        if self.stops:
            position = run.scheduler.note(self.caller, self.pending)
            if self.pending.startswith(_CALLS):
                self._open = (position, next(self._calls))
            word = wire.TIME_IS_UP if self.timed_out else wire.GO
            self.timed_out = self.stops = False
            self.until = None
            self.link.send(word + wire.PERMIT.pack(CLOCK.now, 0))
        elif self.asks:
            self.requests += 1
            run.answer(self, self.asks[0])
        run.settle(self)

    def look(self) -> None:
        """Find out what it waits for now."""
        if self.probe is None or self.stops:
            return  # it is held up, because it is slow, or it has said itself what it waits for
        if self.done:
            self.ready = None
        elif self.asks:
            self.pending, self.ready, self.until = self.asks[0].asked.text, None, None
        else:
            self.pending = WAITS if self.goes is None else "go on with its request"
            self.ready, self.until = never, None

    def hear(self, message: bytes) -> None:
        """Take in what it says."""
        kind, rest = message[:1], message[1:]
        if kind in (wire.STOP, wire.WAITING):
            _, self.pending, self.until, _, _, met = pickle.loads(rest)  # noqa: S301 - our own child
            self._run.met |= met
            self.stops, self.ready = True, None if kind == wire.STOP else never
        elif kind in (wire.RESULT, wire.ERROR):
            self._came_back(kind, pickle.loads(rest))  # noqa: S301 - as above
        elif kind == wire.DONE:
            self.done = True

    def _came_back(self, kind: bytes, value: Any) -> None:
        if self._open is None:
            return
        (invoked, call), self._open = self._open, None
        scheduler = self._run.scheduler
        if kind == wire.RESULT:
            position = scheduler.note(self.caller, f"return {call.rendered}", note=repr(value))
            self.entries.append(Completed(self.caller, call, invoked, position, value))
            return
        error, undeclared, declared, interrupted = value
        position = scheduler.note(self.caller, f"fail {call.rendered}", note=error)
        self.entries.append(
            Completed(
                self.caller, call, invoked, position, None, error, undeclared, declared=declared,
                interrupted=interrupted,
            )
        )  # fmt: skip

    def history(self) -> Iterator[Completed]:
        yield from self.entries
        if self._open is not None:
            yield Completed(self.caller, self._open[1], self._open[0], None)

    def waits(self) -> str:
        return f"{self.label} waits for another caller, and no request is under way"


class _Background(_Caller):
    """What the client asks for nobody in particular: a pool that looks after its connections."""

    def __init__(self, run: "_Run", number: int) -> None:
        nobody, self._other = pair()
        super().__init__(run, number, -1, nobody, ())
        self.label, self.done = "the client itself", False

    def close(self) -> None:
        self.link.close()
        self._other.close()

    @property
    def accounted(self) -> bool:
        return True


class _Timer(Actor):
    """The event loop's first timer: it is due when nobody else can go on."""

    def __init__(self, run: "_Run", number: int) -> None:
        super().__init__(number, -1, "the event loop")
        self._run = run
        self.pending, self.ready = _TIME, never

    def let_run(self) -> None:
        self.timed_out, self.until = False, None
        self._run.control.send(client_worker.TIME + client_worker.MOMENT.pack(CLOCK.now))
        self._run.settle(None)


class _Run:
    """One execution: its process, its callers, and what is known of both."""

    def __init__(self, scheduler: Scheduler, program: Program, line: Line, worker: "_Worker") -> None:
        self.scheduler, self.program, self.line, self._worker = scheduler, program, line, worker
        self.met = 0
        self._pid = worker.pid
        self._now: list[_Caller] = []
        self._heard: list[_Caller] = []
        self._owners: dict[int, _Caller] = {}
        self._known: set[int] = set()
        self._struck = self._handled = self._dead = False
        count = len(program.actors)
        for _ in program.actors:
            scheduler.next_number()
        self.control = worker.control
        self.callers = [_Caller(self, n, n, worker.links[n], self._calls_of(n)) for n in range(count)]
        self.background = _Background(self, count + 1)
        self.timer = _Timer(self, count + 2)

    def _calls_of(self, number: int) -> tuple[Call, ...]:
        calls = self.program.actors[number]
        return (OPENING, *calls) if self.program.own_instances else calls

    def end(self) -> bool:
        """Let the server see that the client is gone; say whether its process can be used again."""
        over = not self._dead and self.scheduler.ending is None and all(caller.done for caller in self._all()[:-1])
        if not over or self.program.blow is Blow.ALL_CANCELLED:
            self._worker.kill()
        self.line.cut()
        self.background.close()
        return self._worker.alive

    def _all(self) -> list[_Caller]:
        return [*self.callers, *self._heard, self.background]

    def whole(self) -> Execution:
        """Prepare, let the callers run side by side, observe."""
        program, scheduler = self.program, self.scheduler
        if program.prepare or not program.own_instances:
            self._alone((OPENING, *program.prepare))
        opened = all(entry.call is not OPENING or not entry.error for o in self._heard for entry in o.entries)
        if scheduler.ending is None and opened:
            self._side_by_side()
        if scheduler.ending is None and opened:
            self.control.send(client_worker.OBSERVE)
            again = program.own_instances or program.blow is Blow.ALL_CANCELLED
            self._alone((OPENING, *program.observe) if again else program.observe)
        history = sorted((c for caller in self._all() for c in caller.history()), key=lambda c: c.invoked)
        return Execution(
            tuple(history),
            tuple(scheduler.steps or ()),
            tuple(scheduler.choices),
            scheduler.ending or Ending.FINISHED,
            scheduler.preemptions,
            scheduler.waits_for,
            turns=tuple(scheduler.turns),
            met=frozenset({Blow.SLOW}) if self.met & 1 else frozenset(),
        )

    def _alone(self, calls: tuple[Call, ...]) -> None:
        """Let one caller make its calls: whoever waits goes on at once."""
        observer = _Caller(self, len(self.callers), -1, self._worker.links[-1], calls)
        self._heard.append(observer)
        self._let_run([observer])

    def _side_by_side(self) -> None:
        self.settle(None, everybody=True, these=self.callers)
        self.scheduler.exploring = True
        self._let_run(self.callers)
        self.scheduler.exploring = False
        while self.scheduler.ending is None and self.background.asks:
            self.background.let_run()

    def _let_run(self, these: list[_Caller]) -> None:
        scheduler = self.scheduler
        self.settle(these[0] if len(these) == 1 else None, these=these)
        scheduler.live.extend([*these, self.background, self.timer])
        current: Actor | None = None
        while not all(caller.done for caller in these):
            for caller in (*these, self.background):
                caller.look()
                if caller.done and caller in scheduler.live:
                    scheduler.live.remove(caller)
            if all(caller.done for caller in these):
                break
            chosen = scheduler.next_after(current)
            if scheduler.ending is not None or chosen is None:
                break
            chosen.let_run()
            current = chosen
        scheduler.live.clear()

    # What the client does

    def answer(self, caller: _Caller, first: Waiting) -> None:
        """Do the request, and what is to happen to its caller besides."""
        caller.asks.popleft()
        self._known.discard(first.connection)
        blow, struck = self.program.blow, self.program.struck
        ours = struck is not None and caller.caller == struck[0] and blow is not Blow.SLOW and not self._struck
        due = struck is not None and ours and (struck[1] + 1) // 2 == caller.requests
        if due and struck is not None and struck[1] % 2:
            self._struck = True
            caller.requests -= 1
            caller.asks.appendleft(first)
            self._known.add(first.connection)
            self._strike(caller)
            self.settle(caller, everybody=True)
            return
        position = self.scheduler.note(caller.caller, first.asked.text)
        told = self.line.answer_on(first.connection, hold=due)
        steps = self.scheduler.steps
        if steps and len(steps) == position + 1:
            steps[-1] = replace(steps[-1], note=told or "waits for another caller")
        if due:
            self._struck = True
            self._strike(caller)
            self.settle(caller, everybody=True)
            self.line.release()
        if first.connection in self.line.blocked():
            caller.goes = first.connection

    def _strike(self, caller: _Caller) -> None:
        """Cancel a caller, or all, or have a signal's handler raise in it; its request is under way."""
        self.settle(caller, everybody=True)
        blow = self.program.blow
        if blow in SIGNALS and blow is not None:
            self.scheduler.note(caller.caller, f"{INTERRUPTING} {caller.caller}", note=blow.value)
            os.kill(self._pid, SIGNAL_OF[blow])
            until = REAL_MONOTONIC() + _NOTICED
            while not self._handled and (left := until - REAL_MONOTONIC()) > 0 and not self._dead:
                self._take_in(caller, left)
            return
        all_ = blow is Blow.ALL_CANCELLED
        rest = " and every other task" if all_ else ""
        self.scheduler.note(caller.caller, f"{CANCELLING} {caller.caller}{rest}")
        self.control.send(client_worker.CANCEL_ALL if all_ else client_worker.CANCEL)

    def settle(
        self, current: _Caller | None, *, everybody: bool = False, these: Sequence[_Caller] | None = None
    ) -> None:
        """Wait until all callers have asked something, are done, or stand still; ``everybody``: all of them."""
        if these is not None:
            self._now = list(these)
        fresh = current is None and not everybody
        before: object = None
        while True:
            heard = self._take_in(current, 0.0 if before is not None or self._is_known(fresh) else _LOOK)
            if heard:
                fresh, before = True, None
                continue
            if self._is_known(fresh) and not everybody:
                return
            still = None if self.line.is_connecting() and not self._dead else resting(self._pid)
            if still is None:
                before = None
                self._take_in(current, _LOOK)
            elif still == before:
                return
            else:
                before = still

    def _is_known(self, fresh: bool) -> bool:
        return fresh and all(caller.accounted for caller in self._now)

    def _take_in(self, current: _Caller | None, patience: float) -> bool:
        """Take in what there is; False where there was nothing within so many seconds."""
        links = {caller.link: caller for caller in self._now if not caller.done}
        readable = self.line.listen([*links, *(() if self._dead else (self.control,))], patience)
        if readable is None:
            return False
        for link in readable:
            message = link.recv(wire.PACKET)
            if link is self.control:
                if message[:1] == client_worker.WAKES:
                    (until,) = client_worker.MOMENT.unpack(message[1:])
                    self.timer.until = None if until == math.inf else until
                elif message:
                    self._handled = True
                elif not message:
                    self._died()
            elif message:
                links[link].hear(message)
            else:
                self._died()
        blocked = self.line.blocked()
        for caller in self._now:
            if caller.goes is not None and caller.goes not in blocked:
                caller.goes = None
        self._hand_out(current)
        return True

    def _died(self) -> None:
        """Let nobody wait for a process that has ended."""
        self._dead = True
        for caller in self._now:
            caller.done = True

    def _hand_out(self, current: _Caller | None) -> None:
        """Say whose the new requests are; those of connections that broke are gone."""
        waiting = self.line.waiting()
        there = {one.connection for one in waiting}
        for caller in (*self._all(), self.background):
            caller.asks = deque(one for one in caller.asks if one.connection in there)
            if caller.asks and not caller.in_call and caller is not self.background:
                self.background.asks.extend(caller.asks)  # its call is over, and the server may do it all the same
                caller.asks.clear()
        self._known &= there
        for one in waiting:
            if one.connection not in self._known:
                self._known.add(one.connection)
                owner = self._owner(current, one.connection)
                self._owners[one.connection] = owner
                owner.asks.append(one)

    def _owner(self, current: _Caller | None, connection: int) -> _Caller:
        free = [caller for caller in self._now if caller.in_call and not caller.asks and caller.goes is None]
        last = self._owners.get(connection)
        if current in free and current is not None:
            return current
        if last in free and last is not None:
            return last
        if free:
            return free[0]
        busy = [caller for caller in self._now if caller.in_call]
        return last if last in busy and last is not None else busy[0] if busy else self.background

    def comes_to_life(self) -> bool:
        """Wait for somebody who stands still to go on by himself; False if nobody ever will, as far as is known."""
        asleep = any(actor.until is not None for actor in self.scheduler.live)
        while True:
            heard = self._take_in(None, 0.0 if asleep else _STILL)
            for caller in self._now:
                caller.look()
            if heard and any(caller.ready is None for caller in (*self._now, self.background)):
                return True
            if asleep or (not heard and self._is_for_ever()):
                return False

    def _is_for_ever(self) -> bool:
        """Say whether those who stand still wait for no time: then nobody will ever let them go on."""
        if self.program.kind is Actors.TASKS:
            return True  # its timers are known
        waits = [waits_for(self._pid, task) for task in _tasks(self._pid)]
        unlimited = sum(call[0] == _FUTEX and int(call[4], 16) == 0 for call in waits if len(call) > 4)
        return unlimited >= sum(not caller.accounted for caller in self._now)


def _tasks(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(f"/proc/{pid}/task")
    return []


def waits_for(pid: int, task: str) -> list[str]:
    """Return the system call in which a thread waits: its number and its arguments; nothing where it is not told."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/syscall", "rb") as file:
        return file.read().decode().split()
    return []


def resting(pid: int) -> tuple[tuple[str, bytes], ...] | None:
    """Return how often each thread of a process has gone to sleep so far, None where one of them is at work.

    Two equal answers, one after the other, say that all of them stood still at one moment between.
    """
    found: list[tuple[str, bytes]] = []
    for task in _tasks(pid):
        try:
            with open(f"/proc/{pid}/task/{task}/status", "rb") as file:
                status = file.read()
        except OSError:
            return None
        at = status.find(b"\nState:\t")
        if status[at + 8 : at + 9] in (b"R", b"D", b"t"):
            return None
        at = status.find(b"\nvoluntary_ctxt_switches:\t")
        found.append((task, status[at + 26 : status.find(b"\n", at + 26)]))
    return tuple(found)
