"""Callers that share one client of a server: threads or tasks of one process, let go on one request at a time.

Nothing inside of that process is steered. A caller goes on when its call may begin or a request of its is answered;
then it is waited until the whole process stands still. Only then is looked at what has been said and asked, so that
nothing depends on what came first: a request is that of whoever was let go on, or of somebody whom that one no longer
keeps waiting. The rest of the machinery (strategies, judging, shrinking, timelines) is that of all races.
"""

import math
import os
import pickle
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pytest_tradestore.backends.declared import Address
from pytest_tradestore.backends.lines import Line, Waiting
from pytest_tradestore.isolation import Channel, processor_seconds
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race import client_worker
from pytest_tradestore.race import process_worker as wire
from pytest_tradestore.race.actors import Actor, never
from pytest_tradestore.race.client_worker import SIGNAL_OF, Links
from pytest_tradestore.race.clock import REAL_MONOTONIC
from pytest_tradestore.race.coordinating import CALLS, OPENING, Calling, Coordinating, Worker, executed, pair
from pytest_tradestore.race.execution import CANCELLING, INTERRUPTING, SIGNALS, Actors, Blow, Execution, Program
from pytest_tradestore.race.in_force import Chance
from pytest_tradestore.race.scheduler import Chooser, Scheduler
from pytest_tradestore.race.standing_still import is_kept_by_a_lock, resting, tasks
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest

_LOOK = 0.0002
"""Seconds after which it is looked again whether all threads of the client stand still."""
_STILL = 1.0
"""Seconds that everybody stands still, and waits for no time, before that counts as for ever."""
_NOTICED = 10.0
"""Seconds in which a library that waits for an answer, and not for a lock, has looked for signals on any machine."""
WAITS = "go on when another caller lets it"
_TIME = "let time pass"


class OneClientHarness(Coordinating):
    """Runs executions whose callers share one client, each in a new process; runs no code of the store itself."""

    sees_lines = False

    def __init__(self, sandbox: Sandbox, store: StoreUnderTest) -> None:
        assert store.declarations.backend is not None, "it is asked of stores on a server alone"
        self._chance = Chance()
        super().__init__(sandbox, store.declarations.backend, partial(client_worker.install, self._chance))
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
        assert self._server is not None, "looked at above"
        with self._begun(program, chooser, keep_steps=detailed or steps) as (scheduler, root):
            line, address = self._server.line(0), self._server.address(0, Path(root))
            line.curious = False
            worker = self._ready(store, program)
            run = _Run(scheduler, program, line, worker)
            try:
                worker.begin((root, address, detailed, program.struck))
                return run.whole()
            finally:
                if not run.end():
                    self._worker = None

    def _ready(self, store: StoreUnderTest, program: Program) -> "_Worker":
        """Return a living process for this program, whenever the blow in it falls."""
        key = (store, replace(program, struck=None))
        if self._worker is None or self._of != key or self._worker.has_ended():
            if self._worker is not None:
                self._worker.kill()
            self._worker, self._of = _Worker(store, program, self._chance), key
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
        assert self._server is not None, "looked at above"
        self._server.close()


