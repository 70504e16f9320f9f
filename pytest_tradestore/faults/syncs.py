"""After a failed sync: is what the store acknowledges later really on the disk?

A failed sync marks the pages clean, so that the next one succeeds without having written them. The update with the
failing sync and the next one are recorded, and every power loss after an acknowledgement is looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_tradestore.crash.exploration import Inspection, Phase, Question, explore
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.lowering import Program, lower
from pytest_tradestore.crash.models import by_name
from pytest_tradestore.crash.observation import Observation, Records, Seen
from pytest_tradestore.crash.operations import Moment
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.crash.states import CrashState, Group, enumerate_states
from pytest_tradestore.crash.trace import Trace
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Call, CallKind, Fault
from pytest_tradestore.faults.evidence import SYSTEM_CALLS, FaultEvidence
from pytest_tradestore.faults.judging import FaultBreach
from pytest_tradestore.faults.trials import NEXT_VERSION, Subject
from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import Bridge, StoreUnderTest, open_store

RECORDINGS = {Budget.QUICK: 6, Budget.NORMAL: 10, Budget.DEEP: 100}
IMAGES = {Budget.QUICK: 60, Budget.NORMAL: 150, Budget.DEEP: 2000}
"""Failed syncs that are recorded for one contract of one store, and images looked at for each."""
_REPLACING = ("document", "documents", "state", "jobs")


@dataclass(frozen=True)
class SyncEvidence:
    """What was found out; ``undecided`` says why nothing was."""

    undecided: str = ""
    breach: FaultBreach | None = None
    subject: str = ""
    fault: Fault | None = None
    acknowledged: str = ""
    state: CrashState | None = None
    program: Program | None = None
    image: DurableImage | None = None
    how_many: int = 0
    recordings: int = 0
    images: int = 0
    exhaustive: bool = True


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An update with a failing sync and the next one; ``states`` before, between and after them."""

    trace: Trace
    states: tuple[Observation, ...]
    raised: tuple[str, str]
    struck: bool


def gather_syncs(store: StoreUnderTest, workload: Workload, settings: Settings, faults: FaultEvidence) -> SyncEvidence:
    """Record failing syncs of ``store``, those that an undisturbed run made, and crash after them."""
    if faults.undecided:
        return SyncEvidence(undecided=faults.undecided)
    try:
        recorder, _ = choose_recorder(settings.recorder)
    except RuntimeError as reason:
        return SyncEvidence(undecided=str(reason))
    if recorder.name != "strace" or faults.injected != SYSTEM_CALLS:
        return _judged_by_the_calls(faults)
    rows = [(subject, fault) for subject, several in faults.syncs.values() for fault in several if not fault.lasting]
    most = RECORDINGS[settings.budget]
    found = SyncEvidence(exhaustive=len(rows) <= most)
    with Sandbox() as sandbox:
        for subject, fault in rows[:most]:
            recorded = _record(store, workload, subject, fault, recorder, sandbox)
            if recorded is None or not recorded.struck or recorded.trace.unseen:
                found = replace(found, exhaustive=False)
                continue
            found = _crashed(store, workload, settings, subject, fault, recorded, sandbox, found)
    if rows and not found.recordings:
        return replace(
            found, undecided="the store could not be recorded while a sync failed: it hung or ended its process"
        )
    return found


def _judged_by_the_calls(faults: FaultEvidence) -> SyncEvidence:
    """Judge without a recording: who returns after a failed sync of a file has to have written it again."""
    found = SyncEvidence(recordings=len(faults.sync_trials), exhaustive=False)
    for trial in faults.sync_trials:
        fault = trial.refusal
        assert isinstance(fault, Fault)
        if trial.raised or trial.ended or not _trusts_what_failed(trial.watched.calls, fault):
            continue
        sentence = f"{trial.subject} returned although {fault}, and nothing was written again"
        breach = FaultBreach("FAULT-2", sentence, "the call returned", ("the call raises",))
        first = found.breach is None
        found = replace(
            found,
            breach=breach if first else found.breach,
            subject=trial.subject if first else found.subject,
            fault=fault if first else found.fault,
            acknowledged=trial.subject if first else found.acknowledged,
            how_many=found.how_many + 1,
        )
    return found


def _trusts_what_failed(calls: Sequence[Call], fault: Fault) -> bool:
    """Say whether a file (not a directory) was written before its sync failed, and nothing after that."""
    syncs = [n for n, call in enumerate(calls) if call.kind is CallKind.SYNC and call.role == fault.role]
    failed = syncs[min(fault.nth, len(syncs)) - 1]
    written = [n for n, call in enumerate(calls) if call.kind is CallKind.WRITE]
    return any(calls[n].role == fault.role for n in written if n < failed) and not any(n > failed for n in written)


