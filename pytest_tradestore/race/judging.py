"""What is wrong with one execution: a lost update, a state that never was, callers that wait for ever.

Whether callers were threads, instances or processes does not matter here: which requirement a finding breaks follows
from the program, see ``conformance.races``.
"""

import marshal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice, permutations

from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.observation import shortened
from pytest_tradestore.race.execution import Completed, Ending, Execution, History
from pytest_tradestore.race.linearizability import IMPOSSIBLE, Model, State, Unexplained, unexplained
from pytest_tradestore.race.models import models_of
from pytest_tradestore.race.refusals import means_not_now

OPENING = "open"
"""The method of the call that stands for opening a caller's own instance."""
_CLOSING = "close"
"""The method of the call that stands for closing what all share; it is in a history only if it raised."""


class ViolationKind(Enum):
    """What kind of wrong."""

    LOST = "lost"
    """What readers find when all is quiet is not what any order of the updates gives."""
    REFUSED = "refused"
    """An update failed with an error that is no answer, and nothing worse was to be seen."""
    TORN = "torn"
    """A reader beside a writer got an error, a value that nobody wrote, or one that could not be there then."""
    STUCK = "stuck"
    """Nobody can go on."""


Signature = tuple[ViolationKind, str, bool]
"""What makes two findings the same."""


@dataclass(frozen=True, slots=True)
class RaceViolation:
    """One thing that is wrong: a sentence, what was found, what could have been.

    ``about`` is the call that raised and the type of its error, where something was raised; ``alone`` where that
    happened before any other caller had begun.
    """

    wrong: ViolationKind
    sentence: str
    found: str
    allowed: tuple[str, ...] = ()
    about: str = ""
    alone: bool = False

    @property
    def signature(self) -> Signature:
        """What has to stay the same while a counterexample is made smaller."""
        return self.wrong, self.about, self.alone


