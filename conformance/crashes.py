"""Crash requirements: what a reader finds after a crash at any point of a recorded workload.

One recording and one exploration of it are the evidence for all of them.
"""

from typing import TYPE_CHECKING

from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Result, Verdict

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
_NEEDS_CLAIM = {"ATOM-1": "process-crash", "ATOM-3": "atomic-batch", "DUR-1": "process-crash", "DUR-2": "power-loss"}


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the crash checks of one contract."""
    return tuple(_check(requirement, kit) for requirement in _REQUIREMENTS)


def _check(requirement: str, kit: Kit) -> Check:
    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        claim = _NEEDS_CLAIM.get(requirement)
        if claim and claim not in store.declarations.claims:
            return unclaimed(requirement, kit.name, claim, store.declarations)
        reason = _not_applicable(requirement, kit, bench, store)
        if reason:
            return Result(requirement, kit.name, Verdict.NOT_APPLICABLE, reason)
        return _judged(requirement, kit, bench, store)

    return Check(requirement, kit.name, judge)


def _not_applicable(requirement: str, kit: Kit, bench: "Bench", store: "StoreUnderTest") -> str:
    methods = frozenset(bench.examined(store).methods)
    if requirement == "DUR-3" and not kit.log:
        return "it is about logs, and this contract has none"
    if requirement == "DUR-4" and not kit.has(kit.deletes, methods):
        return "the store deletes nothing: the contract has no call for it, or the store does not offer it"
    if requirement == "ATOM-3" and not kit.has(kit.several, methods):
        return "no call of this contract changes more than one thing that a reader can see"
    return ""


def _judged(requirement: str, kit: Kit, bench: "Bench", store: "StoreUnderTest") -> Result:
    from pytest_tradestore.crash.explanation import explain

    evidence = bench.crashes(store, kit)
    if evidence.undecided:
        return Result(requirement, kit.name, Verdict.UNDECIDED, evidence.undecided, output=evidence.output)
    if requirement == "REC-2" and not evidence.effort.recoveries:
        reason = "reopening the store wrote nothing on any image, so there is no recovery to crash"
        return Result(requirement, kit.name, Verdict.NOT_APPLICABLE, reason)
    verdict, reason, example = Verdict.HOLDS, "", None
    if violation := evidence.violations.get(requirement):
        verdict, reason = Verdict.VIOLATED, violation.breach.sentence
        example = explain(store.name, evidence, violation)
    elif evidence.given_up:
        verdict, reason = Verdict.UNDECIDED, evidence.given_up
    exhaustive = evidence.exhaustive and (requirement != "REC-2" or evidence.every_recovery)
    return Result(
        requirement,
        kit.name,
        verdict,
        reason,
        _checked(requirement, evidence),
        exhaustive,
        example,
        evidence=f"crashes of {kit.name}",
        output=evidence.output if verdict is not Verdict.HOLDS else "",
    )


def _checked(requirement: str, evidence: "Evidence") -> dict[str, int]:
    effort = evidence.effort
    if requirement == "REC-2":
        return {"recoveries": effort.recoveries, "images_of_recoveries": effort.recovery_images}
    return {"crash_states": effort.crash_states, "images": effort.images, "operations": effort.operations}
