"""The order in which ``lasting`` and ``recovering`` are asked of one contract of one store, and what they amount to."""

from dataclasses import dataclass, field, replace

from pytest_tradestore.crash.recording import choose_recorder
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.evidence import FaultEvidence
from pytest_tradestore.faults.injecting import SYSTEM_CALLS
from pytest_tradestore.faults.lasting import Crashes, crash_meanwhile, rows_of
from pytest_tradestore.faults.recordings import recorded
from pytest_tradestore.faults.recovering import Recoveries, fail_recoveries, rows_to_interrupt
from pytest_tradestore.runner import so_often
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.tries import TrialToken


@dataclass(frozen=True, slots=True)
class MeanwhileEvidence:
    """What was found out; ``undecided`` says why nothing was."""

    undecided: str = ""
    crashes: Crashes = field(default_factory=Crashes)
    recoveries: Recoveries = field(default_factory=Recoveries)


def gather_meanwhile(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    faults: FaultEvidence,
    only: TrialToken | None = None,
) -> MeanwhileEvidence:
    """Crash ``store`` while calls fail, and let calls fail while it recovers; with ``only`` what a token names."""
    if faults.undecided:
        return MeanwhileEvidence(undecided=faults.undecided)
    try:
        recorder, _ = choose_recorder(settings.recorder)
    except RuntimeError as reason:
        return MeanwhileEvidence(undecided=str(reason))
    if recorder.name != "strace" or faults.injected != SYSTEM_CALLS:
        lacking = "the system calls of a store cannot be refused and recorded at once here"
        return MeanwhileEvidence(undecided=f"{lacking}: that takes Linux, seccomp and the strace recorder")
    going_on = [one for one in faults.going_on if only is None or only.is_of(one.subject.name, one.fault)]
    with Sandbox() as sandbox:
        lasting, interrupted = rows_of(going_on, settings), rows_to_interrupt(faults.updates)
        made, ways = recorded(store, workload, [*lasting, *interrupted], recorder, sandbox)
        while_it_lasts = [one for one in made if one.fault is not None]
        crashes = crash_meanwhile(store, workload, settings, while_it_lasts, recorder, sandbox)
        cut_short = [one for one in made if one.fault is None]
        recoveries = fail_recoveries(store, workload, settings, faults, cut_short, sandbox, only)
    if len(made) < len(lasting) + len(interrupted) or len(lasting) < len(going_on):
        crashes = replace(crashes, exhaustive=False)
    if not made and ways:
        return MeanwhileEvidence(f"the store could not be recorded: it {so_often(ways)}")
    return MeanwhileEvidence(faults.given_up, crashes, recoveries)
