"""Which living processes can have been started by one that has ended? Where they are listed (Linux), few are asked.

What a process starts has a later number than itself, until numbers begin anew. To look at every process there is costs
more than to fork one.
"""

import os
from contextlib import suppress


def started() -> int | None:
    """Return how many processes and threads the system has started so far, None where it does not say."""
    with suppress(OSError, ValueError, IndexError), open("/proc/stat", "rb") as file:
        return int(file.read().rpartition(b"\nprocesses ")[2].split()[0])
    return None


def after(leader: int, before: int | None) -> list[int]:
    """Return the living processes that may have been started after ``leader``.

    ``before`` is what ``started`` said before ``leader`` was; without it all count that live now.
    """
    now = started()
    if before is not None and now is not None and now <= before + 1:
        return []  # there was nobody but the leader
    try:
        living = [number for number in map(int, filter(str.isdigit, os.listdir("/proc"))) if number != leader]
        with open("/proc/sys/kernel/pid_max", "rb") as file:
            numbers = int(file.read())
        with open("/proc/loadavg", "rb") as file:
            last = int(file.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return []
    if before is None or now is None or now - before > numbers // 2 or last < leader:
        return sorted(living)  # numbers may have begun anew
    return sorted(number for number in living if leader < number <= last)
