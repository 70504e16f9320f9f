"""What a trial breaks: by which requirement, and in which words. No opinion on how trials are made.

A client that died is judged by the oracle of crashes. Where a request was spoilt, the call that made it may raise, and
then its update is there or is not; where it returned, the update is there, once. A look raises or shows what is there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_tradestore.backends.objects import BEGINS, unfinished
from pytest_tradestore.causes import Harm
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.oracle import Family, History, Oracle, OracleViolation, first_of_each, judge_next_update
from pytest_tradestore.network.client import CLOSE, LOOK, OPEN
from pytest_tradestore.network.trials import After, Trial
from pytest_tradestore.observation import Absent, Failed, Observation, Records, counted


@dataclass(frozen=True, slots=True)
class RequestViolation:
    """One promise that a trial shows broken; ``fault`` says in a few words what the store does wrong."""

    requirement: str
    breach: OracleViolation
    fault: str


Compared = Callable[[Observation], Observation]
"""Says what of an observation is held against the history, which is another run's; what one run shows is all of it."""


def all_of_it(seen: Observation) -> Observation:
    return seen


def of_a_death(
    trial: Trial, history: History, compared: Compared, *, whole: bool, in_recovery: bool = False
) -> Iterator[RequestViolation]:
    """Yield what is broken where a client died between two requests; ``in_recovery``: and the next one did, too."""
    after = trial.after
    assert after is not None, "somebody came after the one that died"
    fault = "client that dies between two requests"
    if after.seen is None:
        sentence = f"a client that comes after one that died cannot {after.failed}: {after.error}"
        breach = OracleViolation(
            Family.REOPENING, sentence, found=after.error, allowed=("an open store",), harm=Harm.UNREADABLE
        )
        yield RequestViolation("REC-2" if in_recovery else "REC-1", breach, fault)
        return
    judgement = Oracle(history, durable=True, whole_batches=whole).judge(trial.window, compared(after.seen))
    for family, breach in first_of_each(judgement.breaches).items():
        yield RequestViolation("REC-2" if in_recovery else requirement_of(family), breach, fault)
    if judgement.breaches or not judgement.expected:
        return
    next_breach = _next(trial, after, history)
    if next_breach is not None:
        yield RequestViolation("REC-2" if in_recovery else "REC-3", next_breach, fault)


def requirement_of(family: Family) -> str:
    """Return the requirement that a breach of this family breaks where nothing but a client dies."""
    name: str = family.value
    return f"{name}-1" if family in (Family.ATOMICITY, Family.DURABILITY) else name


def _next(trial: Trial, after: After, history: History) -> OracleViolation | None:
    place = history.changed[history.clamp(max(1, trial.window.invoked))]
    if after.failed or after.later is None or after.seen is None:
        sentence = f"the next update of {place} is refused: {after.error}"
        return OracleViolation(Family.NEXT_UPDATE, sentence, place, after.error, ("the update",), Harm.UNREADABLE)
    return judge_next_update(after.seen, place, after.updated, after.later, loses=history.loses)


def of_a_spoilt_request(
    trial: Trial, history: History, compared: Compared, *, whole: bool
) -> Iterator[RequestViolation]:
    """Yield what is broken where a request was spoilt."""
    struck = trial.struck
    assert struck is not None and trial.plan.spoil is not None, "a request was spoilt"
    request = trial.requests[trial.plan.spoilt - 1]
    met = f"when of {request.asked.text!r} {trial.plan.spoil.value}"
    requirement = "FAULT-1" if request.asked.writes else "FAULT-3"
    if struck.error == "its process ended":
        breach = OracleViolation(Family.REOPENING, f"{trial.step} ended the whole process {met}", harm=Harm.UNREADABLE)
        yield RequestViolation(requirement, breach, "call that ends the process when a request fails")
        return
    if trial.step == LOOK:
        yield from _looked(trial, history, compared, met)
    elif trial.step not in (OPEN, CLOSE):
        wrong = list(_states(trial, history, compared, met, requirement, whole=whole))
        yield from wrong
        if wrong:
            return
    yield from _works_again(trial, history, met)


