"""Actors that are threads, and the control of one execution, which starts them, lets them stop, and unwinds the rest.

Each waits on a lock of its own until whoever stopped before it hands the baton over. The choice is made in
the thread that stops, so that going on costs no switch of threads at all.
"""

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pytest_tradestore.crash.operations import Location
from pytest_tradestore.crash.recorders.fake_locations import Lines, location_of
from pytest_tradestore.race.actors import Abandoned, Actor, Held
from pytest_tradestore.race.in_force import InForce, running, unsteered
from pytest_tradestore.race.line_switches import LineSwitches
from pytest_tradestore.race.scheduler import Scheduler

_allocate, _ident = _thread.allocate_lock, _thread.get_ident
_UNSHOWN = ("resume", "wait for an event", "wait for the callers", "start job", "line ")
"""Switch points that are no steps: what the machinery does between the operations of the store."""
_OF_CALLERS = ("call ", "open the store")
_PATIENCE = 2.0
"""Seconds that an abandoned thread gets to unwind before it is left behind."""


class Ended(Exception):  # noqa: N818 - how an execution ends, not an error of ours
    """Raised in the main actor: the execution has ended early, see ``Scheduler.ending``."""


class ThreadActor(Actor):
    """An actor whose operations are made by one thread, which waits on ``gate`` whenever it is not its turn."""

    due = interrupted = False
    """Whether a signal's handler is about to raise in it, and has: see ``race.interrupts``."""

    def __init__(self, control: "Control", caller: int, label: str, gate: Any = None, number: int | None = None):
        super().__init__(control.scheduler.next_number() if number is None else number, caller, label)
        self.control, self._scheduler, self.in_force = control, control.scheduler, control.in_force
        self._gate = gate
        if gate is None:
            self._gate = _allocate()
            self._gate.acquire()
        self.thread = self.native = 0
        self.done = False
        self.watched = control.detail is not None

    def let_run(self) -> None:
        self._gate.release()

    def reach(
        self,
        operation: str,
        ready: Callable[[], bool] | None = None,
        until: float | None = None,
        probe: Callable[[], bool] | None = None,
        waits_on: Held | None = None,
    ) -> bool:
        """Stop before ``operation`` until let run; False if the time ``until`` came before ``ready``."""
        scheduler, mutex = self._scheduler, self.control.mutex
        if (
            ready is None
            and until is None
            and scheduler.running is self
            and not self.control.over
            and scheduler.goes_on(operation)
        ):
            if scheduler.exploring and not operation.startswith(_UNSHOWN):
                scheduler.position += 1
            return True
        with mutex:
            if self.control.over:
                raise Abandoned
            self.pending, self.ready, self.until, self.probe = operation, ready, until, probe
            self.waits_on = waits_on
            if self.floating:
                # It was given up as uncontrolled, and is back: it goes on at once only if nobody else does.
                self.floating = False
                after = None if scheduler.running is not None else scheduler.next_after(None)
            else:
                after = scheduler.next_after(self)
        if after is not self:
            if after is not None:
                after.let_run()
            self.wait_for_turn()
        elif scheduler.ending is not None:
            raise Ended
        self.passed()
        if self.timed_out:
            self.timed_out = False
            return False
        return True

    def pass_line(self, operation: str) -> None:
        """Stop before a line of the store, where that may let somebody else go on; ``operation`` is stable."""
        scheduler, control = self._scheduler, self.control
        if scheduler.granted and scheduler.running is self and not control.over and scheduler.goes_on(operation):
            return
        if scheduler.exploring or control.over or scheduler.given_up:  # else the callers are yet to begin
            self.reach(operation)

    def wait_for_turn(self) -> None:
        """Wait for the baton; raise Abandoned when the execution is over, Ended in the main actor."""
        self._gate.acquire()
        if self.control.over:
            raise Abandoned
        if self._scheduler.ending is not None and self._scheduler.main is self:
            raise Ended

    def passed(self) -> None:
        """Note that the pending operation is being done now."""
        self.ready = self.until = self.probe = self.waits_on = None
        scheduler = self._scheduler
        if scheduler.exploring and not self.pending.startswith(_UNSHOWN):
            if scheduler.steps is None:
                scheduler.position += 1
            else:
                line = None if self.pending.startswith(_OF_CALLERS) else self.control.line()
                scheduler.note(self.caller, self.pending, line)

    def did(self, note: str) -> None:
        steps = self._scheduler.steps
        if steps and self._scheduler.exploring:
            steps[-1] = replace(steps[-1], note=note)

    def finish(self) -> None:
        """Leave, and hand the baton to whoever is next."""
        self.done = True
        with self.control.mutex:
            self._scheduler.remove(self)
            if self.control.over:
                with suppress(RuntimeError):  # it was left behind, and nobody waits for it any more
                    self.control.left.release()
                return
            if self.floating and self._scheduler.running is not None:
                return
            after = self._scheduler.next_after(None)
        if after is not None:
            after.let_run()


