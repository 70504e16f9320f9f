"""Crash requirements: what a reader finds after a crash at any point of a recorded workload.

One recording and one exploration of it are the evidence for all of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by, judged
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Result

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.crash.evidence import Evidence
    from pytest_tradestore.target import StoreUnderTest

_REQUIREMENTS = (
    "ATOM-1",
    "ATOM-2",
    "ATOM-3",
    "ATOM-4",
    "DUR-1",
    "DUR-2",
    "DUR-3",
    "DUR-4",
    "REC-1",
    "REC-2",
    "REC-3",
)
NEEDS_CLAIM = {"ATOM-1": "process-crash", "ATOM-3": "atomic-batch", "DUR-1": "process-crash", "DUR-2": "power-loss"}


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the crash checks of one contract."""
    return tuple(_check(requirement, kit) for requirement in _REQUIREMENTS)


def _check(requirement: str, kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        if reason := not_applicable(requirement, kit, frozenset(bench.examined(store).methods)):
            return Grounds(not_asked=reason)
        found = _grounds(requirement, store.name, bench.crashes(store, kit), f"crashes of {kit.name}")
        if found.example is None:
            return found
        seen = bench.sightings(store, kit)
        first, *others = (
            replace(example, sightings=seen.get((requirement, number), ()))
            for number, example in enumerate((found.example, *found.others))
        )
        return replace(found, example=first, others=tuple(others))

    def early(bench: "Bench", store: "StoreUnderTest") -> Iterator[Result]:
        return violated_early(bench, store, kit)

    return check_by(requirement, kit, grounds, NEEDS_CLAIM.get(requirement, ""), by_sight=True, early=early)


def violated_early(bench: "Bench", store: "StoreUnderTest", kit: Kit) -> Iterator[Result]:
    """Judge what the crashes of the first updates violate already; what holds is known only when all of it is."""
    from pytest_tradestore.examination import Place

    evidence = None if bench.settings.confirm else bench.first_crashes(store, kit)
    if evidence is None or bench.place(store, kit) is not Place.BELOW:
        return
    methods, claims = frozenset(bench.examined(store).methods), store.declarations.claims
    for requirement in _REQUIREMENTS:
        claimed = NEEDS_CLAIM.get(requirement, "") in ("", *claims)
        if requirement in evidence.violations and claimed and not not_applicable(requirement, kit, methods):
            grounds = _grounds(requirement, store.name, evidence, f"crashes of {kit.name}")
            assert grounds.example is not None, "a violation has its counterexample"
            example = replace(grounds.example, notes=(*grounds.example.notes, _EARLY))
            yield judged(requirement, kit.name, replace(grounds, example=example, exhaustive=False))


_EARLY = "the crashes of later updates had not been looked at when this was told"


def not_applicable(requirement: str, kit: Kit, methods: frozenset[str]) -> str:
    """Say why a requirement has no meaning for a store with these methods; empty where it has one."""
    if requirement == "DUR-3" and not kit.log:
        return "it is about logs, and this contract has none"
    if requirement == "DUR-4" and not kit.has(kit.deletes, methods):
        return "the store deletes nothing: the contract has no call for it, or the store does not offer it"
    if requirement == "ATOM-3" and not kit.has(kit.several, methods):
        return "no call of this contract changes more than one thing that a reader can see"
    return ""


def _grounds(requirement: str, store: str, evidence: "Evidence", shared: str) -> Grounds:
    from pytest_tradestore.crash.explanation import explain

    examples = tuple(explain(store, evidence, violation) for violation in evidence.violations.get(requirement, ()))
    of_recoveries = requirement == "REC-2"
    undecided = evidence.undecided or evidence.given_up or (evidence.recoveries_given_up if of_recoveries else "")
    nothing = of_recoveries and not evidence.effort.recoveries and not undecided
    return Grounds(
        next(iter(examples), None),
        undecided,
        "reopening the store wrote nothing on any image, so there is no recovery to crash" if nothing else "",
        checked={} if nothing or evidence.undecided else _checked(requirement, evidence),
        exhaustive=evidence.exhaustive
        and (not of_recoveries or (evidence.every_recovery and not evidence.recoveries_given_up)),
        shared="" if evidence.undecided else shared,
        output=evidence.output,
        others=examples[1:],
    )


def _checked(requirement: str, evidence: "Evidence") -> dict[str, int]:
    effort = evidence.effort
    if requirement == "REC-2":
        return {"recoveries": effort.recoveries, "images_of_recoveries": effort.recovery_images}
    return {"crash_states": effort.crash_states, "images": effort.images, "operations": effort.operations}
