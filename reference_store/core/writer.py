"""The one thread of this process that changes a root: callers say what is to be done, and wait for the end of it.

Python raises what a signal handler raises (Ctrl-C, an alarm) in the main thread, between any two bytecodes. So nothing
that has to come to an end is done there: locks are taken and given back, files are written and others are woken in a
thread of the writer's own, which no signal reaches. What callers touch are single steps that happen whole or not at
all (an append, a release), and nothing that they would have to put back.

Who waits for another process waits in that thread too: it can do so in the kernel's queue, and keeps nobody else's
thread. The thread comes with the first job and goes when there is nothing to do for a moment.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakSet, ref

_NAME = "reference_store writer"
_IDLE = 0.5
"""Seconds without a job after which the thread ends."""
_GOING = 1.0
"""Seconds that a fork waits for an idle thread to be gone; one that is at work stays, and is not there in the child."""


class Waiting(Protocol):
    """Somebody who waits for the end of a job."""

    caller: int
    """The thread that asked for it."""

    def end(self) -> None:
        """Let whoever waits go on."""


class Job(Protocol):
    """Something to be done in the writer's thread."""

    def lead(self) -> Iterable[Waiting]:
        """Do it, and return who waited for that; raises nothing."""


@dataclass(frozen=True, slots=True)
class Loan:
    """The lock of a root, lent to a thread for a ``with`` statement in one of its frames (0: not to be told)."""

    thread: int
    frame: int
    borrower: ref[Any]
    back: Any

    def is_needed(self) -> bool:
        """Whether that statement may still go on; what an exception has left is found out so."""
        if self.borrower() is None:
            return False
        frame = sys._current_frames().get(self.thread) if self.frame else None
        while frame is not None:
            if id(frame) == self.frame:
                return True
            frame = frame.f_back
        return not self.frame


class Writer:
    """Does jobs one after the other, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.begin_anew()
        _writers.add(self)

    def begin_anew(self) -> None:
        """Forget what was asked for and who was at work: they belong to threads that are not there any more."""
        self._jobs: deque[Job] = deque()
        self._bell = threading.Lock()  # rung, that is released, when there may be something to do
        self._bell.acquire()
        self._post = threading.Lock()  # held by the thread that does the jobs
        self._thread: threading.Thread | None = None
        self._leave = False
        self.current: Job | None = None
        """The job that is being done."""
        self.serves: Sequence[Waiting] = ()
        """Whom it is being done for."""
        self.waits = False
        """Whether that job has found the lock of the root taken by somebody else."""
        self.holds = False
        """Whether its thread holds the lock of the root."""
        self.loan: Loan | None = None
        """Whom the lock is lent to."""

    def ask(self, job: Job) -> None:
        """Have ``job`` done; returns at once."""
        self._jobs.append(job)
        with suppress(RuntimeError):  # it was rung already
            self._bell.release()
        if not self._post.locked():
            self._hire()

    def is_here(self) -> bool:
        """Whether this is the thread that does the jobs."""
        return self._thread is threading.current_thread()

    def waits_for_this_thread(self) -> bool:
        """Whether what this one does has come, through changes of other roots, to what this thread is doing now."""
        if threading.current_thread().name != _NAME:
            return False  # it does nothing for others
        served = {threading.get_ident()}
        others = [each for each in _all() if each is not self]
        while found := next((each for each in others if each.is_one_of(served)), None):
            others.remove(found)
            served |= {waiting.caller for waiting in list(found.serves)}
        return self.is_one_of(served)

    def is_one_of(self, threads: set[int]) -> bool:
        """Whether the thread that does the jobs is among these."""
        thread = self._thread
        return thread is not None and thread.ident in threads

    def _hire(self) -> None:
        if not sys.is_finalizing():
            try:
                threading.Thread(target=self._live, name=_NAME, daemon=True).start()
                return
            except KeyError as error:
                # A signal's exception came when the thread had begun: ``start`` stumbles when it takes it back.
                raise error.__context__ or error from None
            except RuntimeError:
                pass  # no more threads: at the end of a process, or at its limit
        self._live(stay=False)

    def _live(self, *, stay: bool = True) -> None:
        while self._jobs and self._post.acquire(blocking=False):
            # Whoever asks from now on finds the post taken, and leaves the job to this thread.
            self._thread = threading.current_thread()
            try:
                self._work()
                while stay and not self._leave and (self._bell.acquire(timeout=_IDLE) or self._jobs):
                    self._work()
            finally:
                self._thread, self._leave = None, False
                self._post.release()
            # Whoever asked before that may have relied on this thread: look again.

    def _work(self) -> None:
        while self._jobs:
            self.current = self._jobs.popleft()
            try:
                done = self.current.lead()
            finally:
                # Before anybody is told: a store that its last user lets go of then is closed at once.
                self.current, self.waits, self.serves = None, False, ()
            for waiting in done:
                waiting.end()

    def retire(self) -> None:
        """Let the thread go if it is idle: a process should be forked with as few threads as can be."""
        thread = self._thread
        if thread is None or thread is threading.current_thread() or self.current is not None or self._jobs:
            return
        self._leave = True
        with suppress(RuntimeError):
            self._bell.release()
        thread.join(_GOING)


_writers: WeakSet[Writer] = WeakSet()


def _all() -> list[Writer]:
    while True:
        with suppress(RuntimeError):  # another thread has made one meanwhile
            return list(_writers)


def _before_fork() -> None:
    for writer in _all():
        writer.retire()


def _after_fork_in_child() -> None:
    for writer in _all():
        writer.begin_anew()


if hasattr(os, "register_at_fork"):  # elsewhere nothing forks
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
