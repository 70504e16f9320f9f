"""The functions of ``os`` as switch points: each says what it is about to do, stops, and does the original."""

import _thread
import os
from collections.abc import Callable
from typing import Any

from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.race import listings
from pytest_tradestore.race.files import content, content_of, content_of_number, is_there, stamp_directory_of
from pytest_tradestore.race.in_force import running

_ident = _thread.get_ident
_OF_ONE_PATH = (
    "access chmod chown getxattr lchmod lchown listxattr lstat mkdir mknod readlink remove removexattr rmdir "  # noqa: SIM905 - reads better
    "setxattr stat statvfs truncate unlink utime".split()
)
_OF_TWO_PATHS = ("link", "rename", "replace", "symlink")
_MOVING = ("rename", "replace")
_OF_A_NUMBER = (
    "fchmod fchown fdatasync fstat fsync ftruncate lockf posix_fallocate pread preadv pwrite pwritev read readinto "  # noqa: SIM905 - as above
    "readv write writev".split()
)
_OF_TWO_NUMBERS = {"copy_file_range": 1, "sendfile": 0}
"""Which of the two is written to."""
_OF_DIRECTORIES = frozenset("mkdir mknod remove rmdir unlink".split())  # noqa: SIM905 - as above
"""What gives or takes a name in the directory of the path."""
_DATING = ("mkdir", "mknod", "truncate", "utime")
_READS = ("pread", "read")
_WRITES = ("ftruncate", "pwrite", "pwritev", "truncate", "write", "writev")


def install(patches: Patches) -> None:
    """Put the stand-ins into ``os``."""
    for name in _OF_ONE_PATH:
        _stand_in(patches, name, _of_one_path)
    listings.install(patches)
    for name in _OF_TWO_PATHS:
        _stand_in(patches, name, _of_two_paths)
    for name in _OF_A_NUMBER:
        _stand_in(patches, name, _of_a_number)
    for name in _OF_TWO_NUMBERS:
        _stand_in(patches, name, _of_two_numbers)
    patches.replace(os, "open", _opening(os.open))
    patches.replace(os, "close", _closing(os.close))
    patches.replace(os, "dup", _duplicating(os.dup))


def _stand_in(patches: Patches, name: str, make: Callable[[Any, str], Any]) -> None:
    original = getattr(os, name, None)
    if original is not None:
        made = make(original, name)
        made.__name__ = made.__qualname__ = name
        made.__doc__ = original.__doc__
        patches.replace(os, name, made)


def _of_one_path(original: Any, name: str) -> Any:
    dates, writes, names = name in _DATING, name in _WRITES, name in _OF_DIRECTORIES

    def stand_in(*arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is not None:
            path = arguments[0] if arguments else named.get("path", ".")
            called = actor.in_force.names.name(path)
            if called is not None:
                actor.reach(f"{name} {called}")
                result = original(*arguments, **named)
                if dates and (name != "utime" or (len(arguments) < 2 and not named)):
                    actor.in_force.clock.stamp(path, named.get("dir_fd"))
                if names:
                    stamp_directory_of(path, actor.in_force.clock, named.get("dir_fd"))
                if writes and actor.watched:
                    actor.did(content_of(path))
                return result
        return original(*arguments, **named)

    return stand_in


def _of_two_paths(original: Any, name: str) -> Any:
    def stand_in(*arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is None or len(arguments) < 2:
            if actor is None:
                return original(*arguments, **named)
            actor.reach(f"{name} {actor.in_force.names.name(named.get('dst'))}")
            result = original(*arguments, **named)
            stamp_directory_of(named.get("dst"), actor.in_force.clock, named.get("dir_fd", named.get("dst_dir_fd")))
            return result
        source, target = arguments[:2]
        names, clock = actor.in_force.names, actor.in_force.clock
        actor.reach(f"{name} {names.name(source)} -> {names.name(target)}")
        result = original(*arguments, **named)
        stamp_directory_of(target, clock, named.get("dir_fd", named.get("dst_dir_fd")))
        if name in _MOVING:
            stamp_directory_of(source, clock, named.get("src_dir_fd"))
        if actor.watched and name != "symlink" and not named:
            actor.did(content_of(target))
        return result

    return stand_in


def _of_a_number(original: Any, name: str) -> Any:
    dates, writes, reads = name in _WRITES or name == "posix_fallocate", name in _WRITES, name in _READS

    def stand_in(fd: Any, /, *arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is None:
            return original(fd, *arguments, **named)
        number = fd if isinstance(fd, int) else fd.fileno()
        actor.reach(f"{name} {actor.in_force.names.name(number)}")
        result = original(fd, *arguments, **named)
        if dates:
            actor.in_force.clock.stamp(number)
        if actor.watched:
            if reads:
                actor.did(content(result))
            elif writes:
                actor.did(content_of_number(number))
        return result

    return stand_in


def _of_two_numbers(original: Any, name: str) -> Any:
    def stand_in(first: int, second: int, /, *arguments: Any, **named: Any) -> Any:
        actor = running.get(_ident())
        if actor is not None:
            names = actor.in_force.names
            actor.reach(f"{name} {names.name(first)}, {names.name(second)}")
        result = original(first, second, *arguments, **named)
        if actor is not None:
            actor.in_force.clock.stamp((first, second)[_OF_TWO_NUMBERS[name]])
        return result

    return stand_in


def _opening(original: Any) -> Any:
    def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:  # noqa: A001 - as in os
        actor = running.get(_ident())
        if actor is None:
            return int(original(path, flags, mode, dir_fd=dir_fd))
        names, clock = actor.in_force.names, actor.in_force.clock
        called = names.name(path)
        if called is not None:
            kind = "open" if not flags & (os.O_CREAT | os.O_TRUNC) else "create" if flags & os.O_CREAT else "truncate"
            exclusive = " exclusively" if flags & os.O_CREAT and flags & os.O_EXCL else ""
            actor.reach(f"{kind} {called}{exclusive}")
        made = bool(flags & os.O_CREAT) and called is not None and (flags & os.O_EXCL or not is_there(path, dir_fd))
        number = int(original(path, flags, mode, dir_fd=dir_fd))
        names.of_number[number] = called or "a file"
        if made or flags & os.O_TRUNC:
            clock.stamp(number)
        if made:
            stamp_directory_of(path, clock, dir_fd)
        return number

    return open


def _closing(original: Any) -> Any:
    def close(fd: int) -> None:
        original(fd)
        actor = running.get(_ident())
        if actor is not None:
            actor.in_force.names.of_number.pop(fd, None)
            actor.in_force.flocks.closed(fd)

    return close


def _duplicating(original: Any) -> Any:
    def dup(fd: int, /) -> int:
        number = int(original(fd))
        actor = running.get(_ident())
        if actor is not None:
            of_number = actor.in_force.names.of_number
            of_number[number] = of_number.get(fd, "a file")
            actor.in_force.flocks.loose = True
        return number

    return dup
