"""Faults that meet a store just after a crash: while it opens what the crash has left, and in the first call on it.

The crash falls into an update that nothing else disturbs; then one call at a time fails, as on files that are whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from pytest_tradestore.causes import Harm, role_of_path
from pytest_tradestore.crash.crash_state import Group
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import lower
from pytest_tradestore.crash.models import STRICT
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import CallKind, Fault, InjectedFault
from pytest_tradestore.faults.culprits import Flaw
from pytest_tradestore.faults.evidence import FaultEvidence, FaultViolation, Plan, Run
from pytest_tradestore.faults.judging import FaultBreach, breaches, causes_of, harm_to, lost, taken_for
from pytest_tradestore.faults.plans import faults_for
from pytest_tradestore.faults.recordings import Recorded, Row
from pytest_tradestore.faults.reopening import completed, reopened
from pytest_tradestore.faults.trials import Subject, Trial, attempt
from pytest_tradestore.faults.workbench import FaultClient
from pytest_tradestore.observation import Absent, Failed, Observation, Seen
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TrialToken

CRASHES = {Budget.QUICK: 2, Budget.NORMAL: 2, Budget.DEEP: 30}
"""Crashes, each of another kind, that are recovered from for one contract of one store."""
FAULTS = {Budget.QUICK: 6, Budget.NORMAL: 8, Budget.DEEP: 200}
"""Faults that are tried in one opening, and in one call, after such a crash."""
_VERSION = 80


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What a crash has left of an update, and what may be seen of that: the state before it, and the one after it."""

    update: Subject
    image: DurableImage
    after: Observation

    @property
    def place(self) -> str:
        return self.update.update.key if self.update.update is not None else ""

    def allows(self, seen: Observation, place: str) -> bool:
        return seen.at(place) in (self.update.before.at(place), self.after.at(place))


@dataclass(frozen=True, slots=True)
class Recoveries:
    """What faults do after a crash: ``found`` has one for each root cause, the worst first."""

    found: tuple[FaultViolation, ...] = ()
    crashes: int = 0
    struck: int = 0
    exhaustive: bool = True


def fail_recoveries(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    faults: FaultEvidence,
    made: Sequence[Recorded],
    sandbox: Sandbox,
    only: TrialToken | None = None,
) -> Recoveries:
    """Let calls fail while the store recovers from crashes in these recordings, and judge what is left."""
    interrupted, complete = _interrupted(store, settings, made)
    if not interrupted:
        return Recoveries(exhaustive=complete)
    planned = partial(_planned, interrupted, faults.usual, FAULTS[settings.budget])
    run = Run(store, workload, len(interrupted) * 2 * FAULTS[settings.budget], sandbox, only, planned)
    run.go()
    run.reopen()
    plan = run.plan
    if plan is None:
        return Recoveries(crashes=len(interrupted), exhaustive=False)
    of_image = {one.image: one for one in interrupted}
    found = []
    done: dict[int, tuple[str, ...]] = {}
    for number, trial in sorted(run.trials.items()):
        which, _ = plan.tries[number]
        subject = plan.subjects[which]
        crash = of_image[subject.image]
        done[id(trial)] = (crash.update.name, "(process crash)", trial.subject)
        broken = _broken(trial, plan.controls[which], subject, crash, store, workload)
        found += [(trial, replace(breach, requirement="FAULT-6"), crash.place) for breach in broken]
    told = {violation.cause.culprit for of in faults.violations.values() for violation in of}
    causes = [row for row in causes_of(found).get("FAULT-6", ()) if row[2].culprit not in told]
    return Recoveries(
        tuple(
            FaultViolation(breach, trial, cause, how_many, done[id(trial)], trial.watched.calls)
            for trial, breach, cause, how_many in causes
        ),
        len(interrupted),
        sum(trial.struck or bool(trial.ended) for trial in run.trials.values()),
        complete and not plan.left_out and not run.gave_up,
    )


def _interrupted(store: StoreUnderTest, settings: Settings, made: Sequence[Recorded]) -> tuple[list[Interrupted], bool]:
    """Return what crashes leave of an update, one for each kind of files that no whole update leaves; and whether
    these are all kinds."""
    found: dict[tuple[object, ...], Interrupted] = {}
    for one in made:
        if one.trace.unseen or one.raised[0] or one.row.after is None:
            continue
        for kind, image in _left(store, one):
            found.setdefault(kind, Interrupted(one.subject, image, one.row.after))
    most = CRASHES[settings.budget]
    return list(found.values())[:most], len(found) <= most


def rows_to_interrupt(updates: Sequence[tuple[Subject, Observation]]) -> list[Row]:
    """Return what is to be recorded: the largest update, which a crash can cut, and the last one of another method."""

    def size(row: tuple[Subject, Observation]) -> int:
        return len(repr(row[0].update.arguments)) if row[0].update is not None else 0

    largest = max(updates, key=size, default=None)
    if largest is None:
        return []
    method = largest[0].update.method if largest[0].update is not None else ""
    others = [row for row in updates if row[0].update is not None and row[0].update.method != method]
    return [Row(subject, None, after=after) for subject, after in (largest, *others[-1:])]


