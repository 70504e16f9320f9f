"""From the calls of a log to a trace: replays the calls in an order that they can have had.

Calls of several threads that overlap in time can have had their effects in either order. They are taken in the order in
which they returned, unless that order is impossible, or leads to something else than what is on the disk in the end.
"""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_tradestore.crash.operations import Inode, Mark, MarkKind
from pytest_tradestore.crash.recorders import data_calls, name_calls
from pytest_tradestore.crash.recorders.assembling import Locate, assemble
from pytest_tradestore.crash.recorders.conversion import Bound, Conversion, bind
from pytest_tradestore.crash.recorders.data_calls import mapped, write_target
from pytest_tradestore.crash.recorders.descriptors import (
    Descriptor,
    OpenFile,
    ProcessBefore,
    Surroundings,
    Table,
    Task,
)
from pytest_tradestore.crash.recorders.modelled_files import FileSystem, OutOfOrderError
from pytest_tradestore.crash.recorders.self_check import Difference, differences, sentences
from pytest_tradestore.crash.recorders.strace_log import Call, descriptor_in, path_in
from pytest_tradestore.crash.trace import Snapshot, Trace

HANDLERS = {**data_calls.HANDLERS, **name_calls.HANDLERS}

CALLS = tuple(sorted({*HANDLERS, *name_calls.AT_THE_BEGINNING, "readlink", "readlinkat"}))
"""The system calls that have to be in the log."""

_WITHOUT_EFFECT = frozenset(
    "read readv preadv2 lseek _llseek mmap mprotect munmap mremap chdir fchdir umask "  # noqa: SIM905 - a table
    "execve execveat dup dup2 dup3 fcntl fcntl64 unshare".split()
)
_WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2")
_MOST_ATTEMPTS = 24
_BEGIN, _END = "begin", "end"


@dataclass(frozen=True, slots=True)
class Before:
    """What was there when the recording began."""

    root: str
    initial: Snapshot
    identities: Mapping[tuple[int, int], Inode]
    processes: tuple[ProcessBefore, ...]
    began: int


class Marking:
    """Marks as system calls: a readlink of a path that cannot exist, which carries what the mark says."""

    def __init__(self, token: str) -> None:
        self._start = f"/\x01tradestore/{token}/"

    def path(self, *words: object) -> str:
        return self._start + "/".join(str(word) for word in words)

    def words(self, call: Call) -> list[str] | None:
        """Return what a call says if it is a mark of this recording."""
        if call.name not in ("readlink", "readlinkat"):
            return None
        path = path_in(call.arguments[0 if call.name == "readlink" else 1])
        return path.removeprefix(self._start).split("/") if path and path.startswith(self._start) else None


# in which order


@dataclass(frozen=True, slots=True)
class _Orders:
    """What is wished of the order of overlapping calls."""

    contents: Mapping[int, bytes] = field(default_factory=dict)
    """What files, by the number of their node, hold in the end: the write that fits goes first."""
    first: frozenset[tuple[int, int]] = frozenset()
    """(call, later call) pairs whose order is to be the other way round."""


class _Replayed(NamedTuple):
    conversion: Conversion
    overlapping: list[tuple[int, int]]
    """Pairs of calls in the order taken, which could have been the other."""


_Attempt = tuple[_Replayed, Trace, tuple[Difference, ...]]


def trace_of(
    calls: Sequence[Call],
    before: Before,
    after: Snapshot,
    marking: Marking,
    *,
    recorder: str,
    volatile: Sequence[str] = (),
    locate: Locate = lambda *_: None,
) -> Trace:
    """Return the trace of the calls between the marks ``begin`` and ``end``.

    A difference between what it leads to and ``after``, the tree on the disk in the end, is a reason in ``unseen``.
    """
    inner, complete = _between(calls, marking)

    def attempt(orders: _Orders) -> _Attempt:
        replayed = _replay(inner, before, marking, orders)
        trace = assemble(
            replayed.conversion, before.root, before.initial, recorder=recorder, volatile=volatile, locate=locate
        )
        return replayed, trace, differences(trace, after, volatile)

    replayed, trace, found = attempt(_Orders())
    if found and replayed.overlapping:
        trace, found = _better_order(attempt, (replayed, trace, found))
    unseen = (*trace.unseen, *sentences(found))
    if not complete:
        unseen += ("strace stopped before the recording did, so that its end is missing; see whether it was killed",)
    return Trace(trace.recorder, trace.initial, trace.operations, unseen, trace.notes)


