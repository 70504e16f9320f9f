"""Locks that are controlled: each stands before a real one, which stays the truth of who holds it.

``threading`` builds its conditions, events, semaphores, barriers and queues from these two, so that all of them are.
Threads that are no actors use the real lock, as if this module were not there.
"""

import _thread
import sys
from types import CodeType
from typing import Any, Literal

from pytest_tradestore.race.in_force import Stopping, running

_allocate, _ident = _thread.allocate_lock, _thread.get_ident


class ControlledLock:
    """What ``threading.Lock()`` gives."""

    kind = "Lock"

    def __init__(self) -> None:
        self._real = _allocate()
        self._made: CodeType | str = sys._getframe(1).f_code
        self.holder: Stopping | None = None

    @property
    def name(self) -> str:
        """What a report calls it: where it was made, or the variable that holds it."""
        if not isinstance(self._made, str):
            self._made = f"the {self.kind} of {self._made.co_qualname}"
        return self._made

    def called(self, name: str) -> "ControlledLock":
        self._made = name
        return self

    def _free(self) -> bool:
        return not self._real.locked()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        actor = running.get(_ident())
        if actor is None:
            return self._real.acquire(blocking, timeout)
        if not blocking:
            actor.reach(f"try {self.name}")
            if not self._real.acquire(False):
                return False
        elif not self._wait(actor, timeout):
            return False
        self.holder = actor
        return True

    def _wait(self, actor: Stopping, timeout: float) -> bool:
        until = None if timeout is None or timeout < 0 else actor.in_force.clock.after(timeout)
        while True:
            if not actor.reach(f"acquire {self.name}", self._free, until, waits_on=self):
                return False
            if self._real.acquire(False):
                return True

    def release(self) -> None:
        self._real.release()
        self.holder = None

    def locked(self) -> bool:
        return self._real.locked()

    def _is_owned(self) -> bool:
        return self._real.locked()

    def _at_fork_reinit(self) -> None:
        self._real = _allocate()
        self.holder = None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    acquire_lock, release_lock, locked_lock = acquire, release, locked

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} {self.name}>"


class Waiter(ControlledLock):
    """The lock on which ``Condition.wait`` sleeps: taken at once by its maker, released by who notifies."""

    kind = "notification"

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._real.acquire(False):
            return True
        return super().acquire(blocking, timeout)

    @property
    def name(self) -> str:
        return "a notification"


class ControlledRLock:
    """What ``threading.RLock()`` gives."""

    def __init__(self) -> None:
        self._lock = ControlledLock()
        self._lock.kind = "RLock"
        self._lock._made = sys._getframe(1).f_code
        self._owner = 0
        self._count = 0

    @property
    def name(self) -> str:
        return self._lock.name

    def called(self, name: str) -> "ControlledRLock":
        self._lock.called(name)
        return self

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = _ident()
        if self._owner == me:
            self._count += 1
            return True
        if not self._lock.acquire(blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    def release(self) -> None:
        if self._owner != _ident():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = 0
            self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def _is_owned(self) -> bool:
        return self._owner == _ident()

    def _recursion_count(self) -> int:
        return self._count if self._owner == _ident() else 0

    def locked(self) -> bool:
        return self._lock.locked()

    def _release_save(self) -> tuple[int, int]:
        state = (self._count, self._owner)
        self._count = self._owner = 0
        self._lock.release()
        return state

    def _acquire_restore(self, state: tuple[int, int]) -> None:
        self._lock.acquire()
        self._count, self._owner = state

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._owner = self._count = 0

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} {self.name}>"


Kind = Literal["Lock", "RLock"]


def controlled_from(real: Any, name: str) -> Any:
    """Return a controlled lock in place of a real one that nobody holds, None in place of anything else."""
    if type(real) is type(_allocate()) and not real.locked():
        return ControlledLock().called(name)
    if type(real) is _thread.RLock and "count=0" in repr(real):
        return ControlledRLock().called(name)
    return None
