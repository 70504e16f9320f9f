"""Runs code that may hang, print, exit or crash in a process of its own, and says what became of it.

The store under test is such code. The process is forked, so the code may be anything, closures included; it is
ended with everything that it started, and what it printed is kept for the report.
"""

import contextlib
import faulthandler
import gc
import mmap
import os
import pickle
import select
import signal
import struct
import sys
import sysconfig
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import IO, Any

from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.offspring import after, started

_HEADER = struct.Struct("<Q")
_BEAT = struct.Struct("<Qq?")
_POLL = 0.05
_PATIENCE = 120.0
"""Seconds that the suite's own work between two steps may take."""
_BUSY = 6
"""How many times its deadline a step is given on a machine that does not let it run."""
_OUTPUT_KEPT = 4000
_OUTPUT_SEARCHED = 1 << 18
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
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


class Channel:
    """The task's side: report each step before it is made, and send values while still running."""

    def __init__(self, beat: mmap.mmap, pipe: int) -> None:
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
        _BEAT.pack_into(self._beat, 0, self._count, number, idle)

    def send(self, value: Any) -> None:
        """Hand ``value`` over at once, so that it is known even if the process dies later."""
        self._frame(("sent", value))

    def _frame(self, message: tuple[str, Any]) -> None:
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        view = memoryview(_HEADER.pack(len(data)) + data)
        while view:
            view = view[os.write(self._pipe, view) :]


_OURS = os.path.dirname(__file__) + os.sep
_SUITE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "conformance") + os.sep
_PYTHON = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))
_INSTALLED = tuple(sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib"))


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
    if is_ours(path) or path.startswith("<"):
        return False
    return path.startswith(_INSTALLED) or not path.startswith(_PYTHON)


Task = Callable[[Channel], Any]


def run_isolated(task: Task, deadline: float) -> Ending:
    """Run ``task`` in a process of its own and return how it ended; what it sends is dropped.

    Raises HarnessError if the task raised.
    """
    for event in stream_isolated(task, deadline):
        if not isinstance(event, Sent):
            return event
    raise AssertionError("the stream of a task ends with its ending")


def stream_isolated(task: Task, deadline: float) -> Iterator[Sent | Ending]:
    """Run ``task`` in a process of its own; yield each value that it sends, and last how it ended.

    ``deadline`` is in seconds and counts anew at each ``Channel.step``. Raises HarnessError if the task raised,
    ConfigurationError where no process can be forked.
    """
    if not hasattr(os, "fork"):
        raise ConfigurationError(
            "this system cannot fork, and a store is never run in pytest's own process, so nothing is "
            "checked here; run the suite on Linux, macOS or WSL"
        )
    beat = mmap.mmap(-1, _BEAT.size)
    receiving, sending = os.pipe()
    with tempfile.TemporaryFile() as output:
        before = started()
        child = _fork(task, beat, receiving, sending, output)
        os.close(sending)
        try:
            yield from _listen(child, before, receiving, beat, deadline, output)
        finally:
            os.close(receiving)
            beat.close()


def _listen(
    child: int, before: int | None, pipe: int, beat: mmap.mmap, deadline: float, output: IO[bytes]
) -> Iterator[Sent | Ending]:
    buffer = bytearray()
    watch = _Watch(child, beat, deadline)
    ending: Ending | None = None
    failure: HarnessError | None = None
    try:
        while True:
            readable, _, _ = select.select([pipe], [], [], _POLL)
            if readable:
                chunk = os.read(pipe, 1 << 20)
                if not chunk:
                    break
                buffer += chunk
                for kind, value in _frames(buffer):
                    if kind == "sent":
                        yield Sent(value)
                    elif kind == "finished":
                        ending = Finished(value)
                    else:
                        failure = StoreRaisedError(*value) if isinstance(value, tuple) else HarnessError(value)
                watch.moved()
                continue
            if watch.hangs():
                ending = Hung(watch.step, deadline)
                break
            if ending is not None or failure is not None:
                break  # the task is over; something that it started still holds the pipe open
    finally:
        status = _end(child, before, leave_time=ending is None and failure is None)
    if failure is not None:
        raise failure
    printed = _kept(output)
    match ending:
        case Finished(value):
            yield Finished(value, printed)
        case Hung(step, seconds):
            yield Hung(step, seconds, printed)
        case _:
            yield Died(watch.step, _how(status), printed)


class _Watch:
    """Tells a step that hangs from one that is merely slow to get its turn on a busy machine."""

    def __init__(self, child: int, beat: mmap.mmap, deadline: float) -> None:
        self._child = child
        self._memory = beat
        self._deadline = deadline
        self._beat: tuple[int, int, bool] = (0, 0, False)
        self.moved()

    @property
    def step(self) -> int:
        number: int = _BEAT.unpack_from(self._memory, 0)[1]
        return number

    def moved(self) -> None:
        """Take note that something happened just now."""
        self._since = monotonic()
        self._worked = processor_seconds(self._child)

    def hangs(self) -> bool:
        """Say whether the step that was last begun has had its time."""
        beat = _BEAT.unpack_from(self._memory, 0)
        if beat != self._beat:
            self._beat = beat
            self.moved()
            return False
        waited = monotonic() - self._since
        if waited <= (max(self._deadline, _PATIENCE) if beat[2] else self._deadline):
            return False
        # One that wants to run or waits for the disk, and has not had even half of its time, is given more.
        worked = processor_seconds(self._child) - self._worked
        return waited > _BUSY * self._deadline or worked > self._deadline / 2 or not _wants_to_run(self._child)


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process so far and of its children that have ended, 0 where it is not told."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def _wants_to_run(pid: int) -> bool:
    """Say whether a thread of a process is ready to run, waits for the disk, or is held by a tracer."""
    with contextlib.suppress(OSError, IndexError):
        for task in sorted(os.listdir(f"/proc/{pid}/task")):
            with open(f"/proc/{pid}/task/{task}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] in (b"R", b"D", b"t"):
                    return True
    return False


def _frames(buffer: bytearray) -> Iterator[tuple[str, Any]]:
    while len(buffer) >= _HEADER.size:
        (length,) = _HEADER.unpack_from(buffer)
        if len(buffer) < _HEADER.size + length:
            return
        frame = bytes(buffer[_HEADER.size : _HEADER.size + length])
        del buffer[: _HEADER.size + length]
        yield pickle.loads(frame)  # noqa: S301 - from our own child process


def _fork(task: Task, beat: mmap.mmap, receiving: int, sending: int, output: IO[bytes]) -> int:
    with warnings.catch_warnings():
        # From 3.12 on Python warns where other threads run: they may hold locks. The child touches none of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        parent = os.getpid()
        child = noted_fork(_running)
    if child:
        return child
    status = 1
    try:
        _running.clear()
        gc.freeze()  # what came from the parent is no garbage of this process, and looking through it copies its memory
        os.close(receiving)
        os.setsid()  # so that it can be ended together with whatever it starts
        end_with_parent(parent)
        _redirect(output)
        warnings.resetwarnings()
        warnings.simplefilter("ignore")  # a store is judged as it runs in production, not under pytest's filters
        channel = Channel(beat, sending)
        try:
            value = task(channel)
            with contextlib.suppress(Exception):
                sys.stdout.flush()  # before the parent knows that it is over, or it may end us first
            channel._frame(("finished", value))
        except Exception as error:  # everything of ours that goes wrong is told to the parent
            trace = trace_of(error)
            told = f"{type(error).__name__}: {error}"
            channel._frame(("failed", (told, trace) if trace else traceback.format_exc()))
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    finally:
        # Never returns into pytest: no atexit handlers, no buffers flushed twice.
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)


def noted_fork(children: set[int]) -> int:
    """Fork as ``os.fork`` does, and note the child in the parent before it can be told to end."""
    _prctl()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGHUP))
    try:
        child = os.fork()
        if child:
            children.add(child)
        return child
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(parent: int, by: signal.Signals | None = None) -> None:
    """Have this process ended when the thread that forked it ends, however that ends: nobody is left to wait for it.

    Where the system has no such thing, it stays until its work is done.
    """
    if (prctl := _prctl()) is not None:
        prctl(_PARENT_DEATH, int(signal.SIGKILL if by is None else by))
    if os.getppid() != parent:
        os._exit(0)