def _between(calls: Sequence[Call], marking: Marking) -> tuple[list[Call], bool]:
    """Return the calls of the recording itself, and whether both ends of it are in the log."""
    begin = end = None
    for call in calls:
        match marking.words(call):
            case [word] if word == _BEGIN:
                begin = call.end
            case [word] if word == _END:
                end = call.start
    first, last = begin if begin is not None else -1, end if end is not None else 2**62
    return [call for call in calls if call.end > first and call.start < last], begin is not None and end is not None


def _better_order(attempt: Callable[[_Orders], _Attempt], taken: _Attempt) -> tuple[Trace, tuple[Difference, ...]]:
    """Look for an order of the overlapping calls that leads to what is on the disk; the best one found is returned."""
    replayed, _, found = taken
    numbers = {path: node.number for path, node in replayed.conversion.walk()}
    contents = {numbers[d.path]: d.content for d in found if d.content is not None and d.path in numbers}
    orders = _Orders(contents)
    best = min((taken, attempt(orders)), key=lambda tried: len(tried[2]))
    swapped: frozenset[tuple[int, int]] = frozenset()
    for earlier, later in replayed.overlapping[:_MOST_ATTEMPTS]:
        if not best[2]:
            break
        orders = _Orders(contents, swapped | {(later, earlier)})
        tried = attempt(orders)
        if len(tried[2]) < len(best[2]):
            best, swapped = tried, orders.first
    return best[1], best[2]


def _initial_conversion(before: Before) -> Conversion:
    files = FileSystem(before.root, before.initial, before.identities)
    conversion = Conversion(files, {}, before.began)
    openings: dict[tuple[int, int], OpenFile] = {}
    for process in before.processes:
        table = Table()
        for opened in process.descriptors:
            twin = openings.get(opened.twin) if opened.twin is not None else None
            file = twin or OpenFile(
                None,
                opened.position,
                append=bool(opened.flags & os.O_APPEND),
                durable=bool(opened.flags & os.O_DSYNC),
                writable=opened.flags & os.O_ACCMODE == os.O_RDWR,
            )
            if stat.S_ISREG(opened.kind) or stat.S_ISDIR(opened.kind):
                file.node = files.by_identity.get(opened.identity)
                if file.node is None and opened.path.startswith("/") and not opened.path.endswith(" (deleted)"):
                    file.node = files.resolve(files.top, opened.path).node
            openings[process.process, opened.number] = file
            table.descriptors[opened.number] = Descriptor(file, bool(opened.flags & os.O_CLOEXEC))
            if opened.path == "anon_inode:[io_uring]":
                conversion.not_seen(
                    "an io_uring was set up before the recording; its writes are not seen; switch it off"
                )
        directory = files.resolve(files.top, process.directory).node or files.top
        task = Task(table, Surroundings(directory, process.umask))
        conversion.tasks.update(dict.fromkeys(process.tasks, task))
        for identity in process.shared_mappings:
            node = files.by_identity.get(identity)
            if node is not None:
                mapped(conversion, node)
    return conversion


def _replay(calls: Sequence[Call], before: Before, marking: Marking, orders: _Orders) -> _Replayed:
    """Let every call have its effect on the model."""
    replay = _Replay(_initial_conversion(before), before, orders)
    moments = sorted(
        [(call.start, False, index) for index, call in enumerate(calls)]
        + [(call.end, True, index) for index, call in enumerate(calls)]
    )
    for _, returns, index in moments:
        call = calls[index]
        words = marking.words(call)
        if words is not None:
            if returns and len(words) == 2:
                replay.conversion.emit(call, Mark, moment=MarkKind(words[0]), update=int(words[1]))
        elif returns:
            replay.returned(index)
        else:
            replay.begun(index, call)
    return _Replayed(replay.conversion, replay.overlapping)


