"""Everything about races for one store, one contract and one setting: programs, schedules, judgement, counterexamples.

Which verdict follows for a requirement is decided in the conformance suite.
"""

import inspect
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from pytest_tradestore.crash.recorders.fake_patches import look_around
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, run_isolated
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race import standing_still
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.execution import SIGNALS, Actors, Blow, Program, Search
from pytest_tradestore.race.judging import ViolationKind
from pytest_tradestore.race.programs import Scenario, of_blows, scenarios
from pytest_tradestore.race.searching import ONLY_IF_MET, Searched, Searching
from pytest_tradestore.runner import Runner, so_often
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import Bridge, StoreUnderTest
from pytest_tradestore.verdict import Counterexample


@dataclass(frozen=True)
class RaceEvidence:
    """What was found out in one setting.

    With ``not_applicable`` or ``undecided`` nothing was: the sentence says why. ``bound`` is the number of preemptions
    up to which every schedule was run; with ``exhausted`` that is all that were asked for. ``uncontrolled`` names what
    could not be steered.
    """

    setting: Setting
    kind: Actors = Actors.THREADS
    not_applicable: str = ""
    unclaimed: str = ""
    undecided: str = ""
    violations: Mapping[ViolationKind, tuple[Counterexample, ...]] = field(default_factory=dict)
    schedules: int = 0
    exhausted: bool = False
    bound: int | None = None
    uncontrolled: tuple[str, ...] = ()
    refused: str = ""
    """What was refused in every schedule of a program, so that the program asked nothing."""
    cut: int = 0
    """How many schedules were not run because the store is slow."""

    @property
    def summary(self) -> str:
        """How much was checked, as a report says it."""
        told = f"sampled: {self.schedules:,} schedules"
        if self.exhausted:
            told = f"exhausted: {self.schedules:,} schedules, bound {self.bound}"
        if self.cut:
            told += f", and {self.cut:,} cut off because the store is slow (--tradestore-budget deep gives more time)"
        return f"{told}; not asked, because it was refused: {self.refused}" if self.refused else told


def gather(
    store: StoreUnderTest,
    kit: Kit,
    methods: frozenset[str],
    setting: Setting,
    settings: Settings,
    enough: Callable[[RaceEvidence], bool] = lambda _: False,
    *,
    shrinking: bool = True,
) -> RaceEvidence:
    """Find out what happens when several callers use ``store`` at once.

    After each program it is asked whether what has been found so far is ``enough``: then no further one is run, and
    what was not found is undecided. Without ``shrinking`` a program that goes wrong is shown as it is.
    """
    kind = kind_of(store, kit)
    if isinstance(kind, str):
        return RaceEvidence(setting, undecided=kind)
    if setting is Setting.PROCESSES:
        kind = Actors.PROCESSES
    alone = setting is Setting.CANCELLED and kind is Actors.THREADS
    if kind.value not in store.declarations.claims and not alone:
        return RaceEvidence(setting, kind, unclaimed=kind.value)
    if kind is Actors.PROCESSES and not hasattr(os, "fork"):
        return RaceEvidence(
            setting, kind, undecided="this system cannot fork, and callers in several processes need that"
        )
    if store.declarations.backend is not None:
        if setting in OF_CLIENTS:
            kind = Actors.PROCESSES
        elif reason := standing_still.unavailable():
            return RaceEvidence(setting, kind, undecided=reason)
    programs = programs_of(store, kit, methods, setting, kind)
    if not programs:
        reason = "nothing reads back what was written: the store has no call for it"
        return RaceEvidence(setting, kind, not_applicable=reason)
    look_around()
    searched: list[Searched] = []
    with closing(_searched(store, kit, programs, setting, settings, shrinking=shrinking)) as each:
        for one in each:
            searched.append(one)
            so_far = _combined(setting, kind, searched)
            if enough(so_far):
                return replace(so_far, undecided=so_far.undecided or "what was looked for was found, and no more tried")
    return _combined(setting, kind, searched)


def kind_of(store: StoreUnderTest, kit: Kit) -> Actors | str:
    """Return who can call a contract of the store side by side: threads, or tasks where its methods are awaited.

    A sentence if the store cannot be opened.
    """

    with Sandbox() as sandbox:  # here, so that it is removed even if the process is killed

        def look(channel: Channel) -> bool | str:
            channel.step(0)
            try:
                opened = store.open(sandbox.fresh_root(), Bridge())
            except Exception as error:
                return f"opening the store raised {type(error).__name__}: {error}"
            return any(inspect.iscoroutinefunction(getattr(opened.store, method)) for method in kit.required)

        ending = run_isolated(look, store.declarations.deadline)
    match ending:
        case Finished(str(problem)):
            return problem
        case Finished(awaited):
            return Actors.TASKS if awaited else Actors.THREADS
        case Hung(_, seconds):
            return f"the store could not be opened within {seconds:g} s (tradestore_deadline)"
        case Died(_, how):
            return f"its process {how} when the store was opened"
    raise AssertionError("every ending is matched")


_OF_PROCESSES = (
    "two first writers",
    "two writers of one place",
    "a reader beside a writer",
    "a writer of two beside a writer",
    "two who change one place",
)


_CANCELLED_TOO = ("a deletion beside a writer of its place", "two who change one place")


_INHERITED = ("two writers", "two writers of one place", "two who change one place", "two who list")
"""Something is written before the fork: what the store imports late is there then, and not imported by each child."""


OF_CLIENTS = (Setting.INSTANCES, Setting.PROCESSES)
"""The settings in which each caller has an instance of its own: a client of a server, which is a process."""


