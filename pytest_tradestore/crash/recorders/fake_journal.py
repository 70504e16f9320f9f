"""The order in which effects happened on the fake disk, and which line of the store asked for each.

What the effects are is the disk's business (``fake_disk``); which of them concern the store's root is decided at the
end (``fake_trace``), when it is known which files ever got a name there.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_tradestore.crash.operations import Operation
from pytest_tradestore.crash.recorders.fake_locations import Line, Lines


@dataclass(frozen=True, slots=True)
class Noted:
    """One effect as it was noted: the operation without its origin, and the facts its origin will be made of."""

    operation: Operation
    thread: int
    start: int
    end: int
    line: Line | None
    time: int = 0


class Journal:
    """Takes down operations one at a time; every effect on the fake disk happens while its lock is held."""

    def __init__(self, lines: Lines) -> None:
        self.lock = threading.RLock()
        self.noted: list[Noted] = []
        self._lines = lines
        self._local = threading.local()
        self._threads = 0
        self._positions = 0
        self._depth = 0
        self._pending: list[Operation] = []
        self._closed = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Hold the disk for one call; the operations noted meanwhile share its beginning and its return."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._pending:
                    self._take_down()

    def note(self, operation: Operation) -> None:
        """Add an operation; once the recording is over nothing is added any more."""
        with self.call():
            if not self._closed:
                self._pending.append(operation)

    def close(self) -> None:
        """Stop listening: what a file object flushes from now on never reached the disk within the recording."""
        with self.lock:
            self._closed = True

    def _take_down(self) -> None:
        pending, self._pending = self._pending, []
        start = self._positions
        self._positions += 2
        thread, line = self._thread(), self._lines.of_this_call()
        now = time.time_ns()
        self.noted.extend(Noted(operation, thread, start, start + 1, line, now) for operation in pending)

    def _thread(self) -> int:
        # Not keyed by the thread's ident: that of a thread which has ended is given to a later one.
        number: int | None = getattr(self._local, "number", None)
        if number is None:
            number = self._local.number = self._threads
            self._threads += 1
        return number