class _Replay:
    def __init__(self, conversion: Conversion, before: Before, orders: _Orders) -> None:
        self.conversion = conversion
        self.overlapping: list[tuple[int, int]] = []
        self._root = before.root
        self._orders = orders
        self._main = conversion.tasks[before.processes[0].process]
        self._pending: dict[int, Bound] = {}

    def begun(self, index: int, call: Call) -> None:
        tasks = self.conversion.tasks
        if call.task not in tasks:
            tasks[call.task] = self._main  # a thread whose birth was not seen
        handler = name_calls.AT_THE_BEGINNING.get(call.name)
        if call.failed and call.name not in ("fsync", "fdatasync", "close"):
            return
        if handler is not None:
            handler(self.conversion, Bound(call, tasks[call.task], {}, {}))
        elif call.name in HANDLERS:
            self._pending[index] = bind(self.conversion, call)

    def returned(self, index: int) -> None:
        bound = self._pending.get(index)
        if bound is None:
            return
        if bound.call.result is None:
            del self._pending[index]
            if bound.call.name not in _WITHOUT_EFFECT and self._concerns_root(bound):
                self.conversion.not_seen(
                    f"a call to {bound.call.name} had begun but not returned when its thread or the recording ended; "
                    "whether it had its effect is not known"
                )
            return
        tried: set[int] = set()
        while others := [other for other in self._wished_before(index) if other not in tried]:
            tried.add(others[0])
            self._try(others[0])  # one at a time, because each moves where the next one would go
        self._settle(index)

    def _settle(self, index: int) -> None:
        """Apply a call; where that is impossible, one that overlaps it must have come first."""
        reason = self._try(index)
        if reason is None:
            return
        for other in list(self._pending):
            if other != index and self._try(other) is None and self._try(index) is None:
                return
        bound = self._pending.pop(index)
        if self._concerns_root(bound):
            self.conversion.not_seen(f"a call to {bound.call.name} could not be followed: {reason}")

    def _try(self, index: int) -> OutOfOrderError | None:
        bound = self._pending.get(index)
        if bound is None or bound.call.result is None:
            return OutOfOrderError("it is over, or never returned")
        try:
            HANDLERS[bound.call.name](self.conversion, bound)
        except OutOfOrderError as reason:
            return reason
        del self._pending[index]
        if bound.call.name not in _WITHOUT_EFFECT:
            self.overlapping += [
                (index, other) for other, b in self._pending.items() if b.call.name not in _WITHOUT_EFFECT
            ]
        return None

    def _wished_before(self, index: int) -> list[int]:
        wished = [other for other in self._pending if (other, index) in self._orders.first]
        bound = self._pending[index]
        if not self._orders.contents or bound.call.name not in _WRITES:
            return wished
        mine = self._fits(bound)
        for other, candidate in self._pending.items():
            if other == index or candidate.call.name not in _WRITES or candidate.call.result is None:
                continue
            theirs = self._fits(candidate)
            if mine is None or theirs is None or mine.node != theirs.node:
                continue
            if mine.offset == theirs.offset and mine.moves and theirs.moves and theirs.fits and not mine.fits:
                return [*wished, other]  # of two appends, the one whose data is there came first
            if not mine.moves and not theirs.moves and mine.fits and not theirs.fits:
                wished.append(other)  # of two writes to one place, the one whose data is there came last
        return wished

    def _fits(self, bound: Bound) -> "_Fit | None":
        target = write_target(self.conversion, bound)
        if target is None or target[0].number not in self._orders.contents:
            return None
        node, start, data = target
        file = self.conversion.file(bound, 0)
        moves = file.append or bound.call.name in ("write", "writev")
        return _Fit(node.number, start, moves, self._orders.contents[node.number][start : start + len(data)] == data)

    def _concerns_root(self, bound: Bound) -> bool:
        """Say whether a call may have changed something under the root; in doubt it may."""
        for index, argument in enumerate(bound.call.arguments):
            file = bound.files.get(index)
            described = descriptor_in(argument) if argument[:1].isdigit() or argument.startswith("AT_") else None
            path = described.path if described is not None else path_in(argument)
            if file is not None and file.node is not None and file.node.inside:
                return True
            if path is not None and (path == self._root or path.startswith(self._root + "/")):
                return True
            if path is not None and not path.startswith("/") and bound.task.surroundings.directory.inside:
                return True
        return False


class _Fit(NamedTuple):
    node: int
    offset: int
    moves: bool
    fits: bool
