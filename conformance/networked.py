"""What is asked of a store whose data is on a server: which requirement means the same there, and what breaks it.

Requirements about data, identifiers and damage are asked as of any store, with objects and rows in the place of files.
Those about crashes, faults and concurrent callers
are asked with requests in the place of operations on files. The rest has no meaning where there are no files, and says
so.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.crashes import NEEDS_CLAIM, not_applicable
from pytest_tradestore.conformance.judge import Grounds, each_cause, judged
from pytest_tradestore.conformance.races import judged_by_clients
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.culprits import BETWEEN, DEADLOCK, FROM_MEMORY
from pytest_tradestore.requirements.servers import ON_SERVER
from pytest_tradestore.verdict import Counterexample, Result

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.network.evidence import ClientEvidence
    from pytest_tradestore.target import StoreUnderTest

_POWER = (
    "power loss is the server's affair: what it has confirmed it keeps. Asked instead: ATOM-1 and DUR-1, the client "
    "dying between any two requests"
)
_NO_FILES = "the store keeps no files: its data is on a server"
_MEANINGLESS = {
    "ATOM-2": _POWER,
    "FAULT-2": "it syncs no files: the server does. Asked instead: FAULT-1, with answers that are lost",
    "ASYNC-1": _NO_FILES,
    "NAME-1": f"{_NO_FILES}, so that no identifier leads out of a directory",
    "NAME-2": f"{_NO_FILES}, so that no link can be planted among them",
    "PERM-1": _NO_FILES,
    "PERM-2": _NO_FILES,
    "PERM-3": _NO_FILES,
}
"""Why a requirement has no meaning for a store on a server."""
_AS_EVER = ("DATA-", "NAME-", "FAULT-4", "LEAK-", "ROOT-", "CORR-")
"""What is asked as of any store: beginnings of ids; ids of kits of teams begin otherwise, and are too."""
_OF_FILES_ALONE = (BETWEEN, FROM_MEMORY, DEADLOCK)
"""Faults whose nearer remedies speak of lock files."""
_OF_FILES = ("ATOM-", "DUR-", "REC-", "RACE-", "FAULT-", "ASYNC-", "PERM-")


def also_of_servers(check: Check, kit: Kit) -> Check:
    """Return the check that judges a store on a server by what that requirement means there."""

    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        if store.declarations.backend is None or _is_asked_as_ever(check.requirement):
            return check.judge(bench, store)
        if check.requirement.startswith("RACE-"):
            return _told_of_a_server(judged_by_clients(check.requirement, kit, bench, store))
        return _told_of_a_server(judged(check.requirement, kit.name, _grounds(check.requirement, kit, bench, store)))

    def early(bench: "Bench", store: "StoreUnderTest") -> Iterator[Result]:
        if check.early is not None and store.declarations.backend is None:
            yield from check.early(bench, store)

    return replace(check, judge=judge, early=early if check.early is not None else None)


def _told_of_a_server(result: Result) -> Result:
    """Say why it matters, and what remedies it, in words of servers: a lock file is none there."""
    words = ON_SERVER.get(result.requirement)
    if words is None or result.counterexample is None:
        return result

    def told(example: Counterexample) -> Counterexample:
        cause = example.cause
        if cause is not None and (not cause.remedy or cause.culprit.fault in _OF_FILES_ALONE):
            cause = replace(cause, remedy=words.remedy)
        remedy = words.remedy if cause is None else cause.remedy
        return replace(example, why=words.why, remedy=remedy, cause=cause)

    return replace(result, counterexample=told(result.counterexample), others=tuple(map(told, result.others)))


def _is_asked_as_ever(requirement: str) -> bool:
    if requirement in _MEANINGLESS:
        return False
    return requirement.startswith(_AS_EVER) or not requirement.startswith(_OF_FILES)


def _grounds(requirement: str, kit: Kit, bench: "Bench", store: "StoreUnderTest") -> Grounds:
    if requirement in _MEANINGLESS:
        return Grounds(not_asked=_MEANINGLESS[requirement])
    if reason := not_applicable(requirement, kit, frozenset(bench.examined(store).methods)):
        return Grounds(not_asked=reason)
    if requirement == "DUR-2":
        return _promises(kit, bench, store)
    if requirement.startswith(("ATOM-", "DUR-", "REC-")):
        claim = NEEDS_CLAIM.get(requirement, "")
        if claim and claim not in store.declarations.claims:
            return Grounds(not_asked=f"the store does not claim {claim}")
        return of_clients(requirement, bench.deaths(store, kit), f"deaths of clients of {kit.name}")
    if requirement in ("FAULT-1", "FAULT-3", "FAULT-5"):
        return of_clients(requirement, bench.spoilt(store, kit), f"spoilt requests of {kit.name}")
    if requirement == "FAULT-6":
        evidence = bench.spoilt(store, kit)
        if not evidence.crashed_faults and not evidence.undecided:
            return Grounds(not_asked="no call makes another request after one that has failed, in which it could die")
        return of_clients(requirement, evidence, f"spoilt requests of {kit.name}")
    raise AssertionError(f"{requirement} is asked in one of these ways")


def of_clients(requirement: str, evidence: "ClientEvidence", shared: str) -> Grounds:
    """Return what deaths of clients, or spoilt requests, say about a requirement."""
    from pytest_tradestore.network.telling import counterexample

    examples = each_cause(counterexample(evidence, found) for found in evidence.violations.get(requirement, ()))
    nothing = requirement == "REC-2" and not evidence.recoveries
    return Grounds(
        examples[0] if examples else None,
        evidence.undecided,
        checked={evidence.unit: evidence.requests, "trials": evidence.recoveries if nothing else evidence.trials},
        exhaustive=evidence.exhaustive and not evidence.undecided,
        shared=shared,
        others=examples[1:],
    )


def _promises(kit: Kit, bench: "Bench", store: "StoreUnderTest") -> Grounds:
    """Say whether the store has given up a promise of its server that outlives a power loss."""
    evidence = bench.deaths(store, kit)
    if evidence.undecided and not evidence.weak:
        return Grounds(undecided=evidence.undecided)
    if not evidence.weak:
        asked = "; synchronous_commit is on in each of its sessions" if evidence.unit == "statements" else ""
        return Grounds(not_asked=f"{_POWER}{asked}")
    remedy = "Leave synchronous_commit as the server has it."
    told = f"{evidence.weak}: the server confirms before what it confirms is on disk"
    cause = Cause(Culprit("promise of the server that is given up"), Harm.LOST, remedy)
    return Grounds(Counterexample(told, found=(evidence.weak,), allowed=("on",), remedy=remedy, cause=cause))
