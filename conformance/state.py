"""The contract of strategy state, sentence by sentence."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.generated import generated
from pytest_tradestore.conformance.programs import OneOf, Several, Step, StepKind, from_programs
from pytest_tradestore.conformance.values import ORDINARY, VALUES
from pytest_tradestore.conformance.visit import SAMPLED, Mismatch, Visit, check

_SEEDS = {
    "positions": {"AAPL": 100, "MSFT": 50},
    "cash": 10000.0,
    "last_updated": "2026-01-05T10:00:00",
}


def checks() -> tuple[Check, ...]:
    """Return the checks of the contract."""
    return (
        *(check("DATA-STATE-EQUAL", f"state-{name}", partial(_equal, name)) for name in VALUES),
        check("DATA-STATE-EQUAL", f"state-{SAMPLED}", _generated),
        check("DATA-STATE-REPLACED", "state", _replaced),
        check("DATA-STATE-MISSING", "state", _missing),
        check("DATA-REOPEN", "state", _reopened),
        check("DATA-MODEL", f"state-{SAMPLED}", from_programs(_play, GRAMMAR)),
    )


def _load(visit: Visit, name: str = "momentum") -> Any:
    return visit.call("load_strategy_state", name)


def _equal(name: str, visit: Visit) -> Mismatch | None:
    value = VALUES[name]
    if name == ORDINARY:
        visit.must("save_strategy_state", "momentum", _SEEDS)
        if found := visit.expect("the state loaded is not the one saved", _load(visit), _SEEDS):
            return found
        visit.must("save_strategy_state", "momentum", value)
    elif not visit.accepted("save_strategy_state", "momentum", value):
        return None
    if found := visit.expect("the state loaded is not the one saved", _load(visit), value):
        return found
    visit.reopen()
    return visit.expect("the state loaded after reopening is not the one saved", _load(visit), value)


def _generated(visit: Visit) -> Mismatch | None:
    number = 0

    def wrong(value: dict[str, Any]) -> Mismatch | None:
        nonlocal number
        number += 1
        visit.calls.clear()
        if not visit.accepted("save_strategy_state", f"momentum{number}", value):
            return None
        return visit.expect("the state loaded is not the one saved", _load(visit, f"momentum{number}"), value)

    return generated(wrong, visit.examples, visit.seed)


def _replaced(visit: Visit) -> Mismatch | None:
    first, second = {"cash": 1.5, "old": True, "positions": {"AAPL": 1, "MSFT": 2}}, {"positions": {"AAPL": 3}}
    for name in ("momentum", "value"):
        visit.must("save_strategy_state", name, first)
    visit.must("save_strategy_state", "momentum", second)
    if found := visit.expect("after another save the new state is not what is loaded", _load(visit), second):
        return found
    return visit.expect("saving one strategy's state changed another's", _load(visit, "value"), first)


def _missing(visit: Visit) -> Mismatch | None:
    sentence = "the state of a strategy that saved none does not load as None"
    if found := visit.expect(sentence, _load(visit, "missing_strategy"), None):
        return found
    visit.must("save_strategy_state", "missing", _SEEDS)
    return visit.expect(sentence, _load(visit, "missing_strategy"), None)


def _reopened(visit: Visit) -> Mismatch | None:
    for name, cash in (("momentum", 1.5), ("momentum", 2.5), ("value", 3.5)):
        visit.must("save_strategy_state", name, {"cash": cash})
    visit.reopen()
    found = {name: _load(visit, name) for name in ("momentum", "value")}
    wanted = {"momentum": {"cash": 2.5}, "value": {"cash": 3.5}}
    return visit.expect("after reopening the store shows something else", found, wanted)


# -- generated programs -------------------------------------------------------------------------------------------


def _play(visit: Visit, program: Sequence[Step]) -> Mismatch | None:
    model: dict[str, Any] = {}

    def wrong(name: str) -> Mismatch | None:
        return visit.expect("the state loaded is not the one saved last", _load(visit, name), model.get(name))

    for step in program:
        match step:
            case ("save", name, items):
                visit.must("save_strategy_state", name, dict(items))
                model[name] = dict(items)
            case ("load", name):
                if found := wrong(name):
                    return found
            case _:
                visit.reopen()
    return wrong("momentum") or wrong("value")


_NAME = OneOf(("momentum", "value"))
GRAMMAR = (
    StepKind("save", (_NAME, Several((OneOf(("cash", "positions", "note")), OneOf(range(4))), least=1)), often=3),
    StepKind("load", (_NAME,), often=2),
    StepKind("reopen"),
)
