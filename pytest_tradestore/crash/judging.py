"""From what was seen in every image to the requirements that are violated, each with its simplest state."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pytest_tradestore.causes import Culprit, Harm
from pytest_tradestore.crash.crash_state import Crash, CrashState, Group, Window, windows
from pytest_tradestore.crash.culprits import CUT_SHORT, PILING_UP, culprit_of, is_missing, lost_earlier, torn_files
from pytest_tradestore.crash.exploration import Inspection, Phase, Question
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.leftovers import Growth
from pytest_tradestore.crash.lowering import Program
from pytest_tradestore.crash.oracle import (
    SUCCEEDS,
    Earlier,
    Family,
    History,
    Judgement,
    Oracle,
    OracleViolation,
    first_of_each,
    judge_next_update,
)
from pytest_tradestore.crash.recovery import Candidate, SecondCrash
from pytest_tradestore.observation import Failed, Observation


@dataclass(frozen=True, slots=True)
class Facts:
    """What crashes are judged by: what was done, and what its caller saw; ``log`` where the contract is one of logs."""

    program: Program
    history: History
    log: bool = False

    def culprit(self, state: CrashState, window: Window, breach: OracleViolation) -> Culprit:
        """Return what is at fault for a breach in one state."""
        return culprit_of(self.program, state, window, breach, self.history, log=self.log)


@dataclass(frozen=True, slots=True)
class Violation:
    """One root cause by which a requirement is broken: the simplest of the states in which it does most harm.

    ``how_many`` images show it; ``losses`` are (cut, lost) of all of them, for the question on which file systems it
    can happen. ``second`` is the crash during recovery, where that is what breaks it: then ``state`` is the crash that
    was being recovered from.
    """

    requirement: str
    state: CrashState
    group: Group
    image: DurableImage
    breach: OracleViolation
    inspection: Inspection
    culprit: Culprit
    how_many: int = 1
    losses: tuple[tuple[int, frozenset[int]], ...] = ()
    second: SecondCrash | None = None


Violations = dict[str, tuple[Violation, ...]]
"""By requirement: one for each root cause, worst first."""


def oracle_for(history: History, claims: frozenset[str]) -> Oracle:
    """Return the oracle for power losses of a store with these claims."""
    return Oracle(history, durable="power-loss" in claims, whole_batches="atomic-batch" in claims)


def violations_in(
    asked: Sequence[tuple[Group, Question]],
    answers: Mapping[Question, Inspection | None],
    facts: Facts,
    claims: frozenset[str],
) -> Violations:
    """Judge every answer by what the store ``claims``; every root cause of a requirement's violation is kept."""
    seen = list(_cut_short_alike(_sightings(asked, answers, facts, claims)))
    found: dict[str, dict[Culprit, list[Violation]]] = {}
    for requirement in dict.fromkeys(sighting.requirement for sighting in seen):
        of_it = [sighting for sighting in seen if sighting.requirement == requirement]
        told = _without_those_that_others_explain(sighting.culprit for sighting in of_it)
        for sighting in of_it:
            culprit = told[sighting.culprit]
            of_culprit = found.setdefault(requirement, {}).setdefault(culprit, [])
            of_culprit.append(_of(sighting, culprit))
    return {requirement: _worst_first(map(_shown, of.values())) for requirement, of in found.items()}


def _sightings(
    asked: Sequence[tuple[Group, Question]],
    answers: Mapping[Question, Inspection | None],
    facts: Facts,
    claims: frozenset[str],
) -> Iterator[Violation]:
    """Yield every state that breaks a requirement, in the order of the states."""
    whole = "atomic-batch" in claims
    oracles = {
        Crash.PROCESS: Oracle(facts.history, durable=True, whole_batches=whole),
        Crash.POWER: oracle_for(facts.history, claims),
    }
    fewest = _FewestLosses()
    for group, question in asked:
        inspection = answers[question]
        if inspection is None:
            continue
        for crash, state in _states(group):
            needed = fewest.of(state, group.window, inspection)
            breaches = _breaches(oracles[crash], group, question, inspection, facts.program, needed.to_see_it)
            for family, breach in first_of_each(breaches).items():
                culprit = facts.culprit(needed.by(family), group.window, breach)
                yield Violation(_requirement(family, crash), state, group, question.image, breach, inspection, culprit)


