"""What goes between an isolated process and whoever waits for it: steps, values, how it ended, and what it printed.

How such a process is begun and ended is said in ``isolation`` and, where nothing can be forked, in ``spawning``.
"""

import contextlib
import mmap
import os
import pickle
import struct
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import IO, Any

from pytest_tradestore.errors import TradestoreError
from pytest_tradestore.origin import is_pythons

POLL = 0.05
"""Seconds between two looks at a process that says nothing."""
_HEADER = struct.Struct("<Q")
BEAT = struct.Struct("<Qq?")
_PATIENCE = 120.0
"""Seconds that the suite's own work between two steps may take."""
_BUSY = 6
"""How many times its deadline a step is given on a machine that does not let it run."""
_OUTPUT_KEPT = 4000
_OUTPUT_SEARCHED = 1 << 18
_CRASHED = "Fatal Python error: "
"""How the interpreter begins to say that it has crashed; see ``faulthandler``."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A value that the task handed over."""

    value: Any


@dataclass(frozen=True, slots=True)
class Finished:
    """The task returned ``value``; ``output`` is what it printed."""

    value: Any
    output: str = ""


@dataclass(frozen=True, slots=True)
class Hung:
    """The task made no step for ``seconds``; ``step`` is the number of the last one that it began."""

    step: int
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class Died:
    """The process ended before the task did; ``how`` says in words by what."""

    step: int
    how: str
    output: str = ""


Ending = Finished | Hung | Died


class HarnessError(RuntimeError):
    """The task raised: a mistake of the suite, not of the store, whose exceptions the task has to catch."""


class StoreRaisedError(HarnessError):
    """The task raised, and it was the store's own code that did, where no judge was looking."""

    def __init__(self, told: str, trace: str) -> None:
        super().__init__(trace)
        self.told, self.trace = told, trace
        """The error in a line, and its traceback without the frames of the suite."""


class NotPossibleHereError(HarnessError, TradestoreError):
    """What this system lacks, in a sentence: so something was not looked at, and of the store nothing is known."""


class Channel:
    """The task's side: report each step before it is made, and send values while still running."""

    def __init__(self, beat: mmap.mmap | bytearray, pipe: int) -> None:
        self._beat = beat
        self._pipe = pipe
        self._count = 0
        self._number = 0

    def step(self, number: int) -> None:
        """Note that step ``number`` begins now; the deadline counts from here."""
        self._note(number, idle=False)

    def rest(self) -> None:
        """Note that the step is over and what follows is the suite's own work, to which the deadline does not apply."""
        self._note(self._number, idle=True)

    def _note(self, number: int, *, idle: bool) -> None:
        self._count += 1
        self._number = number
        BEAT.pack_into(self._beat, 0, self._count, number, idle)

    def send(self, value: Any) -> None:
        """Hand ``value`` over at once, so that it is known even if the process dies later."""
        self.frame(("sent", value))

    def frame(self, message: tuple[str, Any]) -> None:
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        view = memoryview(_HEADER.pack(len(data)) + data)
        while view:
            view = view[os.write(self._pipe, view) :]


_OURS = os.path.dirname(__file__) + os.sep
_SUITE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "conformance") + os.sep


def trace_of(error: BaseException) -> str:
    """Return the traceback of an error from where it left the suite; empty where nobody else's code was running."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [number for number, frame in enumerate(frames) if _is_theirs(frame.filename)]
    if not theirs:
        return ""
    own = [frame for frame in frames[theirs[0] :] if not is_ours(frame.filename)]
    told = [*traceback.format_list(own), *traceback.format_exception_only(error)]
    return "Traceback (most recent call last):\n" + "".join(told)


def is_ours(path: str) -> bool:
    """Say whether a source file is one of the suite's."""
    return path.startswith((_OURS, _SUITE))


def _is_theirs(path: str) -> bool:
    return not (is_ours(path) or path.startswith("<") or is_pythons(path))


Task = Callable[[Channel], Any]


class Watch:
    """Tells a step that hangs from one that is merely slow to get its turn on a busy machine."""

    def __init__(self, child: int, beat: mmap.mmap | bytearray, deadline: float) -> None:
        self._child = child
        self._memory = beat
        self.deadline = deadline
        self._beat: tuple[int, int, bool] = (0, 0, False)
        self.moved()

    @property
    def step(self) -> int:
        number: int = BEAT.unpack_from(self._memory, 0)[1]
        return number

    def beats(self, beat: tuple[int, int, bool]) -> None:
        """Take a heartbeat that came as a message, where no memory is shared."""
        BEAT.pack_into(self._memory, 0, *beat)

    def moved(self) -> None:
        """Take note that something happened just now."""
        self._since = monotonic()
        self._worked = processor_seconds(self._child)

    def hangs(self) -> bool:
        """Say whether the step that was last begun has had its time."""
        beat = BEAT.unpack_from(self._memory, 0)
        if beat != self._beat:
            self._beat = beat
            self.moved()
            return False
        waited = monotonic() - self._since
        if waited <= (max(self.deadline, _PATIENCE) if beat[2] else self.deadline):
            return False
        # One that wants to run or waits for the disk, and has not had even half of its time, is given more.
        worked = processor_seconds(self._child) - self._worked
        return waited > _BUSY * self.deadline or worked > self.deadline / 2 or not _wants_to_run(self._child)


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process so far and of its children that have ended, 0 where it is not told."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError, AttributeError):
        return 0.0


