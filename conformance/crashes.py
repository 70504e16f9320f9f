"""Crash requirements: what a reader finds after a crash at any point of a recorded workload.

One recording and one exploration of it are the evidence for all of them.
"""

from typing import TYPE_CHECKING

from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.contracts import Contract
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


def checks(contract: Contract) -> tuple[Check, ...]:
    """Return the crash checks of one contract."""
    return tuple(_check(requirement, contract) for requirement in _REQUIREMENTS)


def _check(requirement: str, contract: Contract) -> Check:
    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        claim = _NEEDS_CLAIM.get(requirement)
        if claim and claim not in store.declarations.claims:
            return unclaimed(requirement, contract.name, claim, store.declarations)
        reason = _not_applicable(requirement, contract, bench, store)
        if reason:
            return Result(requirement, contract.name, Verdict.NOT_APPLICABLE, reason)
        return _judged(requirement, contract, bench, store)

    return Check(requirement, contract.name, judge)


def _not_applicable(requirement: str, contract: Contract, bench: "Bench", store: "StoreUnderTest") -> str:
    if requirement == "DUR-3" and contract.name not in _LOGS:
        return "it is about logs, and this contract has none"
    if requirement == "DUR-4" and not _deletes(contract, bench, store):
        return "the store deletes nothing: the contract has no call for it, or the store does not offer it"
    if requirement == "ATOM-3" and not _changes_several(contract, bench, store):
        return "no call of this contract changes more than one thing that a reader can see"
    return ""


_LOGS = ("journal", "events", "audit")
_SEVERAL = ("bars", "fundamentals", "jobs", "runs")
_DELETING = ("jobs", "runs")


def _deletes(contract: Contract, bench: "Bench", store: "StoreUnderTest") -> bool:
    return contract.name in _DELETING or (contract.name == "documents" and "delete" in bench.examined(store).methods)


def _changes_several(contract: Contract, bench: "Bench", store: "StoreUnderTest") -> bool:
    return contract.name in _SEVERAL or (contract.name == "documents" and "keys" in bench.examined(store).methods)


def _judged(requirement: str, contract: Contract, bench: "Bench", store: "StoreUnderTest") -> Result:
    from pytest_tradestore.crash.explanation import explain

    evidence = bench.crashes(store, contract)
    if evidence.undecided:
        return Result(requirement, contract.name, Verdict.UNDECIDED, evidence.undecided, output=evidence.output)
    if requirement == "REC-2" and not evidence.effort.recoveries:
        reason = "reopening the store wrote nothing on any image, so there is no recovery to crash"
        return Result(requirement, contract.name, Verdict.NOT_APPLICABLE, reason)
    verdict, reason, example = Verdict.HOLDS, "", None
    if violation := evidence.violations.get(requirement):
        verdict, reason = Verdict.VIOLATED, violation.breach.sentence
        example = explain(store.name, evidence, violation)
    elif evidence.given_up:
        verdict, reason = Verdict.UNDECIDED, evidence.given_up
    exhaustive = evidence.exhaustive and (requirement != "REC-2" or evidence.every_recovery)
    return Result(
        requirement,
        contract.name,
        verdict,
        reason,
        _checked(requirement, evidence),
        exhaustive,
        example,
        evidence=f"crashes of {contract.name}",
        output=evidence.output if verdict is not Verdict.HOLDS else "",
    )


def _checked(requirement: str, evidence: "Evidence") -> dict[str, int]:
    effort = evidence.effort
    if requirement == "REC-2":
        return {"recoveries": effort.recoveries, "images_of_recoveries": effort.recovery_images}
    return {"crash_states": effort.crash_states, "images": effort.images, "operations": effort.operations}
