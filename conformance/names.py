"""What a store does with identifiers: a corpus of them, hostile and ordinary, through every call that takes one.

One run of the trials on a contract is the evidence for all of these requirements.
"""

from typing import TYPE_CHECKING

from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample, Result, Verdict

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.names.findings import Finding
    from pytest_tradestore.target import StoreUnderTest

_CLAIM = "private-files"
_REQUIREMENTS = ("NAME-1", "NAME-3", "NAME-4", "NAME-5", "NAME-6")


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the checks of one contract's identifiers; one that takes none is only asked about planted links."""
    asked = tuple(_check(requirement, kit) for requirement in _REQUIREMENTS) if kit.slots() else ()
    return (*asked, _planted(kit))


def _planted(kit: Kit) -> Check:
    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        if _CLAIM not in store.declarations.claims:
            return unclaimed("NAME-2", kit.name, _CLAIM, store.declarations)
        findings = bench.planted(store, kit)
        if not findings.violations and "NAME-2" in findings.undecided:
            return Result("NAME-2", kit.name, Verdict.UNDECIDED, findings.undecided["NAME-2"], findings.checked)
        if not findings.violations:
            return Result("NAME-2", kit.name, Verdict.HOLDS, "", findings.checked)
        told = _told(list(findings.violations))
        return Result("NAME-2", kit.name, Verdict.VIOLATED, told.headline, findings.checked, counterexample=told)

    return Check("NAME-2", kit.name, judge)


def _check(requirement: str, kit: Kit) -> Check:
    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        findings = bench.names(store, kit)
        found = [finding for finding in findings.violations if finding.requirement == requirement]
        evidence = f"identifiers of {kit.name}"
        if found:
            told = _told(found)
            return Result(
                requirement,
                kit.name,
                Verdict.VIOLATED,
                told.headline,
                findings.checked,
                counterexample=told,
                evidence=evidence,
            )
        if reason := findings.unfinished or findings.undecided.get(requirement):
            return Result(requirement, kit.name, Verdict.UNDECIDED, reason, findings.checked)
        if reason := findings.not_asked.get(requirement):
            return Result(requirement, kit.name, Verdict.NOT_APPLICABLE, reason, findings.checked)
        return Result(requirement, kit.name, Verdict.HOLDS, "", findings.checked, evidence=evidence)

    return Check(requirement, kit.name, judge)


def _told(found: "list[Finding]") -> Counterexample:
    """Return the first finding as a counterexample, with the beginnings of the others as notes."""
    first, others = found[0], found[1:]
    more = tuple(f"also: {finding.sentence}" for finding in others[:4])
    if len(others) > len(more):
        more += (f"and {len(others) - len(more)} more like these",)
    return Counterexample(
        first.sentence,
        workload=first.calls,
        found=(first.found,),
        allowed=(first.allowed,),
        filesystems=first.filesystems,
        notes=(*first.notes, *more),
    )
