"""Grammars of programs: which sequences of calls may be drawn, the same for the same seed wherever they are made.

What becomes of a program when it is played on a store is no matter of this module.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Step = tuple[Any, ...]
"""What to do and with what, as plain values: ``("write", "AAPL", ((3, 1), (1, 1)))``."""

Program = tuple[Step, ...]

_SHORTEST, _LONGEST = 4, 24


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


def generated_programs(grammar: Grammar, number: int, seed: int) -> Iterator[Program]:
    """Yield programs, short ones first: the same for the same grammar and seed, wherever they are made."""
    random = Random(seed)  # noqa: S311 - it has to be the same every time
    kinds = [kind for kind in grammar for _ in range(kind.often)]
    for count in range(number):
        longest = min(_LONGEST, _SHORTEST + count)
        yield tuple(random.choice(kinds).drawn(random) for _ in range(random.randint(1, longest)))


def simpler(program: Program, grammar: Grammar) -> Iterator[Program]:
    """Yield programs with fewer steps, then an earlier name throughout, fewer rows, earlier values; boldest first."""
    size = len(program) // 2
    while size:
        for start in range(0, len(program), size):
            yield program[:start] + program[start + size :]
        size //= 2
    arguments = {kind.name: kind.arguments for kind in grammar}
    yield from _renamed(program, arguments)
    for place, step in enumerate(program):
        for position, argument in enumerate(arguments[step[0]], 1):
            for value in _simpler_values(step[position], argument):
                yield (*program[:place], (*step[:position], value, *step[position + 1 :]), *program[place + 1 :])


def _renamed(program: Program, arguments: Mapping[str, Sequence[OneOf | Several]]) -> Iterator[Program]:
    """Yield programs with one value replaced wherever it stands: steps about one name are only wrong together."""
    used = {
        (repr(argument), value): argument
        for step in program
        for value, argument in zip(step[1:], arguments[step[0]], strict=True)
        if isinstance(argument, OneOf) and value != argument.values[0]
    }
    for (_, old), one_of in used.items():
        yield tuple(
            (step[0], *(_instead(v, old, a, one_of) for v, a in zip(step[1:], arguments[step[0]], strict=True)))
            for step in program
        )


def _instead(value: Any, old: Any, argument: OneOf | Several, one_of: OneOf) -> Any:
    return one_of.values[0] if argument == one_of and value == old else value


def _simpler_values(value: Any, argument: OneOf | Several) -> Iterator[Any]:
    if isinstance(argument, OneOf):
        if value != argument.values[0]:
            yield argument.values[0]
        return
    if len(value) > argument.least:
        for row in range(len(value)):
            yield value[:row] + value[row + 1 :]
