"""A kit's programs as a state machine of hypothesis, for people's own test modules: ``Kit.state_machine``.

The suite draws its programs without hypothesis, so that they are the same everywhere. Here hypothesis draws, shrinks
and remembers, and the store runs in pytest's own process.
"""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from pytest_tradestore.conformance.visit import DataViolation, Visit
from pytest_tradestore.kits.grammar import OneOf, Several, StepKind
from pytest_tradestore.kits.kit import REOPEN, Kit
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest


class _Nobody:
    """Stands where a channel tells another process how far the store has come."""

    def step(self, number: int) -> None:
        """Nobody watches."""

    def rest(self) -> None:
        """Nobody watches."""

    def send(self, value: Any) -> None:
        """Nobody listens."""


class KitMachine(RuleBasedStateMachine):
    """The store of one example, and what the specification says that it holds; its rules are the kit's steps."""

    kit: Kit
    store: StoreUnderTest
    zone: tzinfo | None

    def __init__(self) -> None:
        super().__init__()
        self._sandbox = Sandbox()
        self._visit = Visit(self.store, self._sandbox, _Nobody(), Settings())
        self._visit.zone = self.zone
        self._states: dict[str, Any] = {}

    def take(self, step: tuple[Any, ...]) -> None:
        """Take one step. Raises AssertionError, with all calls made so far, if the store answers otherwise."""
        if step[0] == REOPEN:
            self._visit.reopen()
            self._states = self.kit.reopened(self._states)
        else:
            self._hold(self.kit.answered(self._visit, self._states, self.kit.call(self._visit, step)))

    def teardown(self) -> None:
        """Look at everything once more, and close the store."""
        try:
            for call in self.kit.last_calls(self._visit):
                self._hold(self.kit.answered(self._visit, self._states, call))
            self._visit.leave()
        finally:
            self._sandbox.__exit__(None, None, None)

    def _hold(self, found: DataViolation | None) -> None:
        if found is not None:
            calls = "\n  ".join(found.calls)
            raise AssertionError(f"{found.sentence}:\n  {calls}\nfound:   {found.found}\nallowed: {found.allowed}")


def machine_of(
    kit: Kit, target: Callable[[Path], Any], zone: tzinfo | None, declarations: Mapping[str, Any]
) -> type[RuleBasedStateMachine]:
    """Return the machine of a kit, as ``Kit.state_machine`` says."""
    if not kit.grammar or type(kit).play is not Kit.play:
        raise TypeError(
            f"{type(kit).__name__} has no grammar whose steps are calls, so there are no rules to make of it"
        )
    store = StoreUnderTest(kit.name, target, **({"contracts": (kit,)} | dict(declarations)))
    rules = {f"step_{number}": _rule(kind) for number, kind in enumerate(kit.grammar)}
    return type(f"{type(kit).__name__}Machine", (KitMachine,), {"kit": kit, "store": store, "zone": zone, **rules})


def _rule(kind: StepKind) -> Any:
    def step(self: KitMachine, arguments: tuple[Any, ...]) -> None:
        self.take((kind.name, *arguments))

    step.__name__ = kind.name.replace(" ", "_")
    return rule(arguments=st.tuples(*map(_drawn, kind.arguments)))(step)


def _drawn(argument: OneOf | Several) -> st.SearchStrategy[Any]:
    if isinstance(argument, OneOf):
        return st.sampled_from(list(argument.values))
    row = st.tuples(*map(_drawn, argument.columns))
    return st.lists(row, min_size=argument.least, max_size=argument.most).map(tuple)