@dataclass(frozen=True, slots=True)
class _Needed:
    """The states with the fewest losses that do it: to see what was seen, and for what became of the next update."""

    to_see_it: CrashState
    to_go_on: CrashState

    def by(self, family: Family) -> CrashState:
        return self.to_go_on if family is Family.NEXT_UPDATE else self.to_see_it


class _FewestLosses:
    """Knows what it takes for what was seen; states are to be told simplest first.

    What can be seen without a loss is not its doing: the name of a lock file that is lost beside it explains nothing.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], list[tuple[frozenset[int], CrashState]]] = {}

    def of(self, state: CrashState, window: Window, inspection: Inspection) -> _Needed:
        """Return the states among whose losses are none but those of ``state``, and by which the same was seen."""
        seen = inspection.seen if inspection.seen is not None else (inspection.failed, inspection.how)
        later = (inspection.after, inspection.later, inspection.failed, inspection.how)
        return _Needed(self._fewest(state, (window, seen)), self._fewest(state, (window, seen, later)))

    def _fewest(self, state: CrashState, seen: tuple[object, ...]) -> CrashState:
        known = self._known.setdefault(seen, [])
        lost = frozenset(state.lost)
        fewer = next((other for few, other in known if few <= lost and other.cut <= state.cut), None)
        if fewer is None:
            known.append((lost, state))
        return fewer or state


def _cut_short_alike(sightings: Iterator[Violation]) -> Iterator[Violation]:
    """Give those one culprit that cut short what one line does: a library call that renames and writes in place."""
    known: dict[tuple[str, ...], Culprit] = {}
    for sighting in sightings:
        culprit = sighting.culprit
        if culprit.fault in CUT_SHORT:
            culprit = known.setdefault(culprit.lines, culprit)
        yield _of(sighting, culprit)


def _of(sighting: Violation, culprit: Culprit) -> Violation:
    """Return a sighting as one of this culprit."""
    return sighting if sighting.culprit is culprit else replace(sighting, culprit=culprit)


def _shown(sightings: list[Violation]) -> Violation:
    """Return the one of one cause that is shown: the simplest of those that do most harm."""
    worst = min(sightings, key=lambda sighting: sighting.breach.harm)
    losses = tuple((sighting.state.cut, frozenset(sighting.state.lost)) for sighting in sightings)
    return replace(worst, how_many=len({sighting.image for sighting in sightings}), losses=losses)


def _worst_first(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Order by harm; of equal ones that first for which something has to be lost, which no process crash shows."""
    return tuple(sorted(violations, key=lambda v: (v.breach.harm, v.state.cut, len(v.state.lost))))


def _without_those_that_others_explain(culprits: Iterable[Culprit]) -> dict[Culprit, Culprit]:
    """Return for each culprit the one that is told: several that are to blame together are told as one that is alone.

    Where one lost step is enough, others that are lost beside it are no further cause.
    """
    told: dict[Culprit, Culprit] = {}
    for culprit in sorted(dict.fromkeys(culprits), key=lambda c: (len(c.lines), c.fault.count(" and "))):
        alone = (c for c in told.values() if c.fault in culprit.fault and set(c.lines) <= set(culprit.lines))
        told[culprit] = next(alone, culprit)
    return told


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


def _breaches(
    oracle: Oracle,
    group: Group,
    question: Question,
    inspection: Inspection,
    program: Program,
    state: CrashState | None = None,
) -> tuple[OracleViolation, ...]:
    """Say what is broken; ``state`` is the crash of ``program`` that left the image, where it was one."""
    earlier = Earlier.NOTHING if state is None else lost_earlier(program, state, group.window)

    def judged(observed: Observation) -> Judgement:
        torn = partial(torn_files, program, question.image, group.window.invoked, group.window.acknowledged)
        lost = bool(group.simplest.lost)
        return oracle.judge(group.window, observed, torn, earlier=earlier, settled=group.settled, lost=lost)

    if inspection.failed in (Phase.OPENING, Phase.READING):
        return (*_unreadable(judged, oracle, group, question, inspection, program), _not_reopened(inspection))
    if inspection.seen is None:  # its process ended before it could tell what it had seen
        return (_not_updated(inspection, question),)
    judgement = judged(inspection.seen)
    if judgement.breaches or not judgement.expected:
        return judgement.breaches
    if inspection.failed is not None:
        return (_not_updated(inspection, question),)
    assert inspection.later is not None
    loses = oracle.history.loses
    breach = judge_next_update(inspection.seen, question.place, inspection.after, inspection.later, loses=loses)
    return () if breach is None else (breach,)


