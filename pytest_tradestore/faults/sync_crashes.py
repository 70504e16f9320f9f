"""Power losses after a failed sync: what was acknowledged later has to be there.

What a power loss destroys also where every sync succeeds is no matter of the failed one: the same recording with its
syncs repaired is the control. It is told as what it is, one more consequence of what is at fault there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.crash.crash_state import CrashState, Group
from pytest_tradestore.crash.culprits import culprit_of
from pytest_tradestore.crash.exploration import Inspection, Phase, Question, explore, given_up, looked_at
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Program, lower
from pytest_tradestore.crash.models import by_name
from pytest_tradestore.crash.operations import Sync
from pytest_tradestore.crash.oracle import Family, History, OracleViolation
from pytest_tradestore.crash.remedies import remedy_for as of_a_crash
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.trace import Trace
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Fault
from pytest_tradestore.faults.culprits import Flaw, remedy_for
from pytest_tradestore.faults.judging import FaultBreach
from pytest_tradestore.faults.recordings import Recorded
from pytest_tradestore.observation import Records, Seen
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest

IMAGES = {Budget.QUICK: 60, Budget.NORMAL: 150, Budget.DEEP: 2000}
"""Images looked at for one failed sync."""
_OPENED = "opening the store"
_MORE = 10
"""How many times as many are looked at in the control: it must not miss what the first look has met by chance."""


@dataclass(frozen=True)
class SyncEvidence:
    """What was found out; ``undecided`` says why nothing was.

    ``given_up`` says why some images were never looked at: then nothing holds because nothing was found.
    """

    undecided: str = ""
    breach: FaultBreach | None = None
    subject: str = ""
    fault: Fault | None = None
    acknowledged: str = ""
    following: str = "the next update"
    """What is done when the fault is gone."""
    state: CrashState | None = None
    program: Program | None = None
    image: DurableImage | None = None
    how_many: int = 0
    recordings: int = 0
    images: int = 0
    given_up: str = ""
    exhaustive: bool = True
    place: str = ""
    """The line that asks for the sync which fails, where that is known."""
    known: Cause | None = None
    """What is at fault, where it is not what the store makes of the failure."""
    remark: str = ""
    """What was not looked at, where nothing was found."""
    others: "tuple[SyncEvidence, ...]" = ()
    """The same of every other root cause."""

    @property
    def cause(self) -> Cause:
        """What is at fault for the breach."""
        assert self.breach is not None
        if self.known is not None:
            return self.known
        place = self.place or (self.fault.role if self.fault is not None else self.subject)
        flaw = self.breach.flaw
        return Cause(Culprit(flaw.value, (place,)), self.breach.harm, remedy_for(flaw, self.fault))


@dataclass(frozen=True)
class _Plan:
    """What a power loss can leave of a recording after its acknowledgements."""

    recorded: Recorded
    program: Program
    groups: tuple[Group, ...]
    exhaustive: bool

    def question(self, group: Group) -> Question:
        assert self.recorded.subject.update is not None
        return Question(group.image, self.recorded.subject.update.key)


@dataclass(frozen=True)
class _Crashes:
    """Who is asked about images, and how."""

    store: StoreUnderTest
    workload: Workload
    settings: Settings
    sandbox: Sandbox

    def plan(self, recorded: Recorded, trace: Trace, most: int) -> _Plan:
        """Say which images to look at, at most so many."""
        program = lower(without_volatile(trace, self.store.declarations.volatile))
        enumeration = enumerate_states(
            program,
            by_name(self.settings.model),
            subsets_per_cut=self.settings.budget.value.subsets_per_cut,
            images=5000,
            seed=self.settings.seed,
        )
        groups = [
            group
            for group in enumeration.groups
            if not group.window.in_flight and group.window.acknowledged >= 1 and not recorded.raised[1]
        ]
        return _Plan(recorded, program, tuple(groups[:most]), enumeration.exhaustive and len(groups) <= most)

    def ask(self, plans: Sequence[_Plan]) -> dict[Question, Inspection | None]:
        """Look at the images of all plans, at each once."""
        questions = list(dict.fromkeys(plan.question(group) for plan in plans for group in plan.groups))
        return dict(zip(questions, explore(self.store, self.workload, questions, self.sandbox).answers, strict=True))

    def losses_without_failure(self, recorded: Recorded) -> "_Controls":
        """Return what a power loss can show after each acknowledgement where every sync has done its work, and how."""
        repaired = tuple(replace(o, failed=False) if isinstance(o, Sync) else o for o in recorded.trace.operations)
        trace = replace(recorded.trace, operations=repaired)
        plan = self.plan(recorded, trace, _MORE * IMAGES[self.settings.budget])
        answers = self.ask([plan])
        found: _Controls = {}
        for group in plan.groups:
            for shown in _shown(group, answers[plan.question(group)]):
                found.setdefault(shown, (plan.program, group))
        return found


def crash_after(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    recordings: Sequence[Recorded],
    sandbox: Sandbox,
    found: SyncEvidence,
) -> SyncEvidence:
    """Crash each recording after its acknowledgements, look at all images at once, and judge them."""
    crashes = _Crashes(store, workload, settings, sandbox)
    plans = [crashes.plan(recorded, recorded.trace, IMAGES[settings.budget]) for recorded in recordings]
    answers = crashes.ask(plans)
    not_all = given_up(answers.values())
    found = replace(
        found,
        recordings=len(recordings),
        images=looked_at(answers),
        given_up=not_all,
        exhaustive=found.exhaustive and not not_all and all(plan.exhaustive for plan in plans),
    )
    anyway: SyncEvidence | None = None
    for plan in plans:
        lost = [
            (group, breach, shown)
            for group in plan.groups
            for breach, shown in _lost(workload, plan.recorded, group, answers[plan.question(group)])
        ]
        control = crashes.losses_without_failure(plan.recorded) if lost else {}
        for group, breach, shown in lost:
            trusted = breach.flaw is Flaw.TRUSTED
            without = _without_failure(control, shown, plan.recorded) if trusted else control.get(shown)
            if without is not None:
                anyway = anyway or _of_another_cause(found, plan, group, breach, workload, *without)
            else:
                found = _with(found, plan, group, breach)
    return anyway if anyway is not None and found.breach is None else found


_Controls = dict[object, tuple[Program, Group]]


def _without_failure(control: _Controls, shown: object, recorded: Recorded) -> tuple[Program, Group] | None:
    """Return a crash without any failed sync that takes the same; None where the failure is at fault.

    Where the update is gone and what was there before it is shown, that may be something else: that it is gone is all
    that counts. Where something is shown that nobody wrote, the same has to be shown without the failure.
    """
    if shown in control or not isinstance(shown, tuple):
        return control.get(shown)
    last, place, instead_of_it = shown
    if instead_of_it not in [state.at(place) for state in recorded.states[:last]]:
        return None
    wanted = recorded.states[last].at(place)
    whole = control.get((last, place, wanted))
    if whole is None or whole[1].simplest.lost:
        return None  # it is not kept either where nothing is lost, which says nothing of the losses
    instead = (key for key in control if isinstance(key, tuple) and key[:2] == (last, place) and key[2] != wanted)
    return next((control[key] for key in instead if control[key][1].simplest.lost), None)


def _of_another_cause(
    found: SyncEvidence,
    plan: _Plan,
    group: Group,
    breach: FaultBreach,
    workload: Workload,
    program: Program,
    without: Group,
) -> SyncEvidence:
    """Return the evidence that what is lost after a failed sync is lost without it too: that is what is to be mended.

    ``program`` is the recording with its syncs repaired, and ``without`` a crash of it that shows the same.
    """
    recorded, subject = plan.recorded, plan.recorded.subject
    assert subject.update is not None
    key = subject.update.key
    names = (_OPENED, subject.name, recorded.row.following)
    history = History(recorded.states, ("", key, key), names, loses=workload.kit.loses)
    family = Family.REOPENING if breach.flaw is Flaw.TRUSTED and not breach.allowed else Family.DURABILITY
    told = OracleViolation(family, breach.sentence, key, breach.found, breach.allowed, breach.harm)
    culprit = culprit_of(program, without.simplest, without.window, told, history, log=workload.kit.log)
    remedy = of_a_crash(culprit, workload.kit, program, without.simplest, without.image)
    told_anyway = replace(breach, sentence=f"{breach.sentence}; so it does where no fsync fails", flaw=Flaw.ANYWAY)
    return replace(_with(found, plan, group, told_anyway), known=Cause(culprit, breach.harm, remedy))


def _with(found: SyncEvidence, plan: _Plan, group: Group, breach: FaultBreach) -> SyncEvidence:
    """Return the evidence with one more breach; of each root cause the first one is told."""
    subject, row = plan.recorded.subject, plan.recorded.row
    following = row.following if row.again else "the next update"
    told = replace(
        found,
        breach=breach,
        subject=subject.name,
        fault=plan.recorded.fault,
        acknowledged=subject.name if group.window.acknowledged == 1 else following,
        following=following,
        state=group.simplest,
        program=plan.program,
        image=group.image,
        how_many=1,
        place=plan.recorded.failing_line,
    )
    if found.breach is None:
        return told
    if found.cause.culprit == told.cause.culprit:
        return replace(found, how_many=found.how_many + 1)
    told = replace(told, others=())
    known = next((other for other in found.others if other.cause.culprit == told.cause.culprit), None)
    if known is None:
        return replace(found, others=(*found.others, told))
    more = replace(known, how_many=known.how_many + 1)
    return replace(found, others=tuple(more if other is known else other for other in found.others))


def _shown(group: Group, inspection: Inspection | None) -> Iterator[object]:
    """Yield all that a reader sees in one image, each with the acknowledgement after which it was."""
    if inspection is None:
        return
    if _unusable(inspection):
        yield group.window.acknowledged
    elif inspection.seen is not None:
        for place, seen in inspection.seen.places:
            yield group.window.acknowledged, place, seen


def _unusable(inspection: Inspection) -> bool:
    return inspection.failed in (Phase.OPENING, Phase.READING) or inspection.seen is None


def _lost(
    workload: Workload, recorded: Recorded, group: Group, inspection: Inspection | None
) -> Iterator[tuple[FaultBreach, object]]:
    """Yield what a power loss after an acknowledgement has destroyed although it was acknowledged."""
    subject, fault = recorded.subject, recorded.fault
    assert subject.update is not None
    assert fault is not None
    if inspection is None:
        return
    last = group.window.acknowledged
    returned = subject.name if last == 1 else recorded.row.following
    told = f"{returned} returned after {fault.kind.value} {fault.role} had failed"
    if _unusable(inspection) or inspection.seen is None:
        sentence = f"{told}, and after a power loss the store cannot be used"
        yield FaultBreach("FAULT-2", sentence, inspection.how, flaw=Flaw.TRUSTED), last
        return
    before, between = recorded.states[0], recorded.states[1]
    for place, seen in inspection.seen.places:
        wanted = recorded.states[last].at(place)
        if recorded.raised[0] and between.at(place) != before.at(place):
            # Refused, and there nevertheless: a power loss may take that back, but nothing else.
            if isinstance(wanted, Records):
                if _holds(seen, before.at(place), between.at(place), wanted):
                    continue
            elif place != subject.update.key or not workload.kit.replaces:
                continue
        elif recorded.raised[0] and _with_more(seen, wanted):
            following = recorded.row.following if recorded.row.again else "the next update"
            sentence = (
                f"{subject.name} raised after {fault.kind.value} {fault.role} had failed, and was not to be seen any "
                f"more; a power loss after {following} brings it back: {place} shows {seen}"
            )
            found, allowed = f"{place}: {seen}", (str(wanted),)
            breach = FaultBreach("FAULT-2", sentence, found, allowed, Flaw.COMES_BACK, Harm.WRONG)
            yield breach, (last, place, "it comes back")  # which no control shows: nothing is refused there
            continue
        if seen != wanted:
            sentence = f"{told}, and a power loss destroys what it had acknowledged: {place} shows {seen}"
            found, allowed = f"{place}: {seen}", (str(wanted),)
            yield FaultBreach("FAULT-2", sentence, found, allowed, Flaw.TRUSTED), (last, place, seen)


def _with_more(seen: Seen, wanted: Seen) -> bool:
    """Say whether a log has all that it should have, in order, and something else."""
    if not (isinstance(seen, Records) and isinstance(wanted, Records)) or len(seen.items) <= len(wanted.items):
        return False
    rest = iter(seen.items)
    return all(item in rest for item in wanted.items)


def _holds(seen: Seen, before: Seen, between: Seen, wanted: Records) -> bool:
    """Say whether a log has all that it should have, whatever became of the refused record."""
    refused = set(between.items if isinstance(between, Records) else ()) - set(
        before.items if isinstance(before, Records) else ()
    )
    kept = tuple(item for item in wanted.items if item not in refused)
    if not isinstance(seen, Records):
        return not kept
    return kept == tuple(item for item in seen.items if item not in refused)