def _looked(trial: Trial, history: History, compared: Compared, met: str) -> Iterator[RequestViolation]:
    assert trial.own is not None, "a look gives an observation"
    state = history.states[trial.window.acknowledged]
    for place, seen in compared(trial.own).places:
        if (
            seen != state.at(place)
            and not isinstance(seen, Failed)
            and not (history.loses and isinstance(seen, Absent))
        ):
            told = f"looking at {place} shows {seen} {met}"
            breach = OracleViolation(
                Family.ATOMICITY, told, place, str(seen), (str(state.at(place)), "an error"), Harm.WRONG
            )
            yield RequestViolation("FAULT-3", breach, "failing read that is taken for an answer")
            return


def _states(
    trial: Trial, history: History, compared: Compared, met: str, requirement: str, *, whole: bool
) -> Iterator[RequestViolation]:
    """Say what is wrong with what others see after a call in which a request was spoilt."""
    assert trial.struck is not None and trial.fresh is not None
    returned = not trial.struck.error
    outcome = "returned" if returned else "raised"
    if trial.fresh.seen is None:
        told = f"after {trial.step} {outcome} {met}, another client cannot {trial.fresh.failed}: {trial.fresh.error}"
        breach = OracleViolation(
            Family.REOPENING, told, found=trial.fresh.error, allowed=("an open store",), harm=Harm.UNREADABLE
        )
        yield RequestViolation(requirement, breach, "update that leaves the store unusable when a request fails")
        return
    now = trial.window.invoked
    window = Window(now, now) if returned else trial.window
    seen = compared(trial.fresh.seen)
    judgement = Oracle(history, durable=True, whole_batches=whole).judge(window, seen)
    for breach in judgement.breaches[:1]:
        twice = _twice(seen, history.states[now])
        told = f"{trial.step} {outcome} {met}, and {twice or breach.sentence}"
        fault = (
            "update that is done twice when its answer is lost"
            if twice
            else "failing request that is taken for done"
            if returned
            else "update that is left half done when a request fails"
        )
        yield RequestViolation(
            requirement,
            OracleViolation(breach.family, told, breach.place, breach.found, breach.allowed, breach.harm),
            fault,
        )


def _twice(seen: Observation, wanted: Observation) -> str:
    for place, value in seen.places:
        known = wanted.at(place)
        if isinstance(value, Records) and isinstance(known, Records):
            for item in value.items:
                if value.items.count(item) > known.items.count(item) > 0:
                    return f"{place} holds one record twice"
    return ""


def _given_up_by_nobody(trial: Trial) -> tuple[str, ...]:
    """Return what is left that the client could have given up: not one upload whose name was lost with the answer."""
    left, spoil = list(trial.left), trial.plan.spoil
    begun, _, key = trial.requests[trial.plan.spoilt - 1].asked.text.partition(" of ")
    if begun == BEGINS and spoil is not None and spoil.done and (lost := unfinished(key)) in left:
        left.remove(lost)
    return tuple(left)


def _works_again(trial: Trial, history: History, met: str) -> Iterator[RequestViolation]:
    """Say what is wrong with a store that is used on when the fault is gone."""
    after, fault = trial.after, "store that does not work again when the fault is gone"
    if after is None:
        return
    if after.failed:
        told = f"{met.removeprefix('when ')}; when that is over, {after.failed} raises {after.error}"
        breach = OracleViolation(
            Family.NEXT_UPDATE, told, found=after.error, allowed=("it works again",), harm=Harm.UNREADABLE
        )
        yield RequestViolation("FAULT-5", breach, fault)
        return
    if after.seen is not None and after.updated is not None and after.later is not None:
        place = history.changed[history.clamp(max(1, trial.window.invoked))]
        seen = trial.fresh.seen if trial.fresh is not None and trial.fresh.seen is not None else after.seen
        lost = judge_next_update(seen, place, after.updated, after.later, loses=history.loses)
        if lost is not None:
            told = f"{met.removeprefix('when ')}; when that is over, {lost.sentence}"
            yield RequestViolation(
                "FAULT-5", OracleViolation(lost.family, told, lost.place, lost.found, lost.allowed, lost.harm), fault
            )
            return
    if left := _given_up_by_nobody(trial):
        told = f"{met.removeprefix('when ')}, and {counted(len(left), 'thing')} is left: {left[0]}"
        breach = OracleViolation(Family.LEFTOVERS, told, found=left[0], allowed=("nothing",), harm=Harm.LEFTOVER)
        yield RequestViolation("FAULT-5", breach, "something begun that is not given up when a request fails")
