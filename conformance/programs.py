"""Generated programs: sequences of calls that a store and a simple model in memory must answer alike.

A program is a list of steps; hypothesis draws it from the seed and makes a failing one as short as it can.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_tradestore.conformance.visit import Mismatch, NotAskedError, RefusedError, Visit, raised

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Step = tuple[Any, ...]
"""What to do and with what, as plain values: ``("write", "AAPL", ((3, 1), (1, 1)))``."""

Play = Callable[[Visit, Sequence[Step]], Mismatch | None]
"""Makes the calls of a program on a fresh store and compares every answer with a model."""

_PARTS = 6
_SHRINKING = 200
"""Programs that are played while a failing one is made shorter: enough for a short one, and a second or two."""


def from_programs(play: Play, steps: "Callable[[], SearchStrategy[Step]]") -> Callable[[Visit], Mismatch | None]:
    """Return a case that plays generated programs, and answers with the shortest failing one it could find."""

    def program(visit: Visit) -> Mismatch | None:
        return _search(visit, play, steps())

    return program


class _Different(Exception):  # noqa: N818 - a signal to hypothesis, not an error
    pass


def _search(visit: Visit, play: Play, steps: "SearchStrategy[Step]") -> Mismatch | None:
    import hypothesis
    from hypothesis import strategies

    outcomes: dict[tuple[Step, ...], Mismatch | None] = {}
    shortest: Mismatch | None = None
    left = _SHRINKING

    def outcome(program: tuple[Step, ...]) -> Mismatch | None:
        nonlocal shortest, left
        if program not in outcomes:
            if shortest is not None:
                left -= 1
            if left < 0:
                return None
            visit.fresh()
            outcomes[program] = _played(visit, play, program)
            visit.checked["programs"] = visit.checked.get("programs", 0) + 1
            visit.checked["calls"] = visit.checked.get("calls", 0) + len(program)
        return outcomes[program]

    # Short lists of short lists: longer programs than one list gives, and each part can be dropped as a whole.
    parts = strategies.lists(strategies.lists(steps, max_size=_PARTS), max_size=_PARTS)

    @hypothesis.seed(visit.seed)
    @hypothesis.settings(
        max_examples=visit.examples,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(parts)
    def try_one(drawn: list[list[Step]]) -> None:
        nonlocal shortest
        found = outcome(tuple(step for part in drawn for step in part))
        if found is not None:
            shortest = found
            raise _Different

    try:
        try_one()
    except _Different:
        return shortest
    return None


def _played(visit: Visit, play: Play, program: Sequence[Step]) -> Mismatch | None:
    try:
        return play(visit, program)
    except (NotAskedError, RefusedError):
        raise
    except Exception as error:  # what the store raises in the middle of an ordinary program is the finding
        return raised(visit, error)
