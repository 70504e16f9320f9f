"""Which line of the store's own code was running in a thread at a given time.

A profile function notes it while the recording runs. What it does in each event does not depend on how deep the stack
is, and it rests while a module is imported: a store may import half a library when it is opened. Native threads and
child processes have no Python frames here: for them the latest such line of any thread is the best answer.
"""

import linecache
import os
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from pytest_tradestore.crash.operations import Location
from pytest_tradestore.crash.recorders.fake_locations import KEEP_FILES, PASS_ON
from pytest_tradestore.origin import is_installed, is_pythons

_HARMLESS = frozenset(
    "append appendleft extend pop popleft get items keys values setdefault update add discard copy clear insert "  # noqa: SIM905
    "sort len isinstance issubclass getattr hasattr setattr id hash repr iter next callable ord chr min max sum sorted "
    "any all abs encode decode join split rsplit partition rpartition strip rstrip lstrip startswith endswith format "
    "lower upper replace match fullmatch search group groups acquire release time_ns time perf_counter "
    "perf_counter_ns monotonic digest hexdigest isoformat to_bytes from_bytes pack unpack super type index find "
    "count".split()
)
"""Builtins that make no system call, by name: no note is taken of them, because there are so many."""
_SYSTEM = frozenset(("posix", "nt"))
"""Modules of which every function makes one: ``os.replace`` is no ``str.replace``."""

_bootstrap: Any = sys.modules["_frozen_importlib"]
"""Where the interpreter itself looks up the function that loads a module."""


_LOOP = ("_run_once", "run_forever")


class _Note(NamedTuple):
    """A line at a time, and the one of a library under it; no ``code`` where the harness calls what is native."""

    time: int
    code: CodeType | None
    line: int
    inner: "tuple[CodeType, int] | None" = None


class _Kind(NamedTuple):
    own: bool
    library: bool
    keeper: bool = False


class _Level(NamedTuple):
    """A frame on the stack, with the frames that answer for what it does: the store's innermost, else a library's.

    ``keeper`` is the innermost one above the store's own that belongs to a library which keeps files. ``asked`` where
    the harness is below: a library that it calls itself is the store.
    """

    frame: FrameType
    own: FrameType | None
    library: FrameType | None
    keeper: FrameType | None = None
    asked: bool = False


