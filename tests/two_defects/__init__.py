"""Stores with two defects each: both have to be shown, the worse one first; the sound twin of each has neither."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Expected = tuple[str, str, set[str]]
"""What is at fault, the harm that it does, and requirements that it breaks, maybe among others."""


@dataclass(frozen=True)
class TwoDefects:
    """A store, its sound twin, and the two findings in the order in which they are to be told."""

    store: Callable[..., Any]
    twin: Callable[..., Any]
    contract: str
    findings: tuple[Expected, Expected]

    @property
    def name(self) -> str:
        return self.store.__name__


DECLARED: list[TwoDefects] = []
"""What the modules that have been imported so far declare."""


def two(
    twin: Callable[..., Any], contract: str, worse: Expected, other: Expected
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare that a store has two defects that its ``twin`` has not."""

    def declare(store: Callable[..., Any]) -> Callable[..., Any]:
        DECLARED.append(TwoDefects(store, twin, contract, (worse, other)))
        return store

    return declare
