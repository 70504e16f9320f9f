"""Generated programs: sequences of calls that a store and a simple model in memory must answer alike.

A program is a list of steps that a grammar allows. Which ones are drawn depends on the seed and on nothing else: not on
the project, its modules, or the version of a library. A failing one is made as short as it can be.
"""

from collections.abc import Callable, Sequence

from pytest_tradestore.conformance.visit import DataViolation, RefusedError, Visit, raised
from pytest_tradestore.kits.grammar import Grammar, Program, Step, generated_programs, simpler
from pytest_tradestore.kits.kit import NotAskedError

Play = Callable[[Visit, Sequence[Step]], DataViolation | None]
"""Makes the calls of a program on a fresh store and compares every answer with a model."""

_FEWEST = 40
"""Programs that are played however small the budget: with fewer, an ordinary mistake is found by luck only."""
_SHRINKING = 200
"""Programs that are played while a failing one is made shorter: enough for a short one, and a second or two."""


def from_programs(play: Play, grammar: Grammar) -> Callable[[Visit], DataViolation | None]:
    """Return a case that plays generated programs, and answers with the shortest failing one it could find."""

    def case(visit: Visit) -> DataViolation | None:
        for program in generated_programs(grammar, max(_FEWEST, visit.examples), visit.seed):
            found = _played(visit, play, program)
            if found is not None:
                return _shortest(visit, play, grammar, program, found)
        return None

    return case


def _played(visit: Visit, play: Play, program: Program) -> DataViolation | None:
    visit.fresh()
    visit.checked["programs"] = visit.checked.get("programs", 0) + 1
    visit.checked["steps"] = visit.checked.get("steps", 0) + len(program)
    try:
        return play(visit, program)
    except (NotAskedError, RefusedError):
        raise
    except Exception as error:  # what the store raises in the middle of an ordinary program is the finding
        return raised(visit, error)


def _shortest(visit: Visit, play: Play, grammar: Grammar, program: Program, found: DataViolation) -> DataViolation:
    """Take away and simplify, as long as the program still fails."""
    left = _SHRINKING
    tried = {program}
    again = True
    while again:
        again = False
        for candidate in simpler(program, grammar):
            if candidate in tried:
                continue
            if left == 0:
                return found
            left -= 1
            tried.add(candidate)
            still = _played(visit, play, candidate)
            if still is not None:
                program, found, again = candidate, still, True
                break
    return found
