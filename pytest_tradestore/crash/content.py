"""The rules by which a file system decides what a file holds after a power loss, given which of its parts arrived.

A rule reads the parts of one file in the order of the program and keeps in a small state what matters for the rest, so
that losses need not be tried subset by subset: those that lead to the same state are one.
"""

from collections.abc import Hashable, Iterable, Set
from typing import Any

from pytest_tradestore.crash.lowering import PAGE, Data, Micro, Sets, Size

_NEVER = 1 << 62


class ContentRule:
    """Every page and every size by itself; others forbid some of that."""

    start: Hashable = ()

    def after(self, state: Any, m: int, part: Micro, arrived: bool) -> Hashable | None:  # noqa: ARG002
        """Return the state after ``part``, number ``m``, has arrived or been lost; None where that cannot be."""
        return state  # type: ignore[no-any-return]

    def stands(self, state: Any) -> bool:  # noqa: ARG002
        """Say whether a file can be left in this state."""
        return True

    def allows(self, parts: Iterable[tuple[int, Micro]], lost: Set[int]) -> bool:
        """Say whether the file may lose just those of its parts that are in ``lost``."""
        state: Hashable | None = self.start
        for m, part in parts:
            state = self.after(state, m, part, m not in lost)
            if state is None:
                return False
        return self.stands(state)


ANYTHING = ContentRule()


class TruncationFirst(ContentRule):
    """Nothing that was written behind the new end survives a truncation that is lost.

    What was written into the page that the truncation ended in does: on disk that page has kept its place. The state is
    where the shortest truncation that was lost ended.
    """

    start: Hashable = _NEVER

    def after(self, state: Any, m: int, part: Micro, arrived: bool) -> Hashable | None:  # noqa: ARG002
        missing: int = state
        if isinstance(part, Size):
            if part.sets is Sets.CUT:
                return missing if arrived else min(missing, part.size)
            return None if arrived and part.size > missing else missing
        behind = isinstance(part, Data) and part.offset >= _page_end(missing) and part.end > missing
        return None if arrived and behind else missing


class WithItsPage(TruncationFirst):
    """A size that a write has set comes with the page that it ends in, written then or later.

    ``writes`` says of each step whether it is a write; ``given_up`` are pages that a failed sync took for written.
    """

    start: Hashable = (_NEVER, -1, frozenset(), frozenset())

    def __init__(self, writes: tuple[bool, ...], given_up: Set[int]) -> None:
        self._writes = writes
        self._given_up = given_up

    def after(self, state: Any, m: int, part: Micro, arrived: bool) -> Hashable | None:
        missing, operation, here, wanted = state
        missing = super().after(missing, m, part, arrived)
        if missing is None:
            return None
        if isinstance(part, Data):
            if arrived or m in self._given_up:
                pages = frozenset(range(part.offset // PAGE, (part.offset + len(part.content)) // PAGE))
                here = here | pages if operation == part.operation else pages
                return missing, part.operation, here, wanted - pages
        elif isinstance(part, Size) and arrived:
            if part.sets is Sets.CUT:
                return missing, operation, here, frozenset()
            page = (part.size - 1) // PAGE
            came_along = operation == part.operation and page in here
            if part.sets is Sets.END and self._writes[part.operation] and not came_along:
                wanted = wanted | {page}
        return missing, operation, here, wanted

    def stands(self, state: Any) -> bool:
        return not state[3]


class SomeData(TruncationFirst):
    """A size that a write has set comes with some data of the file before it, written then, earlier or later."""

    start: Hashable = (_NEVER, _NEVER, _NEVER)

    def __init__(self, writes: tuple[bool, ...], given_up: Set[int]) -> None:
        self._writes = writes
        self._given_up = given_up

    def after(self, state: Any, m: int, part: Micro, arrived: bool) -> Hashable | None:
        missing, data, size = state
        missing = super().after(missing, m, part, arrived)
        if missing is None:
            return None
        if isinstance(part, Data) and (arrived or m in self._given_up):
            data = min(data, part.offset)
        elif isinstance(part, Size) and arrived and part.sets is Sets.END and self._writes[part.operation]:
            size = min(size, part.size)
        return missing, data, size

    def stands(self, state: Any) -> bool:
        _, data, size = state
        return bool(size == _NEVER or data < size)


def _page_end(size: int) -> int:
    return -(-size // PAGE) * PAGE