def _wants_to_run(pid: int) -> bool:
    """Say whether a thread of a process is ready to run, waits for the disk, or is held by a tracer."""
    with contextlib.suppress(OSError, IndexError):
        for task in sorted(os.listdir(f"/proc/{pid}/task")):
            with open(f"/proc/{pid}/task/{task}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] in (b"R", b"D", b"t"):
                    return True
    return False


def frames(buffer: bytearray) -> Iterator[tuple[str, Any]]:
    while len(buffer) >= _HEADER.size:
        (length,) = _HEADER.unpack_from(buffer)
        if len(buffer) < _HEADER.size + length:
            return
        frame = bytes(buffer[_HEADER.size : _HEADER.size + length])
        del buffer[: _HEADER.size + length]
        yield pickle.loads(frame)  # noqa: S301 - from our own child process


_while_waiting: Callable[[], None] | None = None


@contextlib.contextmanager
def while_waiting(say: Callable[[], None] | None) -> Iterator[None]:
    """Have ``say`` called twenty times a second while this process waits for an isolated one, so that it can be said.

    The processes that come of this one do not inherit it.
    """
    global _while_waiting
    before, _while_waiting = _while_waiting, say
    try:
        yield
    finally:
        _while_waiting = before


def say_nothing() -> None:
    """Forget what was to be called while waiting: this process has no terminal."""
    global _while_waiting
    _while_waiting = None


class Told:
    """What has been heard of a process so far: values that it sent, and how the task ended."""

    def __init__(self) -> None:
        self._ending: Finished | Hung | None = None
        self._failure: HarnessError | None = None

    @property
    def nothing(self) -> bool:
        """Whether it has not said how the task ended, so that only its own end can."""
        return self._ending is None and self._failure is None

    def by(self, receive: Callable[[], bytes | None], watch: Watch) -> Iterator[Sent]:
        """Listen until the task is over, and yield each value that it sends.

        ``receive`` waits a moment and returns what has come, nothing at the end, and None where nothing came.
        """
        buffer = bytearray()
        suspected = False
        while True:
            chunk = receive()
            if _while_waiting is not None:
                _while_waiting()
            if chunk:
                buffer += chunk
                for kind, value in frames(buffer):
                    if kind == "sent":
                        yield Sent(value)
                    elif kind == "beat":
                        watch.beats(value)
                    else:
                        self._over(kind, value)
                watch.moved()
                suspected = False
            elif chunk is not None:
                return
            elif not self.nothing:
                return  # the task is over; something that it started still holds the pipe open
            elif not watch.hangs():
                suspected = False
            elif suspected:
                self._ending = Hung(watch.step, watch.deadline)
                return
            else:
                suspected = True  # it may have been heard of since: whoever listens may have waited for its turn too

    def _over(self, kind: str, value: Any) -> None:
        if kind == "finished":
            self._ending = Finished(value)
        else:
            self._failure = StoreRaisedError(*value) if isinstance(value, tuple) else HarnessError(value)

    def ending(self, watch: Watch, how: Callable[[], str], printed: str) -> Ending:
        """Return how it ended, of a process that is gone; raises HarnessError if the task raised."""
        if self._failure is not None:
            raise self._failure
        return Died(watch.step, how(), printed) if self._ending is None else replace(self._ending, output=printed)


def kept(output: IO[bytes]) -> str:
    """Return what was printed, or where that is too much its beginning, its end, and where the interpreter crashed."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _OUTPUT_SEARCHED))
    end = output.read().decode("utf-8", "backslashreplace")
    if size <= _OUTPUT_KEPT:
        return end
    output.seek(0)
    pieces = [output.read(_OUTPUT_KEPT // 4).decode("utf-8", "backslashreplace")]
    before, crashed, trace = end.rpartition(_CRASHED)
    if crashed:
        reason, current, frames = trace.partition("Current thread")  # the thread that crashed, innermost frame first
        pieces += [before[-_OUTPUT_KEPT // 4 :] + crashed + reason.partition("\n")[0]]
        pieces += [(current + frames if current else reason)[: _OUTPUT_KEPT // 2]]
    else:
        pieces += [end[-3 * _OUTPUT_KEPT // 4 :]]
    return "\n[...]\n".join(piece.strip("\n") for piece in pieces)
