"""A kit's specification as the checker takes it: each call as a function from the state before to the state after.

What calls do stands in the kit. Here steps are remembered, for a search makes the same ones again and again, and states
are given a hash where they have none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.kits.spec import UNSAID, Spec
from pytest_tradestore.observation import canonical
from pytest_tradestore.race.linearizability import IMPOSSIBLE, Model, State, Transition
from pytest_tradestore.records import plain

_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A state without a hash, known by its text."""

    text: str
    state: Any = field(compare=False)


class StepModel:
    """A specification of one key. Its states are hashable, whatever the specification's own are."""

    def __init__(self, spec: Spec, *, loses: bool = False) -> None:
        self._spec = spec
        self._loses = loses
        self._known: dict[tuple[int, State], tuple[Call, State, Any]] = {}
        self.initial: State = _hashable(spec.initial)
        self.overwrites = spec.overwrites

    def transition(self, call: Call, result: Any) -> Transition:
        def step(state: State) -> State:
            after, answer = self._step(state, call)
            if answer is UNSAID or answer == found() or (self._loses and found() == self._nothing(call)):
                return after
            return IMPOSSIBLE

        @cache
        def found() -> State:  # only where it is compared: what an update returns may be anything
            return self._spec.seen(call, result)

        return step

    def _nothing(self, call: Call) -> State:
        """Return what a call answers where nothing was ever written."""
        return self._step(self.initial, call)[1]

    def effect(self, call: Call) -> Transition | None:
        return (lambda state: self._step(state, call)[0]) if self._spec.changes(call) else None

    def seen(self, call: Call, result: Any) -> State:
        return self._spec.seen(call, result)

    def answer(self, call: Call, state: Any) -> State:
        return self._step(state, call)[1]

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        return self._spec.made_of(call, result, updates)

    def _step(self, state: State, call: Call) -> tuple[State, State]:
        """Return the state after a call and its answer in the terms in which it is compared."""
        known = self._known.get((id(call), state))
        if known is None or known[0] is not call:
            if len(self._known) > _MOST_STEPS:
                self._known.clear()
            after, answer = self._spec.apply(state.state if isinstance(state, _Snapshot) else state, call)
            known = call, _hashable(after), answer if answer is UNSAID else self._spec.told(answer)
            self._known[id(call), state] = known
        return known[1], known[2]


def _hashable(state: Any) -> State:
    try:
        hash(state)
    except TypeError:
        return _Snapshot(canonical(plain(state)), state)
    return state  # type: ignore[no-any-return] # it has a hash, as was just seen


def models_of(kit: Kit) -> Callable[[str], Model]:
    """Return what gives the model of each key of a contract."""
    known: dict[str, StepModel] = {}

    def model(key: str) -> Model:
        if key not in known:
            known[key] = StepModel(kit.spec_of(key), loses=kit.loses)
        return known[key]

    return model
