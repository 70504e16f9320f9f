"""Where trials of faults are made: a client of the store, and whoever refuses its calls.

Runs the store's own code: only ever inside an isolated process.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pytest_tradestore.crash.client import Client
from pytest_tradestore.crash.recorders.source_lines import SourceLines
from pytest_tradestore.faults.calls import Call as FileCall
from pytest_tradestore.faults.calls import CallKind, Fault, InjectedFault, Interrupt, Limit, Watched

try:
    import resource
except ImportError:  # nothing here is used where there is none
    resource = None  # type: ignore[assignment] # as said above

NOTHING_WATCHED = Watched((), 0, False, ())


class Injecting(Protocol):
    """Whoever can refuse calls of this process."""

    def arm(self, root: str, fault: Fault | None) -> None: ...

    def disarm(self) -> Watched: ...

    def apart(self, chore: Callable[..., Any], *arguments: Any) -> Any:
        """Do a chore of ours where nobody is asked about calls, which is quicker; return its result."""


@dataclass
class FaultClient(Client):
    """A client some of whose calls are refused; ``afterwards`` is set when the fault has struck."""

    injecting: Injecting | None = None
    afterwards: bool = False
    lines: Callable[[], SourceLines] | None = None
    """Makes who notes which lines ask for calls, where that is wanted."""

    def _apart(self, chore: Callable[..., Any], *arguments: Any) -> Any:
        return chore(*arguments) if self.injecting is None else self.injecting.apart(chore, *arguments)

    @contextmanager
    def refusing(self, root: Path, refusal: InjectedFault | None, into: list[Watched]) -> Iterator[None]:
        """Let ``refusal`` happen inside the block; what was watched is put ``into`` the list."""
        if isinstance(refusal, Limit):
            with _limited(refusal):
                yield
            into.append(NOTHING_WATCHED)
        elif isinstance(refusal, Interrupt):
            hits: list[str] = []
            with _interrupted(refusal, hits):
                yield
            into.append(replace(NOTHING_WATCHED, hits=len(hits)))
        elif self.injecting is None:
            yield
            into.append(NOTHING_WATCHED)
        else:
            lines = None if self.lines is None else self.lines()
            if lines is not None:
                lines.start()
            self.injecting.arm(str(root), refusal)
            try:
                yield
            finally:
                watched = self.injecting.disarm()
                if lines is not None:
                    lines.stop()
                    watched = replace(watched, calls=_named(watched.calls, lines))
                into.append(watched)


def _named(calls: tuple[FileCall, ...], lines: SourceLines) -> tuple[FileCall, ...]:
    """Return calls with the lines that were running in their threads at their times."""
    told = []
    for call in calls:
        location = lines.find(call.thread, call.time)
        told.append(call if location is None else replace(call, place=str(location), source=location.innermost.text))
    return tuple(told)


CAN_LIMIT = resource is not None
"""Whether the system can be asked to refuse a process files, or what is larger than so much."""
_INTERRUPTED = {CallKind.SYNC: ("fsync", "fdatasync"), CallKind.RENAME: ("rename", "replace")}


@contextmanager
def _interrupted(moment: Interrupt, hits: list[str]) -> Iterator[None]:
    """Raise KeyboardInterrupt where Python raises it: in the main thread, when the call in question is done."""
    count = 0

    def made(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            found = function(*arguments, **options)
            if threading.current_thread() is threading.main_thread():
                count += 1
                if count == moment.nth:
                    hits.append(name)
                    raise KeyboardInterrupt
            return found

        return call

    names = [name for name in _INTERRUPTED[moment.kind] if hasattr(os, name)]
    before = {name: getattr(os, name) for name in names}
    try:
        for name in names:
            setattr(os, name, made(name, before[name]))
        yield
    finally:
        for name, function in before.items():
            setattr(os, name, function)


@contextmanager
def _limited(limit: Limit) -> Iterator[None]:
    number = getattr(resource, limit.resource)
    soft, hard = resource.getrlimit(number)
    value = limit.value
    if limit.resource == "RLIMIT_NOFILE":
        value += _lowest_free()
    resource.setrlimit(number, (min(value, hard) if hard >= 0 else value, hard))
    try:
        yield
    finally:
        resource.setrlimit(number, (soft, hard))


def _lowest_free() -> int:
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number