class Judge:
    """Finds what is wrong with executions of programs of one contract."""

    def __init__(self, kit: Kit) -> None:
        self._model_of: Callable[[str], Model] = models_of(kit)
        self._listing = kit.listing
        self._alone: set[tuple[str, str]] = set()
        """Methods and the errors by which they refused a value when nobody else had begun: no race refuses those."""
        self.of_themselves: set[str] = set()
        """What calls of the program at hand raise without its other callers, too: nothing that those have done."""
        self._sound: dict[tuple[object, ...], History] = {}
        """Histories in which nothing was wrong: most schedules of a program give one of a few."""

    def findings(self, execution: Execution) -> tuple[RaceViolation, ...]:
        """Return everything that is wrong, at most one finding of each kind."""
        key = _in_order(execution.history) if execution.ending is Ending.FINISHED else None
        if key is not None and key in self._sound:
            return ()
        found = self._judged(execution)
        if key is not None and not found:
            self._sound[key] = execution.history  # its calls stay, so that their identity does
        return found

    def _judged(self, execution: Execution) -> tuple[RaceViolation, ...]:
        self._alone.update(_refused_alone(execution.history))
        if execution.ending is Ending.HUNG:
            return ()  # somebody waited for what nobody controls: nothing is known
        if execution.ending is Ending.DEADLOCK:
            return (self._stuck(execution),)
        history = tuple(c for c in execution.history if c.call.method not in (OPENING, _CLOSING))
        refused = self._not_opened(execution.history) or self._failed(history) or self._refused_for_good(history)
        unreadable = _unreadable(execution.history)
        found = (unreadable or self._lost(history) or refused or _not_closed(execution.history), self._torn(history))
        return tuple(finding for finding in found if finding is not None)

    def serves(self, execution: Execution) -> bool:
        """Say whether two callers were served, one of them with an update: only then was anything asked."""
        served = [c for c in execution.history if c.actor >= 0 and c.call.method != OPENING and not c.error]
        return len({c.actor for c in served}) > 1 and not all(map(self._reads, served))

    def _reads(self, completed: Completed) -> bool:
        return self._model_of(completed.call.key).effect(completed.call) is None

    def _is_no_answer(self, completed: Completed) -> bool:
        return completed.undeclared and _what_refused(completed) not in self._alone

    def _stuck(self, execution: Execution) -> RaceViolation:
        waiting = [c.call.rendered for c in execution.history if c.returned is None and not c.killed]
        who = f"{' and '.join(waiting)} wait" if len(waiting) > 1 else f"{waiting[0] if waiting else 'the store'} waits"
        return RaceViolation(
            ViolationKind.STUCK, f"{who} for ever", "; ".join(execution.waits_for), ("every call comes back",)
        )

    def _not_opened(self, history: History) -> RaceViolation | None:
        """Return the instance that could not be opened, with an error that is no answer."""
        for completed in history:
            if completed.call.method == OPENING and self._is_no_answer(completed):
                cause = _because(completed, history)
                sentence = f"opening the store raised {completed.error} {cause}"
                alone = _was_alone(completed, history)
                allowed = ("an open store", *_ANSWERS)
                return RaceViolation(
                    ViolationKind.REFUSED, sentence, completed.error, allowed, _about(completed), alone
                )
        return None

    def _failed(self, history: History) -> RaceViolation | None:
        """Return the update that failed with an error that is no answer; one that others may have caused, if any is."""
        failed = [c for c in history if self._is_no_answer(c) and not c.broken_off and not self._reads(c)]
        of_themselves = {_what_refused(c) for c in failed if _was_alone(c, history)}
        failed = [
            c
            for c in failed
            if _was_alone(c, history) or (_what_refused(c) not in of_themselves and _about(c) not in self.of_themselves)
        ]
        for completed in sorted(failed, key=lambda c: _was_alone(c, history)):
            sentence = f"{completed.call.rendered} raised {completed.error} {_because(completed, history)}"
            alone, allowed = _was_alone(completed, history), ("the update", *_ANSWERS)
            return RaceViolation(ViolationKind.REFUSED, sentence, completed.error, allowed, _about(completed), alone)
        return None

    def _refused_for_good(self, history: History) -> RaceViolation | None:
        """Return the update that was refused when nobody else was there any more: so it will be for ever."""
        begun = False
        for completed in history:
            begun = begun or completed.actor >= 0
            refused = completed.error and _what_refused(completed) not in self._alone
            if begun and completed.actor < 0 and refused and not self._reads(completed):
                gone = next((c for c in history if c.killed or c.broken_off), None)
                how = "" if gone is None else f", after {gone.call.rendered} was {_ended_how(gone)}"
                sentence = f"{completed.call.rendered} raised {completed.error} with nobody else there{how}"
                return RaceViolation(
                    ViolationKind.REFUSED, sentence, completed.error, ("the update",), _about(completed)
                )
        return None

    def _lost(self, history: History) -> RaceViolation | None:
        """Return the last read that no order of the updates explains, whatever readers saw in between."""
        quiet = tuple(c for c in history if c.actor < 0 or not self._reads(c))
        for completed in quiet:
            if completed.actor < 0 and self._reads(completed) and completed.error:
                updates = " and ".join(c.call.rendered for c in quiet if c.actor >= 0)
                sentence = f"after {updates}, {completed.call.rendered} raises {completed.error}"
                allowed = self._outcomes(quiet, completed)
                return RaceViolation(ViolationKind.LOST, sentence, completed.error, allowed, _about(completed))
        found = unexplained(_with_listings(quiet, self._listing), self._model_of)
        if found is None:
            return None
        stuck, acknowledged = found.stuck, _acknowledged(found.calls)
        seen = self._seen(stuck)
        if not self._reads(stuck):
            return RaceViolation(ViolationKind.LOST, f"no order of the calls explains {stuck.call.rendered}", seen)
        told = " and ".join(c.call.rendered for c in acknowledged)
        begun = " and ".join(c.call.rendered for c in found.calls if c.actor >= 0)
        before = (
            f"{told} returned"
            if told
            else f"{begun} began and did not return"
            if begun
            else f"nobody touched {stuck.call.key} at that time"
        )
        returned = f"{before}, but {stuck.call.rendered} then gives {seen}"
        return RaceViolation(
            ViolationKind.LOST, returned, f"{stuck.call.rendered} -> {seen}", self._outcomes(found.calls, stuck)
        )

    def _torn(self, history: History) -> RaceViolation | None:
        """Return the read beside writers that got an error or a value that could not be there."""
        of_themselves = {c.error for c in history if c.error and c.actor >= 0 and _was_alone(c, history)}
        for completed in history:
            if completed.actor < 0 or completed.returned is None or not self._reads(completed):
                continue
            if completed.error and not _is_a_refusal(completed):
                said = f"raises {completed.error}"
            elif not completed.error and self._never_written(completed, history):
                said = f"gives {self._seen(completed)}, which nobody wrote"
            else:
                continue
            beside = " and ".join(c.call.rendered for c in _beside(completed, history) if not self._reads(c))
            earlier = " and ".join(c.call.rendered for c in history if c.actor >= 0 and not self._reads(c))
            when = f"beside {beside}" if beside else f"after {earlier}" if earlier else "beside another reader"
            sentence = f"{completed.call.rendered} {when} {said}"
            about = _about(completed) if completed.error else ""
            alone, allowed = completed.error in of_themselves, self._outcomes(history, completed)
            if alone:
                sentence = f"{completed.call.rendered} {said} {_BY_ITSELF}{_bound_to_a_thread(completed)}"
            return RaceViolation(ViolationKind.TORN, sentence, said, allowed, about, alone)
        found = self._unexplained_read(history)
        if found is None:
            return None
        reader = next((c for c in (found.stuck, *found.calls) if c.actor >= 0 and self._reads(c)), found.stuck)
        seen = self._seen(reader)
        sentence = f"{reader.call.rendered} gives {seen}, and no order of the calls explains that"
        return RaceViolation(
            ViolationKind.TORN, sentence, f"{reader.call.rendered} -> {seen}", self._outcomes(found.calls, reader)
        )

    def _unexplained_read(self, history: History) -> Unexplained | None:
        """Return the part in which no order of the calls explains a reader, though one explains the last reads of it.

        Where not even these can be explained, that is the finding, and not the reader's.
        """
        readable = tuple(c for c in history if not self._reads(c) or not c.error)
        read = dict.fromkeys(c.call.key for c in readable if c.actor >= 0 and self._reads(c))
        together = _with_listings(readable, self._listing)
        for part in read:
            calls = tuple(c for c in together if c.call.key == part)
            quiet = tuple(c for c in calls if c.actor < 0 or not self._reads(c))
            if unexplained(quiet, self._model_of) is None and (found := unexplained(calls, self._model_of)) is not None:
                return found
        return None

    def _seen(self, completed: Completed) -> str:
        return shortened(_told(self._model_of(completed.call.key).seen(completed.call, completed.result)), 200)

    def _never_written(self, read: Completed, history: History) -> bool:
        model = self._model_of(read.call.key)
        updates = [c.call for c in _with_listings(history, self._listing) if c.call.key == read.call.key]
        return not model.made_of(read.call, read.result, updates)

    def _outcomes(self, history: History, read: Completed) -> tuple[str, ...]:
        """Return what a read could have given, had the updates happened in some order."""
        model, part = self._model_of(read.call.key), read.call.key
        states = _reachable([c for c in _with_listings(history, self._listing) if c.call.key == part], read, model)
        return tuple(sorted({shortened(_told(model.answer(read.call, state)), 120) for state in states}))[:4]