def programs_of(
    store: StoreUnderTest, kit: Kit, methods: frozenset[str], setting: Setting, kind: Actors
) -> tuple[Program, ...]:
    """Return what is run in a setting, in the order in which replay tokens number it.

    Clients of a server inherit no instance: no library for one lets a connection be used after a fork.
    """
    known = scenarios(kit, methods, store.records)
    if not known:
        return ()
    found = _programs(known, of_blows(kit, methods, store.records), setting, kind, store.declarations.claims)
    on_files = store.declarations.backend is None
    return tuple(program for program in found if on_files or not program.inherited)


def _programs(
    known: tuple[Scenario, ...], blows: tuple[Scenario, ...], setting: Setting, kind: Actors, claims: frozenset[str]
) -> tuple[Program, ...]:
    """Return what is run in a setting, in the order in which replay tokens number it: first the usual programs."""
    own = setting is Setting.INSTANCES
    programs = {scenario.name: scenario.program(kind, own_instances=own) for scenario in known}
    slow = [scenario.program(kind, own_instances=own) for scenario in blows if scenario.blow is Blow.SLOW]
    if setting is Setting.PROCESSES:
        inherited = [replace(programs[name], inherited=True) for name in _INHERITED if name in programs]
        number_again = replace(next(iter(programs.values())), blow=Blow.KILLED_AND_SUCCEEDED)
        return (*(programs[name] for name in programs if name in _OF_PROCESSES), *inherited, number_again, *slow)
    if setting is not Setting.CANCELLED:
        return (*programs.values(), *slow)
    if kind is Actors.TASKS:
        first, *others = programs.values()
        places = {call.key for calls in first.actors for call in calls}
        two = (first, *(others[:1] if len(places) > 1 else ()))  # two updates of one file, and two of one place
        late = [programs[name] for name in programs if name in _CANCELLED_TOO]
        all_of_them = replace(programs.get("two writers of one place", first), blow=Blow.ALL_CANCELLED)
        return (*two, *late, all_of_them)
    threads = Actors.THREADS.value in claims
    interrupted = [s for s in blows if s.blow in SIGNALS and (threads or len(s.actors) == 1)]
    return tuple(scenario.program(kind, own_instances=not threads) for scenario in interrupted)


def _searched(
    store: StoreUnderTest,
    kit: Kit,
    programs: tuple[Program, ...],
    setting: Setting,
    settings: Settings,
    *,
    shrinking: bool,
) -> Generator[Searched, None, None]:
    """Run all programs, in one process as long as that lives and comes back."""
    at, runner = 0, Runner(store.declarations.deadline)
    while at < len(programs):
        if runner.gave_up:
            yield Searched(Search(0, False), trouble=f"the store {so_often(runner.ways)} in the middle of a schedule")
            return
        with Sandbox() as sandbox:  # here, so that it is removed even if the process is killed

            def task(channel: Channel, first: int = at, sandbox: Sandbox = sandbox) -> None:
                interrupting = any(program.blow in SIGNALS for program in programs)
                searching = Searching(
                    store, kit, setting, settings, sandbox, channel, interrupting=interrupting, shrinking=shrinking
                )
                met = ONLY_IF_MET if first else frozenset[Blow]()  # what was met before the process died is not known
                for searched in searching.through(programs, first, met):
                    channel.send(searched)

            for event in runner.of(task):
                match event:
                    case Sent(searched):
                        at += 1
                        yield searched
                    case Finished():
                        return
                    case Hung(_, seconds):
                        at += 1
                        yield Searched(
                            Search(0, False),
                            trouble=f"a schedule made no step within {seconds:g} s (tradestore_deadline)",
                        )
                    case Died(_, how):
                        at += 1
                        yield Searched(Search(0, False), trouble=f"its process {how} in the middle of a schedule")


_NEVER_STRUCK = (
    "no step of a call was seen after which the handler of a signal could raise: its work is done in native code",
    "no caller ever stood at an await, so none could be cancelled in the middle of a call",
)
"""Why nothing is known of callers that are interrupted, of threads and of tasks."""


def _combined(setting: Setting, kind: Actors, searched: list[Searched]) -> RaceEvidence:
    """Return what several searches amount to together."""
    found = [row for one in searched for row in one.found]
    violations = {wrong: tuple(shown for other, shown in found if other is wrong) for wrong, _ in found}
    searches = [one.search for one in searched]
    uncontrolled = tuple(dict.fromkeys(line for search in searches for line in search.uncontrolled))
    bounds = [search.bound for search in searches]
    return RaceEvidence(
        setting,
        kind,
        undecided=_undecided(setting, kind, searched),
        violations=violations,
        schedules=sum(one.search.executions for one in searched if one.shown.overlapped or not one.shown.refusal),
        exhausted=all(search.exhausted for search in searches),
        bound=None if any(bound is None for bound in bounds) else min(b for b in bounds if b is not None),
        uncontrolled=uncontrolled,
        refused=next((one.shown.refusal for one in searched if one.shown.refusal and not one.shown.overlapped), ""),
        cut=sum(search.cut for search in searches),
    )


def _undecided(setting: Setting, kind: Actors, searched: list[Searched]) -> str:
    """Return why these searches prove nothing, if they do not."""
    for one in searched:
        if one.trouble:
            return one.trouble
    if not any(one.shown.overlapped for one in searched):
        refusal = next((one.shown.refusal for one in searched if one.shown.refusal), "")
        if setting is Setting.CANCELLED and not refusal:
            return _NEVER_STRUCK[kind is Actors.TASKS]
        return f"no two callers were ever served in one schedule: {refusal or 'nothing came back'}"
    if not any(one.shown.steered for one in searched):
        return "nothing that the store does could be steered: its work is done in native code"
    return ""