def _record(
    store: StoreUnderTest, workload: Workload, subject: Subject, fault: Fault, recorder: Recorder, sandbox: Sandbox
) -> _Recorded | None:
    root = sandbox.fresh_root()
    subject.image.write(root)
    errors = store.declarations.errors
    update = subject.update
    assert update is not None

    def run(channel: Channel) -> _Recorded:
        from pytest_tradestore.faults.supervisor import Injector

        injector = Injector()
        bridge = Bridge()
        raised = ["", ""]
        channel.step(1)
        with recorder.record(root, volatile=store.declarations.volatile) as recording:
            recording.mark(Moment.INVOKED, 0)
            opened = open_store(store.target, root, bridge)
            recording.mark(Moment.ACKNOWLEDGED, 0)
            states = [workload.observe(opened, errors)]
            channel.step(2)
            recording.mark(Moment.INVOKED, 1)
            injector.arm(str(root), fault)
            try:
                update.apply(opened)
            except Exception as error:
                raised[0] = f"{type(error).__name__}: {opened.told(error)}"
            struck = injector.disarm().hits > 0
            if not raised[0]:
                recording.mark(Moment.ACKNOWLEDGED, 1)
            states.append(workload.observe(opened, errors))
            channel.step(3)
            recording.mark(Moment.INVOKED, 2)
            try:
                workload.next_update(update.place, NEXT_VERSION).apply(opened)
            except Exception as error:
                raised[1] = f"{type(error).__name__}: {opened.told(error)}"
            else:
                recording.mark(Moment.ACKNOWLEDGED, 2)
            states.append(workload.observe(opened, errors))
        return _Recorded(recording.trace, tuple(states), (raised[0], raised[1]), struck)

    match run_isolated(run, store.declarations.deadline):
        case Finished(recorded):
            assert isinstance(recorded, _Recorded)
            return recorded
        case _:
            return None  # a store that hangs or ends its process is told of elsewhere


def _crashed(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    subject: Subject,
    fault: Fault,
    recorded: _Recorded,
    sandbox: Sandbox,
    found: SyncEvidence,
) -> SyncEvidence:
    program = lower(without_volatile(recorded.trace, store.declarations.volatile))
    model = by_name(settings.model)
    enumeration = enumerate_states(
        program, model, subsets_per_cut=settings.budget.value.subsets_per_cut, images=5000, seed=settings.seed
    )
    groups = [
        group
        for group in enumeration.groups
        if not group.window.in_flight and group.window.acknowledged >= 1 and not recorded.raised[1]
    ]
    most = IMAGES[settings.budget]
    assert subject.update is not None
    asked = [(group, Question(group.image, subject.update.place)) for group in groups[:most]]
    questions = list(dict.fromkeys(question for _, question in asked))
    answers = dict(zip(questions, explore(store, workload, questions, sandbox).answers, strict=True))
    found = replace(
        found,
        recordings=found.recordings + 1,
        images=found.images + len(questions),
        exhaustive=found.exhaustive and enumeration.exhaustive and len(groups) <= most,
    )
    for group, question in asked:
        breach = next(_lost(workload, subject, fault, recorded, group, answers[question]), None)
        if breach is None:
            continue
        if found.breach is None:
            acknowledged = subject.name if group.window.acknowledged == 1 else "the next update"
            found = replace(
                found,
                breach=breach,
                subject=subject.name,
                fault=fault,
                acknowledged=acknowledged,
                state=group.simplest,
                program=program,
                image=group.image,
            )
        found = replace(found, how_many=found.how_many + 1)
    return found


def _lost(
    workload: Workload,
    subject: Subject,
    fault: Fault,
    recorded: _Recorded,
    group: Group,
    inspection: Inspection | None,
) -> Iterator[FaultBreach]:
    """Yield what a power loss after an acknowledgement has destroyed although it was acknowledged."""
    assert subject.update is not None
    if inspection is None:
        return
    last = group.window.acknowledged
    returned = subject.name if last == 1 else f"the next update of {subject.update.place}"
    told = f"{returned} returned after {fault.kind.value} {fault.role} had failed"
    if inspection.failed in (Phase.OPENING, Phase.READING) or inspection.seen is None:
        yield FaultBreach("FAULT-2", f"{told}, and after a power loss the store cannot be used", inspection.how)
        return
    before, between = recorded.states[0], recorded.states[1]
    for place, seen in inspection.seen.places:
        wanted = recorded.states[last].at(place)
        if recorded.raised[0] and between.at(place) != before.at(place):
            # Refused, and there nevertheless: a power loss may take that back, but nothing else.
            if isinstance(seen, Records) and isinstance(wanted, Records):
                if _holds(seen, before.at(place), between.at(place), wanted):
                    continue
            elif place != subject.update.place or workload.contract.name not in _REPLACING:
                continue
        if seen != wanted:
            yield FaultBreach(
                "FAULT-2",
                f"{told}, and a power loss destroys what it had acknowledged: {place} {_told(seen)}",
                f"{place}: {seen}",
                (str(wanted),),
            )
            return


def _holds(seen: Records, before: Seen, between: Seen, wanted: Records) -> bool:
    refused = set(between.items if isinstance(between, Records) else ()) - set(
        before.items if isinstance(before, Records) else ()
    )
    return tuple(item for item in wanted.items if item not in refused) == tuple(
        item for item in seen.items if item not in refused
    )


def _told(seen: Seen) -> str:
    return f"shows {seen}"
