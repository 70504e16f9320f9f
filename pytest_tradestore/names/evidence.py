"""Runs the trials of one contract in a process of their own, and says what became of it: hangs and deaths included."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.crash.recorders.base import Recorder
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, run_isolated
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.kits.slots import Slot, shown
from pytest_tradestore.names.context import NEIGHBOUR, Context
from pytest_tradestore.names.corpus import CORPUS, Identifier, generated
from pytest_tradestore.names.findings import Findings, NameViolation
from pytest_tradestore.names.flaws import STOPS
from pytest_tradestore.names.planting import try_planted
from pytest_tradestore.names.trials import try_all
from pytest_tradestore.runner import begun_and_ended, ended_how
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest

_MOST_STOPS = 3
"""Identifiers on which a store may hang or die before no more are tried: after each all others are tried anew."""


def rows_for(budget: Budget) -> tuple[Identifier, ...]:
    """Return the rows that are tried: the corpus, and more of what is generated the larger the budget is."""
    if budget is Budget.QUICK:
        return CORPUS
    return (*CORPUS, *generated(every_character=budget is Budget.DEEP))


def gather(store: StoreUnderTest, kit: Kit, settings: Settings) -> Findings:
    """Put the identifiers through one contract of a store."""
    slots = kit.slots_of(store.declarations.takes)
    rows = rows_for(settings.budget)
    stops: list[NameViolation] = []
    skipped: set[tuple[str, str]] = set()
    while True:
        with Sandbox() as sandbox:

            def trials(channel: Channel, sandbox: Sandbox = sandbox) -> Findings:
                context = Context(
                    store, sandbox.path, channel, skipped=frozenset(skipped), use_strace=_strace(settings)
                )
                return try_all(context, slots, rows)

            at, ending = begun_and_ended(trials, store.declarations.deadline, ("identifier", "", ""))
        if isinstance(ending, Finished):
            findings: Findings = ending.value
            return replace(findings, violations=(*stops, *findings.violations))
        stops.append(_stopped(at, _how(ending)))
        what, value, _ = at
        if not _stops_alone(store, slots, what, value):
            stopped = stops.pop()
            return Findings(tuple(stops), unfinished=f"{stopped.found} while identifiers were tried, whichever it was")
        if len(stops) > _MOST_STOPS or (what, value) in skipped:
            reason = f"not all identifiers were tried: {stops[-1].sentence}"
            return Findings(tuple(stops), unfinished=reason)
        skipped.add((what, value))


def _stops_alone(store: StoreUnderTest, slots: Sequence[Slot], what: str, value: str) -> bool:
    """Say whether a store stops on an identifier also when nothing but an ordinary one was there before it."""
    slot = next((slot for slot in slots if slot.what == what), None)
    if slot is None or "{" in value:
        return slot is not None

    with Sandbox() as sandbox:

        def visit(channel: Channel) -> None:
            context = Context(store, sandbox.path, channel)
            with context.client() as client:
                client.write(slot, NEIGHBOUR, context.mark())
                if client.may_write(value):
                    client.write(slot, value, context.mark())
                for call in (slot.read, slot.touch, slot.delete):
                    if call is not None:
                        client.attempt(partial(call, client, value))

        return not isinstance(run_isolated(visit, store.declarations.deadline), Finished)


_STOPPED = Cause(Culprit(STOPS), Harm.UNREADABLE)
OPERATIONS_IN_A_RACE = 2000
"""Reads and writes while a link comes and goes; a check before the use fails within the first dozens of them."""


def gather_planted(store: StoreUnderTest, kit: Kit, settings: Settings) -> Findings:
    """Plant links, pipes and directories where one contract of a store has its files."""
    from pytest_tradestore.crash.recording import choose_recorder

    slot = kit.place(store.declarations.takes)
    recorder, _ = choose_recorder(settings.recorder)
    with Sandbox() as sandbox:
        task = partial(_planted, store, slot, sandbox, recorder)
        at, ending = begun_and_ended(task, store.declarations.deadline, ("", "", "opening the store"))
    if isinstance(ending, Finished):
        findings: Findings = ending.value
        return findings
    return Findings((_stuck(at, _how(ending)),))


def _how(ending: Hung | Died) -> str:
    return f"{ended_how(ending)} (tradestore_deadline)" if isinstance(ending, Hung) else ended_how(ending)


def _planted(store: StoreUnderTest, slot: Slot, sandbox: Sandbox, recorder: Recorder, channel: Channel) -> Findings:
    return try_planted(Context(store, sandbox.path, channel), slot, OPERATIONS_IN_A_RACE, recorder)


def _stuck(at: tuple[str, str, str], how: str) -> NameViolation:
    return NameViolation("NAME-2", _STOPPED, f"{at[2]} the store {how}", (), how, "the call returns or raises")


def _strace(settings: Settings) -> bool:
    if settings.recorder == "fake":
        return False
    from pytest_tradestore.crash.recorders.strace import StraceRecorder

    return StraceRecorder().unavailable() is None


def _stopped(at: tuple[str, str, str], how: str) -> NameViolation:
    what, value, doing = at
    sentence = f"{doing}: with the {what} {shown(value)} the store {how}"
    return NameViolation("NAME-5", _STOPPED, sentence, (), how, "the call returns, or raises one of the store's errors")
