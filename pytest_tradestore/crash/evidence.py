"""The whole pipeline for one store and one contract: record, lower, enumerate, reopen, judge. The result is evidence.

Which verdict follows for a requirement is decided in the conformance suite.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from pytest_tradestore.crash.exploration import Explored, Inspection, Phase, Question, explore
from pytest_tradestore.crash.images import DurableImage, matches
from pytest_tradestore.crash.leftovers import Growth, growth
from pytest_tradestore.crash.lowering import Program, lower
from pytest_tradestore.crash.models import by_name
from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.crash.oracle import Breach, Family, History, Oracle, first_of_each, judge_next_update
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.crash.recording import NotRecorded, Recorded, choose_recorder, record
from pytest_tradestore.crash.states import Crash, CrashState, Enumeration, Group, enumerate_states
from pytest_tradestore.crash.trace import Trace, replay
from pytest_tradestore.crash.volatile import without_volatile
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest


@dataclass(frozen=True, slots=True)
class Violation:
    """The simplest state that breaks a requirement, and how many others do.

    ``losses`` are (cut, lost) of all of them, for the question on which file systems it can happen.
    """

    requirement: str
    state: CrashState
    group: Group
    image: DurableImage
    breach: Breach
    inspection: Inspection
    how_many: int
    losses: tuple[tuple[int, frozenset[int]], ...]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much was tried, and where the time went (seconds)."""

    operations: int = 0
    crash_states: int = 0
    images: int = 0
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
    violations: Mapping[str, Violation] = field(default_factory=dict)
    effort: Effort = Effort()
    exhaustive: bool = True
    notes: tuple[str, ...] = ()
    output: str = ""


def gather(store: StoreUnderTest, workload: Workload, settings: Settings) -> Evidence:
    """Find out what crashes do to ``store`` under ``workload``."""
    began = perf_counter()
    try:
        recorder, note = choose_recorder(settings.recorder)
    except RuntimeError as reason:
        return Evidence(workload, undecided=f"the {settings.recorder} recorder cannot be used here: {reason}")
    notes: tuple[str, ...] = (note,) if note else ()
    with Sandbox() as sandbox:
        recorded = record(store, workload, workload.updates, recorder, sandbox)
        if isinstance(recorded, NotRecorded):
            return Evidence(
                workload, undecided=f"the workload could not be recorded: {recorded.reason}", recorder=recorder.name
            )
        notes += recorded.trace.notes
        if recorded.trace.unseen:
            return Evidence(
                workload,
                undecided=f"the {recorder.name} recorder did not see everything: {'; '.join(recorded.trace.unseen)}",
                recorder=recorder.name,
                notes=notes,
                output=recorded.output,
            )
        return _judged(store, workload, settings, recorder, recorded, sandbox, notes, began)


def _judged(
    store: StoreUnderTest,
    workload: Workload,
    settings: Settings,
    recorder: Recorder,
    recorded: Recorded,
    sandbox: Sandbox,
    notes: tuple[str, ...],
    began: float,
) -> Evidence:
    volatile = store.declarations.volatile
    program = lower(without_volatile(recorded.trace, volatile))
    found = enumerate_states(
        program,
        by_name(settings.model),
        subsets_per_cut=settings.budget.value.subsets_per_cut,
        images=settings.budget.value.images_per_workload,
        seed=settings.seed,
    )
    last = _last_contents(recorded.trace, volatile)
    asked = [
        (group, Question(image, _place(group, recorded.history)))
        for group in found.groups
        for image in _variants(group.image, volatile, last)
    ]
    questions = list(dict.fromkeys(question for _, question in asked))
    explored = explore(store, workload, questions, sandbox, recorded.root)
    answers = dict(zip(questions, explored.answers, strict=True))
    violations = _violations(asked, answers, recorded.history, store)
    if "ATOM-4" not in violations and (grown := growth(store, workload, found.groups, recorder, sandbox)) is not None:
        violations["ATOM-4"] = _piling_up(grown)
    return Evidence(
        workload,
        recorder=recorder.name,
        program=program,
        history=recorded.history,
        violations=violations,
        effort=_effort(recorded, found, explored, questions, began),
        exhaustive=found.exhaustive and explored.complete,
        notes=notes + (() if explored.complete else ("the search was ended early: the store hung or died too often",)),
        output=recorded.output or explored.output,
    )


