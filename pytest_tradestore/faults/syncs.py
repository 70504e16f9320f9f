"""After a failed sync: is what the store acknowledges later really on the disk?

A failed sync marks the pages clean, so that the next one succeeds without having written them. The update with the
failing sync and the next one are recorded, and every power loss after an acknowledgement is looked at.
"""

from collections.abc import Sequence
from dataclasses import replace

from pytest_tradestore.causes import role_of_path
from pytest_tradestore.crash.operations import Create, Sync
from pytest_tradestore.crash.operations import Kind as FileKind
from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Call, CallKind, Fault
from pytest_tradestore.faults.culprits import Flaw
from pytest_tradestore.faults.evidence import FaultEvidence, SyncTrial
from pytest_tradestore.faults.injecting import SYSTEM_CALLS
from pytest_tradestore.faults.judging import FaultBreach
from pytest_tradestore.faults.recordings import Recorded, Row, recorded
from pytest_tradestore.faults.sync_crashes import SyncEvidence, crash_after
from pytest_tradestore.observation import Absent
from pytest_tradestore.runner import so_often
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TrialToken

RECORDINGS = {Budget.QUICK: 6, Budget.NORMAL: 8, Budget.DEEP: 100}
"""Failed syncs that are recorded for one contract of one store."""
_TRIED_AGAIN = 3
"""Refused updates that are recorded once more, with the same one tried again."""
_LARGE_ONES = 2
"""Failed syncs of large appends that are recorded beside them."""


def gather_syncs(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    faults: FaultEvidence,
    only: TrialToken | None = None,
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
        Row(subject, fault, further=True)
        for subject, several in faults.syncs.values()
        for fault in several
        if not fault.lasting and (only is None or only.is_of(subject.name, fault))
    ]
    most = RECORDINGS[settings.budget]
    with Sandbox() as sandbox:
        small, large = ([row for row in rows if row.subject.is_large is size] for size in (False, True))
        made, ways = recorded(store, workload, [*small[:most], *large[:_LARGE_ONES]], recorder, sandbox)
        usable = [one for one in made if one.struck and not one.trace.unseen]
        tried_again = (
            [] if workload.kit.log else [replace(one.row, again=True) for one in usable if _may_look_done(one)]
        )
        more, _ = recorded(store, workload, tried_again[:_TRIED_AGAIN], recorder, sandbox)
        usable += [one for one in more if one.struck and not one.trace.unseen]
        found = SyncEvidence(exhaustive=len(usable) >= len(rows) + len(tried_again), remark=faults.left_out)
        found = crash_after(store, workload, settings, usable, sandbox, found)
    if rows and not found.recordings:
        why = f"it {so_often(ways)}" if ways else "none of the syncs was made"
        return replace(found, undecided=f"the store could not be recorded while a sync failed: {why}")
    return found


def _may_look_done(recorded: Recorded) -> bool:
    """Say whether an update was refused of which a part is there already, so that trying it again may find it done."""
    before, between = recorded.states[:2]
    update = recorded.row.subject.update
    was, now = (None if update is None else dict(seen.places).get(update.key) for seen in (before, between))
    if update is None or (now != was and isinstance(now, Absent) and update.key not in update.arguments):
        return False  # who removes what is old finds nothing to remove the second time, and says so
    operations = recorded.trace.operations
    kinds = {inode: node.kind for inode, node in recorded.trace.initial.nodes.items()}
    kinds |= {o.inode: o.kind for o in operations if isinstance(o, Create)}
    failed = [kinds.get(o.inode) for o in operations if isinstance(o, Sync) and o.failed]
    return bool(recorded.raised[0]) and (between != before or FileKind.DIRECTORY in failed)


def _judged_by_the_calls(faults: FaultEvidence) -> SyncEvidence:
    """Judge without a recording: who returns after a failed sync of a file has to have written it again.

    Where what is acknowledged later can rest on the file whose sync failed, only a recording could tell.
    """
    found = SyncEvidence(
        recordings=len(faults.sync_trials),
        exhaustive=False,
        remark="; ".join(filter(None, (_BY_THE_CALLS, faults.left_out))),
    )
    unseen = ""
    for attempted in faults.sync_trials:
        trial, fault = attempted.trial, attempted.trial.refusal
        assert isinstance(fault, Fault)
        if trial.raised or trial.ended or not _trusts_what_failed(trial.watched.calls, fault):
            if attempted.subject.update is not None and _rests_on_what_failed(attempted, fault):
                unseen = unseen or f"{trial.subject} {'raises' if trial.raised else 'goes on'} when {fault}"
            continue
        sentence = f"{trial.subject} returned although {fault}, and nothing was written again"
        breach = FaultBreach("FAULT-2", sentence, "the call returned", ("the call raises",), Flaw.TRUSTED)
        first = found.breach is None
        found = replace(
            found,
            breach=breach if first else found.breach,
            subject=trial.subject if first else found.subject,
            fault=fault if first else found.fault,
            acknowledged=trial.subject if first else found.acknowledged,
            how_many=found.how_many + 1,
        )
    if unseen and found.breach is None:
        return replace(found, undecided=f"{unseen}, and what a power loss leaves after that was not seen: {_NEEDED}")
    return found


_NEEDED = "this takes Linux, seccomp and the strace recorder"
_BY_THE_CALLS = f"asked of what a call does whose fsync fails; no power loss after it was looked at: {_NEEDED}"


def _rests_on_what_failed(attempted: SyncTrial, fault: Fault) -> bool:
    """Say whether later updates can count on the pages that a failed sync has not written.

    They cannot where the caller was told, and the file was a temporary one: no reader has ever looked there.
    """
    if attempted.trial.ended:
        return False
    if not attempted.trial.raised:
        return True
    images = (attempted.subject.image, attempted.undisturbed)
    live = {role_of_path(file.path) for image in images for file in image.files if file.kind is FileKind.FILE}
    return fault.role in live


def _trusts_what_failed(calls: Sequence[Call], fault: Fault) -> bool:
    """Say whether a file (not a directory) was written before its sync failed, and nothing after that."""
    syncs = [n for n, call in enumerate(calls) if call.kind is CallKind.SYNC and call.role == fault.role]
    failed = syncs[min(fault.nth, len(syncs)) - 1]
    written = [n for n, call in enumerate(calls) if call.kind is CallKind.WRITE]
    return any(calls[n].role == fault.role for n in written if n < failed) and not any(n > failed for n in written)
