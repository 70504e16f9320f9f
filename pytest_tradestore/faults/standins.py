"""Errors where the system cannot be asked to refuse: stand-ins for Python's own functions, on any operating system.

What native libraries do by themselves is not seen. Done once per process, which is a child that ends with the trials,
so nothing is undone.
"""

import builtins
import io
import os
import threading
from collections.abc import Callable
from typing import Any

from pytest_tradestore.crash.recorders.buffering import checked, over
from pytest_tradestore.crash.recorders.fake_patches import Patches
from pytest_tradestore.faults.calls import Call, CallKind, Decision, Fault, FaultInjector, Watched, role_of

_OF_A_PATH = {
    "stat": CallKind.STAT,
    "lstat": CallKind.STAT,
    "unlink": CallKind.UNLINK,
    "remove": CallKind.UNLINK,
    "rmdir": CallKind.UNLINK,
    "mkdir": CallKind.MKDIR,
    "listdir": CallKind.LIST,
    "scandir": CallKind.LIST,
    "truncate": CallKind.TRUNCATE,
}
_OF_TWO_PATHS = {
    "rename": CallKind.RENAME,
    "replace": CallKind.RENAME,
    "link": CallKind.LINK,
    "symlink": CallKind.LINK,
}
_OF_A_NUMBER = {
    "fsync": CallKind.SYNC,
    "fdatasync": CallKind.SYNC,
    "ftruncate": CallKind.TRUNCATE,
    "read": CallKind.READ,
    "pread": CallKind.READ,
    "readv": CallKind.READ,
    "preadv": CallKind.READ,
    "write": CallKind.WRITE,
    "pwrite": CallKind.WRITE,
    "writev": CallKind.WRITE,
    "pwritev": CallKind.WRITE,
}
_HALVED = ("write", "pwrite")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class StandIns:
    """This process, with every call of Python's below a root decided about."""

    def __init__(self) -> None:
        self._referee: FaultInjector | None = None
        self._roots: tuple[str, ...] = ()
        self._paths: dict[int, str] = {}
        self._dirty: set[str] = set()
        self._install()

    def arm(self, root: str, fault: Fault | None) -> None:
        """Note every call below ``root`` from now on, and let ``fault`` happen."""
        real = os.path.realpath(root)
        self._dirty.clear()
        self._roots = tuple(dict.fromkeys((root, real)))
        self._referee = FaultInjector(root, fault)

    def disarm(self) -> Watched:
        """Let every call happen again, and say what did."""
        referee, self._referee = self._referee, None
        assert referee is not None
        return Watched(tuple(referee.calls), referee.hits, referee.synced_since, ())

    def apart(self, chore: Callable[..., Any], *arguments: Any) -> Any:
        """Do a chore of ours; nothing is decided about until somebody arms this again."""
        return chore(*arguments)

    def ask(self, kind: CallKind, path: str | None) -> Decision:
        """Raise OSError when a call is to fail, or say whether it happens as a whole."""
        referee = self._referee
        if referee is None or path is None:
            return Decision.HAPPENS
        role = next((role for root in self._roots if (role := role_of(path, root)) is not None), None)
        if role is None:
            return Decision.HAPPENS
        dirty = kind is CallKind.CLOSE and path in self._dirty
        if kind is CallKind.WRITE:
            self._dirty.add(path)
        elif kind is CallKind.SYNC:
            self._dirty.discard(path)
        decision = referee.decide(Call(kind, role, dirty, threading.get_native_id()))
        if isinstance(decision, int):
            raise OSError(decision, os.strerror(decision), path)
        return decision

    def path_of(self, number: int) -> str | None:
        """Return the path that a descriptor was opened by."""
        return self._paths.get(number)

    def opened(self, number: int, path: str | None) -> None:
        """Note by which path a descriptor was opened."""
        if path is None:
            self._paths.pop(number, None)
        else:
            self._paths[number] = path

    def place(self, path: Any, directory: int | None = None) -> str | None:
        """Return a path as the system would take it, a descriptor by the path that it was opened by."""
        if isinstance(path, int):
            return self.path_of(path)
        try:
            text = os.fsdecode(path)
        except TypeError:
            return None
        if directory is not None and not os.path.isabs(text):
            text = os.path.join(self.path_of(directory) or "", text)
        return os.path.abspath(text)

    # The stand-ins

    def _install(self) -> None:
        patches = Patches()
        for name, kind in _OF_A_PATH.items():
            self._replace(patches, name, self._of_a_path(getattr(os, name, None), kind))
        for name, kind in _OF_TWO_PATHS.items():
            self._replace(patches, name, self._of_two_paths(getattr(os, name, None), kind))
        for name, kind in _OF_A_NUMBER.items():
            self._replace(patches, name, self._of_a_number(getattr(os, name, None), kind, halved=name in _HALVED))
        self._replace(patches, "open", self._opening(os.open))
        self._replace(patches, "close", self._closing(os.close))
        refusable = opening(self, io.open)
        patches.replace(io, "open", refusable)
        patches.replace(builtins, "open", refusable)
        self._locks(patches)
        patches.support()
        patches.spread()

    @staticmethod
    def _replace(patches: Patches, name: str, stand_in: Any) -> None:
        if hasattr(os, name):
            stand_in.__name__ = stand_in.__qualname__ = name
            patches.replace(os, name, stand_in)

    def _of_a_path(self, original: Any, kind: CallKind) -> Callable[..., Any]:
        def stand_in(*arguments: Any, **named: Any) -> Any:
            path = arguments[0] if arguments else named.get("path", ".")
            self.ask(kind, self.place(path, named.get("dir_fd")))
            return original(*arguments, **named)

        return stand_in

    def _of_two_paths(self, original: Any, kind: CallKind) -> Callable[..., Any]:
        def stand_in(*arguments: Any, **named: Any) -> Any:
            target = arguments[1] if len(arguments) > 1 else named.get("dst")
            self.ask(kind, self.place(target, named.get("dst_dir_fd", named.get("dir_fd"))))
            return original(*arguments, **named)

        return stand_in

    def _of_a_number(self, original: Any, kind: CallKind, *, halved: bool) -> Callable[..., Any]:
        def stand_in(fd: Any, /, *arguments: Any, **named: Any) -> Any:
            number = fd if isinstance(fd, int) else fd.fileno()
            half = self.ask(kind, self.path_of(number)) is Decision.HALF
            if half and halved and len(arguments[0]) > 1:
                arguments = (memoryview(arguments[0])[: len(arguments[0]) // 2], *arguments[1:])
            return original(fd, *arguments, **named)

        return stand_in

    def _opening(self, original: Any) -> Callable[..., int]:
        def stand_in(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            place = self.place(path, dir_fd)
            self.ask(CallKind.CREATE if flags & _WRITING else CallKind.OPEN, place)
            number = int(original(path, flags, mode, dir_fd=dir_fd))
            self.opened(number, place)
            return number

        return stand_in

    def _closing(self, original: Any) -> Callable[[int], None]:
        def stand_in(fd: int) -> None:
            path = self.path_of(fd)
            original(fd)
            self.opened(fd, None)
            self.ask(CallKind.CLOSE, path)  # what fails is closed nevertheless

        return stand_in

    def _locks(self, patches: Patches) -> None:
        try:
            import fcntl
        except ImportError:
            return

        def asking(original: Any) -> Callable[..., Any]:
            def stand_in(fd: Any, operation: int, *arguments: Any) -> Any:
                if not operation & fcntl.LOCK_UN:
                    self.ask(CallKind.LOCK, self.path_of(fd if isinstance(fd, int) else fd.fileno()))
                return original(fd, operation, *arguments)

            return stand_in

        full = getattr(fcntl, "F_FULLFSYNC", None)

        def syncing(original: Any) -> Callable[..., Any]:
            def stand_in(fd: Any, command: int, *arguments: Any) -> Any:
                if command == full:
                    self.ask(CallKind.SYNC, self.path_of(fd if isinstance(fd, int) else fd.fileno()))
                return original(fd, command, *arguments)

            return stand_in

        patches.replace(fcntl, "flock", asking(fcntl.flock))
        patches.replace(fcntl, "lockf", asking(fcntl.lockf))
        if full is not None:
            patches.replace(fcntl, "fcntl", syncing(fcntl.fcntl))


class _Raw(io.FileIO):
    """An unbuffered file whose system calls are asked about, below CPython's own buffered and text classes."""

    def __init__(self, asked: StandIns, path: str | None, *arguments: Any) -> None:
        self._asked, self._path = asked, path
        super().__init__(*arguments)
        asked.opened(self.fileno(), path)

    def readinto(self, buffer: Any, /) -> int:
        self._asked.ask(CallKind.READ, self._path)
        return super().readinto(buffer)

    def readall(self) -> bytes:
        self._asked.ask(CallKind.READ, self._path)
        return super().readall()

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        self._asked.ask(CallKind.READ, self._path)
        return super().read(size)

    def write(self, data: Any, /) -> int:
        if self._asked.ask(CallKind.WRITE, self._path) is Decision.HALF and len(data) > 1:
            data = memoryview(data)[: len(data) // 2]
        return super().write(data)

    def truncate(self, size: int | None = None, /) -> int:
        self._asked.ask(CallKind.TRUNCATE, self._path)
        return super().truncate(size)

    def close(self) -> None:
        if self.closed or not self.closefd:
            super().close()
            return
        number = self.fileno()
        super().close()
        self._asked.opened(number, None)
        self._asked.ask(CallKind.CLOSE, self._path)


def opening(asked: StandIns, original: Any) -> Callable[..., Any]:
    """Return what stands in for ``open``."""

    def open(  # noqa: A001 - as the builtin
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        path = asked.place(file)
        if path is None or not any(role_of(path, root) for root in asked._roots):
            return original(file, mode, buffering, encoding, errors, newline, closefd, opener)
        file = checked(file, mode, buffering, encoding, errors, newline, closefd)
        if not isinstance(file, int) and opener is None:
            asked.ask(CallKind.OPEN if not set(mode) & set("wax+") else CallKind.CREATE, path)
        raw_mode = mode.replace("b", "").replace("t", "")
        raw = _Raw(asked, path, file, raw_mode, closefd, opener)
        return over(raw, mode, buffering, encoding, errors, newline)

    return open
