"""Which line of the store's own code was running in a thread at a given time.

A profile function notes it while the recording runs. Native threads and child processes have no Python frames here: for
them the latest such line of any thread is the best answer.
"""

import linecache
import os
import sys
import sysconfig
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from pytest_tradestore.crash.operations import Location

_HARMLESS = frozenset(
    "append appendleft extend pop popleft get items keys values setdefault update add discard copy clear insert "  # noqa: SIM905
    "sort len isinstance issubclass getattr hasattr setattr id hash repr iter next callable ord chr min max sum sorted "
    "any all abs encode decode join split rsplit partition rpartition strip rstrip lstrip startswith endswith format "
    "lower upper replace match fullmatch search group groups acquire release time_ns time perf_counter "
    "perf_counter_ns monotonic digest hexdigest isoformat to_bytes from_bytes pack unpack super type index find "
    "count".split()
)
"""Builtins that make no system call, by name: no note is taken of them, because there are so many."""

_LOOP = ("_run_once", "run_forever")


class _Note(NamedTuple):
    time: int
    code: CodeType
    line: int


class _Kind(NamedTuple):
    own: bool
    library: bool


class SourceLines:
    """Between ``start`` and ``stop`` it notes lines; afterwards ``find`` looks them up."""

    def __init__(self) -> None:
        paths = sysconfig.get_paths()
        self._standard = tuple(os.path.realpath(paths[key]) + os.sep for key in ("stdlib", "platstdlib"))
        self._kinds: dict[CodeType, _Kind | None] = {}
        self._own: dict[int, list[_Note]] = {}
        self._library: dict[int, list[_Note]] = {}
        self._running = False
        self._merged: list[_Note] = []
        self._before: tuple[Any, Any] = (None, None)

    def start(self) -> None:
        """Begin to take notes in this thread and in those that start from now on.

        A thread that already has a profile function keeps it and gives no notes.
        """
        self._running = True
        self._before = (sys.getprofile(), threading.getprofile())
        if self._before[1] is None:
            threading.setprofile(self._first_event)
        if self._before[0] is None:
            sys.setprofile(self._profile_of(threading.get_native_id()))

    def stop(self) -> None:
        """Restore what was there before."""
        self._running = False
        if self._before[0] is None:
            sys.setprofile(None)
        if self._before[1] is None:
            threading.setprofile(None)
        self._merged = sorted((note for notes in self._own.values() for note in notes), key=lambda note: note.time)

    def find(self, task: int, when: int) -> Location | None:
        """Return the line of the store's code that was running in a thread then, or the likeliest one."""
        own, library = _latest(self._own.get(task, []), when), _latest(self._library.get(task, []), when)
        if own is not None and (library is None or own.time >= library.time):
            return _location(own)
        return _location(own or _latest(self._merged, when) or library)

    def _first_event(self, frame: FrameType, event: str, argument: object) -> None:
        """Begin to take notes in a new thread, and note its first event."""
        profile = self._profile_of(threading.get_native_id())
        sys.setprofile(profile)
        profile(frame, event, argument)

    def _profile_of(self, task: int) -> Callable[[FrameType, str, Any], None]:
        own, library = self._own.setdefault(task, []), self._library.setdefault(task, [])
        kinds, kind_of, now = self._kinds, self._kind_of, time.time_ns

        def profile(frame: FrameType, event: str, argument: Any) -> None:
            if event == "c_call":
                if argument.__name__ in _HARMLESS:
                    return
            elif event != "call":
                return
            elif not self._running:
                sys.setprofile(None)
                return
            walker: FrameType | None = frame
            innermost: FrameType | None = None
            while walker is not None:
                code = walker.f_code
                try:
                    kind = kinds[code]
                except KeyError:
                    kind = kinds[code] = kind_of(walker)
                if kind is None:
                    break  # the harness or an event loop: what called it did not ask for this
                if kind.own:
                    own.append(_Note(now(), code, walker.f_lineno))
                    return
                if kind.library and innermost is None:
                    innermost = walker
                walker = walker.f_back
            if innermost is not None:
                library.append(_Note(now(), innermost.f_code, innermost.f_lineno))

        return profile

    def _kind_of(self, frame: FrameType) -> _Kind | None:
        name = str(frame.f_globals.get("__name__", ""))
        if name == "pytest_tradestore" or name.startswith("pytest_tradestore."):
            return None
        if name.startswith("asyncio.") and frame.f_code.co_name in _LOOP:
            return None  # who started the event loop did not ask for what runs in it
        file = frame.f_code.co_filename
        if file.startswith("<"):
            return _Kind(own=False, library=False)
        parts = Path(file).parts
        if "site-packages" in parts or "dist-packages" in parts:
            return _Kind(own=False, library=True)
        standard = os.path.realpath(file).startswith(self._standard)
        return _Kind(own=not standard, library=False)


def _latest(notes: list[_Note], when: int) -> _Note | None:
    position = bisect_right(notes, when, key=lambda note: note.time)
    return notes[position - 1] if position else None


def _location(note: _Note | None) -> Location | None:
    if note is None:
        return None
    file = note.code.co_filename
    text = linecache.getline(file, note.line).strip()
    return Location(_shortened(file), note.line, note.code.co_name, text)


def _shortened(file: str) -> str:
    """Return a path without what is particular to this machine."""
    absolute, here = os.path.abspath(file), os.getcwd()
    if absolute.startswith(here.rstrip(os.sep) + os.sep):
        return os.path.relpath(absolute, here)
    parts = Path(absolute).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return os.path.join(*parts[parts.index(folder) + 1 :])
    directory = os.path.dirname(absolute)
    tail = [os.path.basename(absolute)]
    while os.path.exists(os.path.join(directory, "__init__.py")) and os.path.dirname(directory) != directory:
        tail.insert(0, os.path.basename(directory))
        directory = os.path.dirname(directory)
    return os.path.join(*tail) if len(tail) > 1 else os.path.join(os.path.basename(directory), tail[0])
