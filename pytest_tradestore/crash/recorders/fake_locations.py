"""Which line of the store under test is asking, found on the Python stack at the moment of a call."""

import functools
import linecache
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from pytest_tradestore.crash.operations import Location
from pytest_tradestore.origin import INSTALLED, is_installed, is_pythons

USER, LIBRARY, KEEPER, IGNORED = "user", "library", "keeper", "ignored"
PASS_ON = frozenset(("aiofiles", "anyio", "pyfakefs"))
"""Packages that only hand a call on: their lines say nothing of who asked for it, or why."""
_RUNNERS = frozenset(("_pytest", "pluggy", "pytest", "xdist", "execnet"))
"""What runs the suite: below one that has called the suite there is nobody on the stack who asked for anything."""
KEEP_FILES = frozenset(("configparser", "dbm", "mailbox", "shelve", "sqlite3", "tarfile", "zipfile"))
"""Modules of the standard library that keep files of a format of their own: a line of theirs says what for."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where a frame was; its text is read when the recording is over."""

    file: str
    number: int
    function: str
    inner: "Line | None" = None


class Lines:
    """Finds the line that a call is to be blamed on.

    The nearest frame of the store's own code; without one, the line that handed the work to this thread; without
    that, the innermost frame of an installed library; and else the store's line seen last, in whatever thread.
    A line of the store's comes with the innermost one of the library that it called, if it did.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._latest: Line | None = None

    def of_this_call(self) -> Line | None:
        """Return the line to blame for what the calling thread does now."""
        library: Line | None = None
        keeper: Line | None = None
        frame: FrameType | None = sys._getframe(1)
        ours = False
        while frame is not None and not (ours and _package(frame) in _RUNNERS):
            ours, kind = _package(frame) == "pytest_tradestore", _kind(frame)
            if kind is USER:
                self._latest = replace(_line(frame), inner=keeper)
                return self._latest
            if kind is LIBRARY and library is None:
                library = _line(frame)
            if keeper is None and (kind is KEEPER or (kind is LIBRARY and _package(frame) not in PASS_ON)):
                keeper = _line(frame)
            frame = frame.f_back
        return getattr(self._local, "asked_by", None) or library or self._latest

    def handing_over(self, job: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a job for another thread so that what it does there is blamed on the line that hands it over."""
        asked_by = self.of_this_call()

        @functools.wraps(job, updated=())
        def carried(*args: Any, **kwargs: Any) -> Any:
            before = getattr(self._local, "asked_by", None)
            self._local.asked_by = asked_by
            try:
                return job(*args, **kwargs)
            finally:
                self._local.asked_by = before

        return carried


def location_of(line: Line | None) -> Location | None:
    """Return the line with its text, its file told from the working directory where it lies below it."""
    if line is None:
        return None
    text = linecache.getline(line.file, line.number).strip()
    return Location(_short(line.file), line.number, line.function, text, location_of(line.inner))


def _line(frame: FrameType) -> Line:
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)


def _kind(frame: FrameType) -> str:
    module = frame.f_globals.get("__name__", "")
    if module == "pytest_tradestore" or str(module).startswith("pytest_tradestore."):
        return IGNORED
    kind = _kind_of_file(frame.f_code.co_filename)
    return KEEPER if kind is IGNORED and _package(frame) in KEEP_FILES else kind


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


@functools.cache
def _kind_of_file(file: str) -> str:
    if file.startswith("<"):  # frozen modules, and code that dataclasses and the like make up
        return IGNORED
    if is_installed(file):
        return IGNORED if f"{os.sep}pyfakefs{os.sep}" in file else LIBRARY
    return IGNORED if is_pythons(file) else USER


@functools.cache
def _short(file: str) -> str:
    for part in INSTALLED:
        if part in file:
            return file.rpartition(part)[2].replace(os.sep, "/")
    relative = os.path.relpath(file) if os.path.isabs(file) and os.path.splitdrive(file)[0] == _drive() else file
    if not relative.startswith(os.pardir):
        return relative.replace(os.sep, "/")
    return "/".join(file.replace(os.sep, "/").split("/")[-2:])


def _drive() -> str:
    return os.path.splitdrive(os.getcwd())[0]
