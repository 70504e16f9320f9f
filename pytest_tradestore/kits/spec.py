"""What calls do to a store when they come one after another: sequential specifications, pure functions of states.

As in porcupine, a specification is an initial state and a step; who searches for an order of concurrent calls, and who
plays a program against a store, asks the same one. How records are told apart is given to it: by all their fields, or
by the one that a program makes unique, since a store may add fields of its own.
"""

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, permutations
from typing import Any, Final

from pytest_tradestore.kits.call import Call
from pytest_tradestore.observation import (
    Absent,
    Names,
    Records,
    Seen,
    Value,
    canonical,
    document_seen,
    key_seen,
    names_seen,
    records_seen,
)
from pytest_tradestore.records import field as field_of
from pytest_tradestore.records import plain

State = Any
"""What a store holds of one key. Anything that is not changed in place will do; tuples and texts are quickest."""


class _Unsaid:
    """The type of ``UNSAID``."""

    def __repr__(self) -> str:
        return "UNSAID"


UNSAID: Final = _Unsaid()
"""The answer of a call of which the contract does not say what it returns."""

_FEW = 5
"""Updates of which every order is looked at."""
_NOTHING, _NO_NAMES, _NO_RECORDS = Absent(), Names(()), Records(())


class Spec:
    """What calls do to one key of a store: ``initial`` and ``apply`` are all that there has to be.

    ``reads`` are the methods that change nothing. ``overwrites`` says whether an update replaces the ones before it, so
    that one that lands late can undo a newer one.
    """

    initial: State = None
    reads: tuple[str, ...] = ()
    overwrites: bool = False

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        """Return the state after ``call``, and what it answers: ``UNSAID`` where the contract leaves that open."""
        raise NotImplementedError

    def changes(self, call: Call) -> bool:
        """Say whether ``call`` is an update."""
        return call.method not in self.reads

    def says(self, state: State, call: Call) -> bool:
        """Say whether the contract says what ``call`` does in ``state``; it is not asked otherwise."""
        return True

    def reopened(self, state: State) -> State:
        """Return what is left of a state when the store is closed and opened again."""
        return state

    def told(self, answer: Any) -> Hashable:
        """Return an answer of ``apply`` in the terms in which answers are compared."""
        return comparable(answer)

    def seen(self, call: Call, result: Any) -> Hashable:
        """Return what a store gave, in the same terms."""
        return comparable(result)

    def wanted(self, answer: Any) -> Any:
        """Return an answer of ``apply`` as the store has to give it."""
        return answer

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        """Say whether each piece of a read's ``result`` was written by one of ``updates``, or stands for nothing."""
        found = self.seen(call, result)
        return any(self.told(answer) == found for answer in self._answers(call, updates))

    def _answers(self, call: Call, updates: Sequence[Call]) -> Iterator[Any]:
        """Yield what a read gives after some of the updates, in every order; of many updates, in the order given."""
        changing = [update for update in updates if self.changes(update)]
        few = len(changing) <= _FEW
        counts = range(len(changing) + 1)
        for order in chain.from_iterable(permutations(changing, n) if few else [changing[:n]] for n in counts):
            state = self.initial
            for update in order:
                state, _ = self.apply(state, update)
            yield self.apply(state, call)[1]


def comparable(value: Any) -> Hashable:
    """Return text that is equal for equal answers only; ``None``, ``{}`` and ``[]`` all say that there is nothing."""
    told = plain(value)
    return _NOTHING if told is None or told in ({}, []) else Value(canonical(told))


@dataclass(frozen=True, slots=True)
class Register(Spec):
    """One value that is read and replaced as a whole: the single document, one key among many, one job.

    ``value`` is what a value is compared by, written or read.
    """

    writes: str = ""
    gets: str = ""
    deletes: str = ""
    value: Callable[[Any], Hashable] = document_seen
    updates: str = ""
    """The method that is given a function of the old document."""
    initial: State = _NOTHING
    overwrites: bool = True

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        if call.method == self.writes:
            return self.value(call.arguments[-1]), UNSAID
        if call.method == self.deletes:
            return self.initial, UNSAID
        if call.method == self.updates:
            return self.value(call.arguments[-1](self.wanted(state) or {})), UNSAID
        return state, state if call.method == self.gets else UNSAID

    def changes(self, call: Call) -> bool:
        return bool(call.method) and call.method in (self.writes, self.deletes, self.updates)

    def told(self, answer: Any) -> Hashable:
        return answer  # type: ignore[no-any-return] # states are what is compared

    def seen(self, call: Call, result: Any) -> Hashable:
        return self.value(result)

    def wanted(self, answer: Any) -> Any:
        return json.loads(answer.text) if isinstance(answer, Value) else None

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        if any(u.method == self.updates for u in updates):
            return Spec.made_of(self, call, result, updates)
        found = self.value(result)
        return found == self.initial or any(
            found == self.value(u.arguments[-1]) for u in updates if u.method == self.writes
        )