@cache
def _prctl() -> Callable[[int, int], int] | None:
    """Look the call up once, in the parent: in every child again it would cost more than the fork."""
    try:
        import ctypes

        found: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return found


def _redirect(output: IO[bytes]) -> None:
    if faulthandler.is_enabled():
        faulthandler.enable(2)  # if the store crashes, its traceback belongs to what it printed
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0)  # a timeout plugin's timer is for the parent
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stdout = open(1, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - as above
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - as above


def _end(child: int, before: int | None = None, *, leave_time: bool) -> int:
    """Wait for the child and return its wait status; end everything of its session.

    ``before`` is how many processes had been started before it, where that is known.
    With ``leave_time`` a child that has closed its pipe gets a moment to tell by its status why it ended.
    """
    status = None
    patience = monotonic() + (1.0 if leave_time else 0.0)
    while status is None:
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            status = code
        elif monotonic() >= patience:
            break
        else:
            select.select([], [], [], 0.001)
    if status is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    _end_session(child, before)
    _running.discard(child)
    return status


_running: set[int] = set()
"""The isolated processes that this process has begun and not ended."""


def end_running() -> None:
    """End all isolated processes of this one, and what they started, because it is about to end itself."""
    for child in sorted(_running):
        with contextlib.suppress(ChildProcessError):
            _end(child, leave_time=False)


def _end_session(leader: int, before: int | None) -> None:
    """End what is left of the session that ``leader`` began, and wait until it can no longer write anything."""
    patience = monotonic() + 1.0
    while (members := _session_of(leader, before)) and monotonic() < patience:
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        select.select([], [], [], 0.001)


def _session_of(leader: int, before: int | None) -> list[int]:
    """Return the living processes of the session that ``leader`` began, where the system lists them (Linux)."""
    members = []
    for number in after(leader, before):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{number}/stat", "rb") as file:
                after_name = file.read().rpartition(b")")[2].split()
            if int(after_name[3]) == leader and after_name[0] not in (b"Z", b"X"):
                members.append(number)
    return members


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(number).name}"
        return f"killed by signal {number}"
    return f"exited with status {os.WEXITSTATUS(status)}"


def _kept(output: IO[bytes]) -> str:
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
