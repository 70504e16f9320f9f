"""Sees which paths a store asks for, and keeps it from those of the real system that an identifier aims at.

Two ways: Python's audit events, which come before the call and can refuse it, and strace where it works, which sees
native libraries too. A path on the way to the root may be opened (a store syncs the directory that its root is in).
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pytest_tradestore.names.nest import Nest

_ONE_PATH = frozenset(
    {
        *("open", "os.listdir", "os.scandir", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.chmod"),
        *("os.chown", "os.utime", "os.walk", "os.fwalk", "os.chflags", "os.setxattr", "os.removexattr"),
        *("shutil.rmtree", "shutil.chown", "sqlite3.connect", "glob.glob", "glob.glob/2", "tempfile.mkstemp"),
    }
)
_TWO_PATHS = frozenset(
    {"os.rename", "os.link", "os.symlink", "shutil.copyfile", "shutil.copytree", "shutil.move", "shutil.copymode"}
)
_LOOKING = frozenset({"open", "os.listdir", "os.scandir", "os.walk", "os.fwalk", "glob.glob", "glob.glob/2"})
_MARK = "/\x01tradestore/identifier/"


@dataclass(frozen=True, slots=True)
class Asked:
    """A path outside of the root that was asked for, normalised, and by what."""

    path: str
    by: str


class Watch:
    """Listens to this process's audit events from now on; it cannot be taken away again, only be told to rest.

    While ``during(aim)`` lasts, paths around the root are noted, and those of the real system that begin as ``aim``
    does are refused with PermissionError, as they would be to a process without rights.
    """

    def __init__(self) -> None:
        self._nest: Nest | None = None
        self._aim = ""
        self._interrupt: Callable[[], None] | None = None
        self._interrupted_already = False
        self.asked: list[Asked] = []
        sys.addaudithook(self._heard)

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the block runs, call ``interrupt`` before each file-system call that may be one below the root."""
        self._interrupt = interrupt
        try:
            yield
        finally:
            self._interrupt = None

    @contextmanager
    def during(self, nest: Nest, aim: str = "") -> Iterator[None]:
        """Listen while the block runs; ``aim`` is an absolute path, or empty."""
        self._aim = _plain(os.path.expanduser(aim)) if aim else ""
        self._nest = nest
        try:
            yield
        finally:
            self._nest, self._aim = None, ""

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        nest = self._nest
        if nest is None or not (event in _ONE_PATH or event in _TWO_PATHS):
            return
        below = False
        for argument in arguments[: 2 if event in _TWO_PATHS else 1]:
            with suppress(TypeError, ValueError):
                given = os.fsdecode(argument)
                if given.startswith("/"):  # others are relative to a directory that events do not name
                    self._note(nest, event, _plain(given))
                below = below or not given.startswith("/") or nest.within(_plain(given))
        if below:
            self._interrupted()

    def _interrupted(self) -> None:
        interrupt = self._interrupt
        if interrupt is None or self._interrupted_already:
            return
        self._interrupted_already = True  # what it does is not interrupted
        try:
            interrupt()
        finally:
            self._interrupted_already = False

    def _note(self, nest: Nest, event: str, path: str) -> None:
        if nest.around(path):
            self.asked.append(Asked(path, event))
        elif self._aim and not path.startswith(str(nest.top)) and _aimed(self._aim, path, event not in _LOOKING):
            self.asked.append(Asked(path, event))
            raise PermissionError(13, "outside of the root", path)


def _plain(path: str) -> str:
    return "/" + os.path.normpath(path).lstrip("/")


def _aimed(aim: str, path: str, changes: bool) -> bool:
    """Say whether a path is what an identifier aims at, or for a call that changes things lies on the way there."""
    if aim == "/":
        return os.path.dirname(path) == "/"
    return path.startswith(aim) or (changes and f"{aim}/".startswith(path.rstrip("/") + "/"))


_CALLS = (
    *("open", "openat", "openat2", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink"),
    *("unlinkat", "rmdir", "link", "linkat", "symlink", "symlinkat", "truncate", "chmod", "fchmodat"),
)


class SystemCalls:
    """What this process and its children open, create, rename and remove, seen by strace between two moments.

    ``note(number)`` says that what follows is about identifier ``number``.
    """

    def __init__(self) -> None:
        """Attach. Raises RuntimeError where strace cannot."""
        from pytest_tradestore.crash.recorders.attaching import Attached

        self._attached = Attached(_CALLS)

    def note(self, number: int) -> None:
        with suppress(OSError):
            os.readlink(f"{_MARK}{number}")

    def outside(self, nest_of: "dict[int, Nest]") -> tuple[dict[int, Asked], int]:
        """Let go; return by number the first path outside of the root of that number's nest, and how many were seen."""
        from pytest_tradestore.crash.recorders.strace_log import calls_in, descriptor_in, path_in

        log = self._attached.detach()
        found: dict[int, Asked] = {}
        number, seen = -1, 0
        for call in calls_in(log):
            if call.name == "readlink" and call.arguments:
                said = path_in(call.arguments[0]) or ""
                if said.startswith(_MARK):
                    number = int(said.removeprefix(_MARK))
                continue
            nest = nest_of.get(number)
            if nest is None or call.name not in _CALLS:
                continue
            directory = ""
            for argument in call.arguments:
                if path := path_in(argument):
                    seen += 1
                    whole = _plain(os.path.join(directory or "/", path))
                    if (directory or path.startswith("/")) and nest.around(whole):
                        found.setdefault(number, Asked(whole, call.name))
                elif descriptor := descriptor_in(argument):
                    directory = descriptor.path or ""
        return found, seen
