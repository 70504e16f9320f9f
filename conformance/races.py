"""Race requirements: what concurrent callers of a store see, under schedules that are chosen, not hoped for.

The searches of one setting (one instance, several, several processes, a cancelled caller) are the evidence for all of
them that it can break.
"""

from typing import TYPE_CHECKING

from pytest_tradestore.causes import Harm
from pytest_tradestore.conformance.asking import restricted, unclaimed
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, as_seen, judged
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.target import SINGLE_INSTANCE
from pytest_tradestore.verdict import JOINT, Counterexample, Result

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.race.addresses import Setting
    from pytest_tradestore.race.evidence import RaceEvidence
    from pytest_tradestore.race.judging import ViolationKind
    from pytest_tradestore.target import StoreUnderTest

_REQUIREMENTS = ("RACE-1", "RACE-2", "RACE-3", "RACE-4", "RACE-5", "RACE-6")


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the race checks of one contract."""
    return tuple(_check(requirement, kit) for requirement in _REQUIREMENTS)


def _check(requirement: str, kit: Kit) -> Check:
    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        return as_seen(bench, store, kit, requirement, lambda: _judged(requirement, kit, bench, store))

    return Check(requirement, kit.name, judge)


def _rules() -> "dict[str, tuple[tuple[Setting, ...], tuple[ViolationKind, ...]]]":
    """Say for each requirement in which settings it is looked for, and which findings there break it."""
    from pytest_tradestore.race.addresses import Setting
    from pytest_tradestore.race.judging import ViolationKind

    in_one_process = (Setting.ONE_INSTANCE, Setting.INSTANCES)
    return {
        "RACE-1": ((Setting.ONE_INSTANCE,), (ViolationKind.LOST, ViolationKind.REFUSED)),
        "RACE-2": ((Setting.INSTANCES,), (ViolationKind.LOST, ViolationKind.REFUSED)),
        "RACE-3": ((Setting.PROCESSES,), tuple(ViolationKind)),
        "RACE-4": (in_one_process, (ViolationKind.TORN,)),
        "RACE-5": (in_one_process, (ViolationKind.STUCK,)),
        "RACE-6": ((Setting.CANCELLED,), tuple(ViolationKind)),
    }


def settings_of(requirement: str) -> "tuple[Setting, ...]":
    """Return the settings in which a requirement is looked for."""
    return _rules()[requirement][0]


def requirement_of(setting: "Setting", wrong: "ViolationKind") -> str:
    """Return the requirement that a finding in a setting breaks."""
    return next(id_ for id_, (settings, wrongs) in _rules().items() if setting in settings and wrong in wrongs)


def judged_by_clients(requirement: str, kit: Kit, bench: "Bench", store: "StoreUnderTest") -> Result:
    """Judge a store on a server: its callers are clients in processes of their own, or share one client."""
    return _judged(requirement, kit, bench, store)


def _judged(requirement: str, kit: Kit, bench: "Bench", store: "StoreUnderTest") -> Result:
    settings, wrongs = _rules()[requirement]
    if SINGLE_INSTANCE in store.declarations.claims:
        settings = tuple(setting for setting in settings if setting.instances == 1)
        if not settings:
            return restricted(requirement, kit.name)
    evidence = []
    for setting in settings:
        found = bench.races(store, kit, setting)
        evidence.append(found)
    if examples := [e for one in evidence for w in wrongs for e in one.violations.get(w, ())]:
        found = next(one for one in evidence if any(w in one.violations for w in wrongs))
        return judged(requirement, kit.name, _violated(kit, found, sorted(examples, key=_harm)))
    if all(not one.undecided for one in evidence) and (asked := next((o for o in evidence if o.unclaimed), None)):
        return unclaimed(requirement, kit.name, asked.unclaimed, store.declarations)
    return judged(requirement, kit.name, _grounds(kit, evidence))


def _harm(example: Counterexample) -> int:
    return example.cause.harm if example.cause is not None else len(Harm)


def _violated(kit: Kit, found: "RaceEvidence", examples: list[Counterexample]) -> Grounds:
    """Return the grounds of a violation: the worst cause first, and each cause once."""
    distinct: dict[object, Counterexample] = {}
    for example in examples:
        distinct.setdefault(example if example.cause is None else example.cause.culprit, example)
    worst, *others = distinct.values()
    return Grounds(
        worst,
        checked={"schedules": found.schedules},
        exhaustive=found.exhausted,
        shared=_name(kit, found),
        others=tuple(others),
    )


def _grounds(kit: Kit, evidence: "list[RaceEvidence]") -> Grounds:
    decided = [one for one in evidence if not one.not_applicable]
    return Grounds(
        undecided=next((one.undecided for one in evidence if one.undecided), ""),
        not_asked="" if decided else evidence[0].not_applicable,
        remark="; ".join(one.summary for one in decided),
        checked={"schedules": sum(one.schedules for one in decided)},
        exhaustive=all(one.exhausted for one in decided),
        shared=JOINT.join(_name(kit, one) for one in decided),
    )


def _name(kit: Kit, evidence: "RaceEvidence") -> str:
    return f"races of {kit.name}: {evidence.setting.value}"
