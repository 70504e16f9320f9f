"""The whole pipeline for one store and one contract: record, lower, enumerate, reopen, judge. The result is evidence.

Which verdict follows for a requirement is decided in the conformance suite.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from pytest_tradestore.crash.exploration import Explored, Inspection, Question, explore
from pytest_tradestore.crash.images import DurableImage, matches
from pytest_tradestore.crash.judging import (
    Facts,
    Violation,
    broken_recovery,
    candidates_in,
    piling_up,
    violations_in,
)
from pytest_tradestore.crash.leftovers import growth
from pytest_tradestore.crash.lowering import Program, lower
from pytest_tradestore.crash.models import by_name
from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.recording import NotRecorded, Recorded, choose_recorder, record
from pytest_tradestore.crash.recovery import crash_recoveries, telling
from pytest_tradestore.crash.states import (
    Crash,
    CrashState,
    Group,
    enumerate_states,
    image_of,
    is_settled,
    settled_states,
    windows,
)
from pytest_tradestore.crash.trace import Trace, replay
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.errors import ReplayError
from pytest_tradestore.runner import so_often
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest


@dataclass(frozen=True, slots=True)
class Effort:
    """How much was tried, and where the time went (seconds)."""

    operations: int = 0
    crash_states: int = 0
    images: int = 0
    recoveries: int = 0
    recovery_images: int = 0
    total_seconds: float = 0.0
    store_seconds: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """What was found out about one contract of one store.

    With ``undecided`` nothing was: the sentence says why. ``notes`` are worth telling but weaken nothing.
    """

    workload: Workload
    undecided: str = ""
    recorder: str = ""
    program: Program | None = None
    history: History | None = None
    violations: Mapping[str, tuple[Violation, ...]] = field(default_factory=dict)
    """By requirement: one for each root cause, worst first."""
    effort: Effort = Effort()
    exhaustive: bool = True
    notes: tuple[str, ...] = ()
    output: str = ""
    every_recovery: bool = True
    """Whether every reopening that wrote something was crashed once more, or a selection of them."""
    given_up: str = ""
    """Why some images were never looked at, where that is so: then what was not found cannot be said to hold."""


def gather(store: StoreUnderTest, workload: Workload, settings: Settings) -> Evidence:
    """Find out what crashes do to ``store`` under ``workload``."""
    began = perf_counter()
    with Sandbox() as sandbox:
        base = _recorded(store, workload, settings, sandbox)
        if isinstance(base, Evidence):
            return base
        return _judged(store, workload, settings, base, sandbox, began)


@dataclass(frozen=True, slots=True)
class _Base:
    """A recording that can be judged."""

    recorder: Recorder
    recorded: Recorded
    program: Program
    notes: tuple[str, ...]


def _recorded(store: StoreUnderTest, workload: Workload, settings: Settings, sandbox: Sandbox) -> _Base | Evidence:
    """Record the workload; the evidence that nothing can be decided where that does not work."""
    try:
        recorder, note = choose_recorder(settings.recorder)
    except RuntimeError as reason:
        return Evidence(workload, undecided=f"the {settings.recorder} recorder cannot be used here: {reason}")
    recorded = record(store, workload, workload.updates, recorder, sandbox)
    if isinstance(recorded, NotRecorded):
        return Evidence(
            workload,
            undecided=f"the workload could not be recorded: {recorded.reason}",
            recorder=recorder.name,
            output=recorded.output,
        )
    notes = (*((note,) if note else ()), *recorded.trace.notes)
    if recorded.trace.unseen:
        return Evidence(
            workload,
            undecided=f"the {recorder.name} recorder did not see everything: {'; '.join(recorded.trace.unseen)}",
            recorder=recorder.name,
            notes=notes,
            output=recorded.output,
        )
    program = lower(without_volatile(recorded.trace, store.declarations.volatile))
    return _Base(recorder, recorded, program, notes)


@dataclass(frozen=True, slots=True)
class InspectedState:
    """One state looked at by itself: the image, what was found in it, and what that breaks."""

    image: DurableImage
    found: tuple[str, ...]
    evidence: Evidence


def inspected_state(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    state: CrashState,
    check: Callable[[Program], None],
) -> InspectedState:
    """Record ``workload`` again and look at one ``state`` of it.

    ``check`` is given the recorded program first and may raise. Raises ReplayError if it cannot be recorded.
    """
    with Sandbox() as sandbox:
        base = _recorded(store, workload, settings, sandbox)
        if isinstance(base, Evidence):
            raise ReplayError(f"store {store.name!r} cannot be replayed: {base.undecided}")
        check(base.program)
        window = windows(base.program)[state.cut]
        image = image_of(base.program, state)
        process, power = (state, None) if state.crash is Crash.PROCESS else (None, state)
        group = Group(window, image, process, power, is_settled(base.program, state))
        history, volatile = base.recorded.history, store.declarations.volatile
        variants = _variants(image, volatile, _last_contents(base.recorded.trace, volatile))
        asked = [(group, Question(variant, place_of(group, history))) for variant in variants]
        explored = explore(store, workload, [q for _, q in asked], sandbox)
        answers = dict(zip((q for _, q in asked), explored.answers, strict=True))
        evidence = Evidence(
            workload,
            recorder=base.recorder.name,
            program=base.program,
            history=history,
            violations=violations_in(
                asked, answers, Facts(base.program, history, workload.kit.log), store.declarations.claims
            ),
            notes=base.notes,
        )
        return InspectedState(image, tuple(_told(a) for a in explored.answers), evidence)


def _told(inspection: Inspection | None) -> str:
    if inspection is None or inspection.seen is None:
        return "the store did not reopen" + (f": {inspection.how}" if inspection else "")
    return "; ".join(f"{place}: {seen}" for place, seen in inspection.seen.places)


def _judged(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    base: _Base,
    sandbox: Sandbox,
    began: float,
) -> Evidence:
    recorder, recorded, program = base.recorder, base.recorded, base.program
    volatile = store.declarations.volatile
    model, limits = by_name(settings.model), settings.budget.value
    most = {"subsets_per_cut": limits.subsets_per_cut, "images": limits.images_per_workload, "seed": settings.seed}
    found = enumerate_states(program, model, **most)
    groups = (*found.groups, *settled_states(program, model, **most))
    last = _last_contents(recorded.trace, volatile)
    asked = [
        (group, Question(image, place_of(group, recorded.history)))
        for group in groups
        for image in _variants(group.image, volatile, last)
    ]
    questions = list(dict.fromkeys(question for _, question in asked))
    windows_of = {question: group.window for group, question in reversed(asked)}
    explored = explore(store, workload, questions, sandbox, windows_of)
    answers = dict(zip(questions, explored.answers, strict=True))
    facts = Facts(program, recorded.history, workload.kit.log)
    violations = violations_in(asked, answers, facts, store.declarations.claims)
    if (grown := growth(store, workload, found.groups, recorder, sandbox)) is not None:
        violations["ATOM-4"] = (*violations.get("ATOM-4", ()), piling_up(grown, facts))
    recovering = list(candidates_in(asked, answers, recorded.history, store.declarations.claims))
    second = tuple(
        crash_recoveries(
            store,
            workload,
            telling(recovering, limits.recoveries),
            recorder,
            model,
            limits,
            sandbox,
            answers,
        )
    )
    broken = broken_recovery(second, facts, store.declarations.claims, lambda group: place_of(group, recorded.history))
    if broken:
        violations["REC-2"] = broken
    return Evidence(
        workload,
        recorder=recorder.name,
        program=program,
        history=recorded.history,
        violations=violations,
        effort=Effort(
            operations=len(recorded.trace.operations),
            crash_states=found.states,
            images=len({question.image for question in questions}),
            recoveries=len({crash.recovery.start for crash in second}),
            recovery_images=len({crash.image for crash in second}),
            total_seconds=perf_counter() - began,
            store_seconds=explored.in_store,
        ),
        exhaustive=found.exhaustive and explored.complete,
        every_recovery=len({candidate.question.image for candidate in recovering}) <= limits.recoveries,
        given_up="" if explored.complete else _given_up(explored),
        notes=base.notes,
        output=recorded.output or explored.output,
    )


def _given_up(explored: Explored) -> str:
    unanswered = sum(answer is None for answer in explored.answers)
    how = tuple(dict.fromkeys(answer.how for answer in explored.answers if answer is not None and answer.fatal))
    left = f"{unanswered:,} of {len(explored.answers):,} crash images were not looked at"
    return f"the store {so_often(how)}, so that {left}"


def place_of(group: Group, history: History) -> str:
    """Return where the next update is made: where the last one was invoked, which is where leftovers are."""
    return history.changed[history.clamp(max(1, group.window.invoked))]


def _variants(image: DurableImage, volatile: tuple[str, ...], last: dict[str, bytes]) -> tuple[DurableImage, ...]:
    """Return the images to try: where there are volatile files, without them and with what they held last."""
    if not any(matches(path, volatile) for path in image.paths()):
        return (image,)
    return tuple(dict.fromkeys((image.without(volatile), image.with_last_content(volatile, last))))


def _last_contents(trace: Trace, volatile: tuple[str, ...]) -> dict[str, bytes]:
    if not volatile:
        return {}
    tree = replay(trace)
    return {
        path: bytes(tree.nodes[inode].content)
        for path, inode in tree.walk()
        if tree.nodes[inode].kind is Kind.FILE and matches(path, volatile)
    }
