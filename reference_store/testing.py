"""Stores for people's own unit tests: the time and the ids are what the test says, and files may be faked.

    from reference_store.testing import Clock, controlled

    def test_a_task_is_due_when_its_time_has_come(tmp_path):
        clock = Clock()
        with controlled(TaskStore, tmp_path, clock=clock) as tasks:
            ...
            clock.advance(hours=1)

All stores work in ``tmp_path``, and under the ``fs`` fixture of pyfakefs. Nothing here is needed by the stores.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from reference_store.errors import InvalidRecord

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""What a clock shows in the beginning: noon of a Monday, in UTC."""
S = TypeVar("S")


class Clock:
    """A clock that stands still until a test moves it; called, it gives ``now``."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Move the clock, back if the sum is below zero, and return what it shows then."""
        self.now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self.now


class Ids:
    """Gives ``prefix-1``, ``prefix-2`` and so on, one for each call."""

    def __init__(self, prefix: str = "id") -> None:
        self.prefix, self.given = prefix, 0

    def __call__(self) -> str:
        self.given += 1
        return f"{self.prefix}-{self.given}"


def controlled(
    store: Callable[..., S],
    root: str | Path,
    *,
    clock: Callable[[], datetime] | None = None,
    new_id: Callable[[], str] | None = None,
    **options: Any,
) -> S:
    """Open ``store`` on ``root`` with a clock and ids of a test, as far as it takes such.

    Without ``clock`` it is a ``Clock`` that stands still, without ``new_id`` an ``Ids``. Raises InvalidRecord where one
    is given to a store that has no use for it, and what the store raises.
    """
    known = inspect.signature(store).parameters
    for name, given, standard in (("clock", clock, Clock), ("new_id", new_id, Ids)):
        if name in known:
            options[name] = standard() if given is None else given
        elif given is not None:
            raise InvalidRecord(name, f"is given to {getattr(store, '__name__', store)}, which takes none")
    return store(root, **options)
