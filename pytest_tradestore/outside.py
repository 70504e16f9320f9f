"""What a store creates or changes outside of its root, whatever it is asked: a file in the temporary directory, say.

The workload runs in a process whose home, working and temporary directories are empty ones of ours; what appears there
is seen afterwards, and what Python code changes anywhere else by its audit events. The temporary directory is once on
the file system of the root, and once on another where there is one: a rename from there fails, a copy is not atomic.
"""

import linecache
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.isolation import Channel
from pytest_tradestore.origin import is_installed, is_somebodys
from pytest_tradestore.runner import finished
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest

_CHANGING = {
    **dict.fromkeys(("os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.chmod", "os.chown", "os.utime"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink", "shutil.move", "shutil.copyfile"), 2),
    **dict.fromkeys(("tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect", "shutil.rmtree"), 1),
}
"""Audit events of calls that change something, and how many of their first arguments are paths."""
_LONG_AGO = 1_000_000_000
"""Time stamp (seconds) of what nothing has changed."""
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MOST = 8
"""Changes that are told of one run: the others are like these."""
_NO_DATA, _DATA_THERE = ("/dev/", "/proc/", "/sys/"), "/dev/shm/"  # noqa: S108 - a file system like others
_ELSEWHERE = ("/dev/shm", "/tmp", "/var/tmp", "/run")  # noqa: S108 - parents for a private directory, never used as such


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was created or changed outside of the root, during which call, and by which line of the store."""

    path: str
    during: str
    calls: tuple[str, ...]
    location: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.during} creates or changes {self.path}, outside of its root"


@dataclass(frozen=True, slots=True)
class Outside:
    """What was found in how many ``calls``.

    ``needs`` says what failed only because the temporary directory was on another file system; ``elsewhere`` whether
    that could be tried; ``undecided`` why nothing could be looked at.
    """

    changes: tuple[Change, ...] = ()
    needs: str = ""
    calls: int = 0
    elsewhere: bool = False
    undecided: str = ""


def gather(store: StoreUnderTest, workload: Workload) -> Outside:
    """Run the workload and say what it does outside of the root."""
    with Sandbox() as sandbox:
        here = _run(store, workload, sandbox, None)
        if here.undecided or here.changes:
            return here
        with _other_file_system(sandbox.path) as other:
            if other is None:
                return here
            there = _run(store, workload, sandbox, other)
    needs = f"{there.undecided} where the temporary directory is on another file system" if there.undecided else ""
    return Outside(there.changes, needs, here.calls + there.calls, elsewhere=True)


@contextmanager
def _other_file_system(sandbox: Path) -> Iterator[Path | None]:
    """Give a new directory on another file system than the sandbox's; None where there is no such place."""
    device = sandbox.stat().st_dev
    for parent in _ELSEWHERE:
        with suppress(OSError):
            if os.stat(parent).st_dev != device and os.access(parent, os.W_OK):
                with Sandbox(Path(parent)) as other:
                    yield other.path / "temporary"
                return
    yield None


def _run(store: StoreUnderTest, workload: Workload, sandbox: Sandbox, temporary: Path | None) -> Outside:
    root = sandbox.fresh_root()
    places = {
        "the temporary directory": temporary or root.parent / "temporary",
        "the home directory": root.parent / "home",
        "the working directory": root.parent / "working",
    }
    for place in places.values():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()

    def drive(channel: Channel) -> Outside:
        _move_into(places, root)
        return _Visit(store, workload, root, places).drive(channel)

    found = finished(drive, store.declarations.deadline)
    return Outside(undecided=found) if isinstance(found, str) else found


def _move_into(places: dict[str, Path], root: Path) -> None:
    """Let this process live in the directories that are watched; nothing that Python itself writes is left to see."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(places["the temporary directory"])
    os.environ["HOME"] = str(places["the home directory"])
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]
    os.chdir(places["the working directory"])
    for place in {*places.values(), root.parent}:
        os.utime(place, (_LONG_AGO, _LONG_AGO))
    sys.dont_write_bytecode = True


def _was_changed(place: Path) -> bool:
    """Say whether any name has come or gone in a directory, one that came and went included."""
    return os.stat(place).st_mtime > _LONG_AGO


class _Visit:
    """One run of the workload, under audit events and with a look around after each call."""

    def __init__(self, store: StoreUnderTest, workload: Workload, root: Path, places: dict[str, Path]) -> None:
        self._store, self._workload, self._root, self._places = store, workload, root, places
        self._inside = f"{os.path.realpath(root)}/"
        self._heard: list[Change] = []
        self._known: set[str] = set()
        """What needs no telling any more: paths, and lines that changed one, and directories of ours."""
        self._during = ""
        self._done: list[str] = []
        self._beside = {root.name, *(path.name for path in places.values() if path.parent == root.parent)}

    def drive(self, channel: Channel) -> Outside:
        """Open, update, read and close; return what was changed outside, or what was refused as ``undecided``."""
        sys.addaudithook(self._listen)
        bridge = Bridge()
        updates = self._workload.updates
        try:
            channel.step(0)
            opened = self._call("opening the store", lambda: self._store.open(self._root, bridge))
            for number, update in enumerate(updates, 1):
                channel.step(number)
                self._call(update.rendered, partial(update.make, opened))
                self._done.append(update.rendered)
            channel.step(len(updates) + 1)
            self._call("reading", lambda: self._workload.observe(opened, self._store.declarations.errors))
            self._call("closing the store", opened.close)
            bridge.close()
        except Exception as error:  # whatever the store raises, it has not done what it was asked for
            told = str(error).replace(str(self._root), "<root>")
            for name, place in self._places.items():
                told = told.replace(str(place), f"<{name}>")
            refused = f"{self._said} raised {type(error).__name__}: {told}"
            return Outside(tuple(self._heard), calls=len(self._done), undecided="" if self._heard else refused)
        return Outside(tuple(self._heard), calls=len(updates) + 3)

    def _call(self, shown: str, call: Callable[[], Any]) -> Any:
        self._said = self._during = shown
        try:
            return call()
        finally:
            self._during = ""
            self._look_around(shown)

    def _look_around(self, during: str) -> None:
        for name, place in self._places.items():
            if name not in self._known and _was_changed(place):
                self._known.add(name)
                self._heard.append(Change(f"something in {name}", during, tuple(self._done)))
        if "beside" not in self._known and (more := sorted(set(os.listdir(self._root.parent)) - self._beside)):
            self._known.add("beside")
            self._heard.append(Change(f"{more[0]!a} beside the root", during, tuple(self._done)))
        elif "beside" not in self._known and _was_changed(self._root.parent):
            self._known.add("beside")
            self._heard.append(Change("something beside the root", during, tuple(self._done)))

    def _listen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._during or len(self._heard) >= _MOST:
            return
        if event == "open":
            flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
            paths: tuple[Any, ...] = arguments[:1] if flags & _FOR_WRITING else ()
            if arguments[1] is not None:  # it is open() itself, which begins at the working directory and no other
                paths = tuple(os.path.abspath(path) for path in paths if isinstance(path, (str, bytes, os.PathLike)))
        else:
            paths = arguments[: _CHANGING.get(event, 0)]
        for path in paths:
            with suppress(TypeError, ValueError):
                self._note(os.fsdecode(path))

    def _note(self, given: str) -> None:
        if not given.startswith("/"):
            return  # relative to the working directory, which is looked at, or to a directory that events do not name
        path = os.path.realpath(os.path.dirname(given)) + "/" + os.path.basename(given)
        if f"{path}/".startswith(self._inside) or (path.startswith(_NO_DATA) and not path.startswith(_DATA_THERE)):
            return
        frame = of_the_store(sys._getframe(2), packages=True)
        if frame is None:
            return  # while a module is loaded
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        location = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
        if self._known & {path, location}:
            self._known |= {path, location}  # what follows from what is told: a file that is written, and moved away
            return
        self._known |= {path, location, *self._places_of(path)}
        self._heard.append(Change(self._named(path), self._during, tuple(self._done), location, line))

    def _places_of(self, path: str) -> list[str]:
        """Return which of the places that are looked at a path lies in."""
        beside = os.path.realpath(self._root.parent)
        places = [name for name, place in self._places.items() if f"{path}/".startswith(f"{os.path.realpath(place)}/")]
        return places or (["beside"] if path.startswith(f"{beside}/") else [])

    def _named(self, path: str) -> str:
        for name, place in self._places.items():
            if f"{path}/".startswith(f"{os.path.realpath(place)}/"):
                return f"a file in {name}"  # its own name is drawn by lot, more often than not
        beside = os.path.realpath(self._root.parent)
        return f"{os.path.relpath(path, beside)!a} beside the root" if path.startswith(f"{beside}/") else f"{path!a}"


def of_the_store(frame: FrameType | None, *, packages: bool = False) -> FrameType | None:
    """Return the innermost frame that is somebody's own; None if a module is being loaded.

    With ``packages`` one of an installed package counts like one's own, because what a library does under an adapter is
    mended there; without, it does where nobody else is on the stack: a store may be installed itself.
    """
    own = installed = None
    outermost = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return None
        if str(frame.f_globals.get("__name__", "")).startswith("pytest_tradestore."):
            if own or installed:
                break  # whoever runs the suite has not asked for it
        elif is_somebodys(file) or (packages and is_installed(file)):
            own = own or frame
        elif is_installed(file):
            installed = installed or frame
        frame = frame.f_back
    return own or installed or outermost
