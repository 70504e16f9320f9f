"""What a slot is, a place where a contract takes identifiers: how to write something under one, and to find it again.

Every write carries a number, its mark, by which it is known when it comes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol

from pytest_tradestore.kits.call import Call
from pytest_tradestore.records import Records, field, plain

LEVEL = "tradestore-level-"
"""What the names of the directories begin with in which identifiers are tried, so that paths of a run can be told."""
FIRST = datetime(2026, 1, 5)
ALL = 100_000
"""More records than are ever written: for the limit of a listing."""


class Ask(Protocol):
    """The way to an open store, as a slot uses it."""

    make: Records
    zone: tzinfo | None

    def call(self, method: str, *arguments: Any, shown: str, **options: Any) -> Any:
        """Call the store; ``shown`` is how a report writes the call. Whatever it raises is raised."""
        ...

    def has(self, method: str) -> bool:
        """Say whether the store has a method."""
        ...


@dataclass(frozen=True, slots=True)
class Back:
    """What reading gave: the marks of the records, the identifiers that they carry, and all of it as plain values."""

    marks: tuple[int, ...]
    names: tuple[Any, ...]
    content: Any


@dataclass(frozen=True, slots=True)
class Slot:
    """One place for identifiers.

    ``read(ask, identifier)`` is given where the store can be asked by it; ``everything(ask)`` where its records carry
    it. ``names(ask)`` lists identifiers, or gives None where the store cannot. ``appends``: earlier marks stay.
    ``normalises``: the contract lets the store change the identifier. ``blank``: an empty one means "none given".
    ``loses``: what was written may be gone, so that nothing is always an answer.
    ``read_several(ask, identifiers)`` is given where one call takes several and looks through all records anyway.
    """

    what: str
    write: Callable[[Ask, Any, int], Any]
    read: Callable[[Ask, Any], Back] | None = None
    everything: Callable[[Ask], list[Any] | None] | None = None
    names: Callable[[Ask], list[Any] | None] | None = None
    delete: Callable[[Ask, Any], bool] | None = None
    touch: Callable[[Ask, Any], Any] | None = None
    read_several: Callable[[Ask, Sequence[Any]], Back] | None = None
    appends: bool = False
    normalises: bool = False
    blank: bool = False
    loses: bool = False
    symbols: bool = True
    """Whether what it takes are symbols and names, with dots; otherwise generated ids and kinds."""
    declared: bool = False
    """Whether what it takes are the keys of ``Takes``: no identifiers where those are no text."""


def shown(identifier: Any, width: int = 60) -> str:
    """Return an identifier as a report writes it: in ASCII, escaped, cut when it is long."""
    text = ascii(str.__str__(identifier) if isinstance(identifier, str) else identifier)
    if LEVEL in text:
        return text  # a path of this run, which the report will call by a name
    return text if len(text) <= width else f"{text[: width - 20]}...' ({len(identifier):,} characters)"


def time_of(ask: Ask, mark: int = 0) -> datetime:
    return ask.make.takes.time((FIRST + timedelta(seconds=mark)).replace(tzinfo=ask.zone))


def around(ask: Ask) -> tuple[datetime, datetime]:
    return time_of(ask) - timedelta(days=1), time_of(ask) + timedelta(days=20)


def document(mark: int) -> dict[str, Any]:
    return {"mark": mark, "cash": 1000.25}


def marked(value: Any) -> tuple[int, ...]:
    mark = field(value, "mark") if value else None
    return (mark,) if isinstance(mark, int) else ()


def put(method: str) -> Callable[[Ask, Any, int], Any]:
    """Return how a document is written by a method that takes an identifier and a document."""

    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        return ask.call(method, identifier, document(mark), shown=f"{method}({shown(identifier)}, {{mark: {mark}}})")

    return write


def get(method: str) -> Callable[[Ask, Any], Back]:
    """Return how one is read by a method that takes an identifier and gives a document, or a list of them."""

    def read(ask: Ask, identifier: Any) -> Back:
        found = ask.call(method, identifier, shown=f"{method}({shown(identifier)})")
        records = found if isinstance(found, list) else [found]
        return Back(tuple(mark for record in records for mark in marked(record)), (), found)

    return read


def put_only(method: str) -> Callable[[Ask, Any, int], Any]:
    """Return how the one document of a store is written."""
    return lambda ask, _, mark: ask.call(method, document(mark), shown=f"{method}({{mark: {mark}}})")


def get_only(method: str) -> Callable[[Ask, Any], Back]:
    """Return how it is read."""

    def read(ask: Ask, _: Any) -> Back:
        found = ask.call(method, shown=f"{method}()")
        return Back(marked(found), (), found)

    return read


def remove(method: str) -> Callable[[Ask, Any], bool]:
    """Return how what is under an identifier is taken away, where the store has the method."""

    def delete(ask: Ask, identifier: Any) -> bool:
        if not ask.has(method):
            return False
        ask.call(method, identifier, shown=f"{method}({shown(identifier)})")
        return True

    return delete


def listed(everything: Callable[[Ask], list[Any]], name: str) -> Callable[[Ask], list[Any] | None]:
    """Return how identifiers are listed that are a field of the records."""
    return lambda ask: [field(record, name) for record in everything(ask)]


def slot_of_calls(
    what: str,
    write: Callable[[Any, int], Call],
    read: Callable[[Any], Call],
    marks: Callable[[Any], Sequence[int]],
    *,
    appends: bool = False,
    symbols: bool = True,
) -> Slot:
    """Return a slot in the terms of calls: ``write(identifier, mark)``, ``read(identifier)``.

    ``marks(result)`` finds the marks again in what a read gave.
    """

    def make(ask: Ask, call: Call, named: str) -> Any:
        return ask.call(call.method, *call.arguments, shown=f"{call.method}({named})", **call.options)

    def back(ask: Ask, identifier: Any) -> Back:
        found = make(ask, read(identifier), shown(identifier))
        return Back(tuple(marks(found)), (), plain(found))

    return Slot(
        what,
        lambda ask, identifier, mark: make(ask, write(identifier, mark), f"{shown(identifier)}, mark {mark}"),
        back,
        appends=appends,
        symbols=symbols,
    )
