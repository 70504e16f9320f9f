"""Broken stores: one defect each. The suite must find it, for its own reason, and must find nothing else.

What a store breaks stands above it: ``@breaks("documents", ATOM_2="lost rename AAPL.json.tmp -> AAPL.json")``.
``tests.judging`` gathers and judges them.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from tests.sound_stores import BOTH, NATIVE

__all__ = ["BOTH", "DECLARED", "IN_MEMORY", "NATIVE", "Broken", "breaks"]

IN_MEMORY = ("fake",)
"""For stores whose operations are not what is wrong: no system call has to be seen."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A store with one defect.

    ``breaks``: every requirement that the defect violates, each with words that its counterexample has to contain;
    ``recorders``: which of them can see it.
    """

    name: str
    store: Callable[..., Any]
    contract: str
    breaks: Mapping[str, str]
    recorders: tuple[str, ...] = BOTH

    @property
    def contracts(self) -> tuple[str, ...]:
        return (self.contract,)

    @property
    def variant(self) -> str:
        """Whether its methods are awaited."""
        methods = (method for _, method in inspect.getmembers(self.store))
        return "async" if any(map(inspect.iscoroutinefunction, methods)) else "sync"

    def breaking(self, wanted: Callable[[str], bool]) -> Self:
        """Return the row with the requirements that are ``wanted`` alone."""
        return replace(self, breaks={id_: words for id_, words in self.breaks.items() if wanted(id_)})


DECLARED: list[Broken] = []
"""What the modules that have been imported so far declare."""

_Store = TypeVar("_Store", bound=Callable[..., Any])
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def breaks(
    contract: str, /, *, name: str = "", recorders: tuple[str, ...] = BOTH, **words: str
) -> Callable[[_Store], _Store]:
    """Declare that a store of ``contract`` breaks requirements: ``DUR_2="words of the counterexample"`` for each.

    Its name is that of the class, ``lost-update`` for ``LostUpdate``, unless ``name`` is given.
    """

    def declare(store: _Store) -> _Store:
        called = name or _WORD_BEGINS.sub("-", store.__name__).lower()
        broken = {id_.replace("_", "-"): text for id_, text in words.items()}
        DECLARED.append(Broken(called, store, contract, broken, recorders))
        return store

    return declare
