"""Which modes a store gives to its files and directories, at every moment of its workload, whatever the umask.

Recorded under three umasks; once more on damaged files, which may be put aside; and once on files whose modes somebody
has made stricter. What is too wide is said
here; the store runs in processes of its own.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pytest_tradestore.crash.images import matches
from pytest_tradestore.crash.operations import Create, Kind, Link, Mark, MarkKind, Rename, SetMode
from pytest_tradestore.crash.recorders.base import Recorder, Recording
from pytest_tradestore.crash.trace import Trace, Tree
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.isolation import Channel
from pytest_tradestore.kits.call import Call
from pytest_tradestore.runner import finished
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest

UMASKS = (0o000, 0o022, 0o077)
WIDEST_FILE, WIDEST_DIRECTORY = 0o640, 0o750
NO_RIGHTS = "this system has no modes and owners as POSIX has them"


@dataclass(frozen=True, slots=True)
class Wide:
    """One mode that is too wide: where, when, under which umask, and what it may be at most."""

    path: str
    mode: int
    widest: int
    umask: int
    during: str
    calls: tuple[str, ...]
    place: str = ""
    """The line that gave it the mode, where that is known."""

    def __str__(self) -> str:
        return f"{self.path!a} has mode {self.mode:04o} during {self.during}, with umask {self.umask:03o}"


@dataclass(frozen=True, slots=True)
class Modes:
    """What was found: modes too wide at any moment, modes widened by a replacement, changes of the umask.

    ``undecided`` says why nothing, or not all, could be looked at.
    """

    wide: tuple[Wide, ...] = ()
    widened: tuple[Wide, ...] = ()
    umask_changes: tuple[str, ...] = ()
    looked_at: int = 0
    undecided: str = ""


def gather(store: StoreUnderTest, workload: Workload, recorder: Recorder) -> Modes:
    """Run the workload under every umask, on damaged files, and on files that only their owner may read."""
    if not hasattr(os, "geteuid"):
        return Modes(undecided=NO_RIGHTS)
    wide: list[Wide] = []
    looked_at = 0
    undecided = ""
    changes: list[str] = []
    runs = list(zip(UMASKS, _under_every_umask(store, workload, recorder), strict=True))
    if not any(isinstance(found, str) for _, found in runs):
        runs.append((0, in_isolation(store, partial(_on_damaged_files, store, workload, recorder))))
    for umask, found in runs:
        if isinstance(found, str):
            undecided = undecided or found
            continue
        trace, more, unseen = found
        changes += more
        undecided = undecided or unseen
        modes = list(_modes(trace, workload.updates))
        looked_at += len(modes)
        wide += [
            Wide(path, mode, widest, umask, during, calls, place)
            for path, mode, widest, during, calls, place in modes
            if mode & ~widest
        ]
    found = in_isolation(store, partial(_tightened, store, workload))
    if isinstance(found, str):
        return Modes(tuple(wide), (), tuple(changes), looked_at, undecided or found)
    widened, more = found
    return Modes(tuple(wide), tuple(widened), (*changes, *more), looked_at, undecided)


def _under_every_umask(store: StoreUnderTest, workload: Workload, recorder: Recorder) -> list[Any]:
    """Return what was recorded, or why nothing was, for each umask: in one process, or if that ends in one for each."""
    together = in_isolation(store, partial(_recorded, store, workload, recorder, UMASKS))
    if not isinstance(together, str):
        return list(together)
    alone = [in_isolation(store, partial(_recorded, store, workload, recorder, (umask,))) for umask in UMASKS]
    return [found if isinstance(found, str) else found[0] for found in alone]


def in_isolation(store: StoreUnderTest, task: Callable[[Channel, Iterator[Path]], Any]) -> Any:
    """Return what the task returns, or in a sentence why it did not."""
    with Sandbox() as sandbox:
        roots = iter([sandbox.fresh_root() for _ in UMASKS])
        return finished(lambda channel: task(channel, roots), store.declarations.deadline)


class UmaskCalls:
    """Stands in for ``os.umask`` and remembers that it was called; what native libraries do shows afterwards."""

    def __init__(self) -> None:
        self._real = os.umask
        self.changes: list[str] = []
        self.during = "opening the store"
        os.umask = self._asked

    def _asked(self, mask: int) -> int:
        asked_by = sys._getframe(1).f_globals.get("__name__", "")
        if not asked_by.startswith(("pytest_tradestore.", "pyfakefs.")):  # a recorder has to ask, too
            self.changes.append(f"os.umask({mask:#05o}) during {self.during}")
        return self._real(mask)

    def stop(self) -> None:
        os.umask = self._real

    def check(self, umask: int) -> None:
        """Note a change that did not come through ``os.umask``, and take it back."""
        if (found := self._real(umask)) != umask and not self.changes:
            self.changes.append(f"the umask was {umask:03o} before and {found:03o} after {self.during}")


def _recorded(
    store: StoreUnderTest,
    workload: Workload,
    recorder: Recorder,
    umasks: tuple[int, ...],
    channel: Channel,
    roots: Iterator[Path],
) -> list[tuple[Trace, list[str], str] | str]:
    made: list[tuple[Recording, list[str], str]] = []
    store.load()
    with recorder.several() as recordings:
        for umask in umasks:
            os.umask(umask)
            calls = UmaskCalls()
            with recordings.record((root := next(roots)), volatile=store.declarations.volatile) as recording:
                problem = drive(store, workload.updates, root, channel, calls, umask, recording.mark)
            calls.stop()
            channel.rest()
            made.append((recording, calls.changes, problem))
    return [
        problem or (recording.trace, changes, "; ".join(recording.trace.unseen)) for recording, changes, problem in made
    ]


def _on_damaged_files(
    store: StoreUnderTest, workload: Workload, recorder: Recorder, channel: Channel, roots: Iterator[Path]
) -> tuple[Trace, list[str], str] | str:
    """Damage every file and make the updates once more, whatever they raise: what is put aside is a file, too."""
    root, declared = next(roots), store.declarations
    os.umask(0)
    calls = UmaskCalls()
    if problem := drive(store, workload.updates, root, channel, calls, 0):
        return problem
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink()):
        if "lock" not in path.name.lower() and not matches(str(path.relative_to(root)), declared.volatile):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"\0damaged")
    with recorder.record(root, volatile=declared.volatile) as recording:
        bridge = Bridge()
        with suppress(Exception):
            channel.step(0)
            recording.mark(MarkKind.INVOKED, 0)
            opened = store.open(root, bridge)
            workload.observe(opened, declared.errors)
            for number, update in enumerate(workload.updates, 1):
                channel.step(number)
                recording.mark(MarkKind.INVOKED, number)
                with suppress(Exception):
                    update.make(opened)
            opened.close()
        bridge.close()
    return recording.trace, calls.changes, "; ".join(recording.trace.unseen)


def drive(
    store: StoreUnderTest,
    updates: tuple[Call, ...],
    root: Path,
    channel: Channel,
    calls: UmaskCalls,
    umask: int,
    mark: Callable[[MarkKind, int], None] = lambda *_: None,
) -> str:
    """Open the store, make the updates, close it; return in a sentence what it refused, or nothing."""
    bridge = Bridge()
    step = "opening the store"
    try:
        channel.step(0)
        mark(MarkKind.INVOKED, 0)
        opened = store.open(root, bridge)
        calls.check(umask)
        for number, update in enumerate(updates, 1):
            step = calls.during = update.rendered
            channel.step(number)
            mark(MarkKind.INVOKED, number)
            update.make(opened)
            calls.check(umask)
        step = calls.during = "closing the store"
        mark(MarkKind.INVOKED, len(updates) + 1)
        opened.close()
        calls.check(umask)
        bridge.close()
    except Exception as error:  # whatever the store raises, it has not done what it was asked for
        return f"{step} raised {type(error).__name__}: {str(error).replace(str(root), '<root>')}"
    return ""


_Mode = tuple[str, int, int, str, tuple[str, ...], str]
"""A path, its mode, the widest allowed, the call, the calls so far, and the line that gave it the mode."""


def _modes(trace: Trace, updates: tuple[Call, ...]) -> Iterator[_Mode]:
    """Yield every mode that anything had at any moment."""
    tree = Tree(trace.initial)
    given: dict[Any, str] = {}
    names = ("opening the store", *(update.rendered for update in updates), "closing the store")
    now = 0
    for operation in trace.operations:
        tree.apply(operation)
        match operation:
            case Mark(MarkKind.INVOKED, number):
                now = min(number, len(names) - 1)
            case Create(inode, kind) if kind is not Kind.SYMLINK:
                given[inode] = str(operation.origin.location or "")
                yield _mode(tree, inode, names, now, given)
            case SetMode(inode) | Link(inode) | Rename(inode) if tree.nodes[inode].kind is not Kind.SYMLINK and inode:
                if isinstance(operation, SetMode):
                    given[inode] = str(operation.origin.location or "")
                yield _mode(tree, inode, names, now, given)


def _mode(tree: Tree, inode: Any, names: tuple[str, ...], now: int, given: dict[Any, str]) -> _Mode:
    node = tree.nodes[inode]
    path = next((path for path, found in tree.walk() if found == inode), "a file without a name")
    widest = WIDEST_DIRECTORY if node.kind is Kind.DIRECTORY else WIDEST_FILE
    return path, node.mode & 0o777, widest, names[now], names[1 : now + 1], given.get(inode, "")


def _tightened(
    store: StoreUnderTest, workload: Workload, channel: Channel, roots: Iterator[Path]
) -> tuple[list[Wide], list[str]] | str:
    """Make files, take group and others their rights, and make the updates once more."""
    umask, root = 0o022, next(roots)
    os.umask(umask)
    calls = UmaskCalls()
    if problem := drive(store, workload.updates, root, channel, calls, umask):
        return problem
    tight: dict[str, int] = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                os.chmod(path, 0o600)
                tight[path] = 0o600
    widened: list[Wide] = []

    def look(_: MarkKind, number: int) -> None:
        done = ("opening the store", *(update.rendered for update in workload.updates))
        for path, widest in list(tight.items()):
            try:
                mode = stat.S_IMODE(os.lstat(path).st_mode)
            except FileNotFoundError:
                del tight[path]  # a file that takes this name later replaces none
                continue
            if mode & ~widest:
                call = done[number - 1] if number else done[0]
                widened.append(Wide(os.path.relpath(path, root), mode, widest, umask, call, done[1:number]))

    if problem := drive(store, workload.updates, root, channel, calls, umask, look):
        return problem
    return widened, calls.changes
