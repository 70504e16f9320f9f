"""Searches through the programs of one store, in the isolated process: finds, shrinks, and makes counterexamples."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_tradestore.isolation import Channel
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.addresses import Address, Setting
from pytest_tradestore.race.execution import CANCELLING, Execution, Program, Search
from pytest_tradestore.race.judging import OPENING, Finding, Judge, Wrong
from pytest_tradestore.race.linearizability import CANCELLED
from pytest_tradestore.race.search import REPETITIONS, Laboratory, SearchResult
from pytest_tradestore.race.shrinking import smallest
from pytest_tradestore.race.timeline import counterexample
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Counterexample

_MOST_AWAITS = 60
_LOOKING = 7
"""Schedules in which a caller is waited for at an await before it is said that it has no such."""
_SHRINKING = 200
"""Schedules that are run of each smaller program."""
_OF_EACH_KILL = 4
"""Schedules in which a process is killed at one and the same place: on top of the others, for there are many places."""
_WAYS_TO_LOSE = 2
"""So many different losses are shown: one where what is left cannot be read, and one where something is missing."""
_FEWEST = 40
"""Schedules that every program gets, however many there are."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What came of one program.

    ``overlapped``: in some schedule two callers were served; ``steered``: how many schedules had a choice inside a
    call; ``refusal``: an error that a caller got.
    """

    search: Search
    found: tuple[tuple[Wrong, Counterexample], ...] = ()
    overlapped: bool = False
    steered: int = 0
    refusal: str = ""
    trouble: str = ""


class Searching:
    """One process's searches; each kind of wrong is shown once."""

    def __init__(
        self,
        store: StoreUnderTest,
        kit: Kit,
        setting: Setting,
        settings: Settings,
        sandbox: Sandbox,
        channel: Channel,
    ) -> None:
        self._store, self._settings, self._channel = store, settings, channel
        self._address = Address(store.name, kit.name, setting, 0)
        self._laboratory: Laboratory
        if setting is Setting.PROCESSES:
            from pytest_tradestore.race.processes import ProcessLaboratory

            self._laboratory = of_processes = ProcessLaboratory(sandbox)
            self._places_to_kill = of_processes.places_to_kill
        else:
            self._laboratory = Laboratory(sandbox)
        self._judge = Judge(kit)
        self._wanted = set(Wrong)
        self._left = settings.budget.value.schedules // setting.part
        self._schedules = 0
        self._overlapped = self._cancelled = False
        self._steered = 0
        self._refusal = ""
        self._known: set[tuple[Wrong, str, bool]] = set()
        self._kept: tuple[Wrong, str, bool] | None = None
        """The finding that is being made smaller, which no other may take the place of."""

    def through(self, programs: tuple[Program, ...], first: int = 0) -> Iterator[Searched]:
        """Search each program from the ``first`` on with its share of the schedules that are left."""
        for number, program in enumerate(programs[first:], first):
            if not self._wanted:
                return
            share = max(_FEWEST, self._left // (len(programs) - number))
            self._address = replace(self._address, number=number, awaiting=None)
            cancelling = self._address.setting is Setting.CANCELLED
            searched = self._cancelling(program, share) if cancelling else self._searched(program, share)
            self._left = max(0, self._left - searched.search.executions)
            if self._address.setting is Setting.PROCESSES and not number and self._wanted:
                searched = _together([searched, self._cancelling(program, share // 2)])
            yield searched

    def _cancelling(self, program: Program, share: int) -> Searched:
        """Cancel the first caller at its first await, its second, and so on until it has no more of them.

        A process is killed before its first operation, and after each that left something behind.
        """
        killing = self._address.setting is Setting.PROCESSES
        places = self._kills(program) if killing else range(1, self._awaits(program) + 1)
        fewest = _OF_EACH_KILL if killing else _FEWEST
        parts: list[Searched] = []
        for done, at in enumerate(places):
            self._address = replace(self._address, awaiting=at)
            part = self._searched(program.interrupted(0, at), max(fewest, share // (len(places) - done)))
            share = max(0, share - part.search.executions)
            parts.append(part)
            if part.trouble or part.found:
                break
        return _together(parts)

    def _kills(self, program: Program) -> tuple[int, ...]:
        """Return before which operations of the first process killing it shows something new."""
        return self._places_to_kill(self._store, program, self._settings.seed, self._channel)[:_MOST_AWAITS]

    def _awaits(self, program: Program) -> int:
        """Return at how many points the first caller can be cancelled."""
        at, wanted, self._wanted = 0, self._wanted, set()
        self._cancelled = True
        while self._cancelled and at < _MOST_AWAITS:
            at += 1
            self._cancelled = False
            self._address = replace(self._address, awaiting=at)
            self._explored(program.interrupted(0, at), _LOOKING)
        self._wanted = wanted
        return at if self._cancelled else at - 1

    def _searched(self, program: Program, budget: int) -> Searched:
        self._overlapped, self._steered, self._refusal = False, 0, ""
        found: list[tuple[Wrong, Counterexample]] = []
        executions = 0
        while True:
            result = self._explored(program, max(1, budget - executions))
            executions += result.search.executions
            finding = None if result.found is None else self._finding(result.found)
            if finding is not None and result.repeated:
                found.append((finding.wrong, self._counterexample(program, result, finding)))
                self._note(finding)
                if self._wanted and executions < budget and finding.wrong is not Wrong.STUCK:
                    continue
            trouble = result.trouble
            if result.found is not None and not result.repeated:
                trouble = f"a schedule went wrong once and never again: {result.sentence}"
            return Searched(
                replace(result.search, executions=executions, exhausted=result.search.exhausted and not found),
                tuple(found),
                self._overlapped,
                self._steered,
                self._refusal,
                trouble,
            )

    def _note(self, finding: Finding) -> None:
        """Look for no more of what has been found; what was lost may be lost in one other way."""
        self._known.add(finding.signature)
        ways = sum(wrong is finding.wrong for wrong, _, _ in self._known)
        if finding.wrong is not Wrong.LOST or ways >= _WAYS_TO_LOSE:
            self._wanted.discard(finding.wrong)

    def _explored(self, program: Program, budget: int, kept: tuple[Wrong, str, bool] | None = None) -> SearchResult:
        """Search one program; only for what is ``kept``, where that is given."""
        self._kept = kept
        return self._laboratory.explore(
            self._store, program, budget=budget, seed=self._settings.seed, judge=self._said, channel=self._channel
        )

    def _said(self, execution: Execution) -> str | None:
        """Judge one execution, and note what it shows of the store even if nothing is wrong."""
        calls = [c for c in execution.history if c.actor >= 0 and c.call.method != OPENING]
        self._overlapped = self._overlapped or self._judge.serves(execution)
        self._steered += len(execution.choices) > len(execution.history)
        # Whether the error came through does not matter: asyncio.wait_for may lose a cancellation.
        if self._killed(execution) or any(operation.startswith(CANCELLING) for _, operation in execution.choices):
            self._cancelled = True
        for completed in calls:
            if completed.error and not completed.error.startswith(CANCELLED) and not self._refusal:
                self._refusal = f"{completed.call.rendered} raised {completed.error}"
        finding = self._finding(execution)
        if finding is None:
            return None
        self._kept = finding.signature  # what is found first stays the finding while its schedule is made simpler
        return finding.sentence

    def _killed(self, execution: Execution) -> bool:
        """Say whether the first process came as far as where it is to be killed."""
        if self._address.setting is not Setting.PROCESSES or self._address.awaiting is None:
            return False
        return sum(actor == 0 for actor, _ in execution.choices) >= self._address.awaiting

    def _finding(self, execution: Execution) -> Finding | None:
        found = (f for f in self._judge.findings(execution) if f.wrong in self._wanted)
        if self._kept is not None:
            return next((f for f in found if f.signature == self._kept), None)
        return next((f for f in found if f.signature not in self._known), None)

    def _counterexample(self, program: Program, result: SearchResult, finding: Finding) -> Counterexample:
        wanted, self._wanted = self._wanted, {finding.wrong}
        try:
            kept = finding.signature
            program, way, (result, finding) = smallest(
                program, (result, finding), lambda smaller: self._still_wrong(smaller, kept)
            )
        finally:
            self._wanted = wanted
        assert result.found is not None
        repeated = f"{result.repeated}/{REPETITIONS}"
        token = str(replace(self._address, way=way, schedule=result.token))
        schedule = f"schedule {result.search.executions:,}, "
        return counterexample(result.found, program, finding, schedule, f", replayed {repeated}", token)

    def _still_wrong(self, program: Program, kept: tuple[Wrong, str, bool]) -> tuple[SearchResult, Finding] | None:
        result = self._explored(program, _SHRINKING, kept)
        if result.found is None or result.repeated < REPETITIONS:
            return None
        finding = self._finding(result.found)
        return None if finding is None else (result, finding)


def _together(parts: list[Searched]) -> Searched:
    """Return the searches of one program as one, with its caller cancelled at one await after the other."""
    searches = [part.search for part in parts]
    bounds = [search.bound for search in searches if search.bound is not None]
    return Searched(
        Search(
            sum(search.executions for search in searches),
            bool(searches) and all(search.exhausted for search in searches),
            min(bounds) if bounds and len(bounds) == len(searches) else None,
            tuple(dict.fromkeys(line for search in searches for line in search.uncontrolled)),
        ),
        tuple(found for part in parts for found in part.found),
        any(part.overlapped for part in parts),
        sum(part.steered for part in parts),
        next((part.refusal for part in parts if part.refusal), ""),
        next((part.trouble for part in parts if part.trouble), ""),
    )
