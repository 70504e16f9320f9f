"""What calls do to a store when they come one after another: one sequential model per contract and kind of part.

Contracts are added by a row in ``MODELS``; a model is a pure function of frozen states. Records of the trading
contracts are told apart by one field that the programs make unique: a store may add fields of its own.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_tradestore.crash.observation import (
    Absent,
    Names,
    Records,
    Seen,
    canonical,
    document_seen,
    names_seen,
    records_seen,
)
from pytest_tradestore.race.execution import Call
from pytest_tradestore.race.linearizability import IMPOSSIBLE, Model, State, Transition
from pytest_tradestore.records import field, plain

LISTING = "keys()"
"""The part that calls about all keys are about; it is judged over the updates of every key."""
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
    """One value that is read and replaced as a whole: the single document, one key among many, one job.

    ``value`` is what a value is compared by, written or read.
    """

    writes: str
    reads: str
    deletes: str = ""
    value: Callable[[Any], State] = document_seen
    initial: State = _NOTHING
    overwrites: bool = True

    def transition(self, call: Call, result: Any) -> Transition:
        return _only_in(self.value(result)) if call.method == self.reads else self.effect(call) or _unchanged

    def effect(self, call: Call) -> Transition | None:
        if call.method == self.writes:
            return _becomes(self.value(call.arguments[-1]))
        return _becomes(self.initial) if call.method == self.deletes else None

    def seen(self, call: Call, result: Any) -> State:  # noqa: ARG002 - others need it
        return self.value(result)

    def answer(self, call: Call, state: State) -> State:  # noqa: ARG002 - as above
        return state

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:  # noqa: ARG002 - as above
        found = self.value(result)
        return found == self.initial or any(
            found == self.value(u.arguments[-1]) for u in updates if u.method == self.writes
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """Which keys there are, over the updates of all keys."""

    initial: State = _NO_NAMES
    overwrites: bool = True

    def transition(self, call: Call, result: Any) -> Transition:
        return _only_in(names_seen(result)) if call.method == "keys" else self.effect(call) or _unchanged

    def effect(self, call: Call) -> Transition | None:
        match call.method:
            case "put":
                return lambda state: Names(tuple(sorted({*state.names, call.arguments[0]})))
            case "delete":
                return lambda state: Names(tuple(name for name in state.names if name != call.arguments[0]))
        return None

    def seen(self, call: Call, result: Any) -> State:  # noqa: ARG002 - others need it
        return names_seen(result)

    def answer(self, call: Call, state: State) -> State:  # noqa: ARG002 - as above
        return state

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:  # noqa: ARG002 - as above
        seen = names_seen(result)
        return isinstance(seen, Names) and set(seen.names) <= {u.arguments[0] for u in updates if u.method == "put"}


@dataclass(frozen=True, slots=True)
class Log:
    """An append-only log: a read gives everything that was appended before it, once, in order."""

    appends: str
    reads: str
    records: Callable[[Any], Seen] = records_seen
    looks: str = ""
    """Another way to read it: in its files."""
    initial: State = _NO_RECORDS
    overwrites: bool = False

    def transition(self, call: Call, result: Any) -> Transition:
        seen = call.method in (self.reads, self.looks)
        return _only_in(self.records(result)) if seen else self.effect(call) or _unchanged

    def effect(self, call: Call) -> Transition | None:
        if call.method != self.appends:
            return None
        new = self._items(call.arguments[-1])
        return lambda state: Records((*state.items, *new))

    def _items(self, record: Any) -> tuple[str, ...]:
        seen = self.records([record])
        return seen.items if isinstance(seen, Records) else ()

    def seen(self, call: Call, result: Any) -> State:  # noqa: ARG002 - others need it
        return self.records(result)

    def answer(self, call: Call, state: State) -> State:  # noqa: ARG002 - as above
        return state

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:  # noqa: ARG002 - as above
        seen = self.records(result)
        written = {item for u in updates if u.method == self.appends for item in self._items(u.arguments[-1])}
        return isinstance(seen, Records) and set(seen.items) <= written


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with a time, of which a later write of the same time replaces the earlier one.

    ``rows`` takes records apart into (time, value) pairs, sorted: order is another requirement's matter.
    A read gives all rows; one ``as_of`` a time (its last argument) the latest up to then.
    """

    writes: str
    reads: str
    rows: Callable[[Any], tuple[tuple[str, str], ...]]
    as_of: bool = False
    initial: State = ()
    overwrites: bool = True

    def transition(self, call: Call, result: Any) -> Transition:
        if call.method != self.reads:
            return self.effect(call) or _unchanged
        found = self.rows(result)
        return lambda state: state if self.answer(call, state) == found else IMPOSSIBLE

    def effect(self, call: Call) -> Transition | None:
        if call.method != self.writes:
            return None
        new = self.rows(call.arguments[-1])
        return lambda state: tuple(sorted({**dict(state), **dict(new)}.items()))

    def seen(self, call: Call, result: Any) -> State:  # noqa: ARG002 - others need it
        return self.rows(result)

    def answer(self, call: Call, state: Any) -> State:
        if not self.as_of:
            rows: State = state
            return rows
        until = canonical(plain(call.arguments[-1]))
        return tuple(row for row in state if row[0] <= until)[-1:]

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:  # noqa: ARG002 - as above
        written = {row for u in updates if u.method == self.writes for row in self.rows(u.arguments[-1])}
        return set(self.rows(result)) <= written


