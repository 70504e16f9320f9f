"""What a trial breaks, given the same trial without a fault; no opinion on how trials are made.

After an update that failed each place shows its state before or after it, whole. After one that returned, the state
after it. A look that failed says so, or gives what is there.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.crash.oracle import judge_next_update
from pytest_tradestore.faults.calls import READING, CallKind, Fault, InjectedFault, Limit, is_left_short
from pytest_tradestore.faults.culprits import Flaw, cause_of
from pytest_tradestore.faults.trials import Subject, Trial
from pytest_tradestore.observation import Absent, Failed, Observation, Records, Seen


@dataclass(frozen=True, slots=True)
class FaultBreach:
    """One promise broken: by which requirement, in a sentence, with what was found and what was allowed; and why."""

    requirement: str
    sentence: str
    found: str = ""
    allowed: tuple[str, ...] = ()
    flaw: Flaw = Flaw.SWALLOWED
    harm: Harm = Harm.LOST
    left: str = ""
    """What is left behind, or which call it is, where that is what is wrong, whatever had failed."""


def breaches(
    trial: Trial, control: Trial | None, subject: Subject, *, whole: bool = True, loses: bool = False
) -> Iterator[FaultBreach]:
    """Yield what ``trial`` breaks.

    ``whole`` says whether an update of several places has to be seen at all or none, ``loses`` whether a place may show
    nothing at any time.
    """
    if trial.ended:
        requirement, told = _failing(trial.refusal), f"{trial.subject} {trial.ended}, when {trial.refusal}"
        if trial.afterwards:
            told = f"after {trial.subject} met a fault that is gone ({trial.refusal}), the store {trial.ended}"
            requirement = "FAULT-5"
        allowed = ("the call returns or raises",)
        yield FaultBreach(requirement, told, trial.ended, allowed, Flaw.ENDS, Harm.UNREADABLE)
        return
    if not trial.struck:
        return
    if subject.update is not None:
        assert control is not None and control.seen is not None
        states = list(_states(trial, subject.before, control.seen, whole, loses))
        yield from states
        if not states:
            yield from _swallowed(trial)
        yield from _works_again(trial, control, subject, torn=bool(states), loses=loses)
    elif subject.place:
        yield from _looked(trial, subject, loses)
    else:
        yield from _opened(trial, subject)


def _failing(refusal: InjectedFault | None) -> str:
    return "FAULT-3" if isinstance(refusal, Fault) and refusal.kind in READING else "FAULT-1"


def _states(trial: Trial, before: Observation, after: Observation, whole: bool, loses: bool) -> Iterator[FaultBreach]:
    requirement = _failing(trial.refusal)
    assert trial.seen is not None and trial.fresh is not None
    outcome = "raised" if trial.raised else "returned"
    short = not trial.raised and is_left_short(trial.watched.calls, trial.refusal)
    for seen, when in ((trial.seen, ""), (trial.fresh, " after reopening")):
        done: list[str] = []
        undone: list[str] = []
        for place, value in seen.places:
            old, new = before.at(place), after.at(place)
            if loses and isinstance(value, Absent):
                continue
            if old != new:
                (done if value == new else undone).append(place)
            if value == new or (value == old and trial.raised):
                continue
            if isinstance(value, Failed) and not when:
                continue  # an instance may be of no use any more; what matters then is what a new one shows
            allowed = (str(new),) if not trial.raised or old == new else (str(old), str(new))
            flaw, harm = Flaw.SWALLOWED, Harm.LOST
            if value == old:
                sentence = f"{trial.subject} returned although {trial.refusal}, and {place} is as before it{when}"
            else:
                sentence = f"{trial.subject} {outcome} when {trial.refusal}, and {place} {lost(value, old)}{when}"
                mistaken = not trial.raised and requirement == "FAULT-3"  # it went on with what it had not read
                flaw, harm = Flaw.ABSENCE if mistaken else Flaw.NOT_UNDONE, harm_to(value, old)
            flaw = Flaw.SHORT if short else flaw
            yield FaultBreach(requirement, sentence, f"{place}: {value}", allowed, flaw, harm)
            return
        if whole and done and undone and trial.raised:
            sentence = (
                f"{trial.subject} raised when {trial.refusal} and is half done{when}: "
                f"{' and '.join(done)} as after it, {' and '.join(undone)} as before it"
            )
            allowed = ("all of it", "nothing of it")
            yield FaultBreach(requirement, sentence, sentence, allowed, Flaw.HALF, Harm.WRONG)
            return
    for place, value in trial.seen.places:
        old, new = before.at(place), after.at(place)
        if trial.raised and old != new and value == new and trial.fresh.at(place) == old:
            sentence = f"{trial.subject} raised when {trial.refusal}, yet the instance shows it until it is reopened"
            found, allowed = f"{place}: {value}; after reopening {old}", (f"{old} in both",)
            call = f"{trial.subject.partition('(')[0]}()"  # whose order is wrong, whichever step of it fails
            yield FaultBreach(requirement, sentence, found, allowed, Flaw.MEMORY_AHEAD, Harm.WRONG, call)
            return


def lost(value: Seen, old: Seen) -> str:
    """Say what has become of ``old`` where ``value`` is seen."""
    match value:
        case Absent():
            return "is gone"
        case Failed():
            return f"cannot be read ({value})"
        case Records(items) if isinstance(old, Records) and len(items) < len(old.items):
            return f"has lost {len(old.items) - len(items)} of its records"
        case _:
            return "shows what nobody stored"


def harm_to(value: Seen, old: Seen) -> Harm:
    """Say what is gone of ``old`` where ``value`` is seen; nothing, if there was nothing."""
    if old in (Absent(), Records(())):
        return Harm.UNREADABLE if isinstance(value, Failed) else Harm.WRONG
    if isinstance(value, Records) and isinstance(old, Records):
        return Harm.DESTROYED if Counter(old.items) - Counter(value.items) else Harm.WRONG
    return Harm.DESTROYED


def _swallowed(trial: Trial) -> Iterator[FaultBreach]:
    fault = trial.refusal
    if (
        isinstance(fault, Fault)
        and fault.kind is CallKind.CLOSE
        and not trial.raised
        and not trial.watched.synced_since
        and (trial.without is None or trial.without != trial.fresh)
    ):
        sentence = f"{trial.subject} returned although {fault}: what was written before may never reach the disk"
        yield FaultBreach("FAULT-1", sentence, "the call returned", ("the call raises",))


def _works_again(trial: Trial, control: Trial, subject: Subject, *, torn: bool, loses: bool) -> Iterator[FaultBreach]:
    allowed = ("the store works as if nothing had happened",)
    if trial.stuck:
        sentence = f"after {trial.subject} met a fault that is gone ({trial.refusal}), the store no longer works"
        yield FaultBreach("FAULT-5", f"{sentence}: {trial.stuck}", trial.stuck, allowed, Flaw.STUCK, Harm.UNREADABLE)
        return
    assert subject.update is not None and trial.seen is not None and trial.later is not None
    if not torn:
        seen = _readable(trial.seen, trial.fresh)
        breach = judge_next_update(seen, subject.update.key, trial.after, trial.later, loses=loses)
        if breach is not None:
            sentence = f"after {trial.subject} met a fault that is gone ({trial.refusal}), {breach.sentence}"
            yield FaultBreach("FAULT-5", sentence, breach.found, breach.allowed, Flaw.NEXT_LOST, breach.harm)
        elif not control.next_refused:
            yield from _next_process(trial, subject, loses=loses)
    if (extra := trial.descriptors - control.descriptors) > 0:
        sentence = f"{trial.subject} leaves {extra} more file descriptor{'s' * (extra > 1)} open when {trial.refusal}"
        found, wanted = f"{trial.descriptors} open", (f"{control.descriptors} open",)
        left = f"{subject.update.method}()"
        yield FaultBreach("FAULT-5", sentence, found, wanted, Flaw.DESCRIPTOR, Harm.LEFTOVER, left)
    if trial.growing:
        names = ", ".join(trial.growing)
        sentence = f"{trial.subject} leaves {names} behind each time that {trial.refusal}, and nothing removes it"
        found, wanted = ", ".join(trial.files), (", ".join(control.files),)
        yield FaultBreach("FAULT-5", sentence, found, wanted, Flaw.LITTER, Harm.LEFTOVER, names)


def _next_process(trial: Trial, subject: Subject, *, loses: bool) -> Iterator[FaultBreach]:
    """Say what is wrong with the next update where another process makes it."""
    assert subject.update is not None
    gone = f"after {trial.subject} met a fault that is gone ({trial.refusal}), "
    if trial.next_refused:
        sentence = f"{gone}the next process is refused its update: {trial.next_refused}"
        allowed = ("the store works as if nothing had happened",)
        yield FaultBreach("FAULT-5", sentence, trial.next_refused, allowed, Flaw.STUCK, Harm.UNREADABLE)
    elif trial.fresh is not None and trial.next_later is not None:
        breach = judge_next_update(trial.fresh, subject.update.key, trial.next_after, trial.next_later, loses=loses)
        if breach is not None:
            sentence = f"{gone}and another process goes on: {breach.sentence}"
            yield FaultBreach("FAULT-5", sentence, breach.found, breach.allowed, Flaw.NEXT_LOST, breach.harm)


def _readable(seen: Observation, fresh: Observation | None) -> Observation:
    """Return what the store held: where the struck instance could not tell, what a new one said."""
    return Observation(
        tuple(
            (place, fresh.at(place) if isinstance(value, Failed) and fresh is not None else value)
            for place, value in seen.places
        )
    )


def _looked(trial: Trial, subject: Subject, loses: bool) -> Iterator[FaultBreach]:
    expected = subject.before.at(subject.place)
    if loses and isinstance(trial.value, Absent):
        return
    if trial.value is not None and trial.value != expected:
        what = "nothing" if trial.value in (Absent(), Records(())) else "something else"
        sentence = f"reading {subject.place} gives {what} when {trial.refusal}, as if that were the truth"
        allowed = (str(expected), "an error")
        yield FaultBreach("FAULT-3", sentence, str(trial.value), allowed, Flaw.ABSENCE, Harm.WRONG)
    elif isinstance(trial.again, Failed) and trial.fresh is not None and trial.fresh.at(subject.place) == expected:
        sentence = f"after {trial.refusal} once, {subject.place} cannot be read any more until it is opened anew"
        yield FaultBreach("FAULT-5", sentence, str(trial.again), (str(expected),), Flaw.STUCK, Harm.UNREADABLE)
    elif trial.again != expected:
        sentence = (
            f"after {trial.refusal} once, {subject.place} no longer reads as it was: the error was taken for damage"
        )
        harm = harm_to(trial.again, expected) if trial.again is not None else Harm.DESTROYED
        yield FaultBreach("FAULT-3", sentence, str(trial.again), (str(expected),), Flaw.DAMAGE, harm)
    elif trial.seen is not None and (others := _different(trial.seen, subject.before)):
        sentence = f"after {trial.refusal} once, {others[0]} no longer reads as it was: the error was taken for damage"
        now, was = trial.seen.at(others[0]), subject.before.at(others[0])
        yield FaultBreach("FAULT-3", sentence, str(now), (str(was),), Flaw.DAMAGE, harm_to(now, was))


def _opened(trial: Trial, subject: Subject) -> Iterator[FaultBreach]:
    requirement = _failing(trial.refusal)
    if not trial.raised and trial.seen is not None:
        wrong = [
            place for place in _different(trial.seen, subject.before) if not isinstance(trial.seen.at(place), Failed)
        ]
        if wrong:
            place = wrong[0]
            what = lost(trial.seen.at(place), subject.before.at(place))
            sentence = f"the store opens although {trial.refusal}, and {place} {what}"
            allowed = (str(subject.before.at(place)), "an error")
            later = None if trial.later is None else trial.later.at(place)
            lasting = later is not None and later != subject.before.at(place)
            flaw, harm = (taken_for(trial.refusal), Harm.DESTROYED) if lasting else (Flaw.ABSENCE, Harm.WRONG)
            yield FaultBreach(requirement, sentence, str(trial.seen.at(place)), allowed, flaw, harm)
            return
    if trial.stuck:
        sentence = f"after {trial.refusal} while it was opened, the store cannot be opened any more: {trial.stuck}"
        yield FaultBreach("FAULT-5", sentence, trial.stuck, ("the store opens",), Flaw.STUCK, Harm.UNREADABLE)
    elif trial.later is not None and (different := _different(trial.later, subject.before)):
        place = different[0]
        what = lost(trial.later.at(place), subject.before.at(place))
        sentence = f"after {trial.refusal} while it was opened, {place} {what}"
        now, was = trial.later.at(place), subject.before.at(place)
        yield FaultBreach("FAULT-5", sentence, str(now), (str(was),), taken_for(trial.refusal), harm_to(now, was))


def taken_for(refusal: InjectedFault | None) -> Flaw:
    """Return what a store that went on has taken an error for: who could not even look has not seen any damage."""
    unseen = isinstance(refusal, Fault) and refusal.kind is CallKind.STAT
    return Flaw.ABSENCE if unseen else Flaw.DAMAGE


def _different(seen: Observation, expected: Observation) -> list[str]:
    return [place for place, value in seen.places if value != expected.at(place)]


Broken = tuple[Trial, FaultBreach, Cause, int]
"""A trial and what it breaks, why, and in how many trials that is so."""


def causes_of(found: list[tuple[Trial, FaultBreach, str]]) -> dict[str, tuple[Broken, ...]]:
    """Return for each requirement one breach for each cause, the one that does most harm; and the worst cause first.

    With each trial comes the key that it was about: files of two keys are written by the same lines.
    """
    kept: dict[str, dict[Culprit, Broken]] = {}
    for trial, breach, key in found:
        cause = cause_of(breach.flaw, breach.harm, trial.refusal, breach.left, key)
        of_requirement = kept.setdefault(breach.requirement, {})
        known = of_requirement.get(cause.culprit)
        if known is None or breach.harm < known[1].harm:
            of_requirement[cause.culprit] = (trial, breach, cause, 1 if known is None else known[3] + 1)
        else:
            of_requirement[cause.culprit] = (*known[:3], known[3] + 1)
    return {
        requirement: tuple(sorted(_with_limits(of).values(), key=lambda broken: broken[1].harm))
        for requirement, of in kept.items()
    }


_LIMITED = {
    "RLIMIT_FSIZE": (CallKind.WRITE, CallKind.TRUNCATE),
    "RLIMIT_NOFILE": (CallKind.OPEN, CallKind.CREATE),
}
"""Which calls fail by a limit of the process."""


def _with_limits(of: dict[Culprit, Broken]) -> dict[Culprit, Broken]:
    """Join what a limit of the process has shown with the same where a call failed: there the file is known."""
    joined = {culprit: broken for culprit, broken in of.items() if not isinstance(broken[0].refusal, Limit)}
    for culprit, limited in of.items():
        if culprit in joined:
            continue
        kinds = _LIMITED.get(getattr(limited[0].refusal, "resource", ""), ())
        alike = (other for other, broken in joined.items() if getattr(broken[0].refusal, "kind", None) in kinds)
        faults = (culprit.fault, Flaw.SHORT.value) if culprit.fault == Flaw.SWALLOWED.value else (culprit.fault,)
        kin = next((other for other in alike if other.fault in faults), culprit)  # a limit cuts a write short, too
        known = joined.get(kin)
        if known is None:
            joined[kin] = limited
            continue
        trial, breach, cause, _ = known if known[1].harm <= limited[1].harm else limited
        joined[kin] = (trial, breach, replace(cause, culprit=known[2].culprit), known[3] + limited[3])
    return joined
