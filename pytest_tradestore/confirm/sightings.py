"""Is what crashes break in the model also broken on a real file system? Each finding is looked for there.

The recorded program is played with write-back steered towards the states that break a requirement; whatever trees a
power loss leaves are put before the store and the oracle, as images of the model are. So what is seen need not be the
very image of the finding: it breaks the same requirement. What is not seen can happen all the same.
"""

import platform
from collections.abc import Mapping, Sequence
from itertools import islice, product

from pytest_tradestore.causes import AND, Culprit
from pytest_tradestore.confirm.attempts import Attempt, Left, Settled, Told, asked
from pytest_tradestore.confirm.keeping import keep_log
from pytest_tradestore.confirm.playing import unplayable
from pytest_tradestore.confirm.steering import crowded, operations_of, steered, unsteered
from pytest_tradestore.crash.crash_state import Crash, CrashState, Group, Window, windows
from pytest_tradestore.crash.culprits import PILING_UP
from pytest_tradestore.crash.evidence import Evidence, place_of
from pytest_tradestore.crash.exploration import Inspection, Question, explore
from pytest_tradestore.crash.images import DurableImage
from pytest_tradestore.crash.judging import Facts, Violation, broken_recovery, violations_in
from pytest_tradestore.crash.lowering import Program
from pytest_tradestore.crash.models import by_name
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.crash.recovery import SecondCrash
from pytest_tradestore.crash.states import enumerate_states, settled_states
from pytest_tradestore.crash.where import where_possible
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Sighting

_STATES_OF_ONE = 4
"""States of one finding that are steered towards."""
Finding = tuple[str, int]
"""A requirement, and which of its root causes, counted from 0."""


def sightings(store: StoreUnderTest, evidence: Evidence, settings: Settings) -> dict[Finding, tuple[Sighting, ...]]:
    """Return for each finding what came of looking for it on each file system that was asked for."""
    wanted = {
        (requirement, number): violation
        for requirement, violations in evidence.violations.items()
        for number, violation in enumerate(violations)
    }
    found: dict[Finding, list[Sighting]] = {finding: [] for finding in wanted}
    for filesystem in settings.confirm if wanted else ():
        for finding, sighting in _looked_for(store, evidence, wanted, settings, filesystem).items():
            found[finding].append(sighting)
    return {finding: tuple(all_of_it) for finding, all_of_it in found.items()}


def shown(store: StoreUnderTest, evidence: Evidence, settings: Settings, filesystem: str) -> tuple[frozenset[str], int]:
    """Return which requirements a file system shows broken with nothing looked for in particular, in how many states.

    Raises OSError if it cannot be asked.
    """
    assert evidence.program is not None
    attempts = _unsteered(evidence.program, frozenset(), filesystem)
    looking = _Looking(store, evidence, settings, attempts, {}, filesystem)
    with Sandbox() as sandbox:
        settled, place = Settled(len(attempts)), _place(sandbox)
        for told in asked(filesystem, attempts, settled, place, settings.seed, recordings=False):
            if isinstance(told, str):
                raise OSError(told)
            looking.take(told, sandbox)
    return frozenset(requirement for requirement, _ in looking.broken), looking.states


def kernel() -> str:
    """Return the system and its version, as far as it matters for what a file system does."""
    return f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"


def _place(sandbox: Sandbox) -> str:
    return str(sandbox.fresh_root())


def _looked_for(
    store: StoreUnderTest,
    evidence: Evidence,
    findings: Mapping[Finding, Violation],
    settings: Settings,
    filesystem: str,
) -> dict[Finding, Sighting]:
    found: dict[Finding, Sighting] = {}
    wanted: dict[Finding, Violation] = {}
    for finding, violation in findings.items():
        if reason := unplayable(operations_of(_program_of(evidence, violation))):
            found[finding] = Sighting(filesystem, kernel(), unasked=reason)
        else:
            wanted[finding] = violation
    if not wanted:
        return found
    attempts = _attempts(evidence, wanted, filesystem)
    looking = _Looking(store, evidence, settings, attempts, wanted, filesystem)
    settled = Settled(len(attempts))
    trouble = ""
    with Sandbox() as sandbox:
        recordings = settings.keep is not None
        for told in asked(filesystem, attempts, settled, _place(sandbox), settings.seed, recordings=recordings):
            if isinstance(told, str):
                trouble = told
                break
            for finding, left in looking.take(told, sandbox).items():
                kept = ""
                if settings.keep is not None:
                    name = f"{store.name}-{evidence.workload.kit.name}-{filesystem}-{finding[0]}"
                    kept = keep_log(settings.keep, name, told.recording, left)
                found[finding] = Sighting(filesystem, kernel(), seen=True, states=looking.states, kept=kept)
            missing = wanted.keys() - looking.broken
            if not missing:
                break
            for number, attempt in enumerate(attempts):
                if not attempt.wants & missing:
                    settled.say(number)
    for finding in wanted.keys() - found.keys():
        found[finding] = Sighting(filesystem, kernel(), states=looking.states, unasked=trouble)
    return found


