"""Everything about races for one store, one contract and one setting: programs, schedules, judgement, counterexamples.

Which verdict follows for a requirement is decided in the conformance suite.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_tradestore.isolation import Channel, Died, Finished, Hung, Sent, run_isolated, stream_isolated
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.execution import Actors, Program, Search
from pytest_tradestore.race.judging import Wrong
from pytest_tradestore.race.programs import Scenario, scenarios
from pytest_tradestore.race.searching import Searched, Searching
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
    violations: Mapping[Wrong, tuple[Counterexample, ...]] = field(default_factory=dict)
    schedules: int = 0
    exhausted: bool = False
    bound: int | None = None
    uncontrolled: tuple[str, ...] = ()
    refused: str = ""
    """What was refused in every schedule of a program, so that the program asked nothing."""

    @property
    def summary(self) -> str:
        """How much was checked, as a report says it."""
        told = f"sampled: {self.schedules:,} schedules"
        if self.exhausted:
            told = f"exhausted: {self.schedules:,} schedules, bound {self.bound}"
        return f"{told}; not asked, because it was refused: {self.refused}" if self.refused else told


def gather(
    store: StoreUnderTest, kit: Kit, methods: frozenset[str], setting: Setting, settings: Settings
) -> RaceEvidence:
    """Find out what happens when several callers use ``store`` at once."""
    kind = kind_of(store, kit)
    if isinstance(kind, str):
        return RaceEvidence(setting, undecided=kind)
    if setting is Setting.CANCELLED and kind is not Actors.TASKS:
        return RaceEvidence(setting, kind, not_applicable="its calls are synchronous: nobody can cancel them")
    if setting is Setting.PROCESSES:
        kind = Actors.PROCESSES
    if kind.value not in store.declarations.claims:
        return RaceEvidence(setting, kind, unclaimed=kind.value)
    known = scenarios(kit, methods, store.records)
    if not known:
        reason = "nothing reads back what was written: the store has no call for it"
        return RaceEvidence(setting, kind, not_applicable=reason)
    programs = programs_of(known, setting, kind)
    return _combined(setting, kind, list(_searched(store, kit, programs, setting, settings)))


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


def programs_of(known: tuple[Scenario, ...], setting: Setting, kind: Actors) -> tuple[Program, ...]:
    """Return what is run in a setting, in the order in which replay tokens number it."""
    programs = tuple(scenario.program(kind, own_instances=setting is Setting.INSTANCES) for scenario in known)
    if setting is Setting.PROCESSES:
        return tuple(p for p, scenario in zip(programs, known, strict=True) if scenario.name in _OF_PROCESSES)
    if setting is not Setting.CANCELLED:
        return programs
    places = {call.key for calls in programs[0].actors for call in calls}
    late = [p for p, scenario in zip(programs, known, strict=True) if scenario.name in _CANCELLED_TOO]
    return (*programs[: 1 if len(places) == 1 else 2], *late)  # two updates of one file, and two of one place


def _searched(
    store: StoreUnderTest, kit: Kit, programs: tuple[Program, ...], setting: Setting, settings: Settings
) -> Iterator[Searched]:
    """Run all programs, in one process as long as that lives and comes back."""
    at = 0
    while at < len(programs):
        with Sandbox() as sandbox:  # here, so that it is removed even if the process is killed

            def task(channel: Channel, first: int = at, sandbox: Sandbox = sandbox) -> None:
                searching = Searching(store, kit, setting, settings, sandbox, channel)
                for searched in searching.through(programs, first):
                    channel.send(searched)

            for event in stream_isolated(task, store.declarations.deadline):
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
        undecided=_undecided(searched),
        violations=violations,
        schedules=sum(one.search.executions for one in searched if one.overlapped or not one.refusal),
        exhausted=all(search.exhausted for search in searches),
        bound=None if any(bound is None for bound in bounds) else min(b for b in bounds if b is not None),
        uncontrolled=uncontrolled,
        refused=next((one.refusal for one in searched if one.refusal and not one.overlapped), ""),
    )


def _undecided(searched: list[Searched]) -> str:
    """Return why these searches prove nothing, if they do not."""
    for one in searched:
        if one.trouble:
            return one.trouble
    if not any(one.overlapped for one in searched):
        refusal = next((one.refusal for one in searched if one.refusal), "nothing came back")
        return f"no two callers were ever served in one schedule: {refusal}"
    if not any(one.steered for one in searched):
        return "nothing that the store does could be steered: its work is done in native code"
    return ""
