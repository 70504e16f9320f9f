"""First the ordinary: open, write, read, reopen and read, per contract, before anything else is asked of a store.

Says what a store takes, how long a step of it lasts, and what went wrong if even that does not work. What follows from
it (one error, and nothing else is run; the values and deadlines of all that is) is decided in ``session``.
"""

import errno
import faulthandler
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.imports import imported_since
from pytest_tradestore.isolation import (
    Channel,
    Died,
    Finished,
    HarnessError,
    Hung,
    Sent,
    StoreRaisedError,
    is_ours,
    run_isolated,
    trace_of,
)
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.runner import Runner
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.takes import EVERYTHING, Takes
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

_MISTAKES = (AttributeError, TypeError, NameError, NotImplementedError, ImportError)
"""What programs raise that are not finished, rather than stores that refuse something."""
_PATIENCE = 10.0
"""Seconds after which no further kind of values is tried; each takes a store that is not slow some milliseconds."""
_SAME = 0.5
"""Seconds by which two alarms may differ that are one, on a machine that lets nobody run between two looks."""
_EVERYTHING = 1000
"""Counts as more refusals than a workload has calls."""
_FRAME = re.compile(r'  File "(?P<path>.*)", line (?P<line>\d+)')


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing else is asked: what happened in a sentence, what to do in another, and where, as a traceback."""

    sentence: str
    remedy: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Smoked:
    """What the first, ordinary use of one contract showed: ``seconds`` is how long the slowest step of it took."""

    trouble: Trouble | None = None
    takes: Takes = EVERYTHING
    seconds: float = 0.0
    imports: tuple[str, ...] = ()
    """What it imported, as ``imported_since`` says."""


def smoke(store: StoreUnderTest, kit: Kit, methods: frozenset[str]) -> Smoked:
    """Use one contract of a store in the ordinary way, in a process of its own; costs one deadline if it hangs."""
    deadline = store.declarations.deadline
    declared = store.declared("takes") is not None
    candidates = (store.declarations.takes,) if declared else kit.takings()

    with Sandbox() as sandbox:

        def visit(channel: Channel) -> Smoked:
            before = list(sys.modules)
            found = _first_taken(store, kit, methods, candidates, sandbox, channel, _Alarm())
            found = replace(found, imports=imported_since(before))
            return replace(found, takes=EVERYTHING) if declared else found  # a function cannot leave the process

        doing, root = "opening the store", sandbox.path
        try:
            for event in Runner(deadline).of(visit):
                match event:
                    case Sent(Path() as begun):
                        root = begun
                    case Sent(said):
                        doing = said
                    case Finished(Smoked() as found):
                        found = replace(found, takes=candidates[0]) if declared else found
                        if found.trouble is not None and found.trouble.sentence.startswith(_REOPENING):
                            return replace(found, trouble=_of_reopening(store, root, found.trouble))
                        return found
                    case Hung(_, seconds, output):
                        remedy = "If that is right for it, set tradestore_deadline"
                        trouble = Trouble(f"{doing} took longer than {seconds:g} s", remedy, _where(output))
                        return Smoked(_of_reopening(store, root, trouble) if doing == _REOPENING else trouble)
                    case Died(_, how, output):
                        remedy = "A store must raise an exception instead"
                        return Smoked(Trouble(f"{doing} ended the whole process: {how}", remedy, output.strip()))
        except StoreRaisedError as error:
            return Smoked(Trouble(f"{doing} raised {error.told}", _MEND, error.trace))
    raise AssertionError("the stream of a task ends with its ending")


_REOPENING = "reopening the store"


def _of_reopening(store: StoreUnderTest, root: Path, trouble: Trouble) -> Trouble:
    """Return what it is that a store cannot be opened again: if another process can, it has not been closed."""

    def look(channel: Channel) -> None:
        channel.step(0)
        bridge = Bridge()
        store.open(root, bridge).close()
        bridge.close()

    try:
        opened = isinstance(run_isolated(look, store.declarations.deadline), Finished)
    except HarnessError:  # it raises there as well
        opened = False
    return replace(trouble, remedy=_CLOSE) if opened else trouble


_CLOSE = (
    "Another process can open it, so closing it here has left it open: give the store, or its adapter, a close() that "
    "closes all that opening has opened"
)
_MEND = "Mend that in the store or its adapter first"
_ACROSS = (
    "Make temporary files in the directory of the file that they will replace: it needs the temporary directory of the "
    "system to be on the file system of its root, which breaks ROOT-1"
)
_TELL = "Mend that first; if it takes other values only, declare them (tradestore_takes, make_bar and the other makers)"


class _Raised(Exception):  # noqa: N818 - an answer
    def __init__(self, trouble: Trouble, error: BaseException) -> None:
        self.trouble, self.error = trouble, error


def _first_taken(
    store: StoreUnderTest,
    kit: Kit,
    methods: frozenset[str],
    candidates: tuple[Takes, ...],
    sandbox: Sandbox,
    channel: Channel,
    alarm: "_Alarm",
) -> Smoked:
    """Return how the store fares with the first values of which it refuses none; else, with which it refuses least."""
    best: tuple[int, Smoked] | None = None
    began = perf_counter()
    for takes in candidates:
        visit = _Visit(store, kit, methods, takes, sandbox, channel, alarm)
        try:
            visit.make()
        except _Raised as raised:
            visit.trouble, visit.refusals = raised.trouble, _EVERYTHING
        smoked = Smoked(visit.trouble, visit.takes, visit.slowest)
        if not visit.refusals:
            return smoked
        if best is None or visit.refusals < best[0]:
            best = visit.refusals, smoked
        if perf_counter() - began > _PATIENCE:
            break
    assert best is not None, "there is always a candidate"
    return best[1]


class _Visit:
    """One run through the workload of a contract with values of one kind."""

    def __init__(
        self,
        store: StoreUnderTest,
        kit: Kit,
        methods: frozenset[str],
        takes: Takes,
        sandbox: Sandbox,
        channel: Channel,
        alarm: "_Alarm",
    ) -> None:
        self._store, self._kit, self._methods = store, kit, methods
        self._channel, self._sandbox, self._alarm = channel, sandbox, alarm
        self._records = store.records_of(takes)
        self._bridge = Bridge()
        self._steps = 0
        self.takes = takes
        self.slowest = 0.0
        self.refusals = 0
        self.trouble: Trouble | None = None

    def make(self) -> None:
        """Go through it. Raises _Raised for what no store may do with ordinary values."""
        root = self._sandbox.fresh_root()
        self._channel.send(root)
        make = lambda: workload_for(self._kit, self._methods, self._records)  # noqa: E731 - reads no better as a def
        workload = self._step("making the records of the first calls", make)
        opened = self._step("opening the store", lambda: self._store.open(root, self._bridge))
        first, *more = workload.updates
        self._step(first.rendered, lambda: first.make(opened))
        look = next((look for look in workload.looks if look.key == first.key), workload.looks[0])
        self._step(look.rendered, lambda: _read(opened, look))
        worked = {first.method}
        for update in more:
            try:
                self._step(update.rendered, partial(update.make, opened))
                worked.add(update.method)
            except _Raised as raised:
                if isinstance(raised.error, _MISTAKES) and update.method not in worked:
                    raise
                self.refusals += 1
        self._step("closing the store", opened.close)
        again = self._step(_REOPENING, lambda: self._store.open(root, self._bridge))
        self._step(f"{look.rendered} after reopening", lambda: _read(again, look))
        self._step("closing the store again", again.close)
        self._bridge.close()

    def _step(self, doing: str, do: Callable[[], Any]) -> Any:
        self._steps += 1
        self._channel.send(doing)
        self._alarm.set(self._store.declarations.deadline * 0.9)
        self._channel.step(self._steps)
        began = perf_counter()
        try:
            return do()
        except (Exception, SystemExit) as error:
            told = f"{doing} raised {type(error).__name__}{f': {error}' if str(error) else ''}"
            remedy = _MEND if isinstance(error, (*_MISTAKES, SystemExit)) else _TELL
            if isinstance(error, OSError) and error.errno == errno.EXDEV:
                remedy = _ACROSS
            raise _Raised(Trouble(told, remedy, trace_of(error)), error) from None
        finally:
            self.slowest = max(self.slowest, perf_counter() - began)


class _Alarm:
    """Has it printed where this process stands when a step has had nearly all of its time.

    A store that uses the alarm itself keeps it: where its own has been set, none of ours is any more.
    """

    def __init__(self) -> None:
        self._rings = 0.0
        if hasattr(signal, "SIGALRM"):
            faulthandler.register(signal.SIGALRM, file=2)

    def set(self, seconds: float) -> None:
        """Let it ring when so many seconds have passed, and not before."""
        if not hasattr(signal, "SIGALRM"):
            faulthandler.dump_traceback_later(seconds, file=2)
        elif not self._is_somebodys():
            # Not dump_traceback_later: after a fork it waits for a timer of the process that was forked.
            signal.setitimer(signal.ITIMER_REAL, seconds)
            self._rings = monotonic() + seconds

    def _is_somebodys(self) -> bool:
        left, interval = signal.getitimer(signal.ITIMER_REAL)
        ours = not left or abs(monotonic() + left - self._rings) < _SAME
        return bool(interval) or not ours or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL


def _read(opened: OpenStore, look: Call) -> Any:
    found = look.make(opened)
    return list(found) if hasattr(type(found), "__next__") else found


def _where(output: str) -> str:
    """Return where a process stood when its time was nearly up, as a traceback without frames of the suite."""
    current = output.rpartition("(most recent call first):")[2]  # the main thread is the last
    frames: list[str] = []
    for line in current.splitlines():
        if (found := _FRAME.match(line)) is not None:
            if is_ours(found["path"]):
                break  # what comes now called us
            frames.append(line)
    return "\n".join(["It stood at (most recent call last):", *reversed(frames)]) if frames else ""
