"""Which calls on files an asynchronous store makes on the event loop itself, where everybody waits meanwhile.

Every call of the workload is watched, by the system where it can be asked, else in Python's functions: a call on a file
below the root that the loop's own thread makes is one that nobody else can run beside. The store runs in a process of
its own.
"""

import inspect
import linecache
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Call, CallKind
from pytest_tradestore.faults.injecting import SYSTEM_CALLS, who_refuses
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, run_isolated
from pytest_tradestore.kits.call import Call as StoreCall
from pytest_tradestore.outside import of_the_store
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

_WORK = {
    CallKind.OPEN: ("open",),
    CallKind.CREATE: ("open",),
    CallKind.READ: ("read", "readall", "readline", "readlines", "load", "execute", "fetchall", "fetchone"),
    CallKind.WRITE: ("write", "writelines", "flush", "close", "execute", "commit"),
    CallKind.SYNC: ("fsync", "fdatasync", "commit", "execute"),
    CallKind.RENAME: ("replace", "rename"),
    CallKind.LINK: ("link", "symlink"),
    CallKind.UNLINK: ("unlink", "remove", "rmdir"),
    CallKind.MKDIR: ("mkdir",),
    CallKind.TRUNCATE: ("truncate", "ftruncate"),
    CallKind.LIST: ("listdir", "scandir", "walk"),
}
"""What is work on files, and what the functions are called that do it; to ask whether a file is there is none."""


@dataclass(frozen=True, slots=True)
class Blocking:
    """One kind of work on one file that the loop's own thread did, in which call, and by which line of the store."""

    work: Call
    during: str
    calls: tuple[str, ...]
    location: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.during} does file work on the event loop: {self.work}"


@dataclass(frozen=True, slots=True)
class Looped:
    """What was found in how many ``calls``; ``sync`` where nothing of the store is awaited.

    ``undecided`` says why nothing could be looked at; ``native`` whether native libraries were watched too.
    """

    found: tuple[Blocking, ...] = ()
    calls: int = 0
    sync: bool = False
    native: bool = True
    undecided: str = ""


def gather(store: StoreUnderTest, workload: Workload) -> Looped:
    """Run the workload and say what its event loop had to wait for; then once more for the lines that asked for it."""
    unwatched = _isolated(store, workload, watched=False)
    if unwatched.sync or unwatched.undecided:
        return unwatched
    found = _isolated(store, workload)
    if not found.found:
        return found
    wanted = frozenset(name for one in found.found for name in _WORK[one.work.kind])
    lines = _isolated(store, workload, wanted)
    located = {(one.work.kind, one.work.role, one.during): one for one in lines.found if one.location}
    told = (located.get((one.work.kind, one.work.role, one.during), one) for one in found.found)
    return replace(found, found=tuple(told))


def _isolated(
    store: StoreUnderTest, workload: Workload, wanted: frozenset[str] | None = None, *, watched: bool = True
) -> Looped:
    with Sandbox() as sandbox:
        root = sandbox.fresh_root()

        def task(channel: Channel) -> Looped:
            return _run(store, workload, root, channel, wanted, watched=watched)

        match run_isolated(task, store.declarations.deadline):
            case Finished(value):
                assert isinstance(value, Looped)
                return value
            case Hung(_, seconds):
                return Looped(
                    undecided=f"the workload took longer than {seconds:g} s (tradestore_deadline) for one step"
                )
            case Died(_, how):
                return Looped(undecided=f"the store ended its process: {how}")
    raise AssertionError("every ending is matched")


class _Noticing(Bridge):
    """Notices whether something had to be awaited."""

    awaited = False

    def settle(self, value: Any) -> Any:
        self.awaited = self.awaited or inspect.isawaitable(value)
        return super().settle(value)


def _run(
    store: StoreUnderTest,
    workload: Workload,
    root: Path,
    channel: Channel,
    wanted: frozenset[str] | None,
    *,
    watched: bool,
) -> Looped:
    store.load()
    injecting, injected = who_refuses() if watched else (None, "")
    bridge = _Noticing()
    me = threading.get_native_id()
    found: dict[tuple[CallKind, str], Blocking] = {}
    asked = 0
    done: list[str] = []
    doing = "opening the store"
    try:
        channel.step(0)
        opened = store.open(root, bridge)
        for number, call in enumerate((*workload.updates, *workload.looks), 1):
            doing = call.rendered
            channel.step(number)
            bridge.awaited = False
            if injecting is not None:
                injecting.arm(str(root), None)
            with _lines(wanted) as lines:
                _make(call, opened, workload)
            calls = () if injecting is None else injecting.disarm().calls
            if bridge.awaited:
                asked += 1
                for one in calls:
                    if one.thread == me and one.kind in _WORK:
                        made = Blocking(one, doing, tuple(done), *lines.of(one))
                        found.setdefault((one.kind, one.role), made)
            done.append(doing)
        channel.step(0)
        opened.close()
        bridge.close()
    except Exception as error:  # whatever the store raises, it has not done what it was asked for
        told = str(error).replace(str(root), "<root>")
        return Looped(undecided=f"{doing} raised {type(error).__name__}: {told}")
    return Looped(tuple(found.values()), asked, sync=not asked, native=injected == SYSTEM_CALLS)


def _make(call: StoreCall, opened: OpenStore, workload: Workload) -> None:
    if call in workload.looks:
        with suppress(Exception):  # what a look gives is for others to judge
            call.make(opened)
        return
    call.make(opened)


class _Lines:
    """The lines by which the functions of some names were called, each the first time."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[str, str]] = {}

    def of(self, work: Call) -> tuple[str, str]:
        return next((self.found[name] for name in _WORK[work.kind] if name in self.found), ("", ""))


@contextmanager
def _lines(wanted: frozenset[str] | None) -> Iterator[_Lines]:
    """Note the lines of this thread that call functions with ``wanted`` names; none of them costs nothing."""
    lines = _Lines()
    if wanted is None:
        yield lines
        return

    def listen(frame: FrameType, event: str, function: Callable[..., Any]) -> None:
        if event == "c_call" and (name := function.__name__) in wanted and name not in lines.found:
            theirs = of_the_store(frame)
            if theirs is not None:
                line = linecache.getline(theirs.f_code.co_filename, theirs.f_lineno).strip()
                lines.found[name] = f"{os.path.basename(theirs.f_code.co_filename)}:{theirs.f_lineno}", line

    before = sys.getprofile()
    sys.setprofile(listen)
    try:
        yield lines
    finally:
        sys.setprofile(before)
