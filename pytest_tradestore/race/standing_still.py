"""Whether the threads of another process stand still, and in what each of them waits: what the kernel says in /proc.

Who is to go on then is the business of whoever asks.
"""

import contextlib
import os
import platform

_FUTEX = {"x86_64": "202", "aarch64": "98"}.get(platform.machine(), "")
"""The system call in which threads wait for locks; its fourth argument is the time for which."""


def unavailable() -> str:
    """Say why that is not known here; empty where it is."""
    if os.path.exists("/proc/self/task"):
        return ""
    return "this system does not say which threads of a process stand still (/proc): whose request it is is not known"


def tasks(pid: int) -> list[str]:
    """Return the numbers of a process's threads."""
    with contextlib.suppress(OSError):
        return os.listdir(f"/proc/{pid}/task")
    return []


def is_kept_by_a_lock(pid: int, task: str, *, for_ever: bool = False) -> bool:
    """Say whether a thread waits for another thread; ``for_ever``: and for no time."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/syscall", "rb") as file:
        call = file.read().decode().split()
        return call[0] == _FUTEX and (not for_ever or (len(call) > 4 and int(call[4], 16) == 0))
    return False


def resting(pid: int) -> tuple[tuple[str, bytes], ...] | None:
    """Return how often each thread of a process has gone to sleep so far, None where one of them is at work.

    Two equal answers, one after the other, say that all of them stood still at one moment between.
    """
    found: list[tuple[str, bytes]] = []
    for task in tasks(pid):
        try:
            with open(f"/proc/{pid}/task/{task}/status", "rb", buffering=0) as file:
                status = file.read()
        except OSError:
            return None
        at = status.find(b"\nState:\t")
        if status[at + 8 : at + 9] in (b"R", b"D", b"t"):
            return None
        at = status.find(b"\nvoluntary_ctxt_switches:\t")
        found.append((task, status[at + 26 : status.find(b"\n", at + 26)]))
    return tuple(found)