def _program_of(evidence: Evidence, violation: Violation) -> Program:
    if violation.second is not None:
        return violation.second.recovery.program
    assert evidence.program is not None
    return evidence.program


def _attempts(evidence: Evidence, wanted: Mapping[Finding, Violation], filesystem: str) -> list[Attempt]:
    """Return what to try, the most promising first."""
    by_program: dict[Program, list[Finding]] = {}
    attempts: list[Attempt] = []
    ranked: list[list[Attempt]] = []
    for finding, violation in wanted.items():
        program = _program_of(evidence, violation)
        by_program.setdefault(program, []).append(finding)
        ranked.append(
            [
                Attempt(program, steered(program, state), frozenset({finding}), alive=_needs_no_loss(violation))
                for state in _states(program, violation, filesystem)
            ]
        )
    for rank in range(_STATES_OF_ONE):
        attempts += [of_one[rank] for of_one in ranked if len(of_one) > rank]
    for program, findings in by_program.items():
        attempts += _unsteered(program, frozenset(findings), filesystem)
    return attempts


def _unsteered(program: Program, wants: frozenset[Finding], filesystem: str) -> list[Attempt]:
    attempts = [
        Attempt(program, unsteered(program, pages=pages, commits=commits), wants, alive=not pages and not commits)
        for pages, commits in ((False, False), (False, True), (True, False), (True, True))
    ]
    if filesystem == "btrfs":  # what only then is in its log shows a reader names that were taken away
        attempts.append(Attempt(program, crowded(program), wants))
    return attempts


def _states(program: Program, violation: Violation, filesystem: str) -> list[CrashState]:
    """Return some states that break the requirement: those that the model of the file system allows first."""
    first = violation.second.state if violation.second is not None else violation.state
    model = by_name(filesystem)
    others = (
        CrashState(Crash.POWER, cut, tuple(sorted(lost)))
        for cut, lost in sorted(violation.losses, key=lambda loss: (len(loss[1]), loss[0]))
        if model.allows(program, cut, lost)
    )
    return list(dict.fromkeys([*islice(others, _STATES_OF_ONE - 1), first]))


def _needs_no_loss(violation: Violation) -> bool:
    state = violation.second.state if violation.second is not None else violation.state
    return state.crash is Crash.PROCESS


