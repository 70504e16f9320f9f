"""The process that decides about the calls of another one, and the other one's way to tell it what to do.

Orders go through memory that both share and a call that can have no other meaning, so that giving one needs none of
the calls that are being decided about.
"""

import contextlib
import mmap
import os
import pickle
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from pytest_tradestore.faults import seccomp
from pytest_tradestore.faults.calls import Call, CallKind, Decision, Fault, FaultInjector, Watched, role_of
from pytest_tradestore.faults.seccomp import Notification

try:
    import fcntl
except ImportError:  # nothing here is used where there is none
    fcntl = None  # type: ignore[assignment] # as said above

_SIZE = 1 << 28
"""Bytes of address space for orders and answers; only what is touched takes memory."""
_LENGTH = struct.Struct("<Q")
_ARM, _DISARM, _DO = 0x7AD0001, 0x7AD0002, 0x7AD0003
_CWD = -100
_LONGEST_PATH = 4096
_EIO = 5
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_OF_LINUX = {"F_SETLK": 6, "F_SETLKW": 7, "F_OFD_SETLK": 37, "F_OFD_SETLKW": 38}
_LOCKS = {getattr(fcntl, name, number) for name, number in _OF_LINUX.items()}

_BY_NUMBER = {
    "read": (CallKind.READ, 0), "pread64": (CallKind.READ, 0), "readv": (CallKind.READ, 0),
    "preadv": (CallKind.READ, 0), "preadv2": (CallKind.READ, 0),
    "write": (CallKind.WRITE, 0), "pwrite64": (CallKind.WRITE, 0), "writev": (CallKind.WRITE, 0),
    "pwritev": (CallKind.WRITE, 0), "pwritev2": (CallKind.WRITE, 0), "sendfile": (CallKind.WRITE, 0),
    "copy_file_range": (CallKind.WRITE, 2), "fallocate": (CallKind.WRITE, 0),
    "fsync": (CallKind.SYNC, 0), "fdatasync": (CallKind.SYNC, 0), "syncfs": (CallKind.SYNC, 0),
    "ftruncate": (CallKind.TRUNCATE, 0), "getdents": (CallKind.LIST, 0), "getdents64": (CallKind.LIST, 0),
    "close": (CallKind.CLOSE, 0), "flock": (CallKind.LOCK, 0), "fcntl": (CallKind.LOCK, 0),
}  # fmt: skip
"""Calls on a descriptor: what they are, and which argument it is."""
_BY_PATH = {
    "truncate": (CallKind.TRUNCATE, None, 0), "rename": (CallKind.RENAME, None, 1),
    "renameat": (CallKind.RENAME, 2, 3), "renameat2": (CallKind.RENAME, 2, 3),
    "link": (CallKind.LINK, None, 1), "linkat": (CallKind.LINK, 2, 3),
    "symlink": (CallKind.LINK, None, 1), "symlinkat": (CallKind.LINK, 1, 2),
    "unlink": (CallKind.UNLINK, None, 0), "unlinkat": (CallKind.UNLINK, 0, 1), "rmdir": (CallKind.UNLINK, None, 0),
    "mkdir": (CallKind.MKDIR, None, 0), "mkdirat": (CallKind.MKDIR, 0, 1),
    "stat": (CallKind.STAT, None, 0), "lstat": (CallKind.STAT, None, 0), "newfstatat": (CallKind.STAT, 0, 1),
    "statx": (CallKind.STAT, 0, 1), "access": (CallKind.STAT, None, 0), "faccessat": (CallKind.STAT, 0, 1),
    "faccessat2": (CallKind.STAT, 0, 1),
}  # fmt: skip
"""Calls on a path: what they are, and which arguments are the directory and the path (of two the target)."""
_OPENING = {"open": (None, 0, 1), "openat": (0, 1, 2), "openat2": (0, 1, -1), "creat": (None, 0, -2)}