class _Worker(Worker):
    """The process of a client, for one execution after the other as long as nothing has gone wrong in it."""

    def __init__(self, store: StoreUnderTest, program: Program, chance: Chance) -> None:
        def work(links: list[socket.socket]) -> None:
            *callers, observer, control = links
            client_worker.serve(Links(tuple(callers), observer, control), store, program, chance)

        super().__init__(len(program.actors) + 2, work)
        *self.links, self.control = self.ends
        """Those of the callers, and last that of who prepares and observes; and that of all."""

    def begin(self, told: tuple[str, Address, bool, tuple[int, int] | None]) -> None:
        """Let it begin an execution: with its root, its address, whether steps are kept, and where a blow falls."""
        self.control.send(wire.RUN + pickle.dumps(told))

    def has_ended(self) -> bool:
        """Say whether the process is gone, though nobody has killed it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def is_request(operation: str) -> bool:
    """Say whether a step is a request, and not the beginning of a call or a wait."""
    return not operation.startswith((*CALLS, "sleep", "go on ", _TIME))


class _Caller(Calling):
    """The coordinator's side of one caller."""

    def __init__(self, run: "_Run", number: int, caller: int, link: socket.socket, calls: Sequence[Call]) -> None:
        label = f"caller {caller}" if caller >= 0 else "the observer"
        super().__init__(run.scheduler, number, caller, label, calls)
        self._run, self.link = run, link
        self.stops = False
        """Whether it has stopped before a call or asleep."""
        self.thread = ""
        """The number of its thread, where it has one of its own."""
        self.asks: deque[Waiting] = deque()
        """Its requests that wait to be done."""
        self.goes: int | None = None
        """The connection on which it waits for an answer that waits for another client, or for another request."""
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
        run, told = self._run, True
        if self.stops:
            position = run.scheduler.note(self.caller, self.pending)
            if self.pending.startswith(CALLS):
                self._begins(position)
            word = wire.TIME_IS_UP if self.timed_out else wire.GO
            self.timed_out = self.stops = False
            self.until = None
            self.link.send(word + wire.PERMIT.pack(run.scheduler.clock.now, 0))
        else:
            told = run.answer(self) if self.asks else False
        run.settle(self, told=told)

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
            _, self.pending, self.until, _, _, met, *_ = pickle.loads(rest)  # noqa: S301 - our own child
            self._run.met |= met
            self.stops, self.ready = True, None if kind == wire.STOP else never
        elif kind in (wire.RESULT, wire.ERROR):
            self._came_back(kind, pickle.loads(rest))  # noqa: S301 - as above
        elif kind == client_worker.THREAD:
            self.thread = rest.decode()
        elif kind == wire.DONE:
            self.done = True

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
        self._run.control.send(client_worker.TIME + client_worker.MOMENT.pack(self._run.scheduler.clock.now))
        self._run.settle(None, told=True)


