"""Whether an exception comes from a signal's handler (an alarm, a time limit), and so says nothing of a value or file.

Python raises it wherever the main thread happens to be. So whoever makes an error of the store out of what others
raise (a value that misbehaves, a validator that refuses, a disk that fails) must not make one of this.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any


def is_from_a_signal(error: BaseException) -> bool:
    """Whether a handler of a signal, as they are installed now, has raised ``error``, or something it called has."""
    step = error.__traceback__
    if step is None or (step.tb_next is None and _is_under_way(step.tb_frame)):
        return False  # raised by whoever looks at it
    handlers = _handlers()
    while step is not None:
        if step.tb_frame.f_code in handlers:
            return True
        step = step.tb_next
    return False


def let_out(error: BaseException) -> None:
    """Raise what a signal's handler has raised, if ``error`` is that or was made of it; else return.

    What is no Exception (Ctrl-C, the end of the program) is raised too, whoever made an error of it: pydantic does.
    """
    for each in _parts(error):
        if not isinstance(each, Exception) or is_from_a_signal(each):
            raise each


def _parts(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was made of, and what pydantic has taken for the refusal of a value."""
    each: BaseException | None = error
    while each is not None:
        yield each
        yield from _refused(each)
        each = each.__cause__


def _refused(error: BaseException) -> Iterator[BaseException]:
    """What was raised while pydantic asked about values: it keeps each as the refusal of one."""
    kind = getattr(sys.modules.get("pydantic_core"), "ValidationError", None)  # not imported for this
    if kind is not None and isinstance(error, kind):
        for detail in error.errors(include_url=False):
            inside = detail.get("ctx", {}).get("error")
            if isinstance(inside, BaseException):
                yield inside


def _is_under_way(frame: FrameType) -> bool:
    """Whether one of the next callers of this is ``frame``: what a handler had is over when its error is looked at."""
    here: FrameType | None = sys._getframe(1)
    for _ in range(_NEAR):
        if here is None or here is frame:
            break
        here = here.f_back
    return here is frame


def _handlers() -> set[CodeType]:
    found = set()
    for number in _NUMBERS:
        handler = _handler_of(number)
        if not callable(handler):
            continue
        # A function, a partial one, or an object that is called.
        for each in (handler, getattr(handler, "func", None), vars(type(handler)).get("__call__")):
            code = getattr(each, "__code__", None)
            if isinstance(code, CodeType):
                found.add(code)
    return found


_NEAR = 4
_NUMBERS = tuple(map(int, signal.valid_signals()))
# The public one makes members of an enumeration: 300 microseconds for all signals, on the way of each refusal.
_handler_of: Callable[[int], Any] = getattr(sys.modules.get("_signal"), "getsignal", signal.getsignal)
