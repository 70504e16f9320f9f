"""The whole pipeline for one store and one contract: record, lower, enumerate, reopen, judge. The result is evidence.

Which verdict follows for a requirement is decided in the conformance suite.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from pytest_tradestore.crash.crash_state import Crash, CrashState, Group, is_settled, windows
from pytest_tradestore.crash.exploration import Explored, Inspection, Question, explore, given_up, looked_at
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
from pytest_tradestore.crash.operations import Kind, Mark, MarkKind
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.recording import NotRecorded, Recorded, choose_recorder, record
from pytest_tradestore.crash.recovery import crash_recoveries, telling
from pytest_tradestore.crash.states import enumerate_states, image_of, settled_states
from pytest_tradestore.crash.trace import Trace, replay
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.errors import ReplayError
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
    spent: Mapping[str, float] = field(default_factory=dict)
    """The parts of the total, by what was done."""


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
    recoveries_given_up: str = ""
    """The same of crashes during a recovery."""


@dataclass(frozen=True, slots=True)
class _Base:
    """A recording that can be judged."""

    recorder: Recorder
    recorded: Recorded
    program: Program
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirstLook:
    """A recording, and what the store showed on the images of crashes during its first updates.

    ``evidence`` says what these break, where they do; ``gather`` goes on from here, and asks none of it again.
    """

    base: _Base | Evidence
    evidence: Evidence | None = None
    answers: Mapping[Question, Inspection | None] = field(default_factory=dict)
    in_store: float = 0.0
    seconds: float = 0.0


_FIRST_UPDATES = 2
"""A first value and one that replaces it: where most stores break, if they do."""


def first_look(store: StoreUnderTest, workload: Workload, settings: Settings) -> FirstLook:
    """Record ``workload``, and find out what crashes during its first updates do to ``store``.

    They are crashes of the whole program too: what is issued later has no part in them.
    """
    began = perf_counter()
    with Sandbox() as sandbox:
        base = _recorded(store, workload, settings, sandbox)
        if isinstance(base, Evidence):
            return FirstLook(base, seconds=perf_counter() - began)
        program = _beginning(base, store.declarations.volatile)
        if program is None:
            return FirstLook(base, seconds=perf_counter() - began)
        model, limits = by_name(settings.model), settings.budget.value
        most = {"subsets_per_cut": limits.subsets_per_cut, "images": limits.images_per_workload, "seed": settings.seed}
        found = enumerate_states(program, model, **most)
        asked = _asked(found.groups, base.recorded, store.declarations.volatile)
        explored, answers = _explored(store, workload, asked, sandbox, {})
        facts = Facts(base.program, base.recorded.history, workload.kit.log)
        violations = violations_in(asked, answers, facts, store.declarations.claims)
        evidence = Evidence(
            workload,
            recorder=base.recorder.name,
            program=base.program,
            history=base.recorded.history,
            violations=violations,
            effort=Effort(
                operations=len(base.recorded.trace.operations),
                crash_states=found.states,
                images=looked_at(answers),
            ),
            exhaustive=False,
            notes=base.notes,
            output=base.recorded.output or explored.output,
        )
        seconds = perf_counter() - began
        return FirstLook(base, evidence if violations else None, answers, explored.in_store, seconds)


def _beginning(base: _Base, volatile: tuple[str, ...]) -> Program | None:
    """Return the program of the first updates; None where all there is are no more, or it cannot be told apart."""
    trace = base.recorded.trace
    ends = (n for n, o in enumerate(trace.operations) if o == Mark(MarkKind.ACKNOWLEDGED, _FIRST_UPDATES))
    end = next(ends, None)
    if end is None or base.recorded.history.last <= _FIRST_UPDATES:
        return None
    first, whole = replace(trace, operations=trace.operations[: end + 1]), base.program
    program = lower(without_volatile(first, volatile))
    same = whole.steps[: len(program.steps)] == program.steps and whole.micros[: len(program.micros)] == program.micros
    return program if same else None


class _Spent:
    """Adds up the seconds of each part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + perf_counter() - began


