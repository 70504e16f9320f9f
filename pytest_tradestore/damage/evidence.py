"""Every sort of damage to every file that a store wrote, found by looking; and what the store makes of each."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_tradestore.causes import Cause, Culprit
from pytest_tradestore.crash.contents import changes_between
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.damage.culprits import cause_of
from pytest_tradestore.damage.judging import DamageBreach, breaches
from pytest_tradestore.damage.on_servers import client_of
from pytest_tradestore.damage.operators import Damage
from pytest_tradestore.damage.planning import Plan, planned
from pytest_tradestore.damage.trials import ImpossibleDamage, Reading, Unusable, bounded_memory, read_damaged
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, Task
from pytest_tradestore.observation import Observation
from pytest_tradestore.runner import Runner, ended_how, of_the_workload, so_often
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TrialToken
from pytest_tradestore.verdict import Change


@dataclass(frozen=True, slots=True)
class DamageViolation:
    """One root cause by which a requirement is broken: the first damage that shows it, and how many do."""

    breach: DamageBreach
    damage: Damage
    reading: Reading
    cause: Cause
    how_many: int
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class DamageEvidence:
    """What was found out; with ``undecided`` nothing was, and the sentence says why.

    ``told`` counts damaged images that changed what the store showed, ``updates`` those that were updated afterwards.
    """

    undecided: str = ""
    violations: Mapping[str, tuple[DamageViolation, ...]] = field(default_factory=dict)
    """By requirement: one for each root cause, worst first."""
    images: int = 0
    told: int = 0
    updates: int = 0
    foreign: int = 0
    with_backup: int = 0
    of_one_of_several: int = 0
    files: tuple[str, ...] = ()
    workload: tuple[str, ...] = ()
    given_up: str = ""


def gather(
    store: StoreUnderTest, workload: Workload, settings: Settings, only: TrialToken | None = None
) -> DamageEvidence:
    """Damage what ``store`` writes under ``workload``, and look at what it makes of that.

    With ``only`` just the damage that a token names.
    """
    with Sandbox() as sandbox:
        run = _Run(store, workload, settings, sandbox, only)
        run.go()
    if run.plan is None:
        return DamageEvidence(undecided=run.trouble or "the workload could not be run")
    return _evidence(run, run.plan, workload)


class _Run:
    def __init__(
        self, store: StoreUnderTest, workload: Workload, settings: Settings, sandbox: Sandbox, only: TrialToken | None
    ) -> None:
        self.store, self.workload, self.sandbox, self.only = store, workload, sandbox, only
        self.settings = settings if only is None else replace(settings, budget=Budget.DEEP)
        self.plan: Plan | None = None
        self.saved: Any = None
        self.readings: dict[int, Reading | None] = {}
        """By their numbers; None where there can be no such damage."""
        self.trouble = self.gave_up = ""
        self.over = False

    def go(self) -> None:
        runner, ended = Runner(self.store.declarations.deadline), ""
        for event in runner.through(self._next):
            match event:
                case Sent((Plan() as made, saved)):
                    self.plan, self.saved = made, saved
                case Sent((number, reading)):
                    self.readings[number] = reading
                case Finished(trouble):
                    self.trouble, self.over, ended = trouble, True, trouble
                case Hung() | Died():
                    self.trouble, self.over = of_the_workload(event), self.plan is None or not event.step
                    if event.step and event.step - 1 not in self.readings:  # else it was not begun yet
                        self.readings[event.step - 1] = Reading(Observation(()), ended=ended_how(event))
        if left := self._left():
            why = ended or f"the store {so_often(runner.ways)}"
            self.gave_up = f"{why}, so that {len(left):,} damaged files were not read"

    def _left(self) -> list[int]:
        return [] if self.plan is None else [n for n in range(len(self.plan.tries)) if n not in self.readings]

    def _next(self) -> Task | None:
        return None if self.over or (self.plan is not None and not self._left()) else self._task

    def _task(self, channel: Channel) -> str:
        """Make the plan where there is none yet, and read what is left of it."""
        gc.freeze()
        begun = 0
        """Counts from 1 what is read; whoever is told so knows what was being read when the process ended."""

        def step() -> None:
            channel.step(begun)

        client = client_of(self.store, self.workload, self.sandbox.path, step)
        plan = self.plan
        if plan is None:
            try:
                plan = _narrowed(planned(client, self.settings), self.only)
            except Unusable as reason:
                return str(reason)
            channel.send((plan, client.saved()))
        else:
            channel.rest()  # what the server takes for that is no time of the store's
            client.take_over(self.saved)
            step()
        with bounded_memory():
            for number, (damage, place, thorough) in enumerate(plan.tries):
                if number not in self.readings:
                    begun = number + 1
                    try:
                        reading = read_damaged(client, plan.image, damage, place, thorough=thorough)
                    except ImpossibleDamage:
                        reading = None
                    except Unusable as reason:
                        return str(reason)
                    channel.send((number, reading))
        client.close()
        return ""


def _narrowed(plan: Plan, only: TrialToken | None) -> Plan:
    """Return the plan with nothing to try but what a token names."""
    if only is None:
        return plan
    return replace(plan, tries=tuple(row for row in plan.tries if only.is_of(row[0]))[:1])


def _evidence(run: _Run, plan: Plan, workload: Workload) -> DamageEvidence:
    found: dict[str, dict[Culprit, DamageViolation]] = {}
    told = 0
    readings = {number: reading for number, reading in sorted(run.readings.items()) if reading is not None}
    for number, reading in readings.items():
        damage, _, _ = plan.tries[number]
        case = plan.cases[damage.path]
        told += bool(reading.ended) or reading.seen != case.intact
        for breach, cause in _each_cause_once(damage, breaches(damage, reading, case), case.owners):
            of_requirement = found.setdefault(breach.requirement, {})
            known = of_requirement.get(cause.culprit)
            of_requirement[cause.culprit] = (
                DamageViolation(breach, damage, reading, cause, 1, _changes(plan.image, damage))
                if known is None
                else replace(known, how_many=known.how_many + 1)
            )
    kinds = [plan.tries[number][0] for number in readings]
    return DamageEvidence(
        violations={
            requirement: tuple(sorted(causes.values(), key=lambda violation: violation.cause.harm))
            for requirement, causes in found.items()
        },
        images=len(readings),
        told=told,
        updates=sum(reading.kept_later is not None for reading in readings.values()),
        foreign=sum(damage.kind.name == "FOREIGN" for damage in kinds),
        with_backup=sum(plan.cases[damage.path].has_backup for damage in kinds),
        of_one_of_several=sum(0 < len(plan.cases[damage.path].owners) < len(workload.place_names) for damage in kinds),
        files=tuple(plan.cases),
        workload=tuple(update.rendered for update in workload.updates),
        given_up=run.gave_up,
    )


def _changes(image: DurableImage, damage: Damage) -> tuple[Change, ...]:
    now = {damage.path: damage.content, **dict([damage.also] if damage.also else [])}
    damaged = (replace(f, content=now[f.path]) if f.path in now else f for f in image.files)
    return changes_between(image, DurableImage(tuple(damaged)))


def _each_cause_once(
    damage: Damage, found: Iterator[DamageBreach], owners: Iterable[str]
) -> Iterator[tuple[DamageBreach, Cause]]:
    """Yield what one damaged file breaks, by each cause once for each requirement."""
    met: set[tuple[str, Culprit]] = set()
    for breach in found:
        cause = cause_of(breach.flaw, damage.path, breach.found, breach.error, owners)
        if (breach.requirement, cause.culprit) not in met:
            met.add((breach.requirement, cause.culprit))
            yield breach, cause
