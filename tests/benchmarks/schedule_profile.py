"""Where the time of a schedule goes: to the store, to switching, to files, to setting up, or to judging.

One piece of code runs at a time, whichever thread it is in, so the time is always somebody's: what enters one of the
parts takes it over, and gives it back when it leaves. The functions of the engine are replaced for that by ones which
say so; it costs some, and what is so watched is not timed in any other way.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.kits.spec import Spec
from pytest_tradestore.race import callers, clock, executors, processes, system_calls
from pytest_tradestore.race.event_loop import ControlledLoop
from pytest_tradestore.race.execution import Execution
from pytest_tradestore.race.files import SwitchingRaw
from pytest_tradestore.race.judging import Judge
from pytest_tradestore.race.threads import Control, ThreadActor

_OF_OS = (
    *system_calls._OF_ONE_PATH,
    *system_calls._OF_TWO_PATHS,
    *system_calls._OF_A_NUMBER,
    *system_calls._OF_TWO_NUMBERS,
    "open",
    "close",
    "listdir",
    "scandir",
)


class Shares:
    """Seconds by the part that they were spent in."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._now, self._since = "", clock.REAL_MONOTONIC()

    def turn(self, to: str) -> str:
        """Begin a part, and return the one that was interrupted for it."""
        before, now = self._now, clock.REAL_MONOTONIC()  # by its module: here it would be a caller's own time
        self._spent[before] = self._spent.get(before, 0.0) + now - self._since
        self._now, self._since = to, now
        return before

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        before = self.turn(part)
        try:
            yield
        finally:
            self.turn(before)

    def watch(self, part: str, owner: Any, *names: str) -> None:
        """Let the time of these functions be spent in a part."""
        for name in names:
            if (function := getattr(owner, name, None)) is not None:
                setattr(owner, name, self._watched(part, function))

    def _watched(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            before = self.turn(part)
            try:
                return function(*arguments, **named)
            finally:
                self.turn(before)

        return watched

    def told(self) -> str:
        """Return the parts, the largest first; what was outside of all of them is none."""
        spent = {part: seconds for part, seconds in self._spent.items() if part}
        whole = sum(spent.values())
        return ", ".join(
            f"{part} {seconds / whole:.0%}" for part, seconds in sorted(spent.items(), key=lambda s: -s[1])
        )


def of_threads_and_tasks(shares: Shares) -> None:
    """Watch the engine for callers of one process; of tasks what asyncio does for the store counts as the store's."""
    shares.watch("store", callers.Order, "open")
    shares.watch("store", Call, "make")
    shares.watch("store", executors, "_run")
    shares.watch("store", asyncio.Handle, "_run")
    shares.watch("switching", ThreadActor, "reach", "pass_line", "finish", "wait_for_turn")
    shares.watch("switching", ControlledLoop, "run_in_executor")
    shares.watch("set-up", Control, "close")
    shares.watch("files", SwitchingRaw, "__init__", "readinto", "read", "readall", "write", "truncate", "close")
    shares.watch("files", os, *_OF_OS)


def of_processes(shares: Shares) -> None:
    """Watch the coordinator; while a caller goes on, its process is at work: the store, its files, the way there."""
    shares.watch("switching", processes._Run, "_side_by_side")
    shares.watch("in the callers", processes._Caller, "_received")


class _Number(Spec):
    """A number that is incremented and looked at."""

    initial = 0
    reads = ("load",)

    def apply(self, state: Any, call: Call) -> tuple[Any, Any]:
        return (state, {"n": state}) if call.method == "load" else (state + 1, state + 1)


class _NumberKit(Kit):
    name = "number"
    spec = _Number()


def judged(shares: Shares) -> Callable[[Execution], object]:
    """Return what judges an execution, in a part of its own."""
    return shares._watched("judging", Judge(_NumberKit()).findings)