class Injector:
    """This process, with every call below a root decided about by a process beside it."""

    def __init__(self) -> None:
        """Start the deciding process and hand over the calls. Raises OSError where the system does not let us."""
        self._memory = mmap.mmap(-1, _SIZE)
        ours, theirs = socket.socketpair()
        between = os.fork()
        if between == 0:
            # Twice, so that what runs here is no child of the store's process: recorders look at those.
            if os.fork() == 0:
                _supervise(theirs, self._memory)
            os._exit(0)
        os.waitpid(between, 0)
        theirs.close()
        try:
            listener = seccomp.hand_over()
            socket.send_fds(ours, [b"!"], [listener])
            ours.recv(1)
            os.close(listener)
        finally:
            ours.close()

    def arm(self, root: str, fault: Fault | None) -> None:
        """Note every call below ``root`` from now on, and let ``fault`` happen."""
        seccomp.allow_looking()
        _put(self._memory, (root, os.path.realpath(root), fault))
        self._order(_ARM)

    def disarm(self) -> Watched:
        """Let every call happen again, and say what did."""
        self._order(_DISARM)
        found: Watched = _taken(self._memory)
        for number in found.unclosed:
            with contextlib.suppress(OSError):
                os.close(number)
        return found

    def apart(self, chore: Callable[..., Any], *arguments: Any) -> Any:
        """Let the deciding process do a chore: nobody is asked about its own calls. What it raises is raised."""
        _put(self._memory, (chore, arguments))
        self._order(_DO)
        done, found = _taken(self._memory)
        if not done:
            raise found
        return found

    @staticmethod
    def _order(code: int) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(-1, code)


def _put(memory: mmap.mmap, value: object) -> None:
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    _LENGTH.pack_into(memory, 0, len(data))
    memory[_LENGTH.size : _LENGTH.size + len(data)] = data


def _taken(memory: mmap.mmap) -> Any:
    (length,) = _LENGTH.unpack_from(memory, 0)
    return pickle.loads(memory[_LENGTH.size : _LENGTH.size + length])  # noqa: S301 - our own


def _supervise(channel: socket.socket, memory: mmap.mmap) -> None:
    status = 1
    try:
        kept = channel.fileno()
        os.closerange(3, kept)
        os.closerange(kept + 1, 4096)
        _, (listener, *_), _, _ = socket.recv_fds(channel, 1, 1)
        channel.send(b"!")
        _Supervisor(listener, memory).run()
        status = 0
    finally:
        os._exit(status)


