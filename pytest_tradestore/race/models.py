"""What calls do to a store when they come one after another: one sequential model per contract and kind of part.

Contracts are added by a row in ``MODELS``; a model is a pure function of frozen states.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_tradestore.crash.observation import (
    Absent,
    Names,
    Records,
    canonical,
    document_seen,
    names_seen,
    records_seen,
)
from pytest_tradestore.crash.workloads import THE_KEYS
from pytest_tradestore.race.execution import Call
from pytest_tradestore.race.linearizability import IMPOSSIBLE, Model, State, Transition

_NOTHING, _NO_NAMES, _NO_RECORDS = Absent(), Names(()), Records(())


def _only_in(wanted: State) -> Transition:
    """Return the transition of a read: it changes nothing, and is possible in the state that it saw."""
    return lambda state: state if state == wanted else IMPOSSIBLE


def _becomes(state: State) -> Transition:
    return lambda _: state


def _unchanged(state: State) -> State:
    return state


@dataclass(frozen=True, slots=True)
class Register:
    """One document that is read and replaced as a whole: the single document, or one key among many."""

    writes: str
    reads: str
    deletes: str = ""
    initial: State = _NOTHING
    overwrites: bool = True

    def transition(self, call: Call, result: Any) -> Transition:
        return _only_in(document_seen(result)) if call.method == self.reads else self.effect(call) or _unchanged

    def effect(self, call: Call) -> Transition | None:
        if call.method == self.writes:
            return _becomes(document_seen(call.arguments[-1]))
        return _becomes(_NOTHING) if call.method == self.deletes else None


@dataclass(frozen=True, slots=True)
class Listing:
    """Which keys there are; for programs that list them, which cannot be judged key by key."""

    initial: State = _NO_NAMES
    overwrites: bool = True

    def transition(self, call: Call, result: Any) -> Transition:
        if call.method == "keys":
            return _only_in(names_seen(result))
        return self.effect(call) or self._read(call.arguments[0], document_seen(result) != _NOTHING)

    def effect(self, call: Call) -> Transition | None:
        key = call.arguments[0] if call.arguments else ""
        match call.method:
            case "put":
                return lambda state: Names(tuple(sorted({*state.names, key})))
            case "delete":
                return lambda state: Names(tuple(name for name in state.names if name != key))
        return None

    def _read(self, key: str, there: bool) -> Transition:
        return lambda state: state if (key in state.names) is there else IMPOSSIBLE


@dataclass(frozen=True, slots=True)
class Log:
    """An append-only log: a read gives everything that was appended before it, once, in order."""

    initial: State = _NO_RECORDS
    overwrites: bool = False

    def transition(self, call: Call, result: Any) -> Transition:
        return _only_in(records_seen(result)) if call.method == "read" else self.effect(call) or _unchanged

    def effect(self, call: Call) -> Transition | None:
        if call.method != "append":
            return None
        record = canonical(call.arguments[-1])
        return lambda state: Records((*state.items, record))


_KEY = Register("put", "get", "delete")
_DOCUMENT = Register("save", "load")
_LISTING = Listing()
_LOG = Log()

MODELS: dict[str, Callable[[str], Model]] = {
    "document": lambda _: _DOCUMENT,
    "documents": lambda part: _LISTING if part == THE_KEYS else _KEY,
    "journal": lambda _: _LOG,
}
"""Per contract, the model of each part."""
