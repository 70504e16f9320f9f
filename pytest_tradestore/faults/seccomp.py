"""System calls of this process handed to another one for a decision: the kernel's seccomp user notification.

Everything is seen, native libraries and threads included, and nothing is changed in the process but what was decided.
Linux on x86-64 and AArch64; no privileges. The filter stays for the life of the process: use one that ends.
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
from dataclasses import dataclass
from typing import Any

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_PIDFD = {"open": 434, "getfd": 438}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS: dict[str, dict[str, int]] = {
    "x86_64": {
        "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "lstat": 6, "pread64": 17, "pwrite64": 18,
        "readv": 19, "writev": 20, "access": 21, "sendfile": 40, "fcntl": 72, "flock": 73, "fsync": 74,
        "fdatasync": 75, "truncate": 76, "ftruncate": 77, "getdents": 78, "rename": 82, "mkdir": 83, "rmdir": 84,
        "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "getdents64": 217, "openat": 257, "mkdirat": 258,
        "newfstatat": 262, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "faccessat": 269,
        "fallocate": 285, "preadv": 295, "pwritev": 296, "syncfs": 306, "renameat2": 316, "copy_file_range": 326,
        "preadv2": 327, "pwritev2": 328, "statx": 332, "openat2": 437, "faccessat2": 439,
    },
    "aarch64": {
        "fcntl": 25, "flock": 32, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38,
        "truncate": 45, "ftruncate": 46, "fallocate": 47, "faccessat": 48, "openat": 56, "close": 57,
        "getdents64": 61, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68,
        "preadv": 69, "pwritev": 70, "sendfile": 71, "newfstatat": 79, "fsync": 82, "fdatasync": 83, "syncfs": 267,
        "renameat2": 276, "copy_file_range": 285, "preadv2": 286, "pwritev2": 287, "statx": 291, "openat2": 437,
        "faccessat2": 439,
    },
}  # fmt: skip

_PR_SET_NO_NEW_PRIVS, _PR_SET_PTRACER, _PR_SET_PDEATHSIG = 38, 0x59616D61, 1
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_NOTIFY, _ALLOW = 0x7FC00000, 0x7FFF0000
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_SECOND_ARGUMENT, _FOURTH_ARGUMENT = 24, 40
_EMPTY_PATH = 0x1000
_LOCKS = (6, 7, 37, 38)
"""What fcntl is asked for when it takes or gives back a lock: F_SETLK, F_SETLKW and the same for open files."""
_RECEIVE, _SEND, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104
_CONTINUE = 1
_NOTIFICATION = struct.Struct("<QIIiIQ6Q")
_RESPONSE = struct.Struct("<QqiI")
_ID = struct.Struct("<Q")
_NUMBER_AND_FIRST, _NUMBER_AT = struct.Struct("<i4x8xQ"), 16
"""The number of a call and its first argument, and where in a notification they stand."""
_RULE = struct.Struct("<HBBI")

libc: Any = ctypes.CDLL(None, use_errno=True) if hasattr(os, "fork") else None
"""The functions of the system, where it is one of those that have what is asked for here."""


class SeccompError(OSError):
    """The kernel does not let this process hand over its calls."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One system call that waits for a decision: who made it, its name and its six arguments."""

    id: int
    thread: int
    name: str
    arguments: tuple[int, ...]


def why_not() -> str | None:
    """Say in one sentence why calls cannot be handed over here, None when they probably can."""
    if sys.platform != "linux" or libc is None:
        return "injecting errors into system calls needs Linux"
    if platform.machine() not in _CALLS:
        return f"injecting errors into system calls is not there for {platform.machine()} processors"
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail", encoding="ascii") as file:
            return None if "user_notif" in file.read().split() else "the kernel has no seccomp user notification"
    except OSError:
        return "the kernel has no seccomp"


def names() -> dict[int, str]:
    """Return the names of the calls that are handed over, by number."""
    return {number: name for name, number in _CALLS[platform.machine()].items()}


def hand_over() -> int:
    """Hand over the calls of this thread, and of all that it starts, from now on; return the listening descriptor.

    Nobody answers yet: this process must not make any of these calls before the descriptor is in other hands.
    Raises SeccompError.
    """
    machine = platform.machine()
    rules = _filter(_CALLS[machine], _ARCHITECTURE[machine])
    code = ctypes.create_string_buffer(b"".join(rules))
    program = struct.pack("<HxxxxxxQ", len(rules), ctypes.addressof(code))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise _last_error("no_new_privs was refused")
    descriptor = libc.syscall(_SECCOMP[machine], _SET_MODE_FILTER, _NEW_LISTENER, ctypes.c_char_p(program))
    if descriptor < 0:
        raise _last_error("the filter was refused")
    return int(descriptor)