class _Supervisor:
    def __init__(self, listener: int, memory: mmap.mmap) -> None:
        self.listener, self.memory = listener, memory
        self.memories = _Memories()
        self.referee: FaultInjector | None = None
        self.roots: tuple[str, ...] = ()
        self.dirty: set[str] = set()
        self.unclosed: list[int] = []

    def run(self) -> None:
        seccomp.wake_on_one_processor(self.listener)
        waiting = seccomp.Waiting(self.listener)
        while waiting.next():
            if self.referee is None and not waiting.is_order():
                waiting.let_happen()
                continue
            notification = waiting.notification()
            try:
                self._decide(notification, ordered=waiting.is_order())
            except OSError:  # its process has ended, or may not be looked at
                seccomp.answer(self.listener, notification)

    def _decide(self, notification: Notification, *, ordered: bool) -> None:
        if ordered:
            self.memories.look_at(notification.thread)
            self._obey(notification.arguments[1])
            seccomp.answer(self.listener, notification, error=9)
            return
        found = self._call(notification) if self.referee is not None else None
        if found is None or self.referee is None:
            seccomp.answer(self.listener, notification)
            return
        (kind, role, dirty), number = found
        call = Call(kind, role, dirty, notification.thread, time.time_ns())
        decision = self.referee.decide(call)
        if decision is Decision.HALF:
            self._half(notification)
        elif isinstance(decision, int):
            if kind is CallKind.CLOSE:
                self.unclosed.append(number)
            seccomp.answer(self.listener, notification, error=decision)
        else:
            seccomp.answer(self.listener, notification)

    def _obey(self, code: int) -> None:
        if code == _ARM:
            root, real, fault = _taken(self.memory)
            self.roots = tuple(dict.fromkeys((root, real)))
            self.referee = FaultInjector(root, fault)
            self.dirty.clear()
            self.unclosed.clear()
        elif code == _DISARM:
            referee, self.referee = self.referee, None
            calls = tuple(referee.calls[-5000:]) if referee else ()
            told = Watched(
                calls, referee.hits if referee else 0, bool(referee and referee.synced_since), tuple(self.unclosed)
            )
            _put(self.memory, told)
        elif code == _DO:
            chore, arguments = _taken(self.memory)
            try:
                _put(self.memory, (True, chore(*arguments)))
            except Exception as error:
                _put(self.memory, (False, error))

    def _role(self, path: str) -> str | None:
        for root in self.roots:
            if (role := role_of(path, root)) is not None:
                return role
        return None

    def _call(self, notification: Notification) -> tuple[tuple[CallKind, str, bool], int] | None:
        """Return what a call is (its kind, its file's role, whether it closes a dirty file) and its descriptor
        (-1 without one); None if it is nothing below the root."""
        name, thread, arguments = notification.name, notification.thread, notification.arguments
        if name in _BY_NUMBER:
            kind, position = _BY_NUMBER[name]
            if name in ("fcntl", "flock") and not self._takes_a_lock(notification):
                return None
            number = _signed(arguments[position])
            path = os.readlink(f"/proc/{thread}/fd/{number}")
            role = self._role(path)
            return None if role is None else (self._on_number(kind, role, path), number)
        if name in _OPENING:
            directory, position, flags_at = _OPENING[name]
            path = self._path(thread, None if directory is None else arguments[directory], arguments[position])
            role = self._role(path)
            if role is None:
                return None
            writing = self._flags(thread, arguments, flags_at) & _WRITING
            return (CallKind.CREATE if writing else CallKind.OPEN, role, False), -1
        if name in _BY_PATH:
            kind, at, position = _BY_PATH[name]
            path = self._path(thread, None if at is None else arguments[at], arguments[position])
            role = self._role(path) if path else None
            return None if role is None else ((kind, role, False), -1)
        return None

    def _on_number(self, kind: CallKind, role: str, path: str) -> tuple[CallKind, str, bool]:
        if kind is CallKind.WRITE:
            self.dirty.add(path)
        elif kind is CallKind.SYNC:
            self.dirty.discard(path)
        return kind, role, kind is CallKind.CLOSE and path in self.dirty

    def _path(self, thread: int, directory: int | None, address: int) -> str:
        text = self.memories.text(thread, address)
        if not text or text.startswith("/"):
            return os.path.normpath(text) if text else ""
        number = _CWD if directory is None else _signed(directory)
        base = os.readlink(f"/proc/{thread}/cwd" if number == _CWD else f"/proc/{thread}/fd/{number}")
        return os.path.normpath(os.path.join(base, text))

    def _flags(self, thread: int, arguments: tuple[int, ...], position: int) -> int:
        if position == -1:  # openat2: they stand first in a structure
            return int.from_bytes(self.memories.read(thread, arguments[2], 8), "little")
        return os.O_CREAT if position == -2 else arguments[position]

    def _takes_a_lock(self, notification: Notification) -> bool:
        """Say whether a call asks for a lock; giving one back cannot fail."""
        operation = notification.arguments[1]
        if notification.name == "flock":
            return not operation & fcntl.LOCK_UN
        if operation not in _LOCKS:
            return False
        kind = int.from_bytes(self.memories.read(notification.thread, notification.arguments[2], 2), "little")
        return kind != fcntl.F_UNLCK

    def _half(self, notification: Notification) -> None:
        """Do half of a write in the name of the one that asked for it."""
        name, thread, (number, address, count, offset, *_) = (
            notification.name,
            notification.thread,
            notification.arguments,
        )
        if name not in ("write", "pwrite64") or count < 2:
            seccomp.answer(self.listener, notification)
            return
        try:
            descriptor = seccomp.descriptor_of(_process_of(thread), _signed(number))
            try:
                data = self.memories.read(thread, address, count // 2)
                taken = os.write(descriptor, data) if name == "write" else os.pwrite(descriptor, data, offset)
            finally:
                os.close(descriptor)
        except OSError:
            seccomp.answer(self.listener, notification, error=_EIO)
            return
        seccomp.answer(self.listener, notification, value=taken)


def _signed(number: int) -> int:
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number & 0x80000000 else number


class _Memories:
    """Reads what calls point to. The thread that gives the orders is asked by a descriptor that stays open; others may
    be children that share its memory until they begin another program."""

    def __init__(self) -> None:
        self._thread = self._descriptor = -1

    def look_at(self, thread: int) -> None:
        """Keep the memory of this thread open, if that is let."""
        if thread == self._thread:
            return
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._thread = self._descriptor = -1
        with contextlib.suppress(OSError):
            self._descriptor, self._thread = os.open(f"/proc/{thread}/mem", os.O_RDONLY), thread

    def read(self, thread: int, address: int, length: int) -> bytes:
        """Return what is there, less of it where the memory ends. Raises OSError."""
        if thread == self._thread and (found := os.pread(self._descriptor, length, address)):
            return found
        descriptor = os.open(f"/proc/{thread}/mem", os.O_RDONLY)
        try:
            return os.pread(descriptor, length, address)
        finally:
            os.close(descriptor)

    def text(self, thread: int, address: int) -> str:
        """Return the path at an address; a page at a time, because what lies behind may not be there."""
        if not address:
            return ""
        found = b""
        while b"\0" not in found and len(found) < _LONGEST_PATH:
            here = address + len(found)
            piece = self.read(thread, here, 4096 - here % 4096)
            if not piece:
                break
            found += piece
        return os.fsdecode(found.partition(b"\0")[0])


def _process_of(thread: int) -> int:
    with open(f"/proc/{thread}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    return thread
