"""From what was seen in every image to the requirements that are violated, each with its simplest state."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_tradestore.crash.exploration import Inspection, Phase, Question
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.leftovers import Growth
from pytest_tradestore.crash.oracle import Breach, Family, History, Oracle, first_of_each, judge_next_update
from pytest_tradestore.crash.recovery import Candidate, SecondCrash
from pytest_tradestore.crash.states import Crash, CrashState, Group


@dataclass(frozen=True, slots=True)
class Violation:
    """The simplest state that breaks a requirement, and how many others do.

    ``losses`` are (cut, lost) of all of them, for the question on which file systems it can happen. ``second`` is the
    crash during recovery, where that is what breaks it: then ``state`` is the crash that was being recovered from.
    """

    requirement: str
    state: CrashState
    group: Group
    image: DurableImage
    breach: Breach
    inspection: Inspection
    how_many: int
    losses: tuple[tuple[int, frozenset[int]], ...]
    second: SecondCrash | None = None


def oracle_for(history: History, claims: frozenset[str]) -> Oracle:
    """Return the oracle for power losses of a store with these claims."""
    return Oracle(history, durable="power-loss" in claims, whole_batches="atomic-batch" in claims)


def violations_in(
    asked: Sequence[tuple[Group, Question]],
    answers: Mapping[Question, Inspection | None],
    history: History,
    claims: frozenset[str],
) -> dict[str, Violation]:
    """Judge every answer by what the store ``claims``."""
    oracles = {
        Crash.PROCESS: Oracle(history, durable=True, whole_batches="atomic-batch" in claims),
        Crash.POWER: oracle_for(history, claims),
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
    if inspection.seen is None:  # its process ended before it could tell what it had seen
        return (_not_updated(inspection, question),)
    lost = bool(group.simplest.lost)
    judgement = oracle.judge(group.window, inspection.seen, settled=group.settled, lost=lost)
    if judgement.breaches or not judgement.expected:
        return judgement.breaches
    if inspection.failed is not None:
        return (_not_updated(inspection, question),)
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


def _not_updated(inspection: Inspection, question: Question) -> Breach:
    assert inspection.failed is not None
    place = question.place
    doing = f"the next update of {place}" if inspection.failed is Phase.UPDATING else inspection.failed.value
    outcome = inspection.how if inspection.fatal else "was refused" if inspection.failed is Phase.UPDATING else "failed"
    sentence = f"the store reopened, but {doing} {outcome}"
    return Breach(Family.NEXT_UPDATE, sentence, place, inspection.how, ("the update succeeds",))


def candidates_in(
    asked: Sequence[tuple[Group, Question]],
    answers: Mapping[Question, Inspection | None],
    history: History,
    claims: frozenset[str],
) -> Iterator[Candidate]:
    """Yield the images from which the store recovered as it should, and wrote something in doing so."""
    oracle = oracle_for(history, claims)
    for group, question in asked:
        inspection = answers[question]
        if inspection is None or inspection.seen is None or not inspection.wrote or inspection.failed is not None:
            continue
        if oracle.judge(group.window, inspection.seen).expected:
            yield Candidate(group, question, inspection)


def broken_recovery(
    crashes: Iterable[SecondCrash], history: History, claims: frozenset[str], place: Callable[[Group], str]
) -> Violation | None:
    """Return the violation that the simplest crash of a recovery with a wrong outcome is, if there is one."""
    first: Violation | None = None
    images: set[DurableImage] = set()
    losses: list[tuple[int, frozenset[int]]] = []
    for crash in crashes:
        group = crash.recovery.group
        oracle = oracle_for(history, claims)
        breaches = _breaches(oracle, group, Question(crash.image, place(group)), crash.inspection)
        if breaches:
            images.add(crash.image)
            losses.append((crash.state.cut, frozenset(crash.state.lost)))
            if first is None:
                breach = replace(breaches[0], family=Family.RECOVERY)
                first = Violation(
                    "REC-2", group.simplest, group, crash.image, breach, crash.inspection, 1, (), second=crash
                )
    return None if first is None else replace(first, how_many=len(images), losses=tuple(losses))


def piling_up(grown: Growth) -> Violation:
    """Return the violation that growing leftovers are."""
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