def _what_refused(completed: Completed) -> tuple[str, str]:
    return completed.call.method, completed.error.partition(":")[0]


def _refused_alone(history: History) -> Iterator[tuple[str, str]]:
    """Yield what was refused, by an error that the store declares, before anybody else had begun.

    After a call that was broken off nobody knows whether it is not for that.
    """
    struck = min((c.invoked for c in history if c.broken_off or c.killed), default=None)
    for completed in history:
        if struck is not None and completed.invoked > struck:
            continue
        others = (other for other in history if other.actor not in (completed.actor, -1))
        first = all(other.invoked >= (completed.returned or 0) for other in others)
        if first and completed.declared and not completed.broken_off and completed.call.method != OPENING:
            yield _what_refused(completed)


def _unreadable(history: History) -> RaceViolation | None:
    """Return the opening that failed when all callers were done: whatever they wrote, nobody can read it."""
    updates = " and ".join(c.call.rendered for c in history if c.actor >= 0 and c.call.method != OPENING)
    for completed in history:
        if completed.call.method == OPENING and completed.actor < 0 and completed.error and updates:
            sentence = f"after {updates}, opening the store raises {completed.error}"
            allowed = ("an open store, with what was written in it",)
            return RaceViolation(ViolationKind.LOST, sentence, completed.error, allowed, _about(completed))
    return None


def _not_closed(history: History) -> RaceViolation | None:
    """Return the closing that failed although nobody used the store any more."""
    for completed in history:
        if completed.call.method == _CLOSING and completed.error:
            updates = " and ".join(c.call.rendered for c in history if c.actor >= 0 and c.call.method != OPENING)
            sentence = f"closing the store raised {completed.error}{f' after {updates}' if updates else ''}"
            return RaceViolation(
                ViolationKind.REFUSED, sentence, completed.error, ("the store is closed",), _about(completed)
            )
    return None