def _left(store: StoreUnderTest, made: Recorded) -> list[tuple[tuple[object, ...], DurableImage]]:
    """Return images of process crashes in an update, each with what is new, changed or gone in it; a torn one first."""
    program = lower(without_volatile(made.trace, store.declarations.volatile))
    found = enumerate_states(program, STRICT, subsets_per_cut=1, images=2000)
    groups = [group for group in found.groups if group.process is not None and group.window.invoked == 1]
    whole = {group.image for group in groups if not group.window.in_flight} | {made.subject.image}
    torn_first = sorted(groups, key=_is_whole)
    return [
        (_kind_of(made.subject.image, group.image), group.image)
        for group in torn_first
        if group.window.in_flight and group.image not in whole
    ]


def _is_whole(group: Group) -> bool:
    return group.process is None or group.process.partial is None


def _kind_of(before: DurableImage, image: DurableImage) -> tuple[object, ...]:
    old = {file.path: file.content for file in before.files}
    new = {file.path: file.content for file in image.files}
    changed = [
        ("new" if path not in old else "changed", role_of_path(path)) for path in new if new[path] != old.get(path)
    ]
    gone = [("gone", role_of_path(path)) for path in old if path not in new]
    return tuple(sorted((*changed, *gone)))


def _planned(
    interrupted: Sequence[Interrupted],
    usual: frozenset[tuple[CallKind, str]],
    most: int,
    client: FaultClient,
    _: int,
    injected: str,
) -> Plan:
    """Say what is tried on each image: an opening, and the next update of what was being updated."""
    subjects: list[Subject] = []
    controls: list[Trial | None] = []
    tries: list[tuple[int, InjectedFault]] = []
    left_out = 0
    for crash in interrupted:
        opening = Subject(f"opening the store after a crash in {crash.update.name}", crash.image, Observation(()))
        control = _undisturbed(client, opening)
        seen = control.later
        if control.raised or seen is None or any(not crash.allows(seen, place) for place, _ in seen.places):
            continue  # it does not recover even where nothing fails: said by ATOM and REC
        rows = [(replace(opening, before=seen), control)]
        for update in (client.workload.next_update(crash.place, _VERSION), crash.update.update):
            if update is None:
                continue
            following = Subject(f"{update.rendered} after a crash", crash.image, seen, update)
            further = _undisturbed(client, following)
            if _tells(further, seen):
                rows.append((following, further))
                break
        for subject, one in rows:
            ranked = sorted(
                ((_is_usual(fault, usual), rank, fault) for rank, fault in faults_for(one.watched.calls)),
                key=lambda row: row[:2],
            )
            left_out += max(0, len(ranked) - most)
            tries += [(len(subjects), fault) for _, _, fault in ranked[:most]]
            subjects.append(subject)
            controls.append(one if subject.update is not None else None)
    return Plan(tuple(subjects), tuple(controls), tuple(tries), left_out, injected)


def _tells(trial: Trial, before: Observation) -> bool:
    """Say whether an update is seen, and so is the next one that is made after it: some kits know but one."""
    if trial.raised or trial.stuck or trial.later is None:
        return False
    return trial.seen not in (None, before) and trial.after not in (None, trial.seen)


def _is_usual(fault: Fault, usual: frozenset[tuple[CallKind, str]]) -> bool:
    """Say whether a store also makes the call that fails where there was no crash: others are tried first."""
    return (fault.kind, fault.role) in usual


def _undisturbed(client: FaultClient, subject: Subject) -> Trial:
    return completed(attempt(client, subject, None), partial(reopened, client))


def _broken(
    trial: Trial, control: Trial | None, subject: Subject, crash: Interrupted, store: StoreUnderTest, workload: Workload
) -> list[FaultBreach]:
    """Return what a fault breaks beyond what is left behind, which faults on whole files are asked about."""
    if subject.update is not None or trial.ended:
        whole = "atomic-batch" in store.declarations.claims
        found = breaches(trial, control, subject, whole=whole, loses=workload.kit.loses)
        return [breach for breach in found if breach.harm is not Harm.LEFTOVER]
    if not trial.struck:
        return []
    if trial.stuck:
        sentence = f"after {trial.refusal} while it recovered from a crash, the store cannot be opened any more"
        told = f"{sentence}: {trial.stuck}"
        return [FaultBreach("FAULT-6", told, trial.stuck, ("the store opens",), Flaw.STUCK, Harm.UNREADABLE)]
    for seen, when in ((trial.later, "after"), (trial.seen, "while")):
        if seen is None:
            continue
        for place, value in seen.places:
            if crash.allows(seen, place) or (workload.kit.loses and isinstance(value, Absent)):
                continue
            if isinstance(value, Failed) and when == "while":
                continue  # it says so; what matters is what the next opening shows
            return [_recovered_wrongly(trial, crash, place, value, when)]
    return []


def _recovered_wrongly(trial: Trial, crash: Interrupted, place: str, value: Seen, when: str) -> FaultBreach:
    before, after = crash.update.before.at(place), crash.after.at(place)
    sentence = (
        f"{when} {trial.refusal} in {trial.subject}, {place} {lost(value, before)}: "
        f"neither its state before {crash.update.name} nor after it"
    )
    allowed = (str(before),) if before == after else (str(before), str(after))
    flaw, harm = (Flaw.REPAIR, harm_to(value, before)) if when == "after" else (Flaw.ABSENCE, Harm.WRONG)
    if not trial.raised and taken_for(trial.refusal) is Flaw.ABSENCE:
        flaw = Flaw.ABSENCE  # it has not failed to repair: it took for absent what it could not look at
    return FaultBreach("FAULT-6", sentence, f"{place}: {value}", allowed, flaw, harm)
