"""What a store does with identifiers: a corpus of them, hostile and ordinary, through every call that takes one.

One run of the trials on a contract is the evidence for all of these requirements.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_tradestore.causes import Culprit
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by, each_cause
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.names.findings import NameViolation
    from pytest_tradestore.target import StoreUnderTest

_REQUIREMENTS = ("NAME-1", "NAME-3", "NAME-4", "NAME-5", "NAME-6")

_NO_TEXT = "its keys are no text (tradestore_takes), so there are no identifiers that could be hostile"


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the checks of one contract's identifiers; one that takes none is only asked about planted links."""
    asked = tuple(_check(requirement, kit) for requirement in _REQUIREMENTS) if kit.slots() else ()
    return (*asked, _planted(kit))


def _planted(kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        findings = bench.planted(store, kit)
        examples = each_cause(map(_told, findings.violations))
        return Grounds(
            examples[0] if examples else None,
            findings.undecided.get("NAME-2", ""),
            checked=findings.checked,
            others=examples[1:],
        )

    return check_by("NAME-2", kit, grounds, "private-files")


def _check(requirement: str, kit: Kit) -> Check:
    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        if not kit.slots_of(store.declarations.takes):
            return Grounds(not_asked=_NO_TEXT)
        findings = bench.names(store, kit)
        found = [finding for finding in findings.violations if finding.requirement == requirement]
        here = [one for one in found if not one.platform or one.platform in store.declarations.platforms]
        examples = each_cause(map(_told, here))
        return Grounds(
            examples[0] if examples else None,
            findings.unfinished or findings.undecided.get(requirement, ""),
            findings.not_asked.get(requirement, ""),
            checked=findings.checked,
            shared=f"identifiers of {kit.name}",
            portability=tuple(_notes(one for one in found if one not in here)),
            others=examples[1:],
        )

    return check_by(requirement, kit, grounds)


def _notes(found: "Iterable[NameViolation]") -> Iterator[str]:
    """Yield a note for each platform and flaw: the first that showed it, and how many more did."""
    alike: dict[tuple[str, Culprit], list[str]] = {}
    for one in found:
        alike.setdefault((one.platform, one.cause.culprit), []).append(one.sentence)
    for (platform, _), (first, *others) in alike.items():
        yield f"on {platform}: {first}{f', and {len(others)} more like it' if others else ''}"


def _told(finding: "NameViolation") -> Counterexample:
    return Counterexample(
        finding.sentence,
        workload=finding.calls,
        found=(finding.found,),
        allowed=(finding.allowed,),
        filesystems=finding.filesystems,
        notes=finding.notes,
        cause=finding.cause,
    )
