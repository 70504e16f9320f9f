"""Every fault in turn against one contract of one store: which were tried, and what they break.

The calls of an undisturbed run say what can fail. Everything runs in few processes: one fault costs what the store's
own opening, update and reading cost.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytest_tradestore.causes import Cause, Harm
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.recorders.fake_patches import look_around
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults import seccomp
from pytest_tradestore.faults.asking_lines import with_lines
from pytest_tradestore.faults.calls import Call, CallKind, Fault, InjectedFault
from pytest_tradestore.faults.going_on import deeds_after, goes_on_as_ever
from pytest_tradestore.faults.injecting import SYSTEM_CALLS, who_refuses
from pytest_tradestore.faults.judging import FaultBreach, breaches, causes_of
from pytest_tradestore.faults.plans import faults_for, interrupts, limits
from pytest_tradestore.faults.reopening import completed, left_by, reopen_all, reopened
from pytest_tradestore.faults.trials import Subject, Trial, advanced, attempt
from pytest_tradestore.faults.workbench import FaultClient
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, Task
from pytest_tradestore.observation import Absent, Failed, Observation, Records
from pytest_tradestore.runner import Runner, ended_how, of_the_workload, so_often
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TrialToken

TRIALS = {Budget.QUICK: 60, Budget.NORMAL: 90, Budget.DEEP: 5000}
"""Faults that are tried for one contract of one store."""
_OFTEN = 3
"""Parts of the workload in which it ended early, after which it counts that the other faults of these were left out."""
OPENING = "opening the store"


@dataclass(frozen=True, slots=True)
class FaultViolation:
    """One root cause by which a requirement is broken: the first trial that does most harm, and how many do any."""

    breach: FaultBreach
    trial: Trial
    cause: Cause
    how_many: int
    done: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class GoingOn:
    """A fault after which the store went on changing files, and what is seen where nothing fails."""

    subject: Subject
    fault: Fault
    after: Observation


@dataclass(frozen=True, slots=True)
class SyncTrial:
    """A trial in which a sync failed, and the files that the same calls leave where nothing fails."""

    subject: Subject
    trial: Trial
    undisturbed: DurableImage


@dataclass(frozen=True)
class FaultEvidence:
    """What was found out. With ``undecided`` nothing was: the sentence says why.

    ``injected`` names who refused calls; ``exhaustive`` is False when a budget left some out.
    """

    undecided: str = ""
    violations: Mapping[str, tuple[FaultViolation, ...]] = field(default_factory=dict)
    """By requirement: one for each root cause, worst first."""
    trials: int = 0
    struck: int = 0
    injected: str = ""
    exhaustive: bool = True
    given_up: str = ""
    syncs: Mapping[str, tuple[Subject, tuple[Fault, ...]]] = field(default_factory=dict)
    """Per update the failing syncs that are worth crashing after."""
    sync_trials: tuple[SyncTrial, ...] = ()
    going_on: tuple[GoingOn, ...] = ()
    """The faults after which the store went on changing files, one for each way of doing so."""
    left_out: str = ""
    """Which sync an update does without where what is to be synced cannot be opened, if there is one."""
    updates: tuple[tuple[Subject, Observation], ...] = ()
    """The updates of the workload, each with what is seen after it."""
    usual: frozenset[tuple[CallKind, str]] = frozenset()
    """The calls that the store makes where nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be tried: subjects, their undisturbed runs, and (subject, refusal) in order."""

    subjects: tuple[Subject, ...]
    controls: tuple[Trial | None, ...]
    tries: tuple[tuple[int, InjectedFault], ...]
    left_out: int
    injected: str
    calls: tuple[tuple[Call, ...], ...] = ()
    """Those of each undisturbed run."""


def gather(
    store: StoreUnderTest, workload: Workload, settings: Settings, only: TrialToken | None = None
) -> FaultEvidence:
    """Try every fault worth trying on one contract of ``store``, or the one that a token names."""
    if seccomp.why_not() is not None:
        look_around()
    with Sandbox() as sandbox:
        run = Run(store, workload, TRIALS[settings.budget], sandbox, only)
        run.go()
        run.reopen()
        if run.plan is None:
            return FaultEvidence(undecided=run.trouble or "the workload could not be run")
        evidence = _evidence(run, run.plan, store, loses=workload.kit.loses, log=workload.kit.log)
        return replace(evidence, violations=_with_lines(run, run.plan, evidence.violations))


class Run:
    """The processes in which the trials are made, one after the other where one ends early."""

    def __init__(
        self,
        store: StoreUnderTest,
        workload: Workload,
        most: int,
        sandbox: Sandbox,
        only: TrialToken | None,
        planned: "Callable[[FaultClient, int, str], Plan] | None" = None,
    ) -> None:
        self.store, self.workload, self.sandbox, self.only = store, workload, sandbox, only
        self.planned = planned or _planned
        self.most = most if only is None else TRIALS[Budget.DEEP]
        self.plan: Plan | None = None
        self.trials: dict[int, Trial] = {}
        self.skipped: frozenset[int] = frozenset()
        self.trouble = ""
        self.gave_up = ""
        self.over = False

    def go(self) -> None:
        runner = Runner(self.store.declarations.deadline)
        for event in runner.through(self._next):
            match event:
                case Sent(Plan() as made):
                    self.plan = made
                case Sent((number, trial)):
                    self.trials[number] = trial
                case Finished(trouble):
                    self.trouble, self.over = trouble, True
                case Hung(step) | Died(step):
                    self.trouble, self.over = of_the_workload(event), self.plan is None
                    self._note_ended(ended_how(event), afterwards=bool(step % 2))
        if self.plan is not None and runner.endings >= _OFTEN and len(self.trials) < len(self.plan.tries):
            left = sum(n not in self.trials for n in range(len(self.plan.tries)))
            self.gave_up = f"the store {so_often(runner.ways)}, so that {left:,} faults were not tried"

    def _note_ended(self, how: str, *, afterwards: bool) -> None:
        """Note that the fault that was tried last ended the process, and let the others of its part be."""
        if self.plan is None or not (left := self._left()):
            return
        subject, refusal = self.plan.tries[left[0]]
        self.trials[left[0]] = Trial(self.plan.subjects[subject].name, refusal, ended=how, afterwards=afterwards)
        # What hangs once hangs often, at the price of a deadline each time: on with another part.
        self.skipped |= {n for n, (other, _) in enumerate(self.plan.tries) if other == subject}

    def reopen(self) -> None:
        """Look at what the trials left, as another process would: each different set of files once."""
        left = list(dict.fromkeys(left for trial in self.trials.values() for left in left_by(trial)))
        found = reopen_all(self.store, self.workload, left, self.sandbox)
        for number, trial in list(self.trials.items()):
            if all(left in found for left in left_by(trial)):
                self.trials[number] = completed(trial, found.__getitem__)
            else:
                del self.trials[number]
                ways = tuple(dict.fromkeys(one.ended for one in found.values() if one.ended))
                self.gave_up = f"the store {so_often(ways)}, so that not all was looked at"

    def _left(self) -> list[int]:
        tries = () if self.plan is None else self.plan.tries
        return [n for n in range(len(tries)) if n not in self.trials and n not in self.skipped]

    def _next(self) -> Task | None:
        return None if self.over or (self.plan is not None and not self._left()) else self._task

    def _task(self, channel: Channel) -> str:
        """Make the plan where there is none yet, and the trials that are left of it."""
        gc.freeze()  # what the parent left here needs no collecting, which is done after each trial
        steps = iter(range(1, 1 << 62))
        self.store.load()
        injecting, injected = who_refuses()
        client: FaultClient = FaultClient(
            self.store,
            self.workload,
            self.sandbox.path,
            lambda: channel.step(2 * next(steps) + client.afterwards),
            injecting,
        )
        plan = self.plan
        try:
            if plan is None:
                try:
                    plan = _narrowed(self.planned(client, self.most, injected), self.only)
                except Unusable as reason:
                    return str(reason)
                channel.send(plan)
                left = list(range(len(plan.tries)))
            else:
                attempt(client, plan.subjects[0], None)  # whatever is loaded late is loaded now, undisturbed
                left = self._left()
            for number in left:
                subject, refusal = plan.tries[number]
                channel.send((number, attempt(client, plan.subjects[subject], refusal, plan.controls[subject])))
        finally:
            client.close()
        return ""


class Unusable(Exception):  # noqa: N818 - says what is the case
    """The workload does not run even when nothing fails."""


def _planned(client: FaultClient, most: int, injected: str) -> Plan:
    subjects: list[Subject] = []
    controls: list[Trial | None] = []
    ranked: list[tuple[int, int, InjectedFault]] = []
    every: list[tuple[Call, ...]] = []
    for subject, control in _undisturbed(client):
        number = len(subjects)
        subjects.append(subject)
        controls.append(control if subject.update is not None else None)
        calls = control.watched.calls
        every.append(calls)
        if subject.update is not None:
            ranked += [(rank, number, limit) for rank, limit in limits()]
            ranked += [(rank, number, moment) for rank, moment in interrupts(calls)]
        ranked += [(rank, number, fault) for rank, fault in faults_for(calls)]
    chosen, known = [], set()
    for rank, number, refusal in sorted(ranked, key=lambda row: row[0]):
        kind = (_kind_of(subjects[number]), refusal)
        if kind not in known:
            known.add(kind)
            chosen.append((rank, number, refusal))
    kept = sorted(chosen[:most], key=lambda row: (row[1], row[0]))
    tries = tuple((number, refusal) for _, number, refusal in kept)
    return Plan(tuple(subjects), tuple(controls), tries, max(0, len(chosen) - most), injected, tuple(every))


def _narrowed(plan: Plan, only: TrialToken | None) -> Plan:
    """Return the plan with nothing to try but what a token names."""
    if only is None:
        return plan
    wanted = (row for row in plan.tries if only.is_of(plan.subjects[row[0]].name, row[1]))
    return replace(plan, tries=tuple(wanted)[:1])


def _kind_of(subject: Subject) -> tuple[object, ...]:
    """Return what makes faults in two subjects different: the first save is not a replacement, a look no update."""
    if subject.update is None:
        return (subject.place, not subject.image.files)
    before = subject.before.at(subject.update.key)
    return (subject.update.method, isinstance(before, Absent) or before == Records(()))


def _undisturbed(client: FaultClient) -> Iterator[tuple[Subject, Trial]]:
    """Run the workload without a fault, each update on an instance of its own; yield each part of it and its run."""
    image = DurableImage(())

    def undisturbed(subject: Subject) -> Trial:
        return completed(attempt(client, subject, None), lambda left: reopened(client, left))

    opening = undisturbed(Subject(OPENING, image, Observation(())))
    if opening.raised or opening.later is None:
        raise Unusable(f"{OPENING} raised {opening.raised or opening.stuck}")
    before = opening.later
    yield Subject(OPENING, image, before), opening
    for update in client.workload.updates:
        subject = Subject(update.rendered, image, before, update)
        control = undisturbed(subject)
        if control.raised or control.stuck or control.seen is None or control.later is None:
            raise Unusable(f"{update.rendered} raised {control.raised or control.stuck}")
        if any(isinstance(seen, Failed) for _, seen in control.seen.places) or control.seen == before:
            raise Unusable(f"{update.rendered} returned, but its own caller does not see the change")
        yield subject, control
        image, before = advanced(client, image, update), control.seen
    subject = Subject(OPENING, image, before)
    control = undisturbed(subject)
    if control.later != before:
        raise Unusable("after reopening the store does not show what it showed before")
    yield subject, control
    for place in client.workload.place_names:
        subject = Subject(f"reading {place}", image, before, place=place)
        yield subject, undisturbed(subject)


def _evidence(run: Run, plan: Plan, store: StoreUnderTest, *, loses: bool, log: bool) -> FaultEvidence:
    whole = "atomic-batch" in store.declarations.claims
    found: list[tuple[Trial, FaultBreach, str]] = []
    of_trial: dict[int, int] = {}
    for number in sorted(run.trials):
        subject, _ = plan.tries[number]
        trial = run.trials[number]
        of_trial[id(trial)] = subject
        about = plan.subjects[subject]
        key = about.update.key if about.update is not None else about.place
        broken = breaches(trial, plan.controls[subject], about, whole=whole, loses=loses)
        found += [(trial, breach, key) for breach in broken]
    violations = {
        requirement: tuple(
            FaultViolation(breach, trial, cause, how_many, _done(plan, of_trial[id(trial)]), trial.watched.calls)
            for trial, breach, cause, how_many in causes
        )
        for requirement, causes in causes_of(found).items()
    }
    return FaultEvidence(
        violations=violations,
        trials=len(run.trials),
        struck=sum(trial.struck or bool(trial.ended) for trial in run.trials.values()),
        injected=plan.injected,
        exhaustive=plan.injected == SYSTEM_CALLS
        and not plan.left_out
        and len(run.trials) == len(plan.tries)
        and all(trial.struck or not isinstance(trial.refusal, Fault) for trial in run.trials.values()),
        given_up=run.gave_up,
        syncs=_failing_syncs(plan, log=log),
        sync_trials=tuple(_sync_trials(run, plan)),
        left_out=next(_left_out(run, plan), ""),
        going_on=_going_on(run, plan, {id(trial) for trial, breach, _ in found if breach.harm is not Harm.LEFTOVER}),
        updates=tuple(
            (subject, control.seen)
            for subject, control in zip(plan.subjects, plan.controls, strict=True)
            if subject.update is not None and control is not None and control.seen is not None
        ),
        usual=frozenset((call.kind, call.role) for calls in plan.calls for call in calls),
    )


def _with_lines(
    run: Run, plan: Plan, violations: Mapping[str, tuple[FaultViolation, ...]]
) -> Mapping[str, tuple[FaultViolation, ...]]:
    """Return the violations with the lines of the store that asked for the calls they tell of."""
    numbers = {id(trial): number for number, trial in run.trials.items()}
    told = [violation for of in violations.values() for violation in of]
    shown = list({id(v.trial): v.trial for v in told if v.calls and not v.trial.ended}.values())
    rows = []
    for trial in shown:
        subject, refusal = plan.tries[numbers[id(trial)]]
        rows.append((plan.subjects[subject], refusal, plan.controls[subject], trial.watched.calls))
    if not rows:
        return violations
    found = with_lines(run.store, run.workload, run.sandbox.path, rows)
    calls = {id(trial): lines for trial, lines in zip(shown, found, strict=True)}
    return {
        requirement: tuple(replace(v, calls=calls.get(id(v.trial), v.calls)) for v in of)
        for requirement, of in violations.items()
    }


def _going_on(run: Run, plan: Plan, broken: set[int]) -> tuple[GoingOn, ...]:
    """Return the trials worth crashing in the middle; what is ``broken`` without a crash is told already."""
    found: dict[tuple[object, ...], GoingOn] = {}
    for number, trial in sorted(run.trials.items()):
        which, fault = plan.tries[number][0], trial.refusal
        subject, control = plan.subjects[which], plan.controls[which]
        if not isinstance(fault, Fault) or subject.place or id(trial) in broken or trial.ended:
            continue
        if not (deeds := deeds_after(trial)) or goes_on_as_ever(trial, plan.calls[which]):
            continue
        after = subject.before if control is None or control.seen is None else control.seen
        found.setdefault((_kind_of(subject), fault.kind, fault.role, deeds), GoingOn(subject, fault, after))
    return tuple(sorted(found.values(), key=_least_telling))


def _least_telling(one: GoingOn) -> tuple[bool, bool]:
    """Order what has something to lose first, and a way around a failed call before a write that is tried again."""
    nothing_yet = all(seen in (Absent(), Records(())) for _, seen in one.subject.before.places)
    return nothing_yet, one.fault.kind is CallKind.WRITE


def _sync_trials(run: Run, plan: Plan) -> Iterator[SyncTrial]:
    for number, trial in sorted(run.trials.items()):
        if isinstance(trial.refusal, Fault) and trial.refusal.kind is CallKind.SYNC and trial.struck:
            which = plan.tries[number][0]
            subject, control = plan.subjects[which], plan.controls[which]
            left = control.left if control is not None else None
            yield SyncTrial(subject, trial, subject.image if left is None else left)


def _done(plan: Plan, number: int) -> tuple[str, ...]:
    """Return the calls that led to a subject, and the subject itself."""
    subject = plan.subjects[number]
    earlier = [s.name for s in plan.subjects[:number] if s.update is not None]
    if not earlier:
        return (subject.name,)
    return (*earlier, "close, reopen", subject.name) if subject.name != OPENING else (*earlier, "close", subject.name)


def _writes(calls: tuple[Call, ...], role: str) -> bool:
    return any(call.kind is CallKind.WRITE and call.role == role for call in calls)


def _left_out(run: Run, plan: Plan) -> Iterator[str]:
    """Yield what returns although a file or directory could not be opened, and was not synced for that."""
    for number, trial in sorted(run.trials.items()):
        subject, fault = plan.tries[number]
        if not isinstance(fault, Fault) or fault.kind is not CallKind.OPEN or not trial.struck:
            continue
        if trial.raised or trial.ended or plan.subjects[subject].update is None:
            continue
        sync = Call(CallKind.SYNC, fault.role)
        if trial.watched.calls.count(sync) < plan.calls[subject].count(sync):
            yield f"where {fault}, {trial.subject} leaves out its {sync} and returns: a power loss may take that back"


def _failing_syncs(plan: Plan, *, log: bool) -> dict[str, tuple[Subject, tuple[Fault, ...]]]:
    """Return, per kind of update, the syncs that it makes as faults: each once and for ever.

    In a log a large append is a kind of its own: the next one writes the last page of a small one again, and so what
    the failed sync has not written. Of a large one there are pages that nobody writes any more.
    """
    found: dict[str, tuple[Subject, tuple[Fault, ...]]] = {}
    known: set[tuple[object, ...]] = set()
    for subject, control in zip(plan.subjects, plan.controls, strict=True):
        if subject.update is None or control is None:
            continue
        chosen = []
        for _, fault in faults_for(control.watched.calls):
            large = log and subject.is_large and _writes(control.watched.calls, fault.role)
            kind = (*_kind_of(subject), large, fault)
            if fault.kind is CallKind.SYNC and kind not in known:
                known.add(kind)
                chosen.append(fault)
        if chosen:
            found[subject.name] = (subject, tuple(chosen))
    return found
