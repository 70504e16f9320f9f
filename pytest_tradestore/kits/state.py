"""The contract of strategy state, sentence by sentence."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits import slots
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.dialect import BY_FUNCTION, Dialect, ledger, small
from pytest_tradestore.kits.generated import generated
from pytest_tradestore.kits.grammar import OneOf, Several, Step, StepKind
from pytest_tradestore.kits.kit import LARGE, REOPEN, Case, Concurrent, Kit, Unstorable
from pytest_tradestore.kits.protocol import Document, Now
from pytest_tradestore.kits.spec import Register
from pytest_tradestore.kits.values import ORDINARY, SAMPLED, VALUES
from pytest_tradestore.observation import Seen, document_seen
from pytest_tradestore.records import Records

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit
    from pytest_tradestore.target import OpenStore


@runtime_checkable
class StrategyState(Protocol):
    """What a strategy has to remember, one document each; ``update_strategy_state(name, function)`` is optional.

    ``function(state) -> state`` is synchronous and runs under the store's lock; an exception leaves
    the old state.
    """

    def save_strategy_state(self, strategy_name: str, state: Document) -> Now[None]:
        """Replace the state of a strategy."""

    def load_strategy_state(self, strategy_name: str) -> Now[Document | None]:
        """Return the state as saved, ``None`` when there is none."""


_NAMES = ("momentum", "value", "carry")
_DIALECT = Dialect(
    "save_strategy_state", "load_strategy_state", ("momentum",), (None,), update="update_strategy_state", keys=False
)


def _save(name: str, state: Document, told: str) -> Call:
    return Call("save_strategy_state", (name, state), name, f"save_strategy_state({name!r}, {told})")


def _recorded(name: str, version: int, size: int = 0) -> Call:
    notes = f", notes: {size:,} bytes" if size else ""
    return _save(name, ledger(version, size), f"{{version: {version}{notes}}}")


def _raced(name: str, number: int) -> Call:
    return _save(name, small(number), f"{{version: {number}}}")


def _read(name: str) -> Call:
    return Call("load_strategy_state", (name,), name)


_NAME = OneOf(("momentum", "value"))


class StrategyStateKit(Kit):
    """As documents: two strategies, a state that grows over pages and shrinks."""

    name = "state"
    protocol = StrategyState
    required = ("save_strategy_state", "load_strategy_state")
    optional = ("update_strategy_state",)
    keyed = whole = replaces = True
    spec = Register("save_strategy_state", "load_strategy_state", updates="update_strategy_state")
    differs = "the state loaded is not the one saved last"

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return tuple(map(_read, _NAMES[:2]))

    def seen(self, look: Call, result: object) -> Seen:
        return document_seen(result)

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        yield from (_recorded("momentum", 1), _recorded("momentum", 2), _recorded("value", 3, LARGE))
        yield from (_recorded("momentum", 4, LARGE), _recorded("momentum", 5))
        if BY_FUNCTION in methods:
            yield _DIALECT.change(make, 6)

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return _recorded(key, version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent:
        return Concurrent(
            lambda number: _raced(_NAMES[number], number),
            lambda number: _raced(_NAMES[0], 10 + number),
            lambda number: _read(_NAMES[number]),
            lambda count: tuple(map(_read, _NAMES[:count])),
            change=partial(_DIALECT.change, make) if BY_FUNCTION in methods else None,
        )

    def trying(self, methods: frozenset[str]) -> "Callable[[OpenStore, Records], Iterable[str]] | None":
        return _DIALECT.trying(methods)

    def slots(self) -> tuple[slots.Slot, ...]:
        write, read = slots.put("save_strategy_state"), slots.get("load_strategy_state")
        return (slots.Slot("strategy name", write, read),)

    grammar = (
        StepKind(
            "save",
            (
                _NAME,
                Several((OneOf(("cash", "positions", "note")), OneOf(range(4))), least=1),
            ),
            often=3,
        ),
        StepKind("load", (_NAME,), often=2),
        StepKind(REOPEN),
    )

    def call(self, visit: "Visit", step: Step) -> Call:
        match step:
            case ("save", name, items):
                return Call("save_strategy_state", (name, dict(items)), name)
        return _read(step[1])

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        return tuple(map(_read, _NAMES[:2]))

    def cases(self) -> Iterator[Case]:
        for name in VALUES:
            yield Case("DATA-STATE-EQUAL", partial(_equal, name), name)
        yield Case("DATA-STATE-EQUAL", _generated, SAMPLED)
        yield Case("DATA-STATE-REPLACED", _replaced)
        yield Case("DATA-STATE-MISSING", _missing)
        yield Case("DATA-REOPEN", _reopened)
        yield from _DIALECT.cases_of_update()

    def unstorable(self) -> Unstorable:
        return _DIALECT.unstorable()


# -- the data, sentence by sentence -------------------------------------------------------------------------------

_SEEDS = {
    "positions": {"AAPL": 100, "MSFT": 50},
    "cash": 10000.0,
    "last_updated": "2026-01-05T10:00:00",
}


def _load(visit: "Visit", name: str = "momentum") -> Any:
    return visit.call("load_strategy_state", name)


def _equal(name: str, visit: "Visit") -> "DataViolation | None":
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


def _generated(visit: "Visit") -> "DataViolation | None":
    number = 0

    def wrong(value: dict[str, Any]) -> "DataViolation | None":
        nonlocal number
        number += 1
        visit.calls.clear()
        if not visit.accepted("save_strategy_state", f"momentum{number}", value):
            return None
        return visit.expect("the state loaded is not the one saved", _load(visit, f"momentum{number}"), value)

    return generated(wrong, visit.examples, visit.seed)


def _replaced(visit: "Visit") -> "DataViolation | None":
    first, second = {"cash": 1.5, "old": True, "positions": {"AAPL": 1, "MSFT": 2}}, {"positions": {"AAPL": 3}}
    for name in ("momentum", "value"):
        visit.must("save_strategy_state", name, first)
    visit.must("save_strategy_state", "momentum", second)
    if found := visit.expect("after another save the new state is not what is loaded", _load(visit), second):
        return found
    third = {"positions": {"AAPL": 7}}  # as long as the second
    visit.must("save_strategy_state", "momentum", third)
    if found := visit.expect(
        "after a save of the same length the new state is not what is loaded", _load(visit), third
    ):
        return found
    return visit.expect("saving one strategy's state changed another's", _load(visit, "value"), first)


def _missing(visit: "Visit") -> "DataViolation | None":
    sentence = "the state of a strategy that saved none does not load as None"
    if found := visit.expect(sentence, _load(visit, "missing_strategy"), None):
        return found
    visit.must("save_strategy_state", "missing", _SEEDS)
    return visit.expect(sentence, _load(visit, "missing_strategy"), None)


def _reopened(visit: "Visit") -> "DataViolation | None":
    for name, cash in (("momentum", 1.5), ("momentum", 2.5), ("value", 3.5)):
        visit.must("save_strategy_state", name, {"cash": cash})
    visit.reopen()
    found = {name: _load(visit, name) for name in ("momentum", "value")}
    wanted = {"momentum": {"cash": 2.5}, "value": {"cash": 3.5}}
    return visit.expect("after reopening the store shows something else", found, wanted)
