"""Runs code that may hang, print, exit or crash in a process of its own, and says what became of it.

The store under test is such code. The process is forked, so the code may be anything, closures included; it is
ended with everything that it started, and what it printed is kept for the report. Where nothing can be forked,
``spawning`` begins it in another way.
"""

import contextlib
import faulthandler
import gc
import mmap
import os
import select
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from time import monotonic
from typing import IO

from pytest_tradestore.beats import BEAT, POLL, Told, Watch, kept, say_nothing
from pytest_tradestore.beats import Channel as Channel
from pytest_tradestore.beats import Died as Died
from pytest_tradestore.beats import Ending as Ending
from pytest_tradestore.beats import Finished as Finished
from pytest_tradestore.beats import HarnessError as HarnessError
from pytest_tradestore.beats import Hung as Hung
from pytest_tradestore.beats import NotPossibleHereError as NotPossibleHereError
from pytest_tradestore.beats import Sent as Sent
from pytest_tradestore.beats import StoreRaisedError as StoreRaisedError
from pytest_tradestore.beats import Task as Task
from pytest_tradestore.beats import is_ours as is_ours
from pytest_tradestore.beats import processor_seconds as processor_seconds
from pytest_tradestore.beats import trace_of as trace_of
from pytest_tradestore.beats import while_waiting as while_waiting
from pytest_tradestore.offspring import after, started

_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
_GOING = 10.0
"""Seconds that what has been killed may take to be gone: on a busy machine it has to get its turn for that, too."""


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

    ``deadline`` is in seconds and counts anew at each ``Channel.step``. Raises HarnessError if the task raised, and
    where nothing can be forked NotPossibleHereError for what cannot be handed to another process.
    """
    if not hasattr(os, "fork"):
        from pytest_tradestore.spawning import stream_spawned

        yield from stream_spawned(task, deadline)
        return
    beat = mmap.mmap(-1, BEAT.size)
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
    def receive() -> bytes | None:
        readable, _, _ = select.select([pipe], [], [], POLL)
        return os.read(pipe, 1 << 20) if readable else None

    watch, told = Watch(child, beat, deadline), Told()
    try:
        yield from told.by(receive, watch)
    finally:
        status = _end(child, before, leave_time=told.nothing)
    yield told.ending(watch, lambda: _how(status), kept(output))


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
        say_nothing()
        gc.freeze()  # what came from the parent is no garbage of this process, and looking through it copies its memory
        os.close(receiving)
        os.setsid()  # so that it can be ended together with whatever it starts
        end_with_parent(parent)
        _redirect(output)
        warnings.resetwarnings()
        warnings.simplefilter("ignore")  # a store is judged as it runs in production, not under pytest's filters
        channel = Channel(beat, sending)
        try:
            channel.step(0)  # to begin took its time; from here on it is the task's
            value = task(channel)
            with contextlib.suppress(Exception):
                sys.stdout.flush()  # before the parent knows that it is over, or it may end us first
            channel.frame(("finished", value))
        except Exception as error:  # everything of ours that goes wrong is told to the parent
            trace = trace_of(error)
            told = f"{type(error).__name__}: {error}"
            channel.frame(("failed", (told, trace) if trace else traceback.format_exc()))
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
    patience = monotonic() + _GOING
    beyond_us: set[int] = set()
    while (members := set(_session_of(leader, before)) - beyond_us) and monotonic() < patience:
        for pid in sorted(members):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:  # another user's by now; nobody can wait for its end
                beyond_us.add(pid)
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
