"""Which part of a run is done on which of several machines: checks that rest on the same evidence stay together.

The parts are the same on every machine: they depend on the checks alone, and on what each kind of evidence was measured
to cost.
"""

import json
from collections.abc import Mapping, Sequence
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


Times = Mapping[tuple[str, str, str], float]
"""How many seconds a check took in an earlier run, by store, requirement and case."""


def times_of(path: str) -> Times:
    """Read how long checks took from the JSON report of an earlier run. Raises ConfigurationError."""
    try:
        with open(path, encoding="utf-8") as file:
            stores = json.load(file)["stores"]
        return {
            (store["name"], one["id"], one["case"]): float(one.get("seconds", 0.0))
            for store in stores
            for one in store["requirements"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"--tradestore-shard-times {path}: it is no JSON report of the suite ({type(error).__name__}: {error}); "
            "make one with --tradestore-report json:PATH"
        ) from None


def chosen(asked: Sequence[Asked], shard: Shard, times: Times | None = None) -> frozenset[tuple[str, str]]:
    """Return the keys of the checks that are done in this part.

    The heaviest evidence is dealt out first, each to the part with least; ties go by the order of the checks. What
    ``times`` know weighs what it took there, and the rest as much as it would weigh otherwise, in their measure.
    """
    groups: dict[tuple[str, str, str], dict[str, float]] = {}
    members: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    took: dict[tuple[str, str, str], list[float | None]] = {}
    for one in asked:
        what, weight = gathered(one.check.requirement)
        # Two requirements are judged by the races through one instance and by those through several.
        together = "races" if one.check.requirement.startswith("RACE-") else what
        group = (one.facts.id, one.check.case, together)
        groups.setdefault(group, {})[what] = weight
        members.setdefault(group, []).append(key_of(one.facts, one.check))
        measured = (times or {}).get((one.facts.name, one.check.requirement, one.check.case))
        took.setdefault(group, []).append(measured)
    weights = _weights({group: sum(of.values()) for group, of in groups.items()}, took)
    loads = [0.0] * shard.of
    mine: list[tuple[str, str]] = []
    for group in sorted(groups, key=lambda each: -weights[each]):
        least = loads.index(min(loads))
        loads[least] += weights[group]
        if least == shard.number - 1:
            mine += members[group]
    return frozenset(mine)


def _weights(
    usual: Mapping[tuple[str, str, str], float], took: Mapping[tuple[str, str, str], Sequence[float | None]]
) -> dict[tuple[str, str, str], float]:
    """Return what each group weighs: its seconds where all of it was measured, else what it usually does in them."""
    known = {group: sum(s for s in seconds if s is not None) for group, seconds in took.items() if None not in seconds}
    measured, expected = sum(known.values()), sum(usual[group] for group in known)
    scale = measured / expected if measured and expected else 1.0
    return {group: known[group] if measured and group in known else usual[group] * scale for group in usual}