def _unreadable(
    judged: Callable[[Observation], Judgement],
    oracle: Oracle,
    group: Group,
    question: Question,
    inspection: Inspection,
    program: Program,
) -> tuple[OracleViolation, ...]:
    """Return what a store that does not open breaks beside that, where its files are no longer what they were.

    A store that reads when it is opened has the cause of one that reads when it is asked; and breaks what that breaks.
    """
    torn = torn_files(program, question.image, group.window.invoked, group.window.invoked)
    if not torn and not is_missing(program, question.image, group.window):
        return ()
    kind, _, message = inspection.how.partition(": ")
    failed = Failed(kind, message, declared=True)
    places = tuple((place, failed) for place, _ in oracle.history.states[0].places)
    return judged(Observation(places)).breaches


def _not_reopened(inspection: Inspection) -> OracleViolation:
    assert inspection.failed is not None
    return OracleViolation(
        Family.REOPENING,
        f"the store cannot be used after this crash: {inspection.failed.value} {'' if inspection.fatal else 'raised '}"
        f"{inspection.how}",
        "",
        inspection.how,
        ("the store reopens",),
        Harm.UNREADABLE,
    )


def _not_updated(inspection: Inspection, question: Question) -> OracleViolation:
    assert inspection.failed is not None
    place = question.place
    doing = f"the next update of {place}" if inspection.failed is Phase.UPDATING else inspection.failed.value
    outcome = inspection.how if inspection.fatal else "was refused" if inspection.failed is Phase.UPDATING else "failed"
    sentence = f"the store reopened, but {doing} {outcome}"
    again = inspection.failed in (Phase.OPENING_AGAIN, Phase.READING_AGAIN)
    allowed = ("the store reopens once more",) if again else SUCCEEDS
    return OracleViolation(Family.NEXT_UPDATE, sentence, place, inspection.how, allowed, Harm.UNREADABLE)


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
    crashes: Iterable[SecondCrash], facts: Facts, claims: frozenset[str], place: Callable[[Group], str]
) -> tuple[Violation, ...]:
    """Return the violations that crashes of a recovery with a wrong outcome are, one for each root cause."""
    found: dict[Culprit, list[Violation]] = {}
    for crash in crashes:
        group, recovery = crash.recovery.group, crash.recovery
        oracle = oracle_for(facts.history, claims)
        question = Question(crash.image, place(group))
        for breach in _breaches(oracle, group, question, crash.inspection, facts.program)[:1]:
            told = replace(breach, family=Family.RECOVERY)
            window = windows(recovery.program)[crash.state.cut]
            culprit = culprit_of(recovery.program, crash.state, window, told, recovery.history, log=facts.log)
            found.setdefault(culprit, []).append(
                Violation("REC-2", group.simplest, group, crash.image, told, crash.inspection, culprit, second=crash)
            )
    return _worst_first(_shown_recovery(sightings) for sightings in found.values())


def _shown_recovery(sightings: list[Violation]) -> Violation:
    losses = tuple((v.second.state.cut, frozenset(v.second.state.lost)) for v in sightings if v.second is not None)
    return replace(_shown(sightings), losses=losses)


def piling_up(grown: Growth, facts: Facts) -> Violation:
    """Return the violation that growing leftovers are."""
    left = ", ".join(grown.newest[:3]) or "another file"
    counts = ", ".join(map(str, grown.counts))
    who = "every opening" if grown.when_opened else "every crash during the same update"
    when = "opened again and again" if grown.when_opened else "reopened and used in between"
    rounds = f"{len(grown.counts)} {'openings' if grown.when_opened else 'crashes'}"
    breach = OracleViolation(
        Family.LEFTOVERS,
        f"{who} leaves one more file that nothing removes, the last one {left}",
        "",
        f"after each of {rounds}, with the store {when}: {counts} files",
        ("the number of files stops growing",),
        Harm.LEFTOVER,
    )
    places = grown.made_at or facts.culprit(grown.state, grown.group.window, breach).places
    culprit = Culprit(PILING_UP, places)
    return Violation("ATOM-4", grown.state, grown.group, grown.images[-1], breach, Inspection(), culprit)