class SourceLines:
    """Between ``start`` and ``stop`` it notes lines; afterwards ``find`` looks them up."""

    def __init__(self) -> None:
        self._kinds: dict[CodeType, _Kind | None] = {}
        self._own: dict[int, list[_Note]] = {}
        self._library: dict[int, list[_Note]] = {}
        self._running = False
        self._merged: list[_Note] = []
        self._before: tuple[Any, Any] = (None, None)
        self._profiles: list[Callable[[FrameType, str, Any], None]] = []
        self._load: Callable[..., Any] | None = None

    def start(self) -> None:
        """Begin to take notes in this thread and in those that start from now on.

        A thread that already has a profile function keeps it and gives no notes.
        """
        self._running = True
        self._rest_while_importing()
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
        if self._load is not None:
            _bootstrap._find_and_load = self._load
        noted = (note for notes in self._own.values() for note in notes if note.code is not None)
        self._merged = sorted(noted, key=lambda note: note.time)

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

    def _rest_while_importing(self) -> None:
        """Take no notes in a thread that loads a module: that is hundreds of thousands of calls, none of interest.

        What happens on the disk meanwhile belongs to the line that imports, which is the last one noted.
        """
        load = self._load = _bootstrap._find_and_load

        def loading(*arguments: Any) -> Any:
            profile = sys.getprofile()
            if profile not in self._profiles:
                return load(*arguments)
            sys.setprofile(None)
            try:
                return load(*arguments)
            finally:
                sys.setprofile(profile)

        self._kinds[loading.__code__] = _Kind(own=False, library=False)  # whoever imports is noted as it is called
        _bootstrap._find_and_load = loading

    def _profile_of(self, task: int) -> Callable[[FrameType, str, Any], None]:
        own, library = self._own.setdefault(task, []), self._library.setdefault(task, [])
        now, level_of = time.time_ns, self._level_of
        stack: list[_Level] = []

        def note(level: _Level) -> bool:
            if level.own is None:
                return False
            inner = None if level.keeper is None else (level.keeper.f_code, level.keeper.f_lineno)
            own.append(_Note(now(), level.own.f_code, level.own.f_lineno, inner))
            return True

        def profile(frame: FrameType, event: str, argument: Any) -> None:
            if event == "c_call":
                if argument.__name__ in _HARMLESS and argument.__module__ not in _SYSTEM:
                    return
            elif event == "return":
                if stack and stack[-1].frame is frame:
                    stack.pop()
                    if stack and own and own[-1].inner is not None and own[-1].inner[0] is frame.f_code:
                        note(stack[-1])  # what comes next is no doing of it, and may be native: nothing tells of that
                return
            elif event != "call":
                return
            elif not self._running:
                sys.setprofile(None)
                return
            if not stack or stack[-1].frame is not frame:
                above = frame.f_back
                while stack and stack[-1].frame is not above:
                    stack.pop()  # notes began, or were interrupted, further down the stack
                stack.append(level_of(frame, stack[-1] if stack else None))
            if note(stack[-1]):
                return
            if (theirs := stack[-1].library) is not None:
                library.append(_Note(now(), theirs.f_code, theirs.f_lineno))
            elif event == "c_call" and self._kinds[frame.f_code] is None and own and own[-1].code is not None:
                own.append(_Note(now(), None, 0))  # what the store is made of is native: no line of it asks for this

        self._profiles.append(profile)
        return profile

    def _level_of(self, frame: FrameType, above: _Level | None) -> _Level:
        """Say who answers for ``frame``; ``above`` is the level of the frame that called it, where that is known."""
        try:
            kind = self._kinds[frame.f_code]
        except KeyError:
            kind = self._kinds[frame.f_code] = self._kind_of(frame)
        if kind is None:
            # The harness or an event loop: what called it did not ask for this.
            return _Level(frame, None, None, asked=True)
        if kind.own:
            return _Level(frame, frame, None)
        if above is None:
            above = self._walked(frame.f_back)
        if above is None:
            return _Level(frame, None, None)
        if kind.keeper and above.own is None and above.asked:
            return _Level(frame, frame, None)
        keeper = frame if kind.keeper and above.own is not None else above.keeper
        return _Level(frame, above.own, frame if kind.library else above.library, keeper, above.asked)

    def _walked(self, frame: FrameType | None) -> _Level | None:
        """The level of a frame that was called before notes were taken."""
        frames = []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        level: _Level | None = None
        for below in reversed(frames):
            level = self._level_of(below, level)
        return level

    def _kind_of(self, frame: FrameType) -> _Kind | None:
        name = str(frame.f_globals.get("__name__", ""))
        if name == "pytest_tradestore" or name.startswith("pytest_tradestore."):
            return None
        if name.startswith("asyncio.") and frame.f_code.co_name in _LOOP:
            return None  # who started the event loop did not ask for what runs in it
        file = frame.f_code.co_filename
        if file.startswith("<"):
            return _Kind(own=False, library=False)
        package = name.partition(".")[0]
        if is_installed(file):
            return _Kind(own=False, library=True, keeper=package not in PASS_ON)
        standard = is_pythons(file)
        return _Kind(own=not standard, library=False, keeper=standard and package in KEEP_FILES)


def _latest(notes: list[_Note], when: int) -> _Note | None:
    position = bisect_right(notes, when, key=lambda note: note.time)
    return notes[position - 1] if position else None


def _location(note: _Note | None) -> Location | None:
    if note is None or note.code is None:
        return None
    inner = None if note.inner is None else _place(*note.inner)
    return replace(_place(note.code, note.line), inner=inner)


def _place(code: CodeType, line: int) -> Location:
    file = code.co_filename
    return Location(_shortened(file), line, code.co_name, linecache.getline(file, line).strip())


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