class _Looking:
    """Puts what was left before the store, and keeps count of what it breaks."""

    def __init__(
        self,
        store: StoreUnderTest,
        evidence: Evidence,
        settings: Settings,
        attempts: Sequence[Attempt],
        wanted: Mapping[Finding, Violation],
        filesystem: str,
    ) -> None:
        assert evidence.history is not None
        assert evidence.program is not None
        self._store, self._evidence, self._settings = store, evidence, settings
        self._attempts, self._wanted, self._filesystem = attempts, wanted, filesystem
        self._history: History = evidence.history
        self._facts = Facts(evidence.program, evidence.history, evidence.workload.kit.log)
        self._known: dict[Program, dict[tuple[Window, DurableImage], list[Group]]] = {}
        self._possible: dict[Finding, bool] = {}
        self.broken: set[Finding] = set()
        self.states = 0

    def take(self, told: Told, sandbox: Sandbox) -> dict[Finding, Left]:
        """Judge what one attempt left; return the findings that had not been seen before."""
        self.states += told.states
        program = self._attempts[told.attempt].program
        found: dict[Finding, Left] = {}
        for alive, explained in product((False, True), (True, False)):
            left = [
                one
                for one in told.left
                if (one.loss is None) is alive and ((one.window, one.image) in self._states(program)) is explained
            ]
            if left:
                again = program is not self._evidence.program
                judged = self._recoveries(left, program, sandbox) if again else self._crashes(left, sandbox)
                for violation, one in judged:
                    for finding in self._findings(violation, alive=alive, explained=explained):
                        found.setdefault(finding, one)
        new = {finding: one for finding, one in found.items() if finding not in self.broken}
        self.broken |= new.keys()
        return new

    def _findings(self, seen: Violation, *, alive: bool, explained: bool) -> list[Finding]:
        """Return what was looked for and is this: the same requirement, by the same cause where there are several.

        What the model explains is of the cause that it has there. What was not looked at there is of what is at fault
        at the same places and can happen on this file system: by the same faults, or, unexplained, if it is alone.
        """
        requirement = seen.requirement
        if not self._wanted:
            return [] if alive and requirement.endswith("-2") else [(requirement, 0)]
        of_it = {finding: v for finding, v in self._wanted.items() if finding[0] == requirement}
        if len(of_it) > 1:
            known = {finding: v for finding, v in of_it.items() if not set(v.losses).isdisjoint(seen.losses)}
            of_it = known if known and explained else self._there(of_it, seen.culprit, explained=explained)
        return [finding for finding, wanted in of_it.items() if not alive or _needs_no_loss(wanted)]

    def _there(self, of_it: dict[Finding, Violation], seen: Culprit, *, explained: bool) -> dict[Finding, Violation]:
        places, faults = set(seen.places), set(seen.fault.split(AND))
        there = {finding: v for finding, v in of_it.items() if set(v.culprit.places) <= places}
        if not explained and len(there) > 1:
            return {}
        return {
            finding: wanted
            for finding, wanted in there.items()
            if (not explained or set(wanted.culprit.fault.split(AND)) <= faults) and self._can_happen(finding)
        }

    def _can_happen(self, finding: Finding) -> bool:
        """Say whether a finding is possible on this file system by the model of its name."""
        if finding not in self._possible:
            wanted = self._wanted[finding]
            where = where_possible(_program_of(self._evidence, wanted), wanted.losses)
            self._possible[finding] = not wanted.losses or self._filesystem in where
        return self._possible[finding]

    def _crashes(self, left: Sequence[Left], sandbox: Sandbox) -> list[tuple[Violation, Left]]:
        program = self._facts.program
        asked: list[tuple[Group, Question]] = []
        of: dict[Question, Left] = {}
        for one in left:
            for group in self._groups(program, one):
                question = Question(one.image, place_of(group, self._history))
                asked.append((group, question))
                of.setdefault(question, one)
        answers = self._answers([question for _, question in asked], sandbox)
        broken = violations_in(asked, answers, self._facts, self._store.declarations.claims)
        found = [
            (violation, of[Question(violation.image, place_of(violation.group, self._history))])
            for violations in broken.values()
            for violation in violations
        ]
        for violation in self._wanted.values():  # what piles up shows in its files, not to a reader
            if violation.culprit.fault == PILING_UP:
                group = violation.group
                same = (one for one in left if (one.window, one.image) == (group.window, group.image))
                found += [(violation, one) for one in islice(same, 1)]
        return found

    def _recoveries(self, left: Sequence[Left], program: Program, sandbox: Sandbox) -> list[tuple[Violation, Left]]:
        second = next(
            v.second for v in self._wanted.values() if v.second is not None and v.second.recovery.program is program
        )
        place = place_of(second.recovery.group, self._history)
        answers = self._answers([Question(one.image, place) for one in left], sandbox)
        crashes = [
            SecondCrash(second.recovery, group.simplest, one.image, inspection)
            for one in left
            for group in self._groups(program, one)[:1]
            if (inspection := answers[Question(one.image, place)]) is not None
        ]
        broken = broken_recovery(
            crashes, self._facts, self._store.declarations.claims, lambda group: place_of(group, self._history)
        )
        return [(violation, next(one for one in left if one.image == violation.image)) for violation in broken]

    def _groups(self, program: Program, left: Left) -> list[Group]:
        """Return how the model explains a tree, without what it allows in another kind of crash.

        One that its search has left out is taken as it is: all that is known of it is when it was there.
        """
        known = self._states(program)
        explained = []
        for group in known.get((left.window, left.image), ()):
            if left.loss is not None:
                assert group.process is not None or group.power is not None
                state = group.power or CrashState(Crash.POWER, group.simplest.cut)
                explained.append(Group(left.window, left.image, None, state, group.settled))
            elif group.process is not None:
                explained.append(Group(left.window, left.image, group.process, None, group.settled))
        if explained:
            return explained
        cut = max(n for n, window in enumerate(windows(program)) if window == left.window)
        if left.loss is None:
            return [Group(left.window, left.image, CrashState(Crash.PROCESS, cut), None)]
        return [Group(left.window, left.image, None, CrashState(Crash.POWER, cut))]

    def _states(self, program: Program) -> dict[tuple[Window, DurableImage], list[Group]]:
        """Return how the model explains each tree that it can."""
        if program not in self._known:
            model, limits = by_name(self._settings.model), self._settings.budget.value
            most = {
                "subsets_per_cut": limits.subsets_per_cut,
                "images": limits.images_per_workload,
                "seed": self._settings.seed,
            }
            by_image = self._known[program] = {}
            for group in (*enumerate_states(program, model, **most).groups, *settled_states(program, model, **most)):
                by_image.setdefault((group.window, group.image), []).append(group)
        return self._known[program]

    def _answers(self, questions: Sequence[Question], sandbox: Sandbox) -> dict[Question, Inspection | None]:
        distinct = list(dict.fromkeys(questions))
        with Sandbox(sandbox.path) as own:  # one that hung in an earlier attempt has left its image where it was
            explored = explore(self._store, self._evidence.workload, distinct, own)
        return dict(zip(distinct, explored.answers, strict=True))
