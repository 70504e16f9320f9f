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
from dataclasses import replace
from pathlib import Path

from pytest_tradestore.crash.operations import Inode, Mark, Moment
from pytest_tradestore.crash.recorders import attaching
from pytest_tradestore.crash.recorders.attaching import Attached, AttachError, descendants, not_attached, tracer_of
from pytest_tradestore.crash.recorders.calls_to_operations import CALLS, Before, Marking, trace_of
from pytest_tradestore.crash.recorders.descriptors import processes_before
from pytest_tradestore.crash.recorders.source_lines import SourceLines
from pytest_tradestore.crash.recorders.strace_log import calls_in
from pytest_tradestore.crash.trace import EMPTY, Snapshot, Trace, snapshot_of

_MOST_READINGS = 5


class StraceRecording:
    """A recording under way."""

    def __init__(self, marking: Marking) -> None:
        self._marking = marking
        self._trace: Trace | None = None
        self.marks = 0

    def mark(self, moment: Moment, update: int) -> None:
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
        real = os.path.realpath(root)
        marking = Marking(secrets.token_hex(8))
        recording = StraceRecording(marking)
        lines = SourceLines()
        others = descendants()
        try:
            attached = Attached(CALLS, others)
        except AttachError as error:
            raise RuntimeError(f"the strace recorder cannot record: {error}") from error
        before: Before | None = None
        try:
            # Taken with strace already there, so that nothing that other threads do falls between the two.
            unseen = not_attached(attached.pid, others, real)
            processes = processes_before((os.getpid(), *others))
            initial, identities = _snapshot(real)
            before = Before(real, initial, identities, processes, time.time_ns())
            recording._say("begin")
            lines.start()
            try:
                yield recording
            finally:
                lines.stop()
                recording._say("end")
        finally:
            log = attached.detach()
            if before is not None:
                trace = trace_of(
                    calls_in(log),
                    before,
                    _tree_at_the_end(real),
                    marking,
                    recorder=self.name,
                    volatile=volatile,
                    locate=lines.find,
                )
                lost = recording.marks - sum(isinstance(operation, Mark) for operation in trace.operations)
                if lost and not trace.unseen:
                    unseen = (*unseen, f"{lost} of {recording.marks} marks are not in the log of strace")
                recording._trace = replace(trace, unseen=(*trace.unseen, *unseen))


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