def _filter(calls: dict[str, int], architecture: int) -> list[bytes]:
    """Return the program that the kernel runs at each call: which of them another process is asked about.

    Asking costs far more than the call. So descriptors that are only looked at or copied (fcntl, fstat) are left alone
    here already, and only locks and looks by a path are asked about.
    """
    plain = [number for name, number in sorted(calls.items()) if name not in ("fcntl", "newfstatat")]
    locks = [
        _RULE.pack(_LOAD, 0, 0, _SECOND_ARGUMENT),
        *(_RULE.pack(_JUMP_IF_EQUAL, len(_LOCKS) - index + 3, 0, lock) for index, lock in enumerate(_LOCKS)),
        _RULE.pack(_RETURN, 0, 0, _ALLOW),
    ]
    looks = [
        _RULE.pack(_LOAD, 0, 0, _FOURTH_ARGUMENT),
        _RULE.pack(_JUMP_IF_SET, 0, 1, _EMPTY_PATH),
        _RULE.pack(_RETURN, 0, 0, _ALLOW),
    ]
    head = 3 + len(plain) + 3
    ask = head + len(locks) + len(looks)
    rules = [
        _RULE.pack(_LOAD, 0, 0, 4),
        _RULE.pack(_JUMP_IF_EQUAL, 0, head - 3, architecture),
        _RULE.pack(_LOAD, 0, 0, 0),
    ]
    rules += [_RULE.pack(_JUMP_IF_EQUAL, ask - 4 - index, 0, number) for index, number in enumerate(plain)]
    rules += [
        _RULE.pack(_JUMP_IF_EQUAL, 2, 0, calls["fcntl"]),
        _RULE.pack(_JUMP_IF_EQUAL, 1 + len(locks), 0, calls["newfstatat"]),
        _RULE.pack(_RETURN, 0, 0, _ALLOW),
    ]
    return [*rules, *locks, *looks, _RULE.pack(_RETURN, 0, 0, _NOTIFY)]


def wake_on_one_processor(listener: int) -> None:
    """Let whoever asks and whoever decides take turns on one processor: twice as fast, from Linux 6.6 on."""
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.ioctl(listener, _SET_FLAGS, 1)


class Waiting:
    """The call that waits for a decision, one at a time: looked at no closer than it must be.

    Most of them are let happen at once, by the ten thousand, so that what is asked of each of them counts.
    """

    def __init__(self, listener: int) -> None:
        import fcntl
        import select

        self._listener = listener
        self._known = names()
        self._truncating = next(number for number, name in self._known.items() if name == "ftruncate")
        self._ioctl = fcntl.ioctl
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self._over = select.POLLHUP | select.POLLERR
        self._buffer, self._clean = bytearray(_NOTIFICATION.size), bytes(_NOTIFICATION.size)
        self._answer = bytearray(_RESPONSE.size)

    def next(self) -> bool:
        """Wait for the next call; False when there is nobody any more who could make one."""
        while True:
            for _, event in self._poll.poll():
                if event & self._over:
                    return False
            self._buffer[:] = self._clean
            with contextlib.suppress(OSError):  # it was over before it could be looked at
                self._ioctl(self._listener, _RECEIVE, self._buffer)
                return True

    def is_order(self) -> bool:
        """Say whether it is the call that can have no other meaning than an order: a descriptor -1 made shorter."""
        number, argument = _NUMBER_AND_FIRST.unpack_from(self._buffer, _NUMBER_AT)
        return bool(number == self._truncating and argument & 0xFFFFFFFF == 0xFFFFFFFF)

    def notification(self) -> Notification:
        """Return all that is known of it."""
        found, thread, _, number, _, _, *arguments = _NOTIFICATION.unpack(self._buffer)
        return Notification(found, thread, self._known.get(number, ""), tuple(arguments))

    def let_happen(self) -> None:
        """Let it happen."""
        _RESPONSE.pack_into(self._answer, 0, _ID.unpack_from(self._buffer)[0], 0, 0, _CONTINUE)
        with contextlib.suppress(OSError):  # its process has ended meanwhile
            self._ioctl(self._listener, _SEND, self._answer)


def answer(listener: int, notification: Notification, *, error: int = 0, value: int | None = None) -> None:
    """Let the call happen, or end it with ``error`` or with the result ``value``."""
    import fcntl

    flags = _CONTINUE if not error and value is None else 0
    with contextlib.suppress(OSError):  # its process has ended meanwhile
        fcntl.ioctl(listener, _SEND, _RESPONSE.pack(notification.id, value or 0, -error, flags))


def allow_looking() -> None:
    """Let other processes of this user read the arguments of our calls where the Yama module restricts that."""
    libc.prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1 & 0xFFFFFFFFFFFFFFFF), 0, 0, 0)


def end_with_parent() -> None:
    """Let the kernel end this process when its parent ends."""
    import signal

    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def descriptor_of(process: int, number: int) -> int:
    """Return a descriptor of the same open file that ``number`` is in another process. Raises OSError."""
    handle = libc.syscall(_PIDFD["open"], process, 0)
    if handle < 0:
        raise _last_error("pidfd_open")
    try:
        found = libc.syscall(_PIDFD["getfd"], handle, number, 0)
        if found < 0:
            raise _last_error("pidfd_getfd")
        return int(found)
    finally:
        os.close(handle)


def _last_error(what: str) -> SeccompError:
    number = ctypes.get_errno()
    return SeccompError(number, f"{what}: {os.strerror(number)}")
