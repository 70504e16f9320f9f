"""What ``evidence`` has done in the isolated process: all programs of one store searched, shrunk, made counterexamples.

What has been run, what is wanted and what was found is a value, ``Progress``; each program makes a new one of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pytest_tradestore.isolation import Channel
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.addresses import Address, Setting
from pytest_tradestore.race.clock import REAL_MONOTONIC
from pytest_tradestore.race.execution import KILLS, SIGNALS, Actors, Blow, Execution, Program, Search
from pytest_tradestore.race.judging import Judge, RaceViolation, ViolationKind
from pytest_tradestore.race.killing import LEAVE_NOTHING
from pytest_tradestore.race.search import REPETITIONS, Harness, SearchResult
from pytest_tradestore.race.shrinking import smallest
from pytest_tradestore.race.slowness import can_be_slow
from pytest_tradestore.race.timeline import counterexample
from pytest_tradestore.race.wanted import Onlooker, Shown, Wanted
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Counterexample

_MOST_AWAITS = 60
_MOST_OPERATIONS = 200
_LOOKING = 7
"""Schedules in which a caller is waited for at an await before it is said that it has no such."""
_SHRINKING = 200
"""Schedules that are run of each smaller program."""
_SHRINKING_ON_TOP = 16
"""The same of one that is found in few schedules, or not at all."""
_OF_EACH_KILL = 4
"""Schedules in which a process is killed at one and the same place: on top of the others, for there are many places."""
_OF_REQUESTS = 3
"""The n-th part of the budget that is run where the data is on a server."""
_FEWEST = 40
"""Schedules that every program gets, however many there are."""
_FEWEST_OF_REQUESTS = 12
"""The same where the data is on a server: each of these schedules costs a hundred times as much."""
_FEWEST_STRUCK = 2
"""The same of those in which a caller is cancelled while one and the same request is under way."""
_OF_EACH_BLOW = {
    Blow.ALL_CANCELLED: 2,
    Blow.KILLED_AND_SUCCEEDED: 2,
    Blow.CTRL_C: 4,
    Blow.ALARM: 4,
    Blow.SLOW: 1,
}
"""Schedules of each place of a program that is run on top of the others. Who is alone has but one schedule."""
_OF_THE_INHERITED = 3
"""The n-th part of what others get: each of these schedules costs two processes."""
_WAITED = 10.0
"""Seconds that count as one of processor time: a store may merely wait, but a busy machine makes all wait."""
ONLY_IF_MET = frozenset({Blow.SLOW, Blow.KILLED_AND_SUCCEEDED})
"""What is not tried with a store that never asks for the time, or for another process: it could not tell."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What came of one program; ``shown`` says what its schedules showed of the store besides."""

    search: Search
    found: tuple[tuple[ViolationKind, Counterexample], ...] = ()
    shown: Shown = field(default_factory=Shown)
    trouble: str = ""

    def __add__(self, other: "Searched") -> "Searched":
        """Return both as one: the same program with its caller cancelled at one await and at another, say."""
        bounds = (self.search.bound, other.search.bound)
        return Searched(
            Search(
                self.search.executions + other.search.executions,
                self.search.exhausted and other.search.exhausted,
                None if None in bounds else min(bound for bound in bounds if bound is not None),
                tuple(dict.fromkeys(self.search.uncontrolled + other.search.uncontrolled)),
                self.search.cut + other.search.cut,
            ),
            self.found + other.found,
            self.shown + other.shown,
            self.trouble or other.trouble,
        )


_NOTHING_TO_ASK = Searched(Search(0, True, 2))
"""What comes of a program that could show nothing of this store."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the programs of one setting have got: what is still wanted, and how many schedules are left for the rest.

    ``met``: which blows could matter to the store.
    """

    wanted: Wanted
    left: int
    met: frozenset[Blow] = frozenset()

    def after(self, searched: Searched, wanted: Wanted, used: int) -> "Progress":
        return Progress(wanted, max(0, self.left - used), self.met | searched.shown.met)


