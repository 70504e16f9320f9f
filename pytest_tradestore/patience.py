"""Lets the controller of xdist look around while it waits for its workers; it has no hook for that."""

from collections.abc import Callable
from typing import Any

import pytest

_LOOK = 0.5
"""Seconds between two looks."""


def look_while_waiting(config: pytest.Config, look: Callable[[], None]) -> None:
    """Have ``look`` called whenever the controller has taken a message of a worker, and twice a second without one.

    Its loop takes messages from a queue, waits for each a moment, and begins anew where there was none.
    """
    queue = getattr(config.pluginmanager.getplugin("dsession"), "queue", None)
    if queue is None:
        return
    get = queue.get

    def patiently(block: bool = True, timeout: float | None = None) -> Any:
        look()
        return get(block, timeout if timeout is None else min(timeout, _LOOK))

    queue.get = patiently
