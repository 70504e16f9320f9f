"""Whether an exception comes from a signal's handler: an alarm or a time limit, that is nobody's value, file or disk.

Python raises it wherever the main thread happens to be. So whoever makes an error of the store out of what others
raise (a value that misbehaves, a validator that refuses, a disk that fails) must not make one of this.
"""

from __future__ import annotations

import signal
from types import CodeType


def is_from_a_signal(error: BaseException) -> bool:
    """Whether a handler of a signal, as they are installed now, has raised ``error``, or something it called has."""
    step = error.__traceback__
    handlers = _handlers()
    while step is not None:
        if step.tb_frame.f_code in handlers:
            return True
        step = step.tb_next
    return False


def let_out(error: BaseException) -> None:
    """Raise what a signal's handler has raised, if ``error`` is that or was made of it; else return."""
    cause: BaseException | None = error
    while cause is not None:
        if is_from_a_signal(cause):
            raise cause
        cause = cause.__cause__


def _handlers() -> set[CodeType]:
    found = set()
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        # A function, a partial one, or an object that is called.
        for each in (handler, getattr(handler, "func", None), vars(type(handler)).get("__call__")):
            code = getattr(each, "__code__", None)
            if isinstance(code, CodeType):
                found.add(code)
    return found
