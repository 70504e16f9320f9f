"""Does work ahead of whoever asks for its results, in processes that keep all cores busy.

The work comes in portions, each done by one forked process in one go. Their order is that in which results will be
asked for, so that a result is there, or soon will be, when its turn comes. What a process could not do, because it
raised or died, is left to whoever asks: this makes a run shorter and decides nothing.
"""

import contextlib
import os
import pickle
import select
import signal
import struct
import sys
import tempfile
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO, Any

from pytest_tradestore.beats import say_nothing
from pytest_tradestore.isolation import end_with_parent, noted_fork

_NUMBER = struct.Struct("<I")
_HEADER = struct.Struct("<Q")
_MOST_PORTIONS = 8000
"""As many numbers as fit into a pipe that nobody has read from yet; portions beyond are left to whoever asks."""
_MOST_WORKERS = 8
_LOOK = 0.5
_PATIENCE = 5.0
"""Seconds that a worker is given to tidy up."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Work that is done in one go: ``do`` yields the results by their ``keys``; ``name`` says what it is about.

    It may yield results by other keys before, for whoever looks for them.
    ``weight`` says how long it takes, beside the others.
    """

    name: str
    weight: float
    keys: frozenset[Hashable]
    do: Callable[[], Iterator[tuple[Hashable, Any]]]


@dataclass(frozen=True, slots=True)
class Made:
    """A result, and what was printed while it was made."""

    value: Any
    output: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is: so many of all portions are done, the ``share`` of the work, and those named are in work."""

    done: int
    all: int
    share: float
    names: tuple[str, ...]


@dataclass(slots=True)
class _Worker:
    pid: int
    pipe: int
    number: int | None = None
    """The portion that it is at."""
    received: bytearray = field(default_factory=bytearray)


class Ahead:
    """The processes of one run, and what has come from them. Usable where there is ``fork``."""

    def __init__(self, portions: Sequence[Portion], workers: int, begin: Callable[[], None]) -> None:
        """Start working; ``begin`` is called first in each process, to prepare it for being ended."""
        self._portions = tuple(portions[:_MOST_PORTIONS])
        self._of = {key: number for number, portion in enumerate(self._portions) for key in portion.keys}
        self._over: set[int] = set()
        self._found: dict[Hashable, Made] = {}
        self._workers: list[_Worker] = []
        numbers, filling = os.pipe()
        try:
            os.write(filling, b"".join(map(_NUMBER.pack, range(len(self._portions)))))
            for _ in range(min(workers, len(self._portions))):
                self._workers.append(self._started(numbers, filling, begin))
        finally:
            os.close(filling)
            os.close(numbers)

    def take(self, key: Hashable, waiting: Callable[[Progress], None]) -> Made | None:
        """Return the result of this key, once, when it is there; nothing if it will never be.

        ``waiting`` is called twice a second meanwhile.
        """
        self.first_of(key, (), waiting)
        return self._found.pop(key, None)

    def first_of(
        self, key: Hashable, others: Collection[Hashable], waiting: Callable[[Progress], None]
    ) -> Hashable | None:
        """Wait as ``take`` does for the result of this key, or until one of ``others`` is there; return which it is."""
        number = self._of.get(key)
        look = monotonic() + _LOOK
        while True:
            for other in others:
                if other in self._found:
                    return other
            if key in self._found or number is None or number in self._over or not self._workers:
                return key if key in self._found else None
            self._receive(max(0.0, look - monotonic()))
            if monotonic() >= look:
                waiting(self._progress())
                look = monotonic() + _LOOK

    def seen(self, key: Hashable) -> Made:
        """Return the result of a key that is there; it can still be taken."""
        return self._found[key]

    def close(self) -> None:
        """End the processes that still work, and all that they have started."""
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGTERM)
        while self._workers:
            self._lost(self._workers[0])

    def _progress(self) -> Progress:
        at = sorted(worker.number for worker in self._workers if worker.number is not None)
        done = sum(self._portions[number].weight for number in self._over)
        share = done / sum(portion.weight for portion in self._portions)
        return Progress(len(self._over), len(self._portions), share, tuple(self._portions[n].name for n in at))

    def _started(self, numbers: int, filling: int, begin: Callable[[], None]) -> _Worker:
        receiving, sending = os.pipe()
        parent = os.getpid()
        pid = noted_fork(_RUNNING)
        if pid:
            os.close(sending)
            return _Worker(pid, receiving)
        try:
            _RUNNING.clear()
            say_nothing()
            for pipe in (filling, receiving, *(worker.pipe for worker in self._workers)):
                os.close(pipe)
            with tempfile.TemporaryFile() as output:
                _detach(output)
                begin()
                end_with_parent(parent, signal.SIGTERM)
                self._work(numbers, sending, output)
        finally:
            os._exit(0)  # never returns into pytest: no atexit handlers, no buffers flushed twice

    def _work(self, numbers: int, sending: int, output: IO[bytes]) -> None:
        """Do one portion after the other, in a process of its own."""
        while packed := os.read(numbers, _NUMBER.size):
            (number,) = _NUMBER.unpack(packed)
            _send(sending, ("begins", number))
            with contextlib.suppress(Exception):  # whoever asks does it again, and is told what is wrong
                for key, value in self._portions[number].do():
                    _send(sending, (key, Made(value, _printed(output))))
            _printed(output)
            _send(sending, ("over", number))

    def _receive(self, seconds: float) -> None:
        """Take in what has come from the processes, waiting at most so long for it."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        readable, _, _ = select.select(list(by_pipe), [], [], seconds)
        if not readable:
            for worker in [worker for worker in self._workers if _is_dead(worker.pid)]:
                self._lost(worker)  # what it had started may live on, and keep its pipe open
        for pipe in readable:
            worker = by_pipe[pipe]
            chunk = os.read(pipe, 1 << 20)
            if not chunk:
                self._lost(worker)
                continue
            worker.received += chunk
            for key, value in _messages(worker.received):
                if key == "begins":
                    worker.number = value
                elif key == "over":
                    worker.number = None
                    self._over.add(value)
                else:
                    self._found[key] = value

    def _lost(self, worker: _Worker) -> None:
        """Forget a worker that has closed its pipe, or is to."""
        self._workers.remove(worker)
        os.close(worker.pipe)
        if worker.number is not None:
            self._over.add(worker.number)
        _reap(worker.pid)


