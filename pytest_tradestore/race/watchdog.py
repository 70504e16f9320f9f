"""Notices an actor that waits where the scheduler cannot see it, and lets the others go on without it.

A lock made before the stand-ins were there, C code that blocks, a child process: nothing of that can be steered. The
wall clock counts here and nowhere else; what is found is named by its line, and an exhausted search becomes a sampled
one.
"""

import _thread
import sys
from types import FrameType

from pytest_tradestore.race.actors import never
from pytest_tradestore.race.execution import Ending
from pytest_tradestore.race.files import REAL_OPEN
from pytest_tradestore.race.in_force import running
from pytest_tradestore.race.line_switches import is_somebodys, line_of
from pytest_tradestore.race.threads import Control, ThreadActor

_LOOK = 0.02
_LOOKS_BLOCKED = 4
"""So many looks in a row must find the running actor asleep, and no further, before it is given up."""
_LOOKS_WITHOUT_PROC = 50
_LOOKS_LOST = 100
"""So many looks may find nobody running before the execution counts as hung."""


class Watchdog:
    """A thread that looks, again and again, whether the execution still moves."""

    def __init__(self) -> None:
        self._control: Control | None = None
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self._seen: tuple[object, ...] = ()
        self._looks = 0
        _thread.start_new_thread(self._live, ())

    def watch(self, control: Control | None) -> None:
        """Look after this execution from now on, or after none."""
        self._control = control

    def _live(self) -> None:
        while True:
            self._wake.acquire(True, _LOOK)
            control = self._control
            if control is not None and not control.over:
                self._look(control)

    def _look(self, control: Control) -> None:
        scheduler = control.scheduler
        actor = scheduler.running
        spent, blocked = 0, True
        if isinstance(actor, ThreadActor):
            spent, blocked = _state(actor.native)
            blocked = blocked and actor.thread in running  # else it is the harness that makes it wait
        seen = (control, scheduler.moves, actor, spent)
        if seen != self._seen or not blocked:
            self._seen, self._looks = seen, 0
            return
        self._looks += 1
        if isinstance(actor, ThreadActor):
            if self._looks >= (_LOOKS_BLOCKED if spent >= 0 else _LOOKS_WITHOUT_PROC):
                self._give_up(control, actor, scheduler.moves)
        elif actor is None and scheduler.exploring:
            self._nobody_runs(control)

    def _give_up(self, control: Control, actor: ThreadActor, moves: int) -> None:
        scheduler = control.scheduler
        line = _where(sys._current_frames().get(actor.thread))
        with control.mutex:
            if control.over or scheduler.moves != moves or scheduler.running is not actor:
                return
            actor.floating, actor.ready = True, never
            actor.pending = f"go on at {line}, where nothing steers it"
            scheduler.uncontrolled.setdefault(line)
            scheduler.given_up = True
            after = scheduler.next_after(None)
        if after is not None:
            after.let_run()

    def _nobody_runs(self, control: Control) -> None:
        """Let time pass for those who sleep; when there is none, wait for who was given up, and at last end it."""
        scheduler = control.scheduler
        after = None
        with control.mutex:
            if control.over or scheduler.running is not None:
                return
            if self._looks == _LOOKS_BLOCKED:
                after = scheduler.next_sleeper()
            elif self._looks >= _LOOKS_LOST:
                after = scheduler.end(Ending.HUNG)
        if after is not None:
            after.let_run()


def _state(native: int) -> tuple[int, bool]:
    """Return the time that a thread has spent, and whether it is asleep; (-1, True) where the system does not say."""
    try:
        with REAL_OPEN(f"/proc/self/task/{native}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return -1, True
    return int(fields[11]) + int(fields[12]), fields[0] == b"S"


def _where(frame: FrameType | None) -> str:
    """Return the line of the store that a thread is at, or the innermost one of all."""
    innermost = frame
    while frame is not None:
        if is_somebodys(frame.f_code.co_filename):
            return line_of(frame)
        frame = frame.f_back
    return line_of(innermost) if innermost is not None else "an unknown line"
