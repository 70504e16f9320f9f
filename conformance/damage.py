"""Requirements about damage: what a store makes of files that are no longer what it wrote.

One run of many damaged files is the evidence for all of them.
"""

from typing import TYPE_CHECKING

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.tries import TrialKind, TrialToken, fingerprint
from pytest_tradestore.verdict import Counterexample

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.damage.evidence import DamageEvidence, DamageViolation
    from pytest_tradestore.target import StoreUnderTest

_REQUIREMENTS = tuple(f"CORR-{number}" for number in range(1, 8))
_ONLY_OTHER_KEYS = "asked with files of other keys; that a file is an older version of itself, none alone can tell"
_NEEDS_CLAIM = {"CORR-3": "backup", "CORR-7": "checksums"}
_OF_WHAT_IS_KEPT = ("CORR-2", "CORR-3", "CORR-5", "CORR-6")


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the damage checks of one contract."""
    return tuple(_check(requirement, kit) for requirement in _REQUIREMENTS)


def _check(requirement: str, kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        evidence = bench.damage(store, kit)
        violations = evidence.violations.get(requirement, ())
        examples = [counterexample(store.name, kit, evidence, violation) for violation in violations]
        return Grounds(
            examples[0] if examples else None,
            evidence.undecided or evidence.given_up,
            _not_asked(requirement, kit, evidence, backup="backup" in store.declarations.claims),
            _ONLY_OTHER_KEYS if requirement == "CORR-7" else "",
            {"damaged_images": evidence.images, "noticed": evidence.told, "updates": evidence.updates},
            exhaustive=False,
            shared=f"damage of {kit.name}",
            others=tuple(examples[1:]),
        )

    if kit.loses and requirement == "CORR-3":
        return check_by(requirement, kit, grounds)
    # A log is only ever appended to, so that most have no older version: not claiming one leaves nothing open there.
    claim = "" if requirement == "CORR-3" and kit.log else _NEEDS_CLAIM.get(requirement, "")
    return check_by(requirement, kit, grounds, claim, by_sight=True)


def _not_asked(requirement: str, kit: Kit, evidence: "DamageEvidence", *, backup: bool) -> str:
    if not evidence.told:
        return "no damage changed what the store shows"
    if kit.loses and requirement in _OF_WHAT_IS_KEPT:
        return "what this contract keeps may be gone at any time; what is there has to be right"
    if requirement == "CORR-3" and kit.log and not (backup and evidence.with_backup):
        return "a log is only ever appended to, so there is no older version of it to fall back to"
    if requirement == "CORR-3" and not evidence.with_backup:
        return "no file of it was ever replaced, so there is no older version of one"
    if requirement == "CORR-5" and not evidence.of_one_of_several:
        return "it keeps everything in files that all keys share"
    if requirement == "CORR-7" and not evidence.foreign:
        return "no two of its files belong to different keys"
    return ""


def counterexample(store: str, kit: Kit, evidence: "DamageEvidence", violation: "DamageViolation") -> Counterexample:
    """Tell of one damage and what the store made of it."""
    breach, reading = violation.breach, violation.reading
    done = (*evidence.workload, "close", f"{violation.damage}", "reopen")
    if reading.updated and breach.requirement in ("CORR-2", "CORR-3"):
        done = (*done, f"the next update ({reading.updated})")
    several = f"seen with {violation.how_many:,} damaged files; this is the plainest"
    return Counterexample(
        breach.sentence,
        workload=done,
        image=evidence.files,
        found=(breach.found,),
        allowed=breach.allowed,
        notes=(several,) if violation.how_many > 1 else (),
        token=str(TrialToken(store, kit.name, TrialKind.DAMAGE, fingerprint(violation.damage))),
        remedy=violation.cause.remedy,
        cause=violation.cause,
        since="the store was closed",
        changes=violation.changes,
    )