@dataclass(frozen=True, slots=True)
class Listing(Spec):
    """Which keys there are, over the updates of all keys."""

    puts: tuple[str, ...] = ("put", "update")
    deletes: str = "delete"
    lists: str = "keys"
    initial: State = _NO_NAMES
    overwrites: bool = True

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        if call.method in self.puts:
            return Names(tuple(sorted({*state.names, key_seen(call.arguments[0])}))), UNSAID
        if call.method == self.deletes:
            gone = key_seen(call.arguments[0])
            return Names(tuple(name for name in state.names if name != gone)), UNSAID
        return state, state if call.method == self.lists else UNSAID

    def changes(self, call: Call) -> bool:
        return call.method in (*self.puts, self.deletes)

    def told(self, answer: Any) -> Hashable:
        return answer  # type: ignore[no-any-return] # as for registers

    def seen(self, call: Call, result: Any) -> Hashable:
        return names_seen(result)

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        seen = names_seen(result)
        put = {key_seen(update.arguments[0]) for update in updates if update.method in self.puts}
        return isinstance(seen, Names) and set(seen.names) <= put


@dataclass(frozen=True, slots=True)
class Log(Spec):
    """An append-only log: a read gives everything that was appended before it, once, in order."""

    appends: str = ""
    gets: str = ""
    records: Callable[[Any], Seen] = records_seen
    looks: str = ""
    """Another way to read it: in its files."""
    initial: State = _NO_RECORDS
    overwrites: bool = False

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        if call.method == self.appends:
            return Records((*state.items, *self._items(call.arguments[-1]))), UNSAID
        return state, state if call.method in (self.gets, self.looks) else UNSAID

    def changes(self, call: Call) -> bool:
        return call.method == self.appends

    def _items(self, record: Any) -> tuple[str, ...]:
        seen = self.records([record])
        return seen.items if isinstance(seen, Records) else ()

    def told(self, answer: Any) -> Hashable:
        return answer  # type: ignore[no-any-return] # as for registers

    def seen(self, call: Call, result: Any) -> Hashable:
        return self.records(result)

    def wanted(self, answer: Any) -> Any:
        return [json.loads(item) for item in answer.items]

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        seen = self.records(result)
        written = {item for u in updates if u.method == self.appends for item in self._items(u.arguments[-1])}
        return isinstance(seen, Records) and set(seen.items) <= written


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a table: its time and what it is told by, both as text; ``record`` is all of it."""

    time: str
    value: str
    record: Any = field(default=None, compare=False)


def _anything(_: Call) -> tuple[str, str]:
    return "", "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Table(Spec):
    """Rows with a time, of which a later write of the same time replaces the earlier one, unless ``each`` is kept.

    ``rows`` takes records apart; sorted, for their order is another requirement's matter. A read gives the rows within
    its ``bounds``, or only the ``latest`` of them.
    """

    writes: str = ""
    gets: str = ""
    rows: Callable[[Any], tuple[Row, ...]] = tuple
    bounds: Callable[[Call], tuple[str, str]] = _anything
    latest: bool = False
    each: bool = False
    initial: State = ()
    overwrites: bool = True

    def apply(self, state: State, call: Call) -> tuple[State, Any]:
        if call.method == self.writes:
            new = self.rows(call.arguments[-1])
            if self.each:
                return tuple(sorted((*state, *new), key=_place)), UNSAID
            by_time = {row.time: row for row in (*state, *new)}
            return tuple(by_time[time] for time in sorted(by_time)), UNSAID
        if call.method != self.gets:
            return state, UNSAID
        first, last = self.bounds(call)
        inside = tuple(row for row in state if first <= row.time <= last)
        return state, inside[-1:] if self.latest else inside

    def changes(self, call: Call) -> bool:
        return call.method == self.writes

    def told(self, answer: Any) -> Hashable:
        return answer  # type: ignore[no-any-return] # as for registers

    def seen(self, call: Call, result: Any) -> Hashable:
        return self.rows(result)

    def wanted(self, answer: Any) -> Any:
        records = [row.record for row in answer]
        return (records[0] if records else None) if self.latest else records

    def made_of(self, call: Call, result: Any, updates: Sequence[Call]) -> bool:
        written = {row for u in updates if u.method == self.writes for row in self.rows(u.arguments[-1])}
        return set(self.rows(result)) <= written


def _time(row: Row) -> str:
    return row.time


def _place(row: Row) -> tuple[str, str]:
    return row.time, row.value


def told_by(*names: str) -> Callable[[Any], Hashable]:
    """Return how a record is told from others: by one field, which may lie in a field of the record."""

    def told(record: Any) -> Hashable:
        for name in names:
            if record is None or record == {}:
                return _NOTHING
            record = field_of(record, name)
        return canonical(plain(record))

    return told


def rows_by(time: str, *value: str, each: bool = False) -> Callable[[Any], tuple[Row, ...]]:
    """Return how records are taken apart: by the field of their time and one that tells them, or by all of them.

    Of several at one time the order stays, for the last one counts; where ``each`` is kept it does not matter.
    """
    tag = told_by(*value)

    def rows(records: Any) -> tuple[Row, ...]:
        listed = records if isinstance(records, (list, tuple)) else (() if records is None else (records,))
        made = (Row(canonical(plain(field_of(r, time))), str(tag(r)), plain(r)) for r in listed)
        return tuple(sorted(made, key=_place if each else _time))

    return rows
