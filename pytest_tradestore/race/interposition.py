"""Puts the switch points where a store's code looks: ``os``, ``io``, ``fcntl``, ``threading``, ``time``, and copies.

Done once per process, which is a child that ends with the search, so nothing is undone. A stand-in called from a
thread that is no actor does what the original does.
"""

import _thread
import asyncio
import builtins
import collections
import io
import os
import queue
import sys
import threading
import time
import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.origin import is_pythons
from pytest_tradestore.race import clocks, executors, fair_locks, file_locks, system_calls
from pytest_tradestore.race.actors import never
from pytest_tradestore.race.event_loop import new_loop
from pytest_tradestore.race.files import FileIOByActor, switching_open
from pytest_tradestore.race.in_force import Chance, running
from pytest_tradestore.race.locks import ControlledLock, ControlledRLock, Waiter, controlled_from

_ident = _thread.get_ident
_LEFT_ALONE = (
    "threading",
    "queue",
    "asyncio.",
    "concurrent.",
    "multiprocessing.",
    "logging",
    "importlib",
    "_pytest",
    "pytest",
)


StandInFor = Callable[[Any, str], Any]
"""Returns what is to stand in the place of a lock, by the name that a report calls it; None for anything else."""
Wrap = Callable[[Any, str, Any], Any]
"""Returns what is to stand in a module, under a name, for a stand-in: something that does a little more."""


class _Wrapping(Patches):
    """Puts wrapped stand-ins where the stand-ins were to go."""

    def __init__(self, wrap: Wrap) -> None:
        super().__init__()
        self._wrap = wrap

    def replace(self, module: Any, name: str, stand_in: Any) -> None:
        super().replace(module, name, self._wrap(module, name, stand_in))


def install(wrap: Wrap | None = None, also: Callable[[Patches], None] | None = None) -> None:
    """Make every switch point of this process; ``also`` replaces more."""
    patches = Patches() if wrap is None else _Wrapping(wrap)
    if also is not None:
        also(patches)
    system_calls.install(patches)
    patches.replace(os, "urandom", _urandom)
    patches.replace(io, "open", switching_open)
    patches.replace(builtins, "open", switching_open)
    patches.replace(io, "FileIO", FileIOByActor)
    if file_locks.fcntl is not None:
        patches.replace(file_locks.fcntl, "flock", file_locks.flock)
        patches.replace(file_locks.fcntl, "lockf", file_locks.lockf)
        patches.replace(file_locks.fcntl, "fcntl", file_locks.fcntl_call)
    _time(patches)
    _threads(patches)
    with suppress(ImportError):  # a Python without SQLite
        from pytest_tradestore.race import databases

        databases.install(patches)
    patches.support()
    patches.spread()
    _existing_locks(controlled_from, {_real_lock: ControlledLock, _real_rlock: ControlledRLock})


def is_installed() -> bool:
    """Say whether this process has its switch points already."""
    return threading.Lock is ControlledLock  # type: ignore[comparison-overlap]


def install_time_and_chance(of_all_threads: Chance | None = None) -> None:
    """Make no switch points but sleeping: for callers whose requests to a server are seen there.

    ``of_all_threads`` is what those threads draw, too, that are no caller; then locks are fair, besides.
    """
    patches = Patches()
    patches.replace(os, "urandom", _urandom if of_all_threads is None else of_all_threads.drawn)
    if of_all_threads is not None:
        fair_locks.install(patches)
    _time(patches)
    patches.spread()
    if of_all_threads is not None:
        _existing_locks(fair_locks.fair_from, {_real_lock: fair_locks.FairLock, _real_rlock: fair_locks.FairRLock})


def install_chance(chance: Chance) -> None:
    """Let this process, and those that are forked from it, draw these random numbers."""
    patches = Patches()
    patches.replace(os, "urandom", chance.drawn)
    patches.spread()


# Time and chance

_real_urandom = os.urandom


def _urandom(size: int, /) -> bytes:
    actor = running.get(_ident())
    return _real_urandom(size) if actor is None else actor.in_force.chance.drawn(size)


