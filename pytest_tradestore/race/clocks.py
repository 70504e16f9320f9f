"""Every clock that a store can look at, as virtual time for actors: those of ``time`` and those of ``datetime``.

One that is left out is a clock of the real time among virtual ones: what a store does would depend on how quickly this
machine happens to do it, and a lease that is judged by it would never run out.
"""

import _thread
import ctypes
import datetime
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.in_force import running

_ident = _thread.get_ident
_OF_EACH = {
    "time": Clock.wall,
    "monotonic": Clock.steady,
    "perf_counter": Clock.steady,
    "process_time": Clock.worked,
    "thread_time": Clock.worked,
}
_BY_NUMBER = {
    "CLOCK_REALTIME": Clock.wall,
    "CLOCK_TAI": Clock.wall,
    "CLOCK_PROCESS_CPUTIME_ID": Clock.worked,
    "CLOCK_THREAD_CPUTIME_ID": Clock.worked,
}
"""What ``clock_gettime`` gives by the name of the clock; any other is one of those that are never set."""
_COARSE = {5: Clock.coarse} if sys.platform == "linux" else {}
"""That of CLOCK_REALTIME_COARSE, for which Python has no name: files are stamped with it."""
_NOW_BY_DEFAULT = {"ctime": 0, "gmtime": 0, "localtime": 0, "asctime": 0, "strftime": 1}
"""Functions that take the time that it is where none is given, and which argument that is."""
_TAKE_PARTS = ("asctime", "strftime")


def install(patches: Patches) -> None:
    """Let actors see the virtual time wherever they look."""
    for name, virtual in _OF_EACH.items():
        patches.replace(time, name, _virtual(getattr(time, name), virtual, 1))
        patches.replace(time, f"{name}_ns", _virtual(getattr(time, f"{name}_ns"), virtual, 1_000_000_000))
    for name, unit in (("clock_gettime", 1), ("clock_gettime_ns", 1_000_000_000)):
        if hasattr(time, name):
            patches.replace(time, name, _by_number(getattr(time, name), unit))
    localtime = time.localtime
    for name, at in _NOW_BY_DEFAULT.items():
        patches.replace(
            time, name, _now_by_default(getattr(time, name), at, localtime if name in _TAKE_PARTS else None)
        )
    _let_datetime_see_it()


def _in(unit: int, seconds: float) -> Any:
    return seconds if unit == 1 else round(seconds * 1_000_000) * (unit // 1_000_000)


def _virtual(original: Any, virtual: Callable[[Clock], float], unit: int) -> Any:
    def now() -> Any:
        actor = running.get(_ident())
        return original() if actor is None else _in(unit, virtual(actor.in_force.clock))

    return now


def _by_number(original: Any, unit: int) -> Any:
    known = {getattr(time, name): virtual for name, virtual in _BY_NUMBER.items() if hasattr(time, name)} | _COARSE

    def clock_gettime(clk_id: int, /) -> Any:
        real = original(clk_id)  # which says, too, that there is no such clock
        actor = running.get(_ident())
        return real if actor is None else _in(unit, known.get(clk_id, Clock.steady)(actor.in_force.clock))

    return clock_gettime


def _now_by_default(original: Any, at: int, parts: Callable[[float], Any] | None) -> Any:
    def stand_in(*arguments: Any) -> Any:
        left_out = len(arguments) == at or (len(arguments) == at + 1 and arguments[at] is None and parts is None)
        actor = running.get(_ident())
        if not left_out or actor is None:
            return original(*arguments)
        now = actor.in_force.clock.wall()
        return original(*arguments[:at], now if parts is None else parts(now))

    stand_in.__name__ = stand_in.__qualname__ = original.__name__
    return stand_in


def _let_datetime_see_it() -> None:
    """Let ``datetime.now`` and ``utcnow`` see it; ``today`` asks ``time.time``.

    The class stays what it is: others know its type, and records are made of it. So its methods are replaced in it.
    """
    kind = datetime.datetime
    now, utcnow = kind.__dict__["now"], kind.__dict__["utcnow"]

    def virtual_now(cls: Any, tz: Any = None) -> Any:
        actor = running.get(_ident())
        if actor is None:
            return now.__get__(None, cls)(tz)
        return cls.fromtimestamp(actor.in_force.clock.wall(), tz)

    def virtual_utcnow(cls: Any) -> Any:
        actor = running.get(_ident())
        if actor is None:
            return utcnow.__get__(None, cls)()
        return cls.fromtimestamp(actor.in_force.clock.wall(), datetime.UTC).replace(tzinfo=None)

    for name, method in (("now", virtual_now), ("utcnow", virtual_utcnow)):
        method.__name__, method.__qualname__ = name, f"datetime.{name}"
        # A class made in C refuses to be changed from Python; the dictionary behind its ``__dict__`` does not.
        behind = gc.get_referents(kind.__dict__)
        if behind and isinstance(behind[0], dict):
            behind[0][name] = classmethod(method)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
