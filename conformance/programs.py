"""Generated programs: sequences of calls that a store and a simple model in memory must answer alike.

A program is a list of steps that a grammar allows. Which ones are drawn depends on the seed and on nothing else: not on
the project, its modules, or the version of a library. A failing one is made as short as it can be.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pytest_tradestore.conformance.visit import Mismatch, NotAskedError, RefusedError, Visit, raised

Step = tuple[Any, ...]
"""What to do and with what, as plain values: ``("write", "AAPL", ((3, 1), (1, 1)))``."""

Program = tuple[Step, ...]

Play = Callable[[Visit, Sequence[Step]], Mismatch | None]
"""Makes the calls of a program on a fresh store and compares every answer with a model."""

_FEWEST = 40
"""Programs that are played however small the budget: with fewer, an ordinary mistake is found by luck only."""
_SHORTEST, _LONGEST = 4, 24
_SHRINKING = 200
"""Programs that are played while a failing one is made shorter: enough for a short one, and a second or two."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """An argument that is one of these values."""

    values: Sequence[Any]

    def drawn(self, random: Random) -> Any:
        return self.values[random.randrange(len(self.values))]


@dataclass(frozen=True, slots=True)
class Several:
    """An argument that is a tuple of rows, each with a value of every column; at least ``least`` of them."""

    columns: tuple[OneOf, ...]
    least: int = 0
    most: int = 4

    def drawn(self, random: Random) -> tuple[Any, ...]:
        rows = random.randint(self.least, self.most)
        return tuple(tuple(column.drawn(random) for column in self.columns) for _ in range(rows))


@dataclass(frozen=True, slots=True)
class StepKind:
    """One kind of step: its name, its arguments, and how often it comes compared with the others."""

    name: str
    arguments: tuple[OneOf | Several, ...] = ()
    often: int = 1

    def drawn(self, random: Random) -> Step:
        return (self.name, *(argument.drawn(random) for argument in self.arguments))


Grammar = Sequence[StepKind]


def from_programs(play: Play, grammar: Grammar) -> Callable[[Visit], Mismatch | None]:
    """Return a case that plays generated programs, and answers with the shortest failing one it could find."""

    def case(visit: Visit) -> Mismatch | None:
        for program in generated_programs(grammar, max(_FEWEST, visit.examples), visit.seed):
            found = _played(visit, play, program)
            if found is not None:
                return _shortest(visit, play, grammar, program, found)
        return None

    return case


def generated_programs(grammar: Grammar, number: int, seed: int) -> Iterator[Program]:
    """Yield programs, short ones first: the same for the same grammar and seed, wherever they are made."""
    random = Random(seed)  # noqa: S311 - it has to be the same every time
    kinds = [kind for kind in grammar for _ in range(kind.often)]
    for count in range(number):
        longest = min(_LONGEST, _SHORTEST + count)
        yield tuple(random.choice(kinds).drawn(random) for _ in range(random.randint(1, longest)))


def _played(visit: Visit, play: Play, program: Program) -> Mismatch | None:
    visit.fresh()
    visit.checked["programs"] = visit.checked.get("programs", 0) + 1
    visit.checked["steps"] = visit.checked.get("steps", 0) + len(program)
    try:
        return play(visit, program)
    except (NotAskedError, RefusedError):
        raise
    except Exception as error:  # what the store raises in the middle of an ordinary program is the finding
        return raised(visit, error)


def _shortest(visit: Visit, play: Play, grammar: Grammar, program: Program, found: Mismatch) -> Mismatch:
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


def simpler(program: Program, grammar: Grammar) -> Iterator[Program]:
    """Yield programs with fewer steps, then with fewer rows in a step, then with earlier values; boldest first."""
    size = len(program) // 2
    while size:
        for start in range(0, len(program), size):
            yield program[:start] + program[start + size :]
        size //= 2
    arguments = {kind.name: kind.arguments for kind in grammar}
    for place, step in enumerate(program):
        for position, argument in enumerate(arguments[step[0]], 1):
            for value in _simpler_values(step[position], argument):
                yield (*program[:place], (*step[:position], value, *step[position + 1 :]), *program[place + 1 :])


def _simpler_values(value: Any, argument: OneOf | Several) -> Iterator[Any]:
    if isinstance(argument, OneOf):
        if value != argument.values[0]:
            yield argument.values[0]
        return
    if len(value) > argument.least:
        for row in range(len(value)):
            yield value[:row] + value[row + 1 :]
