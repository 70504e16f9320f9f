"""Which checks of a run had best be judged by one process: those that rest on the same evidence.

Where this is wrong, evidence is gathered twice, and nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_tradestore.ahead import Portion
from pytest_tradestore.report.records import StoreFacts, check_id
from pytest_tradestore.target import StoreUnderTest

if TYPE_CHECKING:
    from pytest_tradestore.conformance import Check

_BY_REQUIREMENT = {
    "FAULT-4": ("values that cannot be stored", 0.3),
    "NAME-2": ("planted links", 1.0),
    "RACE-1": ("races through one instance", 3.0),
    "RACE-2": ("races through several instances", 3.0),
    "RACE-3": ("races of processes", 3.0),
    "RACE-6": ("cancelled callers", 3.0),
}
_BY_FAMILY = {
    "ATOM": ("crashes", 2.0),
    "DUR": ("crashes", 2.0),
    "REC": ("crashes", 2.0),
    "FAULT": ("faults", 3.0),
    "CORR": ("damage", 1.0),
    "NAME": ("identifiers", 1.5),
    "PERM": ("permissions", 0.6),
}
"""What is gathered, and for how many seconds about: by the requirement, else by what its id begins with."""
_OF_BOTH = ("RACE-4", "RACE-5")
"""Judged by the evidence of RACE-1 and of RACE-2, which comes with their results."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One check that a run will ask for."""

    check: "Check"
    store: StoreUnderTest
    facts: StoreFacts


def key_of(facts: StoreFacts, check: "Check") -> tuple[str, str]:
    """Return what tells one check of a run from all others."""
    return facts.id, check_id(check.requirement, check.case)


def _nothing(one: Asked) -> None:
    """Judge nothing: somebody else does, and it only has to be known what there is to do."""


def early(key: tuple[str, str]) -> tuple[str, tuple[str, str]]:
    """Return the key of what is known of a check before its turn: that it is violated, by some of the evidence."""
    return "early", key


def portions_of(
    asked: Sequence[Asked],
    judge: Callable[[Asked], Any] = _nothing,
    look: Callable[[Asked], Iterator[tuple[tuple[str, str], Any]]] | None = None,
) -> list[Portion]:
    """Return the work of judging these checks, in their order; results are what ``judge`` makes of each.

    ``look`` says by their keys what is known early of a check and of others that share its evidence.
    """
    groups: dict[tuple[str, str, str], list[Asked]] = {}
    weights: dict[tuple[str, str, str], float] = {}
    known = {(one.facts.id, one.check.requirement, one.check.case) for one in asked}
    for one in asked:
        races = [r for r in ("RACE-1", "RACE-2") if (one.facts.id, r, one.check.case) in known]
        requirement = one.check.requirement
        if requirement in _OF_BOTH:
            if len(races) == 2:
                continue  # whoever asks has all that it takes
            requirement = races[0] if races else "RACE-1"
        what, weight = gathered(requirement)
        group = (one.facts.id, one.check.case, what)
        groups.setdefault(group, []).append(one)
        weights[group] = weight
    return [
        Portion(
            _told(what, case, members[0].facts),
            weights[id_, case, what],
            frozenset(key_of(one.facts, one.check) for one in members),
            _judging(members, judge, look),
        )
        for (id_, case, what), members in groups.items()
    ]


def _told(what: str, case: str, facts: StoreFacts) -> str:
    """Say what is gathered of which store; of which contract only where it has several, or the case says more."""
    return f"{what} of {facts.name}" if facts.contracts == (case,) else f"{what} of {case} in {facts.name}"


def gathered(requirement: str) -> tuple[str, float]:
    """Return what is gathered to judge a requirement, and for how many seconds about."""
    own = _BY_REQUIREMENT.get(requirement)
    return own or _BY_FAMILY.get(requirement.rpartition("-")[0], (requirement, 0.2))


def _judging(
    members: list[Asked],
    judge: Callable[[Asked], Any],
    look: Callable[[Asked], Iterator[tuple[tuple[str, str], Any]]] | None,
) -> Callable[[], Iterator[tuple[Any, Any]]]:
    def results() -> Iterator[tuple[Any, Any]]:
        first = next((one for one in members if one.check.early is not None), None)
        if first is not None and look is not None:
            yield from ((early(key), value) for key, value in look(first))
        yield from ((key_of(one.facts, one.check), judge(one)) for one in members)

    return results
