"""Whether what concurrent callers saw could have come from calls that happened one after another.

The search is that of Wing and Gong with Lowe's memory of configurations already seen, part by part. What a call does
to a store is the model's business (``race.models``); which schedules are tried is the scheduler's.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Completed, History

State = Hashable


class _Impossible:
    """The type of ``IMPOSSIBLE``."""

    def __repr__(self) -> str:
        return "IMPOSSIBLE"


IMPOSSIBLE: Final = _Impossible()
"""What a transition gives from a state in which the call could not have had its result."""

Transition = Callable[[Any], State | _Impossible]
"""One call as a function from the state before it to the state after it."""


class Model(Protocol):
    """What calls do to one part of a store when they come one after another."""

    @property
    def initial(self) -> State:
        """The state of a new store."""

    @property
    def overwrites(self) -> bool:
        """Whether an update replaces the ones before it, so that one that lands late can undo a newer one."""

    def transition(self, call: Call, result: Any) -> Transition:
        """Return what ``call`` does if it gives ``result``."""

    def effect(self, call: Call) -> Transition | None:
        """Return what ``call`` does whatever it gives; None if it only reads."""

    def seen(self, call: Call, result: Any) -> State:
        """Return the ``result`` of a read in the terms in which it is compared."""

    def answer(self, call: Call, state: Any) -> State:
        """Return what a read gives in ``state``, in the same terms."""

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        """Say whether each piece of a read's ``result`` was written by one of ``updates``, or stands for nothing."""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A part of a history that no legal order of its calls explains.

    ``order`` is one of the longest orders that explains the calls in it; ``stuck`` is a call that fits behind none of
    them, although it had returned.
    """

    part: str
    calls: History
    order: History
    stuck: Completed


def unexplained(history: History, model_of: Callable[[str], Model]) -> Unexplained | None:
    """Return the first part of ``history`` that is not linearizable, None if all are.

    A call that never returned may have happened at any moment after its invocation, or not at all. One that raised may
    have happened between its invocation and its error, or not at all. One that was cancelled may have happened later
    too, but not on top of an update that was invoked after the cancellation and acknowledged. So may one in which a
    signal's handler raised: what it gave to another thread goes on.
    """
    parts: dict[str, list[Completed]] = {}
    for completed in history:
        parts.setdefault(completed.call.key, []).append(completed)
    for part, calls in parts.items():
        model = model_of(part)
        judged = _judged(calls, model)
        if _search(judged, model.initial) is not None:
            order, stuck = _search(judged, model.initial, explain=True) or ([], 0)
            return Unexplained(part, tuple(calls), tuple(judged[i].completed for i in order), judged[stuck].completed)
    return None


@dataclass(frozen=True, slots=True)
class _Judged:
    """One call as the search takes it: what it may do, the position by which it has done it (if there is one), and the
    calls (as bits) after which it can no longer do anything."""

    completed: Completed
    alternatives: tuple[Transition, ...]
    until: int | None
    barred_by: int = 0


def _judged(calls: Sequence[Completed], model: Model) -> list[_Judged]:
    judged: list[_Judged] = []  # in the order of invocation, so that the calls of a configuration lie close together
    cancelled: list[int] = []
    for completed in sorted(calls, key=_invoked):
        returned = completed.returned
        if returned is not None and not completed.error:
            judged.append(_Judged(completed, (model.transition(completed.call, completed.result),), returned))
        elif (effect := model.effect(completed.call)) is None:
            continue  # a read whose result nobody saw
        elif returned is None or completed.broken_off:
            # Without a last moment "not at all" needs no transition of its own: the search may leave the call out.
            cancelled += [len(judged)] if returned is not None and model.overwrites else []
            judged.append(_Judged(completed, (effect,), None))
        else:
            judged.append(_Judged(completed, (effect, _nothing), returned))
    for i in cancelled:
        judged[i] = replace(judged[i], barred_by=_newer_updates(judged[i].completed, judged, model))
    return judged


def _invoked(completed: Completed) -> int:
    return completed.invoked


def _nothing(state: State) -> State:
    return state


def _newer_updates(cancelled: Completed, judged: Sequence[_Judged], model: Model) -> int:
    """Return the acknowledged updates, as bits, that were invoked when a cancelled call had ended."""
    ended = cancelled.returned
    assert ended is not None
    others = ((i, other.completed) for i, other in enumerate(judged))
    return sum(1 << i for i, o in others if o.invoked > ended and not o.error and model.effect(o.call) is not None)


_HEAD = 0


def _search(calls: Sequence[_Judged], initial: State, *, explain: bool = False) -> tuple[list[int], int] | None:
    """Return None if some order explains all calls that have a last moment, else a longest order and who is stuck.

    The last two are found only with ``explain``, which costs time.

    Calls and returns are the nodes of a doubly linked list in the order of time: 0 is its head, ``1 + i`` the
    invocation of call ``i`` and ``1 + n + i`` its return. A call that is put into the order is taken out of the list
    with its return, so that the calls before the first return are always those that may come next.
    """
    n = len(calls)
    end = 2 * n + 1
    # Where positions are equal the calls were concurrent: invocations come first.
    events = [(call.completed.invoked, 0, 1 + i) for i, call in enumerate(calls)]
    events += [(call.until, 1, 1 + n + i) for i, call in enumerate(calls) if call.until is not None]
    events.sort()
    following, before = [end] * (end + 1), [_HEAD] * (end + 1)
    last = _HEAD
    for _, _, node in events:
        following[last], before[node] = node, last
        last = node
    following[last], before[end] = end, last
    alternatives = [call.alternatives for call in calls]
    ends = [call.until is not None for call in calls]
    barred_by = [call.barred_by for call in calls]

    state: State = initial
    # Calls put into the order so far: all before ``low``, and from there on those whose bits are set in ``done``.
    low = done = 0
    seen: set[tuple[int, int, State]] = set()
    order: list[tuple[int, int, State, int, int]] = []
    longest: list[int] = []
    stuck = -1
    node, choice = following[_HEAD], 0
    while node != end:
        if node <= n:
            i = node - 1
            if choice == len(alternatives[i]) or (barred_by[i] and _any_done(barred_by[i], low, done)):
                node, choice = following[node], 0
                continue
            after = alternatives[i][choice](state)
            if after is IMPOSSIBLE:
                choice += 1
                continue
            now_low, now_done = low, done | 1 << (i - low)
            while now_done & 1:
                now_low, now_done = now_low + 1, now_done >> 1
            configuration = (now_low, now_done, after)
            if configuration in seen:
                choice += 1
                continue
            seen.add(configuration)
            order.append((i, choice, state, low, done))
            low, done, state = configuration
            following[before[node]], before[following[node]] = following[node], before[node]
            if ends[i]:
                back = node + n
                following[before[back]], before[following[back]] = following[back], before[back]
            node, choice = following[_HEAD], 0
            continue
        # A call that has returned fits nowhere: this beginning of an order is wrong.
        if explain and (stuck < 0 or len(order) > len(longest)):
            longest, stuck = [i for i, *_ in order], node - 1 - n
        if not order:
            return longest, stuck
        i, choice, state, low, done = order.pop()
        node = 1 + i
        if ends[i]:
            back = node + n
            following[before[back]] = before[following[back]] = back
        following[before[node]] = before[following[node]] = node
        choice += 1
    return None


def _any_done(calls: int, low: int, done: int) -> bool:
    return bool(calls & (done << low | ((1 << low) - 1)))
