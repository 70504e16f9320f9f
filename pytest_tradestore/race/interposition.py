"""Puts the switch points where a store's code looks: ``os``, ``io``, ``fcntl``, ``threading``, ``time``, and copies.

Done once per process, which is a child that ends with the search, so nothing is undone. A stand-in called from a
thread that is no actor does what the original does.
"""

import _thread
import asyncio
import builtins
import collections
import hashlib
import io
import itertools
import os
import queue
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.race import executors, file_locks
from pytest_tradestore.race.actors import running
from pytest_tradestore.race.clock import CLOCK
from pytest_tradestore.race.event_loop import new_loop
from pytest_tradestore.race.file_locks import FLOCKS
from pytest_tradestore.race.files import FileIOByActor, content, content_of, content_of_number, switching_open
from pytest_tradestore.race.locks import ControlledLock, ControlledRLock, Waiter, controlled_from
from pytest_tradestore.race.paths import NAMES
from pytest_tradestore.race.threads import never

_ident = _thread.get_ident
_OF_ONE_PATH = (
    "access chmod chown getxattr lchmod lchown listdir listxattr lstat mkdir mknod readlink remove removexattr rmdir "  # noqa: SIM905 - reads better
    "scandir setxattr stat statvfs truncate unlink utime".split()
)
_OF_TWO_PATHS = ("link", "rename", "replace", "symlink")
_OF_A_NUMBER = (
    "fchmod fchown fdatasync fstat fsync ftruncate lockf posix_fallocate pread preadv pwrite pwritev read readinto "  # noqa: SIM905 - as above
    "readv write writev".split()
)
_OF_TWO_NUMBERS = ("copy_file_range", "sendfile")
_READS, _WRITES = ("pread", "read"), ("ftruncate", "pwrite", "pwritev", "truncate", "write", "writev")
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


def install() -> None:
    """Make every switch point of this process."""
    patches = Patches()
    for name in _OF_ONE_PATH:
        _stand_in(patches, name, _of_one_path)
    for name in _OF_TWO_PATHS:
        _stand_in(patches, name, _of_two_paths)
    for name in _OF_A_NUMBER:
        _stand_in(patches, name, _of_a_number)
    for name in _OF_TWO_NUMBERS:
        _stand_in(patches, name, _of_two_numbers)
    patches.replace(os, "open", _opening(os.open))
    patches.replace(os, "close", _closing(os.close))
    patches.replace(os, "dup", _duplicating(os.dup))
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
    patches.support()
    patches.spread()
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            _existing_locks(module)


def begin(root: str) -> None:
    """Start an execution: with its root, its clock, and the same random numbers as any other execution."""
    NAMES.begin(root)
    FLOCKS.begin()
    CLOCK.restart()
    random.seed(0)
    _draws[0] = itertools.count()
    tempfile._name_sequence = _temporary_names()  # type: ignore[attr-defined]


# The file system


def _stand_in(patches: Patches, name: str, make: Callable[[Any, str], Any]) -> None:
    original = getattr(os, name, None)
    if original is not None:
        made = make(original, name)
        made.__name__ = made.__qualname__ = name
        made.__doc__ = original.__doc__
        patches.replace(os, name, made)


