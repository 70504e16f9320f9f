"""The smallest program that still goes wrong: fewer callers, fewer calls, nothing prepared that does not matter."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from pytest_tradestore.race.execution import Program

Found = TypeVar("Found")
FEWEST = 2
"""Callers below which nothing is concurrent."""


def smallest(
    program: Program, found: Found, goes_wrong: Callable[[Program], Found | None]
) -> tuple[Program, tuple[int, ...], Found]:
    """Return the smallest program that is reached by leaving out one thing at a time, the way there, and what it shows.

    ``found`` is what was found in ``program``; ``goes_wrong`` says the same of a smaller one, or None.
    """
    way: tuple[int, ...] = ()
    while True:
        for number, candidate in enumerate(smaller(program)):
            again = goes_wrong(candidate)
            if again is not None:
                program, way, found = candidate, (*way, number), again
                break
        else:
            return program, way, found


def reached(program: Program, way: tuple[int, ...]) -> Program | None:
    """Return the program at the end of a way that ``smallest`` went, None if there is no such way."""
    for number in way:
        candidates = list(smaller(program))
        if number >= len(candidates):
            return None
        program = candidates[number]
    return program


def smaller(program: Program) -> Iterator[Program]:
    """Yield the programs with one thing less, those first that leave out most."""
    actors = program.actors
    if program.struck is None:  # who is cancelled, and where, is told by numbers
        if len(actors) > FEWEST:
            for i in range(len(actors)):
                yield replace(program, actors=actors[:i] + actors[i + 1 :])
        for i, calls in enumerate(actors):
            if len(calls) > 1:
                for j in range(len(calls)):
                    yield replace(program, actors=(*actors[:i], calls[:j] + calls[j + 1 :], *actors[i + 1 :]))
    for i in range(len(program.prepare)):
        yield replace(program, prepare=program.prepare[:i] + program.prepare[i + 1 :])
    if len(program.observe) > 1:
        for i in range(len(program.observe)):
            yield replace(program, observe=program.observe[:i] + program.observe[i + 1 :])