def gather(store: StoreUnderTest, workload: Workload, settings: Settings, begun: FirstLook | None = None) -> Evidence:
    """Find out what crashes do to ``store`` under ``workload``; ``begun`` is what is known of that already."""
    began, spent = perf_counter(), _Spent()
    with Sandbox() as sandbox:
        if begun is None:
            with spent.on("recording"):
                begun = FirstLook(_recorded(store, workload, settings, sandbox))
        base = begun.base
        if isinstance(base, Evidence):
            return base
        evidence = _judged(store, workload, settings, base, sandbox, begun, spent)
    seconds = perf_counter() - began + begun.seconds
    return replace(evidence, effort=replace(evidence.effort, total_seconds=seconds, spent=spent.seconds))


def _recorded(store: StoreUnderTest, workload: Workload, settings: Settings, sandbox: Sandbox) -> _Base | Evidence:
    """Record the workload; the evidence that nothing can be decided where that does not work."""
    try:
        recorder, note = choose_recorder(settings.recorder)
    except RuntimeError as reason:
        return Evidence(workload, undecided=f"the {settings.recorder} recorder cannot be used here: {reason}")
    reopened = workload.of_later_sessions
    recorded = record(store, workload, workload.updates, recorder, sandbox, reopened=reopened)
    if isinstance(recorded, NotRecorded) and reopened:
        # What it makes of being closed and opened is asked after crashes as well; the updates are recorded without.
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
    begun: FirstLook,
    spent: _Spent,
) -> Evidence:
    recorder, recorded, program = base.recorder, base.recorded, base.program
    model, limits = by_name(settings.model), settings.budget.value
    most = {"subsets_per_cut": limits.subsets_per_cut, "images": limits.images_per_workload, "seed": settings.seed}
    with spent.on("states"):
        found = enumerate_states(program, model, **most)
        groups = (*found.groups, *settled_states(program, model, **most))
    asked = _asked(groups, recorded, store.declarations.volatile)
    with spent.on("images"):
        explored, answers = _explored(store, workload, asked, sandbox, begun.answers)
    not_all = given_up(answers.values())
    facts = Facts(program, recorded.history, workload.kit.log)
    with spent.on("judging"):
        violations = violations_in(asked, answers, facts, store.declarations.claims)
    with spent.on("leftovers"):
        grown = growth(store, workload, found.groups, recorder, sandbox)
    if grown is not None:
        violations["ATOM-4"] = (*violations.get("ATOM-4", ()), piling_up(grown, facts))
    recovering = list(candidates_in(asked, answers, recorded.history, store.declarations.claims))
    with spent.on("recoveries"):
        second = crash_recoveries(
            store, workload, telling(recovering, limits.recoveries), recorder, model, limits, sandbox, answers
        )
    broken = broken_recovery(
        second.crashes, facts, store.declarations.claims, lambda group: place_of(group, recorded.history)
    )
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
            images=looked_at(answers),
            recoveries=len({crash.recovery.start for crash in second.crashes}),
            recovery_images=len({crash.image for crash in second.crashes}),
            store_seconds=explored.in_store + begun.in_store,
        ),
        exhaustive=found.exhaustive and not not_all,
        every_recovery=len({candidate.question.image for candidate in recovering}) <= limits.recoveries,
        given_up=not_all,
        recoveries_given_up=second.given_up,
        notes=base.notes,
        output=recorded.output or explored.output,
    )


def _asked(groups: Iterable[Group], recorded: Recorded, volatile: tuple[str, ...]) -> list[tuple[Group, Question]]:
    """Return what is asked about each group."""
    last = _last_contents(recorded.trace, volatile)
    return [
        (group, Question(image, place_of(group, recorded.history)))
        for group in groups
        for image in _variants(group.image, volatile, last)
    ]


def _explored(
    store: StoreUnderTest,
    workload: Workload,
    asked: Sequence[tuple[Group, Question]],
    sandbox: Sandbox,
    known: Mapping[Question, Inspection | None],
) -> tuple[Explored, dict[Question, Inspection | None]]:
    """Put those questions to the store that are not among the ``known``; return the answers to all of them."""
    questions = dict.fromkeys(question for _, question in asked)
    new = [question for question in questions if question not in known]
    windows_of = {question: group.window for group, question in reversed(asked)}
    explored = explore(store, workload, new, sandbox, windows_of)
    found = {**known, **dict(zip(new, explored.answers, strict=True))}
    return explored, {question: found[question] for question in questions}


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
