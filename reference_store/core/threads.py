"""Threads of the package's own, in which a whole call of a synchronous store is made for a task.

Never those of the event loop: a program needs them for the names of hosts and for whatever else it hands to threads,
and a call that waits for a lock would keep one for seconds. What waits keeps no thread that others need to come to
their end: locks are taken by the ``Writer`` of a root, and what only reads has threads apart.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

R = TypeVar("R")


class Threads:
    """At most ``most`` threads, made when they are needed; further calls wait for one of them."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._pool: ThreadPoolExecutor | None = None
        _all.append(self)

    def forget(self) -> None:
        """Begin anew: the threads are not there any more."""
        self._pool = None

    def in_loop(self, loop: asyncio.AbstractEventLoop, call: Callable[[], R]) -> asyncio.Future[R]:
        """Make the call, and return a future of the loop; it is no task, so that who cancels all does not cancel it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most, self._name)
        return loop.run_in_executor(self._pool, copy_context().run, call)

    async def whole(self, call: Callable[[], R]) -> R:
        """Make the call from its beginning to its end, and return what it returns.

        A cancelled caller learns of that only when the call is over.
        """
        running = self.in_loop(asyncio.get_running_loop(), call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                try:
                    await asyncio.wait([running])
                except asyncio.CancelledError:
                    continue  # noted already; the thread cannot be called back
            if not running.cancelled():
                running.exception()  # looked at, so that it is not reported as lost
            raise


_all: list[Threads] = []
CALLS = Threads(64, "reference_store call")
"""For what may wait for a lock."""
READS = Threads(8, "reference_store read")
"""For what waits for nothing but the disk."""


def _after_fork_in_child() -> None:
    for threads in _all:
        threads.forget()


if hasattr(os, "register_at_fork"):  # elsewhere nothing forks
    os.register_at_fork(after_in_child=_after_fork_in_child)