def _by(*names: str) -> Callable[[Any], State]:
    """Return how a record is told from others: by one field, which may lie in a field of the record."""

    def told(record: Any) -> State:
        for name in names:
            if record is None or record == {}:
                return _NOTHING
            record = field(record, name)
        return canonical(plain(record))

    return told


def _rows(time: str, *value: str) -> Callable[[Any], tuple[tuple[str, str], ...]]:
    tag = _by(*value)

    def rows(records: Any) -> tuple[tuple[str, str], ...]:
        listed = records if isinstance(records, (list, tuple)) else (() if records is None else (records,))
        return tuple(sorted((canonical(plain(field(record, time))), str(tag(record))) for record in listed))

    return rows


_MARK = re.compile(r"mark-\d+")


def _marked(records: Any) -> Records:
    """Tell records by the mark that stands in one of their texts, wherever the store has put it."""
    told = records.items if isinstance(records, Records) else records or ()
    texts = (canonical(plain(record)) for record in told)
    return Records(tuple(found[0] if (found := _MARK.search(text)) else text for text in texts))


_BARS = _rows("date", "volume")
_FILINGS = _rows("timestamp", "employees")
_EVENTS = _rows("timestamp", "data", "number")
_KEY = Register("put", "get", "delete")
_LISTING = Listing()
_ONE: dict[str, Model] = {
    "document": Register("save", "load"),
    "journal": Log("append", "read"),
    "bars": Table("write_bars", "read_bars", _BARS),
    "fundamentals": Table("write_fundamental", "read_fundamental", _FILINGS, as_of=True),
    "events": Table("write_event", "read_events", _EVENTS),
    "state": Register("save_strategy_state", "load_strategy_state"),
    "jobs": Register("save", "get", value=_by("params", "version")),
    "runs": Register("create_or_update_run", "get_run", "delete_run", value=lambda run: _kind(run)),
}
_AUDIT: dict[str, Model] = {
    "decisions": Log("log_decision", "read_decisions", _marked, "lines of decisions"),
    "orders": Log("log_order", "read_orders", _marked, "lines of orders"),
}


def _kind(run: Any) -> State:
    """Tell runs by their kind: that is what the call that writes them takes last."""
    return canonical(run) if isinstance(run, str) else _by("kind")(run)


def _always(model: Model) -> Callable[[str], Model]:
    return lambda _: model


MODELS: dict[str, Callable[[str], Model]] = {
    **{name: _always(model) for name, model in _ONE.items()},
    "documents": lambda part: _LISTING if part == LISTING else _KEY,
    "audit": lambda part: _AUDIT[part],
}
"""Per contract, the model of each part."""