def _of_one_path(original: Any, name: str) -> Any:
    def stand_in(*arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is not None:
            path = arguments[0] if arguments else named.get("path", ".")
            called = NAMES.name(path)
            if called is not None:
                actor.reach(f"{name} {called}")
                result = original(*arguments, **named)
                if actor.watched and name in _WRITES:
                    actor.did(content_of(path))
                return result
        return original(*arguments, **named)

    return stand_in


def _of_two_paths(original: Any, name: str) -> Any:
    def stand_in(*arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is None or len(arguments) < 2:
            if actor is not None:
                actor.reach(f"{name} {NAMES.name(named.get('dst'))}")
            return original(*arguments, **named)
        source, target = arguments[:2]
        actor.reach(f"{name} {NAMES.name(source)} -> {NAMES.name(target)}")
        result = original(*arguments, **named)
        if actor.watched and name != "symlink" and not named:
            actor.did(content_of(target))
        return result

    return stand_in


def _of_a_number(original: Any, name: str) -> Any:
    def stand_in(fd: Any, /, *arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is None:
            return original(fd, *arguments, **named)
        number = fd if isinstance(fd, int) else fd.fileno()
        actor.reach(f"{name} {NAMES.name(number)}")
        result = original(fd, *arguments, **named)
        if actor.watched and name in _READS:
            actor.did(content(result))
        elif actor.watched and name in _WRITES:
            actor.did(content_of_number(number))
        return result

    return stand_in


def _of_two_numbers(original: Any, name: str) -> Any:
    def stand_in(first: int, second: int, /, *arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is not None:
            actor.reach(f"{name} {NAMES.name(first)}, {NAMES.name(second)}")
        return original(first, second, *arguments, **named)

    return stand_in


def _opening(original: Any) -> Any:
    def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:  # noqa: A001 - as in os
        actor = running.get(_ident())
        if actor is None:
            return int(original(path, flags, mode, dir_fd=dir_fd))
        called = NAMES.name(path)
        if called is not None:
            kind = "open" if not flags & (os.O_CREAT | os.O_TRUNC) else "create" if flags & os.O_CREAT else "truncate"
            exclusive = " exclusively" if flags & os.O_CREAT and flags & os.O_EXCL else ""
            actor.reach(f"{kind} {called}{exclusive}")
        number = int(original(path, flags, mode, dir_fd=dir_fd))
        NAMES.of_number[number] = called or "a file"
        return number

    return open


def _closing(original: Any) -> Any:
    def close(fd: int) -> None:
        original(fd)
        if running.get(_ident()) is not None:
            NAMES.of_number.pop(fd, None)
            FLOCKS.closed(fd)

    return close


def _duplicating(original: Any) -> Any:
    def dup(fd: int, /) -> int:
        number = int(original(fd))
        NAMES.of_number[number] = NAMES.of_number.get(fd, "a file")
        return number

    return dup


# Time and chance

_draws: list[Iterator[int]] = [itertools.count()]
_real_urandom = os.urandom


def _urandom(size: int, /) -> bytes:
    if _ident() not in running:
        return _real_urandom(size)
    seed = b"%d" % next(_draws[0])
    return hashlib.shake_128(seed).digest(size)


def _temporary_names() -> Iterator[str]:
    return (f"{number:08d}" for number in itertools.count(1))


def _time(patches: Patches) -> None:
    sleep = time.sleep

    def virtual_sleep(seconds: float, /) -> None:
        actor = running.get(_ident())
        if actor is None or seconds < 0:
            return sleep(seconds)
        if seconds:
            actor.reach(f"sleep {seconds:g} s", never, CLOCK.now + seconds)
        else:
            actor.reach("sleep 0 s")
        return None

    patches.replace(time, "sleep", virtual_sleep)
    for name, virtual in (("time", CLOCK.wall), ("monotonic", CLOCK.steady), ("perf_counter", CLOCK.steady)):
        patches.replace(time, name, _virtual(getattr(time, name), virtual, 1))
        patches.replace(time, f"{name}_ns", _virtual(getattr(time, f"{name}_ns"), virtual, 1_000_000_000))


def _virtual(original: Any, virtual: Callable[[], float], unit: int) -> Any:
    def now() -> Any:
        if _ident() not in running:
            return original()
        return virtual() if unit == 1 else int(virtual() * unit)

    return now


# Threads and their locks


def _threads(patches: Patches) -> None:
    patches.replace(threading, "Lock", ControlledLock)
    patches.replace(threading, "RLock", ControlledRLock)
    threading._allocate_lock = Waiter  # type: ignore[attr-defined] # used by Condition.wait alone
    patches.replace(queue, "SimpleQueue", queue._PySimpleQueue)  # type: ignore[attr-defined]
    executors.install()
    asyncio.DefaultEventLoopPolicy._loop_factory = staticmethod(new_loop)  # type: ignore[attr-defined]


def _existing_locks(module: ModuleType) -> None:
    """Let locks that a module or a class made when it was imported be controlled too, where nobody holds them."""
    name = str(getattr(module, "__name__", ""))
    path = getattr(module, "__file__", None)
    if not path or name.startswith(_LEFT_ALONE) or (path.startswith(_STANDARD) and "site-packages" not in path):
        return
    for key, value in list(vars(module).items()):
        _replace_lock(module, key, value, name)
        if isinstance(value, type) and value.__module__ == name:
            for attribute, member in list(vars(value).items()):
                _replace_lock(value, attribute, member, f"{name.rpartition('.')[2]}.{key}")


_STANDARD = os.path.dirname(os.__file__) + os.sep


def _replace_lock(owner: Any, key: str, value: Any, prefix: str) -> None:
    if isinstance(value, collections.defaultdict):
        stand_in: Any = {_real_lock: ControlledLock, _real_rlock: ControlledRLock}.get(value.default_factory)
        if stand_in is not None:
            value.default_factory = stand_in
        return
    called = f"{prefix.rpartition('.')[2]}.{key}"
    if isinstance(value, threading.Condition | threading.Semaphore | threading.Event):
        condition = value if isinstance(value, threading.Condition) else value._cond  # type: ignore[union-attr]
        inner = controlled_from(condition._lock, called)  # type: ignore[attr-defined]
        if inner is not None:
            condition.__init__(inner)  # type: ignore[misc]
    elif isinstance(value, dict):
        for entry, lock in list(value.items()):
            stand_in = controlled_from(lock, called)
            if stand_in is not None:
                value[entry] = stand_in
    else:
        stand_in = controlled_from(value, called)
        if stand_in is not None:
            setattr(owner, key, stand_in)


_real_lock, _real_rlock = threading.Lock, threading.RLock
