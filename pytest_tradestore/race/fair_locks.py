"""Locks that go to whoever has waited longest: which caller is let on does then not depend on who is quicker.

For threads that nobody steers but by the answers to their requests.
"""

import _thread
import queue
import threading
from collections import deque
from types import TracebackType
from typing import Any

from pytest_tradestore.crash.recorders.fake_patches import Patches

_allocate = _thread.allocate_lock


class FairLock:
    """Does what ``threading.Lock`` does; whoever lets go of it hands it to the first who waits."""

    def __init__(self) -> None:
        self._mutex = _allocate()
        self._held = False
        self._waiting: deque[_thread.LockType] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            if not blocking:
                return False
            turn = _allocate()
            turn.acquire()
            self._waiting.append(turn)
        try:
            got = turn.acquire(True, timeout)
        except BaseException:
            if not self._gives_up(turn):
                self.release()
            raise
        return got or not self._gives_up(turn)

    def _gives_up(self, turn: Any) -> bool:
        """Wait no more; False if it was handed over already."""
        with self._mutex:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return True
        return False

    def release(self) -> None:
        with self._mutex:
            if not self._held:
                raise RuntimeError("release unlocked lock")
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def locked(self) -> bool:
        return self._held

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc] # nobody else has it in a child

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class FairRLock(threading._PyRLock):  # type: ignore[misc,name-defined] # not public, and there since Python 3.2
    """Does what ``threading.RLock`` does, and is as fair."""

    def __init__(self) -> None:
        super().__init__()
        self._block = FairLock()


def fair_from(real: Any, _name: str) -> Any:
    """Return a fair lock in place of a real one that nobody holds, None in place of anything else."""
    if type(real) is type(_allocate()) and not real.locked():
        return FairLock()
    if type(real) is _thread.RLock and "count=0" in repr(real):
        return FairRLock()
    return None


def install(patches: Patches) -> None:
    """Let new locks, and queues, be such."""
    patches.replace(threading, "Lock", FairLock)
    patches.replace(threading, "RLock", FairRLock)
    patches.replace(queue, "SimpleQueue", queue._PySimpleQueue)  # type: ignore[attr-defined] # made of such locks
