"""The recorder that sees everything a process does: strace, attached to it for the length of the recording.

Threads, child processes and native libraries are seen alike, because system calls are what is recorded. Linux only.
"""

import contextlib
import functools
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_tradestore.crash.operations import Inode, Kind, Mark, MarkKind
from pytest_tradestore.crash.recorders import attaching
from pytest_tradestore.crash.recorders.attaching import Attached, AttachError, descendants, not_attached, tracer_of
from pytest_tradestore.crash.recorders.calls_to_operations import CALLS, Before, Marking, trace_of
from pytest_tradestore.crash.recorders.descriptors import processes_before, shared_mappings
from pytest_tradestore.crash.recorders.source_lines import SourceLines
from pytest_tradestore.crash.recorders.strace_log import calls_in
from pytest_tradestore.crash.trace import EMPTY, Snapshot, Trace, snapshot_of

_MOST_READINGS = 5
_SECTION = "section"


class StraceRecording:
    """A recording under way."""

    def __init__(self, marking: Marking) -> None:
        self._marking = marking
        self._trace: Trace | None = None
        self.marks = 0

    def mark(self, moment: MarkKind, update: int) -> None:
        """Put a mark into the trace, between what was issued before this call and what is issued after it."""
        self._say(moment.value, update)
        self.marks += 1

    @property
    def trace(self) -> Trace:
        """The finished trace.

        Raises RuntimeError while the recording still runs.
        """
        if self._trace is None:
            raise RuntimeError("the trace is there once the recording has ended; leave its with block first")
        return self._trace

    def _say(self, *words: object) -> None:
        with contextlib.suppress(OSError):
            os.readlink(self._marking.path(*words))


class StraceRecorder:
    """Records the process that calls it, through strace."""

    name = "strace"

    def unavailable(self) -> str | None:
        """Say in one sentence why this recorder cannot work here and what to do, or None when it can."""
        known = _why_not()
        if known is None and (tracer := tracer_of("self")):
            return f"this process is already traced by process {tracer}; end that, or use --tradestore-recorder=fake"
        return known

    @contextmanager
    def record(self, root: Path, *, volatile: Sequence[str] = ()) -> Iterator[StraceRecording]:
        """Record everything that this process, its threads and children do under ``root`` inside the ``with`` block.

        ``volatile`` are glob patterns, relative to the root, of files that may be mapped and whose content is not
        judged.
        Raises RuntimeError where strace cannot attach; ``unavailable`` tells beforehand.
        """
        with self.several() as recorder, recorder.record(root, volatile=volatile) as recording:
            yield recording

    @contextmanager
    def several(self) -> "Iterator[_SeveralRecordings]":
        """Attach once for several recordings, one after the other; their traces are there when this has ended.

        Raises RuntimeError where strace cannot attach; ``unavailable`` tells beforehand.
        """
        others = descendants()
        try:
            attached = Attached(CALLS, others)
        except AttachError as error:
            raise RuntimeError(f"the strace recorder cannot record: {error}") from error
        several = _SeveralRecordings(attached.pid, others)
        try:
            yield several
        finally:
            several.read(attached.detach())


@dataclass(frozen=True, slots=True)
class _Finished:
    """All that is known of one recording but the log."""

    recording: StraceRecording
    before: Before
    after: Snapshot
    lines: SourceLines
    unseen: tuple[str, ...]
    volatile: Sequence[str]


class _SeveralRecordings:
    """Records one root after the other while strace stays attached."""

    name = "strace"

    def __init__(self, tracer: int, others: tuple[int, ...]) -> None:
        self._tracer = tracer
        self._others = others
        self._finished: list[_Finished] = []
        self._mapped: dict[int, tuple[tuple[int, int], ...]] = {}

    @contextmanager
    def record(self, root: Path, *, volatile: Sequence[str] = ()) -> Iterator[StraceRecording]:
        """Record everything that this process, its threads and children do under ``root`` inside the ``with`` block."""
        real = os.path.realpath(root)
        recording = StraceRecording(Marking(secrets.token_hex(8)))
        lines = SourceLines()
        recording._say(_SECTION)
        # Taken with strace already there, so that nothing that other threads do falls between the two.
        others = tuple(sorted({*self._others, *descendants(self._tracer)})) if self._finished else self._others
        unseen = not_attached(self._tracer, others, real)
        processes = processes_before((os.getpid(), *others))
        initial, identities = _snapshot(real)
        if any(node.kind is Kind.FILE for node in initial.nodes.values()):
            processes = tuple(replace(p, shared_mappings=self._mappings_of(p.process)) for p in processes)
        before = Before(real, initial, identities, processes, time.time_ns())
        recording._say("begin")
        lines.start()
        try:
            yield recording
        finally:
            lines.stop()
            recording._say("end")
            self._finished.append(_Finished(recording, before, _tree_at_the_end(real), lines, unseen, volatile))

    def _mappings_of(self, process: int) -> tuple[tuple[int, int], ...]:
        """Return what a process had mapped when it was first asked: each recording has a root of its own, and no call
        of an earlier one maps files of a later."""
        if process not in self._mapped:
            self._mapped[process] = shared_mappings(process)
        return self._mapped[process]

    def read(self, log: str) -> None:
        """Make the traces from the log, of which each recording has a section of its own."""
        if not self._finished:
            return
        starts = [_section_start(log, finished.recording) for finished in self._finished]
        for finished, start, end in zip(self._finished, starts, [*starts[1:], len(log)], strict=True):
            recording = finished.recording
            trace = trace_of(
                calls_in(log[start:end]),
                finished.before,
                finished.after,
                recording._marking,
                recorder=self.name,
                volatile=finished.volatile,
                locate=finished.lines.find,
            )
            unseen = finished.unseen
            lost = recording.marks - sum(isinstance(operation, Mark) for operation in trace.operations)
            if lost and not trace.unseen:
                unseen = (*unseen, f"{lost} of {recording.marks} marks are not in the log of strace")
            recording._trace = replace(trace, unseen=(*trace.unseen, *unseen))


def _section_start(log: str, recording: StraceRecording) -> int:
    """Return where in the log the line stands with which a recording begins; the end of the log if it is not there."""
    at = log.find("".join(f"\\x{byte:02x}" for byte in recording._marking.path(_SECTION).encode()))
    return log.rfind("\n", 0, at) + 1 if at >= 0 else len(log)


def _snapshot(root: str) -> tuple[Snapshot, dict[tuple[int, int], Inode]]:
    """Read the tree under a root in which other threads may be at work."""
    for _ in range(_MOST_READINGS):
        with contextlib.suppress(FileNotFoundError):
            return snapshot_of(Path(root))
    return snapshot_of(Path(root))


def _tree_at_the_end(root: str) -> Snapshot:
    """Read the tree that a recording left; a root that is gone counts as empty."""
    return _snapshot(root)[0] if os.path.isdir(root) else EMPTY


@functools.cache
def _why_not() -> str | None:
    return attaching.why_not()
