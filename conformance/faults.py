"""Requirements about errors: what a store does when a call to the system fails, or a value cannot be stored.

One run of every fault worth trying is the evidence for three of them; failed syncs are crashed after in a second one,
and what a store does while a call fails is crashed in a third, as calls fail there after a crash.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tradestore.causes import Harm
from pytest_tradestore.conformance import unstorable
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by, each_cause
from pytest_tradestore.faults.calls import failing_calls
from pytest_tradestore.faults.culprits import Flaw
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.tries import TrialKind, TrialToken, fingerprint
from pytest_tradestore.verdict import Counterexample, Step, StepStatus

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.faults.evidence import FaultEvidence, FaultViolation
    from pytest_tradestore.faults.meanwhile import MeanwhileEvidence
    from pytest_tradestore.faults.sync_crashes import SyncEvidence
    from pytest_tradestore.target import StoreUnderTest

_STEPS_SHOWN = 24


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the fault checks of one contract."""
    made = [_of_trials(requirement, kit) for requirement in ("FAULT-1", "FAULT-3", "FAULT-5")]
    made.insert(1, _of_syncs(kit))
    made[3:3] = unstorable.checks(kit)
    made.append(_of_meanwhile(kit))
    return tuple(made)


def _of_trials(requirement: str, kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        evidence = bench.faults(store, kit)
        examples = [counterexample(store.name, kit, found) for found in evidence.violations.get(requirement, ())]
        undecided = evidence.undecided or evidence.given_up or _powerless(evidence)
        return Grounds(
            examples[0] if examples else None,
            undecided,
            checked={"faults": evidence.struck},
            exhaustive=evidence.exhaustive and (bool(examples) or not undecided),
            shared=f"faults of {kit.name}",
            others=tuple(examples[1:]),
        )

    return check_by(requirement, kit, grounds, by_sight=True)


def _powerless(evidence: "FaultEvidence") -> str:
    return "" if evidence.struck else "none of the faults came into play"


def counterexample(store: str, kit: Kit, violation: "FaultViolation") -> Counterexample:
    """Tell of one fault and what the store made of it."""
    trial, breach = violation.trial, violation.breach
    failed = min(failing_calls(violation.calls, trial.refusal), default=len(violation.calls))
    first = max(0, min(len(violation.calls) - _STEPS_SHOWN, failed - 3))
    failing = failing_calls(violation.calls, trial.refusal)
    steps = tuple(
        Step(number, StepStatus.FAILED if number in failing else StepStatus.NOTE, str(call), call.place, call.source)
        for number, call in enumerate(violation.calls[first:], first + 1)
    )
    outcome = f"the caller got {trial.raised}" if trial.raised else "the caller got no error"
    return Counterexample(
        breach.sentence,
        workload=violation.done,
        steps=steps,
        found=(breach.found,),
        allowed=breach.allowed,
        notes=(
            f"the fault: {trial.refusal}; {outcome}",
            *((f"seen with {violation.how_many} different faults",) if violation.how_many > 1 else ()),
        ),
        token=str(TrialToken(store, kit.name, TrialKind.FAULT, fingerprint(trial.subject, trial.refusal))),
        remedy=violation.cause.remedy,
        cause=violation.cause,
    )


def _of_syncs(kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        evidence = bench.failed_syncs(store, kit)
        none = "" if evidence.recordings else "no update of it calls fsync, so there is none that could fail"
        told = () if evidence.breach is None else (evidence, *evidence.others)
        examples = each_cause(after_failed_sync(store.name, kit, one) for one in told)
        return Grounds(
            examples[0] if examples else None,
            evidence.undecided or evidence.given_up,
            none,
            "" if none else evidence.remark,
            checked={"failed_syncs": evidence.recordings, "images": evidence.images},
            exhaustive=evidence.exhaustive and not evidence.undecided,
            others=examples[1:],
        )

    return check_by("FAULT-2", kit, grounds, "power-loss", by_sight=True)


_CLEAN = "a failed fsync marks the pages clean: the next one on them succeeds without having written them"


def after_failed_sync(store: str, kit: Kit, evidence: "SyncEvidence") -> Counterexample:
    """Tell of a failed sync and what a power loss leaves after it."""
    assert evidence.breach is not None
    image = evidence.image
    files = tuple(f"{f.path}: {len(f.content):,} bytes" for f in image.files if f.kind.value == "file") if image else ()
    return Counterexample(
        evidence.breach.sentence,
        crash=f"power loss, after {evidence.acknowledged} had returned" if image else "",
        workload=(
            evidence.subject,
            f"({evidence.fault})",
            *((evidence.following, "power loss", "reopen") if image else ()),
        ),
        image=files,
        found=(evidence.breach.found,),
        allowed=evidence.breach.allowed,
        notes=(_CLEAN,) if evidence.breach.flaw is Flaw.TRUSTED else (),
        how_many=evidence.how_many,
        remedy=evidence.cause.remedy,
        cause=evidence.cause,
        token=str(TrialToken(store, kit.name, TrialKind.SYNC, fingerprint(evidence.subject, evidence.fault))),
    )


def _of_meanwhile(kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        evidence = bench.meanwhile(store, kit)
        crashes, recoveries = evidence.crashes, evidence.recoveries
        examples = of_meanwhile(store.name, kit, evidence)
        anyway = f"a crash leaves that also where nothing fails ({crashes.anyway}): see ATOM and DUR"
        undecided = evidence.undecided or (anyway if crashes.anyway else crashes.given_up)
        return Grounds(
            examples[0] if examples else None,
            undecided,
            checked={
                "crashed_faults": crashes.recordings,
                "images": crashes.images,
                "crashes_recovered_from": recoveries.crashes,
                "faults": recoveries.struck,
            },
            exhaustive=crashes.exhaustive and recoveries.exhaustive and not undecided,
            others=examples[1:],
        )

    return check_by("FAULT-6", kit, grounds, "process-crash", by_sight=True)


def of_meanwhile(store: str, kit: Kit, evidence: "MeanwhileEvidence") -> tuple[Counterexample, ...]:
    """Tell of crashes while a fault lasted, and of faults after a crash, the worst first."""
    from pytest_tradestore.crash.explanation import explain

    told = []
    for one in evidence.crashes.found:
        subject, fault = one.recorded.subject, one.recorded.fault
        example = explain(store, one.evidence, one.violation)
        goes_on = f"{subject.name} goes on although {fault}"
        told.append(
            replace(
                example,
                headline=f"{goes_on}, and a crash meanwhile is not survived: {example.headline}",
                notes=(f"the fault: {fault}", *example.notes),
                token=str(TrialToken(store, kit.name, TrialKind.MEANWHILE, fingerprint(subject.name, fault))),
            )
        )
    for found in evidence.recoveries.found:
        example = counterexample(store, kit, found)
        print_of = fingerprint(found.trial.subject, found.trial.refusal)
        told.append(replace(example, token=str(TrialToken(store, kit.name, TrialKind.MEANWHILE, print_of))))
    return tuple(sorted(told, key=lambda example: example.cause.harm if example.cause is not None else Harm.WRONG))
