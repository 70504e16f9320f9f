"""Where trials of faults are made: a store, its workload, fresh roots, and whoever refuses calls.

Runs the store's own code: only ever inside an isolated process.
"""

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pytest_tradestore.crash.images import THE_ROOT, DurableImage, matches, read_image
from pytest_tradestore.crash.recorders.source_lines import SourceLines
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Call as FileCall
from pytest_tradestore.faults.calls import CallKind, Fault, Interrupt, Limit, Refusal, Watched
from pytest_tradestore.faults.timeless import timeless
from pytest_tradestore.observation import Observation
from pytest_tradestore.sandbox import remove_tree
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest

NOTHING_WATCHED = Watched((), 0, False, ())


class Injecting(Protocol):
    """Whoever can refuse calls of this process."""

    def arm(self, root: str, fault: Fault | None) -> None: ...

    def disarm(self) -> Watched: ...

    def apart(self, chore: Callable[..., Any], *arguments: Any) -> Any:
        """Do a chore of ours where nobody is asked about calls, which is quicker; return its result."""


@dataclass
class Bench:
    """Where trials are made: a store, its workload, a place for roots, and whoever refuses calls."""

    store: StoreUnderTest
    workload: Workload
    directory: Path
    injecting: Injecting | None
    step: Callable[[bool], None]
    """Says that the next step of the store begins, and whether that is after the fault has struck."""
    bridge: Bridge = field(default_factory=Bridge)
    afterwards: bool = False
    lines: Callable[[], SourceLines] | None = None
    """Makes who notes which lines ask for calls, where that is wanted."""
    _count: int = 0

    def fresh_root(self, image: DurableImage) -> Path:
        """Return a new root that holds ``image``."""
        self._count += 1
        root = self.directory / f"{os.getpid()}-{self._count}" / "store"
        self._apart(make_root, root, image)
        return root

    def discard(self, root: Path) -> None:
        """Remove a root that ``fresh_root`` gave."""
        self._apart(remove_tree, root.parent)

    def image_of(self, root: Path) -> DurableImage:
        """Return what lies below a root, volatile files left out."""
        found: DurableImage = self._apart(image_below, root, self.store.declarations.volatile)
        return found

    def _apart(self, chore: Callable[..., Any], *arguments: Any) -> Any:
        return chore(*arguments) if self.injecting is None else self.injecting.apart(chore, *arguments)

    def begin(self) -> None:
        """Say that the next step of the store begins."""
        self.step(self.afterwards)

    def open(self, root: Path) -> OpenStore:
        self.begin()
        return self.store.open(root, self.bridge)

    def observe(self, opened: OpenStore) -> Observation:
        """Return what the store shows, with the times of this run left out: two runs have to be comparable."""
        self.begin()
        return timeless(self.workload.observe(opened, self.store.declarations.errors))

    @contextmanager
    def refusing(self, root: Path, refusal: Refusal | None, into: list[Watched]) -> Iterator[None]:
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

    def close(self) -> None:
        self.bridge.close()


def _named(calls: tuple[FileCall, ...], lines: SourceLines) -> tuple[FileCall, ...]:
    """Return calls with the lines that were running in their threads at their times."""
    told = []
    for call in calls:
        location = lines.find(call.thread, call.time)
        told.append(call if location is None else replace(call, place=str(location), source=location.innermost.text))
    return tuple(told)


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


def make_root(root: Path, image: DurableImage) -> None:
    """Make a new root that holds ``image``."""
    os.makedirs(root)
    image.write(root)


def image_below(root: Path, volatile: tuple[str, ...]) -> DurableImage:
    """Return what lies below a root; links into it stay links into it wherever it is written."""
    base = str(root)
    return DurableImage(
        tuple(
            replace(file, target=file.target.replace(base, THE_ROOT)) if file.target else file
            for file in read_image(root)
            if not matches(file.path, volatile)
        )
    )


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
