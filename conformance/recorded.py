"""What a store did to its files during some calls: seen by a recorder, or where none can, by looking at the files."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_tradestore.crash.operations import Mark, Moment, Operation
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.crash.trace import Trace

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import Visit


@dataclass(frozen=True, slots=True)
class Watched:
    """A recording of calls, or the reason in ``unseen`` why there is none that could be relied on."""

    trace: Trace | None
    unseen: str = ""

    def during(self, number: int) -> tuple[Operation, ...]:
        """Return the operations between the two marks of call ``number``."""
        inside: list[Operation] = []
        now = False
        for operation in self.trace.operations if self.trace else ():
            if isinstance(operation, Mark) and operation.update == number:
                now = operation.moment is Moment.INVOKED
            elif now and not isinstance(operation, Mark):
                inside.append(operation)
        return tuple(inside)


def watched(visit: "Visit", calls: Callable[[Callable[[Moment, int], None]], None]) -> Watched:
    """Make ``calls`` on the visit's store while a recorder watches; they are given what puts marks into the trace.

    The store must not have been opened before. What the calls raise is raised.
    """
    try:
        recorder, _ = choose_recorder(visit.settings.recorder)
        with recorder.record(visit.root, volatile=visit.volatile) as recording:
            calls(recording.mark)
            visit.close()
    except RuntimeError as reason:
        return Watched(None, str(reason))
    trace = recording.trace
    return Watched(None, "; ".join(trace.unseen)) if trace.unseen else Watched(trace)


def files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files under a root with their states, by relative path."""
    for directory, _, names in os.walk(root):
        for name in sorted(names):
            path = os.path.join(directory, name)
            yield os.path.relpath(path, root), os.lstat(path)


def fingerprint(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """Return what changes whenever a file is written, replaced, made or removed."""
    return {path: (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in files(root)}
