"""What all races have in common whose callers are in other processes: those, their links, their calls, an execution.

Who goes on when, and how what they do comes to be known, is different for processes and for those that share a client.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pytest_tradestore.backends.declared import Backend
from pytest_tradestore.backends.hosts import lines_to
from pytest_tradestore.isolation import Channel, end_with_parent
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race import process_worker as wire
from pytest_tradestore.race.actors import Actor
from pytest_tradestore.race.clock import Clock
from pytest_tradestore.race.execution import Blow, Completed, Ending, Execution, Program
from pytest_tradestore.race.removing import remove
from pytest_tradestore.race.scheduler import Chooser, Scheduler
from pytest_tradestore.race.search import Harness, scheduler_of
from pytest_tradestore.sandbox import Sandbox

OPENING = Call("open", (), "", wire.OPENING)
CALLS = ("call ", wire.OPENING)
"""How the operations begin that begin a call."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the ends of a link."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, wire.PACKET)
    return ends


class Worker:
    """A process that is forked from this one and does its work by its ends of links."""

    def __init__(self, links: int, work: Callable[[list[socket.socket]], None]) -> None:
        ends = [pair() for _ in range(links)]
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                end_with_parent(parent)
                for ours, _ in ends:
                    ours.close()
                work([theirs for _, theirs in ends])
                status = 0
            finally:
                os._exit(status)
        for _, theirs in ends:
            theirs.close()
        self.ends = [ours for ours, _ in ends]
        self.alive = True

    def kill(self) -> None:
        """End it as ``kill -9`` does; when this returns the kernel has released what it held."""
        if self.alive:
            self.alive = False
            for link in self.ends:
                link.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class Calling(Actor):
    """The coordinator's side of a caller: which call it is in, and what came of those before."""

    def __init__(self, scheduler: Scheduler, number: int, caller: int, label: str, calls: Sequence[Call]) -> None:
        super().__init__(number, caller, label)
        self.scheduler = scheduler
        self._calls = iter(calls)
        self._open: tuple[int, Call] | None = None
        self.entries: list[Completed] = []
        self.done = self.killed = False

    def _begins(self, position: int) -> None:
        """Note that its next call begins there."""
        self._open = (position, next(self._calls))

    def _came_back(self, kind: bytes, value: Any) -> None:
        """Note what its call has returned or raised; what comes of one that is over already is nothing new."""
        if self._open is None:
            return
        (invoked, call), self._open = self._open, None
        if kind == wire.RESULT:
            position = self.scheduler.note(self.caller, f"return {call.rendered}", note=repr(value))
            self.entries.append(Completed(self.caller, call, invoked, position, value))
            return
        error, undeclared, declared, *interrupted = value
        position = self.scheduler.note(self.caller, f"fail {call.rendered}", note=error)
        self.entries.append(
            Completed(
                self.caller, call, invoked, position, None, error, undeclared, declared=declared,
                interrupted=any(interrupted),
            )
        )  # fmt: skip

    def history(self) -> Iterator[Completed]:
        """Yield its calls, and last one that never came back."""
        yield from self.entries
        if self._open is not None:
            yield Completed(self.caller, self._open[1], self._open[0], None, killed=self.killed)


def executed(scheduler: Scheduler, callers: Sequence[Calling], met: frozenset[Blow]) -> Execution:
    """Return an execution that is over, as a fact."""
    history = sorted((c for caller in callers for c in caller.history()), key=lambda c: c.invoked)
    return Execution(
        tuple(history),
        tuple(scheduler.steps or ()),
        tuple(scheduler.choices),
        scheduler.ending or Ending.FINISHED,
        scheduler.preemptions,
        scheduler.waits_for,
        turns=tuple(scheduler.turns),
        met=met,
    )


class Coordinating(Harness):
    """Runs executions whose callers are in other processes; runs no code of the store itself."""

    def __init__(self, sandbox: Sandbox, backend: Backend | None, install: Callable[[], None]) -> None:
        # Not the base's: this process starts no threads. The workers inherit its switch points.
        self._server = None if backend is None else lines_to(backend)
        install()
        wire.keep_to_one_processor()
        self._place = os.fspath(sandbox.path)
        self._count = self._first = 0
        self._channel: Channel | None = None
        self._unsteered = {}

    @contextlib.contextmanager
    def _begun(self, program: Program, chooser: Chooser, *, keep_steps: bool) -> Iterator[tuple[Scheduler, str]]:
        """Begin an execution: give its scheduler and its new root, which is removed at the end."""
        self._count += 1
        if self._channel is not None:
            self._channel.step(self._count)
        outer = f"{self._place}/{self._count}"
        root = f"{outer}/store"
        os.makedirs(root)
        if self._server is not None:
            self._server.begin()
        scheduler = scheduler_of(program, chooser, Clock(), keep_steps=keep_steps)
        for _ in program.actors:
            scheduler.next_number()
        try:
            yield scheduler, root
        finally:
            remove(outer)
