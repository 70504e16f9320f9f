"""What becomes of a run that is told to end: what it has started is ended, and what it has on disk is removed.

A Ctrl-C is an exception, which pytest handles. SIGTERM and SIGHUP end a process without a word, so they are caught; and
only where nobody else has: a handler of the user, or of pytest, stays.
"""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType

from pytest_tradestore import ahead, isolation, sandbox

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def tidy_when_terminated() -> Callable[[], None]:
    """Catch the signals that end this process and that nobody catches; return what undoes that."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    handler = partial(_end_tidily, os.getpid())
    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, handler)

    def undo() -> None:
        for number in ours:
            if signal.getsignal(number) is handler:
                signal.signal(number, signal.SIG_DFL)

    return undo


def end_on_signals() -> None:
    """Let this process, which was forked from one of ours, tidy up after itself when it is told to end."""
    for number in _SIGNALS:
        signal.signal(number, partial(_end_tidily, os.getpid()))


def _end_tidily(owner: int, number: int, _frame: FrameType | None) -> None:
    """Tidy up and end as the signal ends a process; in a process that was forked from the owner, only end."""
    signal.signal(number, signal.SIG_DFL)
    try:
        if os.getpid() == owner:
            ahead.end_running()
            isolation.end_running()
            sandbox.remove_open()
    finally:
        os.kill(os.getpid(), number)
