"""Crashes in an update one of whose calls keeps failing: what a store does instead of giving up has to be safe, too.

The update is recorded with its fault, and every crash in it is judged as one without. What a crash leaves also where
nothing fails is no matter of the fault: the same update, recorded without it, is the control.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_tradestore.crash.crash_state import Group
from pytest_tradestore.crash.evidence import Evidence
from pytest_tradestore.crash.exploration import Inspection, Question, explore, given_up, looked_at
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.judging import Facts, Violation, violations_in
from pytest_tradestore.crash.lowering import Program, lower
from pytest_tradestore.crash.models import by_name
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.states import enumerate_states
from pytest_tradestore.crash.timeless import timeless
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import CallKind
from pytest_tradestore.faults.evidence import GoingOn
from pytest_tradestore.faults.recordings import Recorded, Row, recorded
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest

RECORDINGS = {Budget.QUICK: 4, Budget.NORMAL: 6, Budget.DEEP: 100}
"""Faults that are crashed in, for one contract of one store."""
IMAGES = {Budget.QUICK: 60, Budget.NORMAL: 150, Budget.DEEP: 2000}
"""Images looked at for one of them."""


@dataclass(frozen=True, slots=True)
class CrashMeanwhile:
    """A crash during one recording that leaves what no update left; ``evidence`` is what explains it."""

    recorded: Recorded
    violation: Violation
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Crashes:
    """What was found, one for each root cause and the worst first.

    ``anyway`` is what a crash leaves without a fault; ``given_up`` says why some images were never looked at.
    """

    found: tuple[CrashMeanwhile, ...] = ()
    recordings: int = 0
    images: int = 0
    exhaustive: bool = True
    anyway: str = ""
    given_up: str = ""


@dataclass(frozen=True)
class _Lasting:
    """One recording, and what a crash can leave of it."""

    recorded: Recorded
    program: Program
    history: History
    groups: tuple[Group, ...]
    exhaustive: bool

    def asked(self) -> list[tuple[Group, Question]]:
        subject = self.recorded.subject
        place = subject.update.key if subject.update is not None else subject.before.places[0][0]
        return [(group, Question(group.image, place)) for group in self.groups]


def rows_of(going_on: Sequence[GoingOn], settings: Settings) -> list[Row]:
    """Return what is to be recorded: an update, or an opening, while each of these faults lasts."""
    return [Row(one.subject, one.fault, after=one.after) for one in going_on[: RECORDINGS[settings.budget]]]


def crash_meanwhile(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    made: Sequence[Recorded],
    recorder: Recorder,
    sandbox: Sandbox,
) -> Crashes:
    """Crash each of these recordings everywhere, and judge what is left."""
    usable = [one for one in made if one.struck and not one.trace.unseen]
    lasting = [_lasting(store, workload, settings, one) for one in usable]
    answers = _answers(store, workload, lasting, sandbox)
    not_all = given_up(answers.values())
    exhaustive = len(usable) == len(made) and not not_all and all(one.exhaustive for one in lasting)
    crashes = Crashes(recordings=len(usable), images=looked_at(answers), exhaustive=exhaustive, given_up=not_all)
    found = [(one, violation) for one in lasting for violation in _violations(store, workload, one, answers)]
    if not found:
        return crashes
    controls, control_given_up = _without_a_fault(
        store, workload, settings, [one.recorded.row for one, _ in found], recorder, sandbox
    )
    kept: dict[object, CrashMeanwhile] = {}
    anyway = ""
    for one, violation in found:
        if _kind(violation) in controls[one.recorded.subject.name, one.recorded.subject.image]:
            anyway = anyway or violation.breach.sentence
            continue
        if control_given_up:
            crashes = replace(crashes, exhaustive=False, given_up=crashes.given_up or control_given_up)
            continue  # nobody knows whether a crash leaves that also where nothing fails
        where = violation.culprit.places or violation.culprit  # one line that is cut short, and not synced, is one line
        known = kept.get(where)
        if known is None or violation.breach.harm < known.violation.breach.harm:
            evidence = Evidence(workload, recorder=recorder.name, program=one.program, history=one.history)
            kept[where] = CrashMeanwhile(one.recorded, violation, evidence)
    worst_first = sorted(kept.values(), key=lambda one: one.violation.breach.harm)
    return replace(crashes, found=tuple(worst_first), anyway=anyway)


def _lasting(store: StoreUnderTest, workload: Workload, settings: Settings, made: Recorded) -> _Lasting:
    """Say which images to look at; what is acknowledged after a failed sync is judged by FAULT-2."""
    program = lower(without_volatile(made.trace, store.declarations.volatile))
    found = enumerate_states(
        program,
        by_name(settings.model),
        subsets_per_cut=settings.budget.value.subsets_per_cut,
        images=5000,
        seed=settings.seed,
    )
    update = made.subject.update
    number = 0 if update is None else 1
    sync = made.fault is not None and made.fault.kind is CallKind.SYNC
    groups = [
        group
        for group in found.groups
        if group.window.invoked == number and not (sync and group.window.acknowledged == number)
    ]
    most = IMAGES[settings.budget]
    return _Lasting(
        made,
        program,
        _history(made.row, workload),
        tuple(groups[:most]),
        found.exhaustive and len(groups) <= most,
    )


def _history(row: Row, workload: Workload) -> History:
    subject = row.subject
    if subject.update is None or row.after is None:
        return History((subject.before,), ("",), ("the opening",), workload.kit.loses)
    names = ("the opening", subject.update.rendered)
    return History((subject.before, row.after), ("", subject.update.key), names, workload.kit.loses)


def _answers(
    store: StoreUnderTest, workload: Workload, lasting: Sequence[_Lasting], sandbox: Sandbox
) -> dict[Question, Inspection | None]:
    """Look at the images of all recordings, at each once."""
    questions = list(dict.fromkeys(question for one in lasting for _, question in one.asked()))
    if not questions:
        return {}
    found = explore(store, workload, questions, sandbox).answers
    return {q: None if seen is None else _timeless(seen) for q, seen in zip(questions, found, strict=True)}


def _timeless(inspection: Inspection) -> Inspection:
    seen, after, later = (
        None if one is None else timeless(one) for one in (inspection.seen, inspection.after, inspection.later)
    )
    return replace(inspection, seen=seen, after=after, later=later)


def _violations(
    store: StoreUnderTest, workload: Workload, one: _Lasting, answers: Mapping[Question, Inspection | None]
) -> list[Violation]:
    facts = Facts(one.program, one.history, workload.kit.log)
    by_requirement = violations_in(one.asked(), answers, facts, store.declarations.claims)
    return [violation for of in by_requirement.values() for violation in of]


def _kind(violation: Violation) -> tuple[object, ...]:
    return violation.breach.family, violation.breach.place


def _without_a_fault(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    rows: Sequence[Row],
    recorder: Recorder,
    sandbox: Sandbox,
) -> tuple[dict[tuple[str, DurableImage], set[tuple[object, ...]]], str]:
    """Return, for what each row is about, which promises a crash breaks where nothing fails; and why that may not be
    all."""
    undisturbed = {(row.subject.name, row.subject.image): replace(row, fault=None) for row in rows}
    made, _ = recorded(store, workload, list(undisturbed.values()), recorder, sandbox)
    lasting = [_lasting(store, workload, settings, one) for one in made]
    answers = _answers(store, workload, lasting, sandbox)
    found: dict[tuple[str, DurableImage], set[tuple[object, ...]]] = {about: set() for about in undisturbed}
    for one in lasting:
        subject = one.recorded.subject
        found[subject.name, subject.image] |= {_kind(v) for v in _violations(store, workload, one, answers)}
    return found, given_up(answers.values())
