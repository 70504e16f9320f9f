"""Virtual time: it moves when everybody waits, and by a microsecond whenever somebody looks at a clock.

So sleeping costs nothing, loops that wait for a time end, and each run of a schedule reads the same differences. What
is stamped with the time, files and directories, is stamped with this one: else it would be a matter of luck, and of
how busy the machine is, whether two changes can be told apart, and a schedule would not come again.
"""

import os
import time
from typing import Any

from pytest_tradestore.kits.day import day_of_the_run

_TICK = 1e-6
_GRAIN = 0.004
"""Seconds for which the clock stands still that files are stamped with: that of Linux, as most kernels are built."""
_NANO = 1_000_000_000
_LATEST = 22
"""Hour of the local day after which no execution begins."""
_utime = os.utime


class Clock:
    """The clock of one execution.

    It begins at the second that it really is, so that times that others stamp fit it, and at the beginning of that, so
    that a second ends after the same sleep in each run. In the last two hours of a day, and of that on which the run
    began, it begins before them: callers are asked for what was logged then, and must not have slept into tomorrow.
    """

    def __init__(self, origin: tuple[int, int] | None = None) -> None:
        """``origin`` is that of the clock of another process in the same execution; without it, it begins now."""
        self.now = 0.0
        """Seconds of virtual time since the execution began."""
        self.asked = False
        """Whether somebody has looked at it in this execution, or waits for a time."""
        self._wall, self._steady = origin or (_second_of_today(int(REAL_TIME())), int(REAL_MONOTONIC()))
        self._looks = 0

    @property
    def origin(self) -> tuple[int, int]:
        """When it began, by each of the two clocks of the system: for another process in the same execution."""
        return self._wall, self._steady

    def advance(self, to: float) -> None:
        """Let it be ``to``, unless it is later already."""
        self.now = max(self.now, to)

    def settle(self) -> None:
        """Let what was changed so far be older than anything that comes."""
        self.advance(self.now + 2 * _GRAIN)

    def after(self, seconds: float) -> float:
        """Return the time at which somebody who waits so long waits no more."""
        self.asked = True
        return self.now + seconds

    def wall(self) -> float:
        self._looked()
        return self._wall + self.now

    def steady(self) -> float:
        self._looked()
        return self._steady + self.now

    def _looked(self) -> None:
        self.asked = True
        self.now += _TICK

    def worked(self) -> float:
        """Return the processor time that was spent: it does not pass while somebody sleeps."""
        self._looks += 1
        return self._looks * _TICK

    def coarse(self) -> float:
        """Return the time that what is changed now is stamped with."""
        self.asked = True
        return self._stamped() / _NANO

    def _stamped(self) -> int:
        return self._wall * _NANO + int(self.now / _GRAIN) * int(_GRAIN * _NANO)

    def stamp(self, file: Any, directory: int | None = None) -> None:
        """Give a file that was changed just now, by its path or number, the virtual time.

        ``directory`` is an open one that the path is relative to. What may not be stamped keeps the real time.
        """
        now = self._stamped()
        try:
            if directory is None:
                _utime(file, ns=(now, now))
            else:
                _utime(file, ns=(now, now), dir_fd=directory)
        except (OSError, ValueError, TypeError):  # not ours, gone again, or nothing that has a time
            return

    def loop_time(self) -> float:
        """Return what an event loop takes for the time: reading it moves nothing."""
        return self.now


def _second_of_today(now: int) -> int:
    return min(now, *(_latest_of(*day[:3]) for day in (_localtime(now), day_of_the_run().timetuple())))


def _latest_of(year: int, month: int, day: int) -> int:
    return int(_mktime((year, month, day, _LATEST, 0, 0, 0, 0, -1)))


REAL_TIME, REAL_MONOTONIC, _localtime, _mktime = time.time, time.monotonic, time.localtime, time.mktime
