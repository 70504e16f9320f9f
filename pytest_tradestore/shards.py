"""Which part of a run is done on which of several machines: checks that rest on the same evidence stay together.

The parts are the same on every machine: they depend on the checks alone, and on what each kind of evidence was measured
to cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.portions import Asked, gathered, key_of


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``number`` of ``of``, counted from 1."""

    number: int
    of: int


def shard_of(text: str) -> Shard:
    """Read ``2/4``. Raises ConfigurationError."""
    number, slash, of = text.partition("/")
    if slash and all(part.isascii() and part.isdigit() for part in (number, of)) and 1 <= int(number) <= int(of):
        return Shard(int(number), int(of))
    raise ConfigurationError(f"--tradestore-shard {text}: write I/N with I from 1 to N, like 2/4")


def chosen(asked: Sequence[Asked], shard: Shard) -> frozenset[tuple[str, str]]:
    """Return the keys of the checks that are done in this part.

    The heaviest evidence is dealt out first, each to the part with least; ties go by the order of the checks.
    """
    groups: dict[tuple[str, str, str], dict[str, float]] = {}
    members: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for one in asked:
        what, weight = gathered(one.check.requirement)
        # Two requirements are judged by the races through one instance and by those through several.
        together = "races" if one.check.requirement.startswith("RACE-") else what
        group = (one.facts.id, one.check.case, together)
        groups.setdefault(group, {})[what] = weight
        members.setdefault(group, []).append(key_of(one.facts, one.check))
    loads = [0.0] * shard.of
    mine: list[tuple[str, str]] = []
    for group in sorted(groups, key=lambda each: -sum(groups[each].values())):
        least = loads.index(min(loads))
        loads[least] += sum(groups[group].values())
        if least == shard.number - 1:
            mine += members[group]
    return frozenset(mine)