_RUNNING: set[int] = set()
"""The workers that this process has started and not waited for."""


def end_running() -> None:
    """End all workers of this process, and what they started, because it is about to end itself."""
    for pid in sorted(_RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    for pid in sorted(_RUNNING):
        _reap(pid)


def _is_dead(pid: int) -> bool:
    try:
        if not hasattr(os, "waitid"):  # as on macOS; whoever waits for it later is told that it is gone
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _reap(pid: int) -> None:
    """Wait for a worker that is about to end; kill it if it does not."""
    patience = monotonic() + _PATIENCE
    with contextlib.suppress(ChildProcessError):
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if monotonic() > patience:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            select.select([], [], [], 0.002)
    _RUNNING.discard(pid)


def _detach(output: IO[bytes]) -> None:
    """Let neither the terminal nor the plugins of pytest reach this process: a Ctrl-C is its parent's business."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stdout = open(1, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - as above
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - as above


def _printed(output: IO[bytes]) -> str:
    """Return what was printed since this was last asked."""
    sys.stdout.flush()
    sys.stderr.flush()
    output.seek(0)
    text = output.read().decode("utf-8", "backslashreplace")
    output.seek(0)
    output.truncate()
    return text


def _send(pipe: int, message: tuple[Hashable, Any]) -> None:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    view = memoryview(_HEADER.pack(len(data)) + data)
    while view:
        view = view[os.write(pipe, view) :]


def _messages(received: bytearray) -> Iterator[tuple[Hashable, Any]]:
    while len(received) >= _HEADER.size:
        end = _HEADER.size + _HEADER.unpack_from(received)[0]
        if len(received) < end:
            return
        message = bytes(received[_HEADER.size : end])
        del received[:end]
        yield pickle.loads(message)  # noqa: S301 - from our own child process


def workers() -> int:
    """Return how many processes keep all cores busy that may be used here, by affinity and by a container's quota.

    That is one more than can run at once, because each of them waits for a fifth of its time; 8 at most.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        count = min(count, max(1, round(int(quota) / int(period))))  # "max" is no number, and no quota
    return min(count + 1, _MOST_WORKERS)