class Allowance:
    """The processor time that the schedules of a program may take; time in which a store merely waits counts little."""

    def __init__(self, spent: Callable[[], float], seconds: float) -> None:
        self._spent, self._seconds = spent, seconds
        self._processor, self._wall = spent(), REAL_MONOTONIC()

    def used(self) -> float:
        """Return how many seconds have been used."""
        return max(self._spent() - self._processor, (REAL_MONOTONIC() - self._wall) / _WAITED)

    def is_over(self) -> bool:
        return self.used() > self._seconds

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Use none meanwhile."""
        processor, wall = self._spent(), REAL_MONOTONIC()
        yield
        self._processor += self._spent() - processor
        self._wall += REAL_MONOTONIC() - wall


class Searching:
    """One process's searches; each kind of wrong is shown once, by a program made smaller or as it is."""

    def __init__(
        self,
        store: StoreUnderTest,
        kit: Kit,
        setting: Setting,
        settings: Settings,
        sandbox: Sandbox,
        channel: Channel,
        *,
        interrupting: bool = False,
        shrinking: bool = True,
    ) -> None:
        self._store, self._settings, self._channel = store, settings, channel
        self._shrinking = shrinking
        self._setting = setting
        self._address = Address(store.name, kit.name, setting, 0)
        self._harness: Harness
        on_a_server = store.declarations.backend is not None
        self._fewest = _FEWEST_OF_REQUESTS if on_a_server else _FEWEST
        self._fewest_struck = _FEWEST_STRUCK if on_a_server else _FEWEST
        self._part = setting.part * (_OF_REQUESTS if on_a_server else 1)
        self._places_of_blows: Callable[..., tuple[int, ...]] | None = None
        if on_a_server and setting in (Setting.ONE_INSTANCE, Setting.CANCELLED):
            from pytest_tradestore.race.one_client import OneClientHarness

            self._harness = of_one = OneClientHarness(sandbox, store)
            self._places_of_blows = of_one.places
        elif setting is Setting.PROCESSES or on_a_server:
            from pytest_tradestore.race.processes import ProcessHarness

            self._harness = of_processes = ProcessHarness(sandbox, store)
            self._places_to_kill = of_processes.places_to_kill
        else:
            self._harness = Harness(sandbox, interrupting=interrupting)
        self._judge = Judge(kit)

    def through(
        self, programs: tuple[Program, ...], first: int = 0, met: frozenset[Blow] = frozenset()
    ) -> Iterator[Searched]:
        """Search each program from the ``first`` on with its share of the schedules and of the time that are left.

        Those in which something special happens to a caller, or that inherit an instance, are run on top of the others;
        ``met`` are blows that could matter to the store, as far as that is known already.
        """
        limits = self._settings.budget.value
        usual = sum(program.blow is None and not program.inherited for program in programs)
        progress = Progress(Wanted(), limits.schedules // self._part, met)
        left, spent = limits.seconds_of_schedules, self._harness.spent
        for number, program in enumerate(programs[first:], first):
            if not progress.wanted.wrongs:
                return
            time = Allowance(spent, left / (len(programs) - number))
            address = replace(self._address, number=number)
            if number >= usual:
                searched, wanted = self._on_top(address, program, progress, time)
                used = 0
            else:
                share = max(self._fewest, progress.left // (usual - number))
                if self._setting is Setting.CANCELLED:
                    searched, wanted = self._struck(address, program, share, self._fewest_struck, progress.wanted, time)
                    used = searched.search.asked
                else:
                    searched, wanted = self._searched(address, program, share, progress.wanted, time)
                    used = searched.search.asked
                    if self._setting is Setting.PROCESSES and not number and wanted.wrongs:
                        killed, wanted = self._struck(address, program, share // 2, _OF_EACH_KILL, wanted, time)
                        searched += killed
            progress = progress.after(searched, wanted, used)
            left = max(0.0, left - time.used())
            yield searched

    def _on_top(
        self, address: Address, program: Program, progress: Progress, time: Allowance
    ) -> tuple[Searched, Wanted]:
        """Search a program that is not one of the usual, where it can show something of this store."""
        if program.blow is None:
            share = max(_FEWEST // 2, self._settings.budget.value.schedules // self._setting.part // _OF_THE_INHERITED)
            return self._searched(address, program, share, progress.wanted, time)
        if program.blow in ONLY_IF_MET and program.blow not in progress.met:
            return _NOTHING_TO_ASK, progress.wanted
        alone = len(program.actors) == 1
        if program.blow in SIGNALS and self._goes_wrong_anyway(program, 1 if alone else self._fewest):
            return _NOTHING_TO_ASK, progress.wanted
        each = 1 if alone else _OF_EACH_BLOW[program.blow]
        searched, wanted = self._struck(address, program, 0, each, progress.wanted, time)
        if program.blow is Blow.SLOW:  # to be refused because somebody is slow is an answer, and asked enough
            searched = replace(searched, shown=replace(searched.shown, refusal=""))
        return searched, wanted

    def _goes_wrong_anyway(self, program: Program, budget: int) -> bool:
        """Say whether the callers of a program get in each other's way without anything that happens to one of them."""
        plain = replace(program, blow=None)
        return self._explored(plain, budget, Onlooker(self._judge, Wanted())).found is not None

    def _struck(
        self,
        address: Address,
        program: Program,
        share: int,
        fewest: int,
        wanted: Wanted,
        time: Allowance,
    ) -> tuple[Searched, Wanted]:
        """Let it happen to the first caller in one place after the other, until something is found.

        ``share`` is the number of schedules for all places, ``fewest`` that for each.
        """
        places = self._places(address, program)
        whole: Searched | None = None
        for done, at in enumerate(places):
            part, wanted = self._searched(
                replace(address, awaiting=at),
                program.struck_at(0, at),
                max(fewest, share // (len(places) - done)),
                wanted,
                time,
            )
            share = max(0, share - part.search.asked)
            whole = part if whole is None else whole + part
            if part.trouble or part.found:
                break
        return whole or Searched(Search(0, False)), wanted

    def _places(self, address: Address, program: Program) -> tuple[int, ...]:
        """Return the places in which it may happen: awaits of a task, operations of a thread or process."""
        plain = replace(program, blow=None)
        if self._places_of_blows is not None and program.blow is not Blow.SLOW:
            return self._places_of_blows(self._store, plain, self._settings.seed, self._channel)[:_MOST_OPERATIONS]
        if self._setting is Setting.PROCESSES and program.blow in (None, *KILLS):
            return self._places_to_kill(self._store, plain, self._settings.seed, self._channel)[:_MOST_AWAITS]
        if program.blow in (None, Blow.CANCELLED):
            return tuple(range(1, self._awaits(address, program) + 1))
        execution = self._harness.first(self._store, plain, self._settings.seed, self._channel)
        if program.blow is Blow.ALL_CANCELLED:
            steps = sum(actor == len(program.actors) for actor, _ in execution.choices)  # those of the event loop
            return tuple(range(1, min(steps, _MOST_OPERATIONS) + 1))
        work = [step.operation for step in execution.steps if step.actor == 0 and can_be_slow(step.operation)]
        all_ = program.blow in SIGNALS
        verbs = enumerate((operation.partition(" ")[0] for operation in work[:_MOST_OPERATIONS]), 1)
        return tuple(at for at, verb in verbs if all_ or verb not in LEAVE_NOTHING)

    def _awaits(self, address: Address, program: Program) -> int:
        """Return at how many points the first caller can be cancelled."""
        for at in range(1, _MOST_AWAITS + 1):
            nothing = Wanted(wrongs=frozenset())
            onlooker = self._onlooker(replace(address, awaiting=at), program, nothing)
            self._explored(program.struck_at(0, at), _LOOKING, onlooker)
            if not onlooker.shown.struck:
                return at - 1
        return _MOST_AWAITS

    def _searched(
        self, address: Address, program: Program, budget: int, wanted: Wanted, time: Allowance
    ) -> tuple[Searched, Wanted]:
        """Search one program until its schedules are used up or nothing more is wanted; return what is still wanted."""
        found: list[tuple[ViolationKind, Counterexample]] = []
        executions, shown = 0, Shown()
        self._judge.of_themselves.clear()
        while True:
            onlooker = self._onlooker(address, program, wanted)
            result = self._explored(program, max(1, budget - executions), onlooker, time.is_over)
            executions += result.search.executions
            shown += onlooker.shown
            finding = None if result.found is None else onlooker.finding(result.found)
            if finding is not None and self._fails_by_itself(program, finding):
                self._judge.of_themselves.add(finding.about)
                finding, result = None, replace(result, found=None)
                if executions < budget:
                    continue
            if finding is not None and result.repeated:
                with time.standing():
                    example = self._counterexample(address, program, result, finding, wanted)
                found.append((finding.wrong, example))
                wanted = wanted.but(finding)
                if wanted.wrongs and executions < budget and finding.wrong is not ViolationKind.STUCK:
                    continue
            trouble = result.trouble
            if result.found is not None and not result.repeated:
                trouble = f"a schedule went wrong once and never again: {result.sentence}"
            search = replace(result.search, executions=executions, exhausted=result.search.exhausted and not found)
            return Searched(search, tuple(found), shown, trouble), wanted

    def _fails_by_itself(self, program: Program, finding: RaceViolation) -> bool:
        """Say whether the call that failed beside others fails in the same way where each caller is the only one."""
        if finding.wrong is not ViolationKind.REFUSED or finding.alone or program.blow is not None or program.inherited:
            return False
        alone = Wanted(one=(finding.wrong, finding.about, True))
        each = (replace(program, actors=(calls,)) for calls in program.actors)
        return any(self._explored(one, 1, Onlooker(self._judge, alone)).found is not None for one in each)

    def _onlooker(self, address: Address, program: Program, wanted: Wanted) -> Onlooker:
        processes = program.kind is Actors.PROCESSES and program.blow is not Blow.SLOW
        return Onlooker(self._judge, wanted, address.awaiting if processes else None)

    def _explored(
        self, program: Program, budget: int, onlooker: Onlooker, over: Callable[[], bool] = lambda: False
    ) -> SearchResult:
        return self._harness.explore(
            self._store,
            program,
            budget=budget,
            seed=self._settings.seed,
            judge=onlooker,
            channel=self._channel,
            over=over,
        )

    def _counterexample(
        self, address: Address, program: Program, result: SearchResult, finding: RaceViolation, wanted: Wanted
    ) -> Counterexample:
        def still_wrong(smaller: Program) -> tuple[SearchResult, RaceViolation] | None:
            if self._fails_by_itself(smaller, finding):
                return None  # that would be another story
            onlooker = self._onlooker(address, smaller, wanted.only(finding))
            usual = not smaller.inherited and smaller.blow in (None, Blow.CANCELLED, Blow.KILLED)
            again = self._explored(smaller, _SHRINKING if usual else _SHRINKING_ON_TOP, onlooker)
            if again.found is None or again.repeated < REPETITIONS:
                return None
            shown = onlooker.finding(again.found)
            return None if shown is None else (again, shown)

        way: tuple[int, ...] = ()
        if self._shrinking:
            program, way, (result, finding) = smallest(program, (result, finding), still_wrong)
        assert result.found is not None
        return _told(result.found, program, result, finding, replace(address, way=way, schedule=result.token))


def _told(
    execution: Execution, program: Program, result: SearchResult, finding: RaceViolation, address: Address
) -> Counterexample:
    schedule = f"schedule {result.search.executions:,}, "
    return counterexample(
        execution, program, finding, schedule, f", replayed {result.repeated}/{REPETITIONS}", str(address)
    )