class _Run:
    """One execution: its process, its callers, and what is known of both."""

    def __init__(self, scheduler: Scheduler, program: Program, line: Line, worker: "_Worker") -> None:
        self.scheduler, self.program, self.line, self._worker = scheduler, program, line, worker
        self.met = 0
        self._pid = worker.pid
        self._rested = resting(worker.pid)
        """What the threads of the process were seen to have slept when it last stood still."""
        self._said: list[tuple[_Caller, bytes]] = []
        """What callers have said and nobody has looked at yet."""
        self._now: list[_Caller] = []
        self._heard: list[_Caller] = []
        self._owners: dict[int, _Caller] = {}
        self._known: set[int] = set()
        self._struck = self._handled = self._dead = False
        count = len(program.actors)
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
        return executed(scheduler, self._all(), frozenset({Blow.SLOW}) if self.met & 1 else frozenset())

    def _alone(self, calls: tuple[Call, ...]) -> None:
        """Let one caller make its calls: whoever waits goes on at once."""
        observer = _Caller(self, len(self.callers), -1, self._worker.links[-1], calls)
        self._heard.append(observer)
        self._let_run([observer])

    def _side_by_side(self) -> None:
        self._now = list(self.callers)
        self.settle(None)
        self.scheduler.exploring = True
        self._let_run(self.callers)
        self.scheduler.exploring = False
        while self.scheduler.ending is None and self.background.asks:
            self.background.let_run()

    def _let_run(self, these: list[_Caller]) -> None:
        scheduler = self.scheduler
        self._now = list(these)
        self.settle(these[0] if len(these) == 1 else None)
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

    def answer(self, caller: _Caller) -> bool:
        """Do its first request, and what is to happen to its caller besides; say whether the client was told of it."""
        first = caller.asks.popleft()
        caller.requests += 1
        self._known.discard(first.connection)
        blow, struck = self.program.blow, self.program.struck
        ours = struck is not None and caller.caller == struck[0] and blow is not Blow.SLOW and not self._struck
        due = struck is not None and ours and (struck[1] + 1) // 2 == caller.requests
        if due and struck is not None and struck[1] % 2:
            caller.requests -= 1
            caller.asks.appendleft(first)
            self._known.add(first.connection)
            self._strike(caller)
            return False
        position = self.scheduler.note(caller.caller, first.asked.text)
        told = self.line.answer_on(first.connection, hold=due)
        steps = self.scheduler.steps
        if steps and len(steps) == position + 1:
            steps[-1] = replace(steps[-1], note=told or "waits for another caller", asked=True)
        if due:
            self._strike(caller)
            self.line.release()
        if first.connection in self.line.blocked():
            caller.goes = first.connection
        return bool(told) and not due and caller.in_call

    def _strike(self, caller: _Caller) -> None:
        """Cancel a caller, or all, or have a signal's handler raise in it; its request is under way."""
        self._struck = True
        self.settle(caller)
        blow = self.program.blow
        if blow in SIGNALS and blow is not None:
            self.scheduler.note(caller.caller, f"{INTERRUPTING} {caller.caller}", note=blow.value)
            os.kill(self._pid, SIGNAL_OF[blow])
            self.settle(caller, told=True)
            until = REAL_MONOTONIC() + _NOTICED
            while not self._looks_for_no_signal() and (left := until - REAL_MONOTONIC()) > 0:
                self._take_in(left)
            self.settle(caller)
        else:
            all_ = blow is Blow.ALL_CANCELLED
            rest = " and every other task" if all_ else ""
            self.scheduler.note(caller.caller, f"{CANCELLING} {caller.caller}{rest}")
            self.control.send(client_worker.CANCEL_ALL if all_ else client_worker.CANCEL)
            self.settle(caller, told=True)

    def _looks_for_no_signal(self) -> bool:
        """Say whether the main thread has seen the signal, or will not before its request is answered."""
        return self._handled or self._dead or is_kept_by_a_lock(self._pid, str(self._pid), for_ever=True)

    def settle(self, current: _Caller | None, *, told: bool = False) -> None:
        """Wait until the whole process stands still, and look at what it has said and asked by then.

        ``told``: it was told something since it last stood still, so that it has to have moved.
        """
        before: object = None
        patience, until = 0.0, REAL_MONOTONIC() + _STILL
        while True:
            if self._take_in(patience):
                before, patience = None, 0.0
                continue
            still = None if self.line.is_connecting() and not self._dead else resting(self._pid)
            unmoved = told and still == self._rested and not self._dead and REAL_MONOTONIC() < until
            if still is None or unmoved:
                before, patience = None, _LOOK
            elif still == before:
                break
            else:
                before, patience = still, 0.0
        self._rested = still
        said, self._said = self._said, []
        for caller, message in sorted(said, key=lambda one: one[0].number):
            caller.hear(message)
        blocked = self.line.blocked()
        for caller in self._now:
            if caller.goes is not None and caller.goes not in blocked:
                caller.goes = None
        self._hand_out(current)

    def _take_in(self, patience: float) -> bool:
        """Take in what there is; False where there was nothing within so many seconds."""
        links = {caller.link: caller for caller in self._now if not self._dead}
        readable = self.line.listen([*links, *(() if self._dead else (self.control,))], patience)
        for link in readable or ():
            message = link.recv(wire.PACKET)
            if not message:
                self._died()
            elif link is not self.control:
                self._said.append((links[link], message))
            elif message[:1] == client_worker.WAKES:
                (until,) = client_worker.MOMENT.unpack(message[1:])
                self.timer.until = None if until == math.inf else until
            else:
                self._handled = True
        return readable is not None

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
        for one in sorted(waiting, key=lambda one: one.connection):
            if one.connection not in self._known:
                self._known.add(one.connection)
                owner = self._owner(current, one.connection)
                self._owners[one.connection] = owner
                owner.asks.append(one)

    def _owner(self, current: _Caller | None, connection: int) -> _Caller:
        busy = [caller for caller in self._now if caller.in_call]
        free = [caller for caller in busy if not caller.asks and caller.goes is None]
        asking = [one for one in free if not (one.thread and is_kept_by_a_lock(self._pid, one.thread))]
        last = self._owners.get(connection)
        for likely in (asking, free):
            for owner in (current, last, *likely):
                if owner is not None and owner in likely:
                    return owner
        return last if last is not None and last in busy else busy[0] if busy else self.background

    def comes_to_life(self) -> bool:
        """Wait for somebody who stands still to go on by himself; False if nobody ever will, as far as is known."""
        asleep = any(actor.until is not None for actor in self.scheduler.live)
        while True:
            heard = self._take_in(0.0 if asleep else _STILL)
            if heard:
                self.settle(None)
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
        kept = sum(is_kept_by_a_lock(self._pid, task, for_ever=True) for task in tasks(self._pid))
        return kept >= sum(not caller.accounted for caller in self._now)