def _time(patches: Patches) -> None:
    sleep = time.sleep

    def virtual_sleep(seconds: float, /) -> None:
        actor = running.get(_ident())
        if actor is None or seconds < 0:
            return sleep(seconds)
        if seconds:
            actor.reach(f"sleep {seconds:g} s", never, actor.in_force.clock.after(seconds))
        else:
            actor.reach("sleep 0 s")
        return None

    patches.replace(time, "sleep", virtual_sleep)
    clocks.install(patches)


# Threads and their locks


def _threads(patches: Patches) -> None:
    patches.replace(threading, "Lock", ControlledLock)
    patches.replace(threading, "RLock", ControlledRLock)
    threading._allocate_lock = Waiter  # type: ignore[attr-defined] # used by Condition.wait alone
    patches.replace(queue, "SimpleQueue", queue._PySimpleQueue)  # type: ignore[attr-defined]
    executors.install()
    asyncio.DefaultEventLoopPolicy._loop_factory = staticmethod(new_loop)  # type: ignore[attr-defined]


def _existing_locks(stand_in_for: StandInFor, factories: dict[Any, Any]) -> None:
    """Let locks that a module or a class made when it was imported be replaced too, where nobody holds them."""
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType):
            continue
        name = str(getattr(module, "__name__", ""))
        path = getattr(module, "__file__", None)
        if not path or name.startswith(_LEFT_ALONE) or is_pythons(path):
            continue
        replaced = _Replaced(stand_in_for, factories)
        for key, value in _that_may_hold_locks(module):
            replaced.lock(module, key, value, name)
            if isinstance(value, type) and value.__module__ == name:
                for attribute, member in _that_may_hold_locks(value):
                    replaced.lock(value, attribute, member, f"{name.rpartition('.')[2]}.{key}")


_HOLD_NONE = frozenset(
    {
        types.FunctionType,
        types.BuiltinFunctionType,
        types.ModuleType,
        types.NoneType,
        property,
        staticmethod,
        classmethod,
    }
    | {types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType, types.MethodDescriptorType}
    | {str, bytes, int, bool, float, tuple, frozenset, property, staticmethod, classmethod}
)
"""What nearly everything is that modules and classes have: there may be a hundred thousand of these in a process."""


def _that_may_hold_locks(owner: ModuleType | type) -> list[tuple[str, Any]]:
    """Return the attributes of a module or class that may be, make or hold locks."""
    attributes = list(vars(owner).items())
    return [(key, value) for key, value in attributes if type(value) not in _HOLD_NONE and key != "__builtins__"]


@dataclass(frozen=True, slots=True)
class _Replaced:
    """Puts stand-ins in the place of locks that there are."""

    stand_in_for: StandInFor
    factories: dict[Any, Any]

    def lock(self, owner: Any, key: str, value: Any, prefix: str) -> None:
        """Replace what is a lock, or is made of one, or makes or holds them."""
        if isinstance(value, collections.defaultdict):
            factory: Any = value.default_factory
            stand_in: Any = self.factories.get(factory)
            if stand_in is not None:
                value.default_factory = stand_in
            return
        called = f"{prefix.rpartition('.')[2]}.{key}"
        if isinstance(value, threading.Condition | threading.Semaphore | threading.Event):
            made_of: Any = value
            condition: Any = value if isinstance(value, threading.Condition) else made_of._cond
            inner = self.stand_in_for(condition._lock, called)
            if inner is not None:
                condition.__init__(inner)  # the object stays: others hold it too
        elif isinstance(value, dict):
            for entry, lock in [(entry, lock) for entry, lock in list(value.items()) if type(lock) in _LOCKS]:
                stand_in = self.stand_in_for(lock, called)
                if stand_in is not None:
                    value[entry] = stand_in
        else:
            stand_in = self.stand_in_for(value, called)
            if stand_in is not None:
                setattr(owner, key, stand_in)


_real_lock, _real_rlock = threading.Lock, threading.RLock
_LOCKS = (type(_thread.allocate_lock()), _thread.RLock)
