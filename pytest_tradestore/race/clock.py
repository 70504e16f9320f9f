"""Virtual time: it moves when everybody waits, and by a microsecond whenever somebody looks at the clock.

So sleeping costs nothing, loops that wait for a time end, and each run of a schedule reads the same differences.
"""

import os
import time
from contextlib import suppress
from typing import Any

_TICK = 1e-6
_NOTICEABLE = 0.1
_utime = os.utime


class Clock:
    """The clock of one execution. It begins at the real time, so that modification times of files fit it."""

    def __init__(self) -> None:
        self._wall, self._steady = time.time(), time.monotonic()
        self.now = 0.0
        """Seconds of virtual time since the execution began."""
        self.asked = False
        """Whether somebody has looked at it in this execution, or waits for a time."""

    def restart(self) -> None:
        """Begin anew, for the next execution."""
        self._wall, self._steady, self.now = REAL_TIME(), REAL_MONOTONIC(), 0.0
        self.asked = False

    def advance(self, to: float) -> None:
        """Let it be ``to``, unless it is later already."""
        self.now = max(self.now, to)

    def after(self, seconds: float) -> float:
        """Return the time at which somebody who waits so long waits no more."""
        self.asked = True
        return self.now + seconds

    def wall(self) -> float:
        self.asked = True
        self.now += _TICK
        return self._wall + self.now

    def steady(self) -> float:
        self.asked = True
        self.now += _TICK
        return self._steady + self.now

    def stamp(self, file: Any) -> None:
        """Give a file that was changed just now the virtual time, if that has left the real one behind.

        Else it would look as old as all sleeping that went before, and a lock file stale that is not.
        """
        if self.now > _NOTICEABLE:
            now = self._wall + self.now
            with suppress(OSError):
                _utime(file, (now, now))

    def loop_time(self) -> float:
        """Return what an event loop takes for the time: reading it moves nothing."""
        return self.now


REAL_TIME, REAL_MONOTONIC = time.time, time.monotonic
CLOCK = Clock()
"""Of this process: one execution runs at a time."""
