"""What every recorder offers: run a program on a root, note the harness's marks, hand over a ``Trace``."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from pytest_tradestore.crash.operations import MarkKind
from pytest_tradestore.crash.trace import Trace


class Recording(Protocol):
    """A recording under way; its trace is there once the context manager that gave it has ended."""

    def mark(self, moment: MarkKind, update: int) -> None:
        """Put a mark into the trace, between what was issued before this call and what is issued after it."""
        ...

    @property
    def trace(self) -> Trace:
        """The finished trace.

        Raises RuntimeError while the recording still runs.
        """
        ...


class Recordings(Protocol):
    """What makes several recordings one after the other."""

    def record(self, root: Path, *, volatile: Sequence[str] = ()) -> AbstractContextManager[Recording]:
        """Record everything that this process, its threads and children do under ``root`` inside the ``with`` block."""
        ...


class Recorder(Protocol):
    """Sees the file-system operations of the code that runs inside ``record``."""

    name: str

    def several(self) -> AbstractContextManager[Recordings]:
        """Prepare for several recordings, one after the other; their traces are there when this has ended."""
        ...

    def unavailable(self) -> str | None:
        """Say in one sentence why this recorder cannot work here, or None when it can."""
        ...

    def record(self, root: Path, *, volatile: Sequence[str] = ()) -> AbstractContextManager[Recording]:
        """Record everything that this process, its threads and children do under ``root`` inside the ``with`` block.

        ``volatile`` are glob patterns, relative to the root, of files that may be mapped and whose content is not
        judged.
        """
        ...
