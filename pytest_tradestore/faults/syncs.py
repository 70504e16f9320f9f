"""After a failed sync: is what the store acknowledges later really on the disk?

A failed sync marks the pages clean, so that the next one succeeds without having written them. The update with the
failing sync and the next one are recorded, and every power loss after an acknowledgement is looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from pytest_tradestore.faults.workbench import Injecting, make_root
from pytest_tradestore.isolation import Channel, Died, Hung, Sent, stream_isolated
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

    subject: Subject
    fault: Fault
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
    with Sandbox() as sandbox:
        recorded = [r for r in _recorded(store, workload, rows[:most], recorder, sandbox) if r.struck]
        usable = [r for r in recorded if not r.trace.unseen]
        found = SyncEvidence(exhaustive=len(usable) == len(rows))
        found = _crashed(store, workload, settings, usable, sandbox, found)
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


def _recorded(
    store: StoreUnderTest,
    workload: Workload,
    rows: Sequence[tuple[Subject, Fault]],
    recorder: Recorder,
    sandbox: Sandbox,
) -> list[_Recorded]:
    """Record each failing sync, in one process if the store lets us; one that hangs or ends it is told of elsewhere."""
    done: dict[int, _Recorded | None] = {}
    while left := [number for number in range(len(rows)) if number not in done]:

        def task(channel: Channel, left: list[int] = left) -> None:
            from pytest_tradestore.faults.supervisor import Injector

            injector, bridge = Injector(), Bridge()
            steps = iter(range(1, 1 << 62))
            for number in left:
                bench = _Room(store, workload, injector, bridge, recorder, lambda: channel.step(next(steps)))
                channel.send((number, bench.record(*rows[number], sandbox.path / f"sync-{number}" / "store")))

        for event in stream_isolated(task, store.declarations.deadline):
            match event:
                case Sent((number, found)):
                    done[number] = found
                case Hung() | Died():
                    done[next(number for number in left if number not in done)] = None
    return [found for _, found in sorted(done.items()) if found is not None]


@dataclass(frozen=True)
class _Room:
    """Where one update with a failing sync is recorded; inside an isolated process."""

    store: StoreUnderTest
    workload: Workload
    injector: Injecting
    bridge: Bridge
    recorder: Recorder
    step: Callable[[], None]

    def record(self, subject: Subject, fault: Fault, root: Path) -> _Recorded:
        errors = self.store.declarations.errors
        update = subject.update
        assert update is not None
        self.injector.apart(make_root, root, subject.image)
        raised = ["", ""]
        self.step()
        with self.recorder.record(root, volatile=self.store.declarations.volatile) as recording:
            recording.mark(Moment.INVOKED, 0)
            opened = open_store(self.store.target, root, self.bridge)
            recording.mark(Moment.ACKNOWLEDGED, 0)
            states = [self.workload.observe(opened, errors)]
            self.step()
            recording.mark(Moment.INVOKED, 1)
            self.injector.arm(str(root), fault)
            try:
                update.apply(opened)
            except Exception as error:
                raised[0] = f"{type(error).__name__}: {opened.told(error)}"
            struck = self.injector.disarm().hits > 0
            if not raised[0]:
                recording.mark(Moment.ACKNOWLEDGED, 1)
            states.append(self.workload.observe(opened, errors))
            self.step()
            recording.mark(Moment.INVOKED, 2)
            try:
                self.workload.next_update(update.place, NEXT_VERSION).apply(opened)
            except Exception as error:
                raised[1] = f"{type(error).__name__}: {opened.told(error)}"
            else:
                recording.mark(Moment.ACKNOWLEDGED, 2)
            states.append(self.workload.observe(opened, errors))
        return _Recorded(subject, fault, recording.trace, tuple(states), (raised[0], raised[1]), struck)


def _crashed(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    recordings: Sequence[_Recorded],
    sandbox: Sandbox,
    found: SyncEvidence,
) -> SyncEvidence:
    """Crash each recording after its acknowledgements, look at all images at once, and judge them."""
    asked: list[tuple[_Recorded, Program, Group, Question]] = []
    exhaustive = found.exhaustive
    for recorded in recordings:
        program = lower(without_volatile(recorded.trace, store.declarations.volatile))
        enumeration = enumerate_states(
            program,
            by_name(settings.model),
            subsets_per_cut=settings.budget.value.subsets_per_cut,
            images=5000,
            seed=settings.seed,
        )
        groups = [
            group
            for group in enumeration.groups
            if not group.window.in_flight and group.window.acknowledged >= 1 and not recorded.raised[1]
        ]
        most = IMAGES[settings.budget]
        assert recorded.subject.update is not None
        place = recorded.subject.update.place
        asked += [(recorded, program, group, Question(group.image, place)) for group in groups[:most]]
        exhaustive = exhaustive and enumeration.exhaustive and len(groups) <= most
    questions = list(dict.fromkeys(question for *_, question in asked))
    answers = dict(zip(questions, explore(store, workload, questions, sandbox).answers, strict=True))
    found = replace(found, recordings=len(recordings), images=len(questions), exhaustive=exhaustive)
    for recorded, program, group, question in asked:
        subject = recorded.subject
        breach = next(_lost(workload, subject, recorded.fault, recorded, group, answers[question]), None)
        if breach is None:
            continue
        if found.breach is None:
            acknowledged = subject.name if group.window.acknowledged == 1 else "the next update"
            found = replace(
                found,
                breach=breach,
                subject=subject.name,
                fault=recorded.fault,
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
