"""An exception that the handler of a signal raises in the middle of a caller's call.

Python runs a handler when a call into C returns, and what that call gave is lost; or in its place, where the call
waits. So that is where it is raised here: after an operation, on the way back into the store's code, and instead of
waiting. Never after an operation that takes something (opens, locks, creates): between its end and the assignment no
code can be safe but one that keeps signals away.
"""

import _thread
import functools
import os
from collections.abc import Callable
from typing import Any

from pytest_tradestore.race.execution import INTERRUPTING, Blow
from pytest_tradestore.race.files import SwitchingRandom, SwitchingReader, SwitchingWriter
from pytest_tradestore.race.in_force import running
from pytest_tradestore.race.threads import Control, ThreadActor

_ident = _thread.get_ident
_TAKING = frozenset("acquire begin create fcntl flock link lockf mkdir open symlink truncate try".split())  # noqa: SIM905 - reads better
_OF_CALLERS = ("call ", "open the store", "nothing", "line ")
_METHODS = ("read", "read1", "readinto", "readline", "write", "flush")


class AlarmError(Exception):
    """What the handler of an alarm raises."""


def may_be_interrupted(operation: str) -> bool:
    """Say whether an operation is one after which, or instead of which, a handler may raise."""
    verb = operation.partition(" ")[0].partition("(")[0].lower()
    waits = verb in ("acquire", "flock", "lockf")
    return not operation.startswith(_OF_CALLERS) and (waits or verb not in _TAKING)


class InterruptedCaller(ThreadActor):
    """A caller in which a handler raises at its n-th operation, counted from 1."""

    def __init__(self, control: Control, caller: int, label: str, gate: Any, blow: Blow | None, at: int) -> None:
        super().__init__(control, caller, label, gate, caller)
        self._blow, self._at = blow, at
        self._word = blow.value if blow is not None else ""
        self._count = 0

    def reach(
        self,
        operation: str,
        ready: Callable[[], bool] | None = None,
        until: float | None = None,
        probe: Callable[[], bool] | None = None,
        waits_on: Any = None,
    ) -> bool:
        if not operation.startswith(_OF_CALLERS):
            self._count += 1
            if self._count == self._at:
                if ready is not None and not ready():
                    self.strike()
                came = super().reach(operation, ready, until, probe, waits_on)
                self.due = ready is None and may_be_interrupted(operation)
                return came
        return super().reach(operation, ready, until, probe, waits_on)

    def strike(self) -> None:
        """Raise what the handler raises."""
        self.due = False
        self.interrupted = True
        self._scheduler.note(self.caller, f"{INTERRUPTING} {self.caller}", self.control.line(), self._word)
        raise KeyboardInterrupt if self._blow is Blow.CTRL_C else AlarmError("the alarm went off")


def returning(function: Any) -> Any:
    """Let what is due be raised when a stand-in returns to whoever called it."""

    @functools.wraps(function)
    def stand_in(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        actor = running.get(_ident())
        if actor is not None and getattr(actor, "due", False):
            actor.strike()  # type: ignore[attr-defined] # only such an actor is ever due
        return result

    return stand_in


def wrapped(module: Any, _name: str, stand_in: Any) -> Any:
    """Return what is to stand in for a function in a process where callers are interrupted."""
    return returning(stand_in) if module is os else stand_in


def install() -> None:
    """Let methods of files and databases return so, too."""
    for kind in (SwitchingReader, SwitchingWriter, SwitchingRandom):
        for name in _METHODS:
            if name in vars(kind):
                setattr(kind, name, returning(vars(kind)[name]))
    try:
        from pytest_tradestore.race.databases import Connection, Cursor
    except ImportError:  # a Python without SQLite
        return
    for name in ("execute", "executemany", "executescript"):
        setattr(Cursor, name, returning(getattr(Cursor, name)))
    for name in ("commit", "rollback"):
        setattr(Connection, name, returning(getattr(Connection, name)))
