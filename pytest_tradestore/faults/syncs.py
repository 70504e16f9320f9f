"""After a failed sync: is what the store acknowledges later really on the disk?

A failed sync marks the pages clean, so that the next one succeeds without having written them. The update with the
failing sync and the next one are recorded, and every power loss after an acknowledgement is looked at.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

from pytest_tradestore.crash.operations import Moment
from pytest_tradestore.crash.recorders.base import Recorder, Recordings
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Call, CallKind, Fault
from pytest_tradestore.faults.evidence import FaultEvidence
from pytest_tradestore.faults.injecting import SYSTEM_CALLS
from pytest_tradestore.faults.judging import FaultBreach
from pytest_tradestore.faults.sync_crashes import Recorded, SyncEvidence, crash_after
from pytest_tradestore.faults.trials import NEXT_VERSION, Subject
from pytest_tradestore.faults.workbench import Injecting, make_root
from pytest_tradestore.isolation import Channel, Died, Hung, Sent, ended_how, so_often, stream_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import Bridge, StoreUnderTest
from pytest_tradestore.tries import TryToken

RECORDINGS = {Budget.QUICK: 6, Budget.NORMAL: 8, Budget.DEEP: 100}
"""Failed syncs that are recorded for one contract of one store."""
_STEPS = 10
"""Numbers of steps that belong to one of them."""


def gather_syncs(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    faults: FaultEvidence,
    only: TryToken | None = None,
) -> SyncEvidence:
    """Record failing syncs of ``store``, those that an undisturbed run made, and crash after them.

    With ``only`` just the one that a token names.
    """
    if faults.undecided:
        return SyncEvidence(undecided=faults.undecided)
    try:
        recorder, _ = choose_recorder(settings.recorder)
    except RuntimeError as reason:
        return SyncEvidence(undecided=str(reason))
    if recorder.name != "strace" or faults.injected != SYSTEM_CALLS:
        return _judged_by_the_calls(faults)
    rows = [
        (subject, fault)
        for subject, several in faults.syncs.values()
        for fault in several
        if not fault.lasting and (only is None or only.is_of(subject.name, fault))
    ]
    most = RECORDINGS[settings.budget]
    with Sandbox() as sandbox:
        made, ways = _recorded(store, workload, rows[:most], recorder, sandbox)
        recorded = [r for r in made if r.struck]
        usable = [r for r in recorded if not r.trace.unseen]
        found = SyncEvidence(exhaustive=len(usable) == len(rows))
        found = crash_after(store, workload, settings, usable, sandbox, found)
    if rows and not found.recordings:
        why = f"it {so_often(ways)}" if ways else "none of the syncs was made"
        return replace(found, undecided=f"the store could not be recorded while a sync failed: {why}")
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
) -> tuple[list[Recorded], tuple[str, ...]]:
    """Record each failing sync, in one process if the store lets us; say too how those ended that are missing."""
    done: dict[int, Recorded | None] = {}
    ways: dict[str, None] = {}
    while left := [number for number in range(len(rows)) if number not in done]:
        together = not done  # one attachment for all, until a row has ended the process: then each by itself

        def task(channel: Channel, left: list[int] = left, together: bool = together) -> None:
            from pytest_tradestore.faults.supervisor import Injector

            injector, bridge = Injector(), Bridge()
            for part in [left] if together else [[number] for number in left]:
                made: list[tuple[int, Callable[[], Recorded]]] = []
                with recorder.several() as recordings:
                    for number in part:
                        begin = partial(_begin, channel, count(number * _STEPS))
                        room = _Room(store, workload, injector, bridge, recordings, begin)
                        root = sandbox.path / f"sync-{os.getpid()}-{number}" / "store"
                        made.append((number, room.record(*rows[number], root)))
                        channel.rest()
                for number, recorded in made:
                    channel.send((number, recorded()))

        for event in stream_isolated(task, store.declarations.deadline):
            match event:
                case Sent((number, found)):
                    done[number] = found
                case Hung(step, _) | Died(step, _):
                    ways[ended_how(event)] = None
                    done[step // _STEPS if step // _STEPS in left else left[0]] = None
    return [found for _, found in sorted(done.items()) if found is not None], tuple(ways)


def _begin(channel: Channel, steps: Iterator[int]) -> None:
    channel.step(next(steps))


@dataclass(frozen=True)
class _Room:
    """Where one update with a failing sync is recorded; inside an isolated process."""

    store: StoreUnderTest
    workload: Workload
    injector: Injecting
    bridge: Bridge
    recordings: Recordings
    step: Callable[[], None]

    def record(self, subject: Subject, fault: Fault, root: Path) -> Callable[[], Recorded]:
        """Record it; what is returned gives the recording once the recorder has ended."""
        errors = self.store.declarations.errors
        update = subject.update
        assert update is not None
        self.injector.apart(make_root, root, subject.image)
        raised = ["", ""]
        self.step()
        with self.recordings.record(root, volatile=self.store.declarations.volatile) as recording:
            recording.mark(Moment.INVOKED, 0)
            opened = self.store.open(root, self.bridge)
            recording.mark(Moment.ACKNOWLEDGED, 0)
            states = [self.workload.observe(opened, errors)]
            self.step()
            recording.mark(Moment.INVOKED, 1)
            self.injector.arm(str(root), fault)
            try:
                update.make(opened)
            except Exception as error:
                raised[0] = f"{type(error).__name__}: {opened.told(error)}"
            struck = self.injector.disarm().hits > 0
            if not raised[0]:
                recording.mark(Moment.ACKNOWLEDGED, 1)
            states.append(self.workload.observe(opened, errors))
            self.step()
            recording.mark(Moment.INVOKED, 2)
            try:
                self.workload.next_update(update.key, NEXT_VERSION).make(opened)
            except Exception as error:
                raised[1] = f"{type(error).__name__}: {opened.told(error)}"
            else:
                recording.mark(Moment.ACKNOWLEDGED, 2)
            states.append(self.workload.observe(opened, errors))
        return lambda: Recorded(subject, fault, recording.trace, tuple(states), (raised[0], raised[1]), struck)
