"""Runs one schedule of one program of one store again, by its replay token, and says what it breaks."""

from dataclasses import dataclass

from pytest_tradestore.errors import ReplayError
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.addresses import Address, Setting
from pytest_tradestore.race.evidence import OF_CLIENTS, kind_of, programs_of
from pytest_tradestore.race.execution import Actors, Completed
from pytest_tradestore.race.judging import Judge, ViolationKind
from pytest_tradestore.race.timeline import counterexample
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Counterexample


@dataclass(frozen=True, slots=True)
class ReplayedSchedule:
    """What the schedule showed: a counterexample for each thing that is wrong, and what callers got, in any case."""

    wrong: tuple[tuple[ViolationKind, Counterexample], ...]
    found: tuple[str, ...]


def replay_schedule(address: Address, store: StoreUnderTest, kit: Kit, methods: frozenset[str]) -> ReplayedSchedule:
    """Run the schedule once more. Raises ReplayError if the store does not do the same any more."""
    kind = kind_of(store, kit)
    if isinstance(kind, str):
        raise ReplayError(f"store {store.name!r} cannot be replayed: {kind}")
    on_a_server = store.declarations.backend is not None
    if address.setting is Setting.PROCESSES or (on_a_server and address.setting in OF_CLIENTS):
        kind = Actors.PROCESSES
    program = address.program(programs_of(store, kit, methods, address.setting, kind))
    if kind is Actors.PROCESSES or on_a_server:
        from pytest_tradestore.race.process_replay import replay_in_processes as replay
    else:
        from pytest_tradestore.race.search import replay
    execution = replay(store, program, address.schedule)
    found = Judge(kit).findings(execution)
    shown = ((f.wrong, counterexample(execution, program, f, "", "", str(address))) for f in found)
    calls = tuple(_gave(c) for c in execution.history if c.actor >= 0)
    return ReplayedSchedule(tuple(shown), calls)


def _gave(completed: Completed) -> str:
    if completed.error:
        return f"{completed.call.rendered} raised {completed.error}"
    if completed.returned is None:
        return f"{completed.call.rendered} did not return"
    return f"{completed.call.rendered} -> {completed.result!r}"
