"""Imports that are made in the middle of a call: no process is forked while one is under way.

A child has no other thread than the one that forked it. What another one was importing is never imported to its end
there, and whoever asks for it waits for ever. So a fork waits for such an import, and such an import for a fork.

Nothing is locked or noted that an exception could leave behind: who is importing is seen on the stacks of the threads.
What can be imported with its module is; this is for the rest, such as the data of a time zone.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

_LONGEST = 10.0
"""Seconds that a fork waits for imports, and these for a fork."""
_A_MOMENT = 0.001
R = TypeVar("R")

_forking: set[int] = set()
"""The threads that are about to fork."""


def late(call: Callable[[], R]) -> R:
    """Return what ``call`` returns; it may import something."""
    end = time.monotonic() + _LONGEST
    while not (outcome := _made(call, wait=time.monotonic() < end)):
        time.sleep(_A_MOMENT)
    return outcome[0]


def _made(call: Callable[[], R], *, wait: bool) -> tuple[R] | None:
    """Make the call and return its result, unless a fork has begun that does not know of it."""
    # A fork notes itself before it looks at the stacks, and this is on one before it looks for that note.
    if wait and _forking - {threading.get_ident()}:
        return None
    return (call(),)


def _before_fork() -> None:
    this = threading.get_ident()
    _forking.add(this)
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end and any(
        _is_importing(frame) for thread, frame in sys._current_frames().items() if thread != this
    ):
        time.sleep(_A_MOMENT)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is _made.__code__:
            return True
        frame = frame.f_back
    return False


def _after_fork_in_parent() -> None:
    _forking.discard(threading.get_ident())


if hasattr(os, "register_at_fork"):  # elsewhere nothing forks
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_forking.clear)
