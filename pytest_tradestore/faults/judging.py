"""What a trial breaks, given the same trial without a fault; no opinion on how trials are made.

After an update that failed each place shows its state before or after it, whole. After one that returned, the state
after it. A look that failed says so, or gives what is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_tradestore.crash.oracle import judge_next_update
from pytest_tradestore.faults.calls import READING, CallKind, Fault, Refusal
from pytest_tradestore.faults.trials import Subject, Trial
from pytest_tradestore.observation import Absent, Failed, Observation, Records, Seen


@dataclass(frozen=True, slots=True)
class FaultBreach:
    """One promise broken: by which requirement, in a sentence, with what was found and what was allowed."""

    requirement: str
    sentence: str
    found: str = ""
    allowed: tuple[str, ...] = ()


def breaches(trial: Trial, control: Trial | None, subject: Subject, *, whole: bool = True) -> Iterator[FaultBreach]:
    """Yield what ``trial`` breaks; ``whole`` says whether an update of several places has to be seen at all or none."""
    if trial.ended:
        requirement, told = _failing(trial.refusal), f"{trial.subject} {trial.ended}, when {trial.refusal}"
        if trial.afterwards:
            told = f"after {trial.subject} met a fault that is gone ({trial.refusal}), the store {trial.ended}"
            requirement = "FAULT-5"
        yield FaultBreach(requirement, told, trial.ended, ("the call returns or raises",))
        return
    if not trial.struck:
        return
    if subject.update is not None:
        assert control is not None and control.seen is not None
        states = list(_states(trial, subject.before, control.seen, whole))
        yield from states
        if not states:
            yield from _swallowed(trial)
        yield from _works_again(trial, control, subject, torn=bool(states))
    elif subject.place:
        yield from _looked(trial, subject)
    else:
        yield from _opened(trial, subject)


def _failing(refusal: Refusal | None) -> str:
    return "FAULT-3" if isinstance(refusal, Fault) and refusal.kind in READING else "FAULT-1"


def _states(trial: Trial, before: Observation, after: Observation, whole: bool) -> Iterator[FaultBreach]:
    requirement = _failing(trial.refusal)
    assert trial.seen is not None and trial.fresh is not None
    outcome = "raised" if trial.raised else "returned"
    for seen, when in ((trial.seen, ""), (trial.fresh, " after reopening")):
        done: list[str] = []
        undone: list[str] = []
        for place, value in seen.places:
            old, new = before.at(place), after.at(place)
            if old != new:
                (done if value == new else undone).append(place)
            if value == new or (value == old and trial.raised):
                continue
            if isinstance(value, Failed) and not when:
                continue  # an instance may be of no use any more; what matters then is what a new one shows
            allowed = (str(new),) if not trial.raised or old == new else (str(old), str(new))
            if value == old:
                sentence = f"{trial.subject} returned although {trial.refusal}, and {place} is as before it{when}"
            else:
                sentence = f"{trial.subject} {outcome} when {trial.refusal}, and {place} {_lost(value, old)}{when}"
            yield FaultBreach(requirement, sentence, f"{place}: {value}", allowed)
            return
        if whole and done and undone and trial.raised:
            sentence = (
                f"{trial.subject} raised when {trial.refusal} and is half done{when}: "
                f"{' and '.join(done)} as after it, {' and '.join(undone)} as before it"
            )
            yield FaultBreach(requirement, sentence, sentence, ("all of it", "nothing of it"))
            return
    for place, value in trial.seen.places:
        old, new = before.at(place), after.at(place)
        if trial.raised and old != new and value == new and trial.fresh.at(place) == old:
            sentence = f"{trial.subject} raised when {trial.refusal}, yet the instance shows it until it is reopened"
            yield FaultBreach(requirement, sentence, f"{place}: {value}; after reopening {old}", (f"{old} in both",))
            return


def _lost(value: Seen, old: Seen) -> str:
    match value:
        case Absent():
            return "is gone"
        case Failed():
            return f"cannot be read ({value})"
        case Records(items) if isinstance(old, Records) and len(items) < len(old.items):
            return f"has lost {len(old.items) - len(items)} of its records"
        case _:
            return "shows what nobody stored"


def _swallowed(trial: Trial) -> Iterator[FaultBreach]:
    fault = trial.refusal
    if (
        isinstance(fault, Fault)
        and fault.kind is CallKind.CLOSE
        and not trial.raised
        and not trial.watched.synced_since
    ):
        sentence = f"{trial.subject} returned although {fault}: what was written before may never reach the disk"
        yield FaultBreach("FAULT-1", sentence, "the call returned", ("the call raises",))


def _works_again(trial: Trial, control: Trial, subject: Subject, *, torn: bool) -> Iterator[FaultBreach]:
    allowed = ("the store works as if nothing had happened",)
    if trial.stuck:
        sentence = f"after {trial.subject} met a fault that is gone ({trial.refusal}), the store no longer works"
        yield FaultBreach("FAULT-5", f"{sentence}: {trial.stuck}", trial.stuck, allowed)
        return
    assert subject.update is not None and trial.seen is not None and trial.later is not None
    if not torn:
        seen = _readable(trial.seen, trial.fresh)
        breach = judge_next_update(seen, subject.update.key, trial.after, trial.later)
        if breach is not None:
            sentence = f"after {trial.subject} met a fault that is gone ({trial.refusal}), {breach.sentence}"
            yield FaultBreach("FAULT-5", sentence, breach.found, breach.allowed)
    if (extra := trial.descriptors - control.descriptors) > 0:
        sentence = f"{trial.subject} leaves {extra} more file descriptor{'s' * (extra > 1)} open when {trial.refusal}"
        yield FaultBreach("FAULT-5", sentence, f"{trial.descriptors} open", (f"{control.descriptors} open",))
    if trial.growing:
        names = ", ".join(trial.growing)
        sentence = f"{trial.subject} leaves {names} behind each time that {trial.refusal}, and nothing removes it"
        yield FaultBreach("FAULT-5", sentence, ", ".join(trial.files), (", ".join(control.files),))


def _readable(seen: Observation, fresh: Observation | None) -> Observation:
    """Return what the store held: where the struck instance could not tell, what a new one said."""
    return Observation(
        tuple(
            (place, fresh.at(place) if isinstance(value, Failed) and fresh is not None else value)
            for place, value in seen.places
        )
    )


def _looked(trial: Trial, subject: Subject) -> Iterator[FaultBreach]:
    expected = subject.before.at(subject.place)
    if trial.value is not None and trial.value != expected:
        what = "nothing" if trial.value in (Absent(), Records(())) else "something else"
        sentence = f"reading {subject.place} gives {what} when {trial.refusal}, as if that were the truth"
        yield FaultBreach("FAULT-3", sentence, str(trial.value), (str(expected), "an error"))
    elif trial.again != expected:
        sentence = (
            f"after {trial.refusal} once, {subject.place} no longer reads as it was: the error was taken for damage"
        )
        yield FaultBreach("FAULT-3", sentence, str(trial.again), (str(expected),))
    elif trial.seen is not None and (others := _different(trial.seen, subject.before)):
        sentence = f"after {trial.refusal} once, {others[0]} no longer reads as it was: the error was taken for damage"
        yield FaultBreach("FAULT-3", sentence, str(trial.seen.at(others[0])), (str(subject.before.at(others[0])),))


def _opened(trial: Trial, subject: Subject) -> Iterator[FaultBreach]:
    requirement = _failing(trial.refusal)
    if not trial.raised and trial.seen is not None:
        wrong = [
            place for place in _different(trial.seen, subject.before) if not isinstance(trial.seen.at(place), Failed)
        ]
        if wrong:
            place = wrong[0]
            what = _lost(trial.seen.at(place), subject.before.at(place))
            sentence = f"the store opens although {trial.refusal}, and {place} {what}"
            yield FaultBreach(
                requirement, sentence, str(trial.seen.at(place)), (str(subject.before.at(place)), "an error")
            )
            return
    if trial.stuck:
        sentence = f"after {trial.refusal} while it was opened, the store cannot be opened any more: {trial.stuck}"
        yield FaultBreach("FAULT-5", sentence, trial.stuck, ("the store opens",))
    elif trial.later is not None and (different := _different(trial.later, subject.before)):
        place = different[0]
        what = _lost(trial.later.at(place), subject.before.at(place))
        sentence = f"after {trial.refusal} while it was opened, {place} {what}"
        yield FaultBreach("FAULT-5", sentence, str(trial.later.at(place)), (str(subject.before.at(place)),))


def _different(seen: Observation, expected: Observation) -> list[str]:
    return [place for place, value in seen.places if value != expected.at(place)]


def first_per_requirement(found: list[tuple[Trial, FaultBreach]]) -> dict[str, tuple[Trial, FaultBreach, int]]:
    """Return the first breach of each requirement and the number of trials that break it."""
    kept: dict[str, tuple[Trial, FaultBreach, int]] = {}
    for trial, breach in found:
        before = kept.get(breach.requirement)
        kept[breach.requirement] = (trial, breach, 1) if before is None else (*before[:2], before[2] + 1)
    return kept