_MOST_ORDERS = 200


def _reachable(calls: Sequence[Completed], read: Completed, model: Model) -> Iterator[State]:
    """Yield states in which a read can find the part, by the order of the updates; not all, if there are many."""
    updates = [c for c in calls if (model.effect(c.call) is not None) and c.invoked < (read.returned or c.invoked + 1)]
    must = {i for i, c in enumerate(updates) if c.returned is not None and c.returned < read.invoked and not c.error}
    for count in range(len(must), len(updates) + 1):
        for order in islice(permutations(range(len(updates)), count), _MOST_ORDERS):
            chosen = [updates[i] for i in order]
            if not must <= set(order) or not _keeps_real_time(chosen):
                continue
            state = model.initial
            for completed in chosen:
                effect = model.effect(completed.call)
                assert effect is not None
                after = effect(state)
                assert after is not IMPOSSIBLE
                state = after
            yield state


def _keeps_real_time(order: Sequence[Completed]) -> bool:
    return not any(
        later.returned is not None and later.returned < earlier.invoked
        for i, earlier in enumerate(order)
        for later in order[i + 1 :]
    )


def _with_listings(history: History, listing: str) -> History:
    """Let a listing of all keys be judged over the updates of all of them."""
    if not listing or all(c.call.key != listing for c in history):
        return history
    return (*history, *(replace(c, call=replace(c.call, key=listing)) for c in history if c.call.key != listing))


def _beside(read: Completed, history: History) -> Iterator[Completed]:
    for other in history:
        overlaps = other.returned is None or read.invoked < other.returned
        if other is not read and other.actor >= 0 and overlaps and other.invoked < (read.returned or other.invoked + 1):
            yield other


def _was_alone(failed: Completed, history: History) -> bool:
    """Say whether no other caller had begun when a call failed."""
    at = failed.returned or 0
    return not any(other.actor not in (failed.actor, -1) and other.invoked < at for other in history)


def _about(failed: Completed) -> str:
    """Return which method raised what type of error."""
    return f"{failed.call.method} raises {failed.error.partition(':')[0]}"


_BY_ITSELF = "before any other caller began"


def _because(failed: Completed, history: History) -> str:
    """Say why an update failed, as far as is known: it may have failed before anybody else had begun."""
    if not _was_alone(failed, history):
        undeclared = ": an answer, were its type in tradestore_errors" if means_not_now(failed.error) else ""
        return f"because of another caller{undeclared}"
    return f"{_BY_ITSELF}{_bound_to_a_thread(failed)}"


def _bound_to_a_thread(failed: Completed) -> str:
    bound = "thread" in failed.error.lower()
    return ": a store that only the thread may use that opened it has to disclaim 'threads'" if bound else ""


def _in_order(history: History) -> tuple[object, ...] | None:
    """Return what all histories have in common that come to the same; None where one is judged each time.

    That is where a call raised, for what that means is learned on the way, and where a result is not of plain values.
    Where a call began and came back counts only in relation to others.
    """
    if any(c.error for c in history):
        return None
    positions = {at: rank for rank, at in enumerate(sorted({p for c in history for p in (c.invoked, c.returned or 0)}))}
    try:
        return tuple(
            (
                c.actor,
                id(c.call),
                positions[c.invoked],
                None if c.returned is None else positions[c.returned],
                marshal.dumps(c.result, 2),  # it takes no subclass, and tells 1 from True
                c.killed,
            )
            for c in history
        )
    except ValueError:
        return None


def _ended_how(gone: Completed) -> str:
    return "killed" if gone.killed else "interrupted" if gone.interrupted else "cancelled"


_ANSWERS = ('an error that says "not now" (a timeout, a lock)', "one of the store's own in tradestore_errors")


def _acknowledged(calls: History) -> list[Completed]:
    return [c for c in calls if c.actor >= 0 and not c.error and c.returned is not None]


def _is_a_refusal(completed: Completed) -> bool:
    """Say whether an error means "not now": that is an answer, if a poor one, and shows nothing torn."""
    return completed.broken_off or (not completed.undeclared and means_not_now(completed.error))


def _told(state: State) -> str:
    if isinstance(state, tuple):
        return ", ".join(f"{row.time}: {row.value}" for row in state) or "nothing"
    return str(state)