class Carrier:
    """An operating-system thread that does one job after the other, each as an actor of its own."""

    def __init__(self) -> None:
        self.gate = _allocate()
        self.gate.acquire()
        self._work: tuple[ThreadActor, Callable[[], None]] | None = None
        self.lost = False
        """Whether its thread was abandoned in the middle of a job and must not be used again."""
        self.then: Callable[[], None] | None = None
        """What to do after a job, before anybody else is let run: a pool gives its next one."""
        self.idle = _allocate()
        up = _allocate()
        up.acquire()
        _thread.start_new_thread(self._live, (up,))
        up.acquire()

    def take(self, actor: ThreadActor, work: Callable[[], None]) -> None:
        """Do ``work`` once the actor is let run."""
        self.idle.acquire()
        self._work = (actor, work)

    def _live(self, up: Any) -> None:
        me, native = _ident(), _thread.get_native_id()
        _name_this_thread()
        up.release()
        while True:
            self.gate.acquire()
            assert self._work is not None, "a carrier is woken only for work"
            actor, work = self._work
            actor.thread, actor.native = me, native
            try:
                if actor.control.over:
                    raise Abandoned
                running[me] = actor
                actor.passed()
                actor.control.in_thread(work)
            except Abandoned:
                self.lost = True
            running.pop(me, None)
            self._work = None
            del work  # what a job holds goes with it, as in a pool of threads: a file that it was to close
            self.idle.release()
            then, self.then = self.then, None
            if then is not None and not self.lost:
                then()
            actor.finish()
            if self.lost:
                return


def _name_this_thread() -> None:
    """Make what stands for this thread; an actor would stop in the middle of that.

    It takes none of the numbers by which the threads of a store are named: how many carriers there are already is
    nothing to the next execution.
    """
    count = threading._counter  # type: ignore[attr-defined] # not public
    threading._counter = lambda: 0  # type: ignore[attr-defined]
    threading.current_thread()
    threading._counter = count  # type: ignore[attr-defined]


class Control:
    """One execution's threads: starts actors, and unwinds those who never reach their end.

    With ``detail`` each step is kept with its line; with ``lines`` each line of the store is a switch point.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        in_force: InForce,
        carriers: list[Carrier],
        detail: Lines | None = None,
        lines: LineSwitches | None = None,
    ) -> None:
        self.scheduler, self.in_force, self.detail, self.lines = scheduler, in_force, detail, lines
        self.mutex = _allocate()
        """Held while it is decided who runs next: the watchdog decides too."""
        self.over = False
        self.left = _allocate()
        """Released by each abandoned thread as it leaves."""
        self.left.acquire()
        self.pools: dict[int, Any] = {}
        """What the executors of this execution keep, by their identity."""
        self._carriers = carriers
        self._used: list[Carrier] = []

    def adopt_this_thread(self, number: int, caller: int, label: str) -> ThreadActor:
        """Make the calling thread the main actor, who runs now."""
        actor = ThreadActor(self, caller, label, number=number)
        actor.thread, actor.native = _ident(), _thread.get_native_id()
        running[actor.thread] = actor
        self.scheduler.add(actor)
        self.scheduler.main = self.scheduler.running = actor
        return actor

    def carrier(self) -> Carrier:
        """Return an idle thread."""
        carrier = self._carriers.pop() if self._carriers else Carrier()
        self._used.append(carrier)
        return carrier

    def start(self, caller: int, label: str, operation: str, work: Callable[[], None], carrier: Carrier) -> ThreadActor:
        """Let a new actor take part that does ``work`` in the carrier's thread; ``operation`` is what it does first."""
        actor = ThreadActor(self, caller, label, gate=carrier.gate)
        actor.pending = operation
        carrier.take(actor, work)
        self.scheduler.add(actor)
        return actor

    def blamed(self, job: Callable[..., Any]) -> Callable[..., Any]:
        """Let what a job does be blamed, in its thread, on the line that gives it away."""
        if self.detail is None:
            return job
        with unsteered():
            return self.detail.handing_over(job)

    def in_thread(self, work: Callable[[], None]) -> None:
        """Do an actor's work in the thread that is its own."""
        if self.lines is None:
            return work()
        self.lines.enter()
        try:
            return work()
        finally:
            self.lines.leave()

    def line(self) -> Location | None:
        """Return the line of the store that is about to do something, if details are wanted."""
        if self.detail is None:
            return None
        with unsteered():  # looking at source files is not what the store does
            return location_of(self.detail.of_this_call())

    def close(self) -> None:
        """End the execution: unwind who still waits, one after the other, and keep the threads that are free."""
        self.over = True
        self.scheduler.catch_up()
        main = self.scheduler.main
        for actor in list(self.scheduler.live):
            if actor is not main and isinstance(actor, ThreadActor) and not actor.floating:
                actor.let_run()
                self.left.acquire(timeout=_PATIENCE)
        if isinstance(main, ThreadActor):
            running.pop(main.thread, None)
        for carrier in self._used:
            if not carrier.lost and carrier.idle.acquire(False):
                carrier.idle.release()
                self._carriers.append(carrier)