def _piling_up(grown: Growth) -> Violation:
    left = ", ".join(grown.newest[:3]) or "another file"
    counts = ", ".join(map(str, grown.counts))
    breach = Breach(
        Family.LEFTOVERS,
        f"every crash during the same update leaves one more file that nothing removes, the last one {left}",
        "",
        f"after each of {len(grown.counts)} crashes, with the store reopened and used in between: {counts} files",
        ("the number of files stops growing",),
    )
    return Violation("ATOM-4", grown.state, grown.group, grown.images[-1], breach, Inspection(), 1, ())


def _effort(
    recorded: Recorded, found: Enumeration, explored: Explored, questions: list[Question], began: float
) -> Effort:
    return Effort(
        operations=len(recorded.trace.operations),
        crash_states=found.states,
        images=len({q.image for q in questions}),
        total_seconds=perf_counter() - began,
        store_seconds=explored.in_store,
    )


def _place(group: Group, history: History) -> str:
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


def _violations(
    asked: list[tuple[Group, Question]],
    answers: dict[Question, Inspection | None],
    history: History,
    store: StoreUnderTest,
) -> dict[str, Violation]:
    power_loss = "power-loss" in store.declarations.claims
    oracles = {
        Crash.PROCESS: Oracle(history, durable=True),
        Crash.POWER: Oracle(history, durable=power_loss),
    }
    first: dict[str, Violation] = {}
    count: dict[str, set[DurableImage]] = {}
    losses: dict[str, list[tuple[int, frozenset[int]]]] = {}
    for group, question in asked:
        inspection = answers[question]
        if inspection is None:
            continue
        for crash, state in _states(group):
            for family, breach in first_of_each(_breaches(oracles[crash], group, question, inspection)).items():
                requirement = _requirement(family, crash)
                count.setdefault(requirement, set()).add(question.image)
                losses.setdefault(requirement, []).append((state.cut, frozenset(state.lost)))
                if requirement not in first:
                    first[requirement] = Violation(requirement, state, group, question.image, breach, inspection, 1, ())
    return {
        requirement: Violation(
            requirement,
            v.state,
            v.group,
            v.image,
            v.breach,
            v.inspection,
            len(count[requirement]),
            tuple(losses[requirement]),
        )
        for requirement, v in first.items()
    }


def _states(group: Group) -> Iterator[tuple[Crash, CrashState]]:
    """Yield the crashes that a group is evidence for; a process crash is a power loss in which nothing was lost."""
    if group.process is not None:
        yield Crash.PROCESS, group.process
    yield Crash.POWER, group.simplest


def _requirement(family: Family, crash: Crash) -> str:
    name: str = family.value
    if family in (Family.ATOMICITY, Family.DURABILITY):
        return f"{name}-{1 if crash is Crash.PROCESS else 2}"
    return name


def _breaches(oracle: Oracle, group: Group, question: Question, inspection: Inspection) -> tuple[Breach, ...]:
    if inspection.failed in (Phase.OPENING, Phase.READING):
        return (_not_reopened(inspection),)
    assert inspection.seen is not None
    judgement = oracle.judge(group.window, inspection.seen)
    if judgement.breaches or not judgement.expected:
        return judgement.breaches
    if inspection.failed is not None:
        sentence = f"the store reopened, but {inspection.failed.value} failed"
        if inspection.failed is Phase.UPDATING:
            sentence = f"the store reopened, but the next update of {question.place} was refused"
        return (Breach(Family.NEXT_UPDATE, sentence, question.place, inspection.how, ("the update succeeds",)),)
    assert inspection.later is not None
    breach = judge_next_update(inspection.seen, question.place, inspection.after, inspection.later)
    return () if breach is None else (breach,)


def _not_reopened(inspection: Inspection) -> Breach:
    assert inspection.failed is not None
    return Breach(
        Family.REOPENING,
        f"the store cannot be used after this crash: {inspection.failed.value} {'' if inspection.fatal else 'raised '}"
        f"{inspection.how}",
        "",
        inspection.how,
        ("the store reopens",),
    )
