"""The number of a process that was killed, given to another one: systems use numbers again, containers very soon.

A store that takes a number in its lock for "the holder lives" is told so. What else there is to know of a process, when
it began above all, is that of the one which has the number now: who compares that is not deceived.
"""

import _thread
import functools
import os
import re
from typing import Any

from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.race.in_force import running

_ident = _thread.get_ident
_BY_PATH = frozenset("access listdir lstat open readlink scandir stat".split())  # noqa: SIM905 - reads better
_BY_NUMBER = ("getpgid", "getsid", "kill", "pidfd_open")
_PROC = re.compile(r"/proc/(\d+)(/.*)?")


def install(patches: Patches) -> None:
    """Let questions by number be answered so."""
    for name in _BY_NUMBER:
        if hasattr(os, name):
            patches.replace(os, name, _by_number(getattr(os, name), name))


def wrapped(module: Any, name: str, stand_in: Any) -> Any:
    """Return what stands in for a function that takes a path, so that it finds what is told of the other process."""
    return _by_path(stand_in) if name in _BY_PATH and module.__name__ in ("os", "io", "builtins") else stand_in


def _by_number(original: Any, name: str) -> Any:
    def stand_in(number: int, /, *arguments: Any) -> Any:
        actor = running.get(_ident())
        if actor is None:
            return original(number, *arguments)
        numbers = actor.in_force.numbers
        numbers.asked = True
        try:
            return original(number, *arguments)
        except ProcessLookupError:
            heir = numbers.heir_of(number)
            if heir is None or (name == "kill" and arguments != (0,)):
                raise
            return original(heir, *arguments)

    stand_in.__name__ = stand_in.__qualname__ = name
    return stand_in


@functools.cache
def _by_path(original: Any) -> Any:
    @functools.wraps(original)
    def stand_in(*arguments: Any, **named: Any) -> Any:
        path = arguments[0] if arguments else None
        if isinstance(path, os.PathLike):
            path = os.fspath(path)
        actor = running.get(_ident())
        if type(path) is not str or not path.startswith("/proc/") or actor is None:
            return original(*arguments, **named)
        found = _PROC.fullmatch(path)
        if found is None:
            return original(*arguments, **named)
        numbers = actor.in_force.numbers
        numbers.asked = True
        heir = numbers.heir_of(int(found[1]))
        try:
            result = original(*arguments, **named)
        except FileNotFoundError:
            if heir is None:
                raise
        else:
            if result is not False or heir is None:
                return result
        return original(f"/proc/{heir}{found[2] or ''}", *arguments[1:], **named)

    return stand_in
