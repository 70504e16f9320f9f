"""What concurrent callers are made to do: per contract, the shortest programs in which a missing lock shows.

Updates of *different* keys or records that may share a file lose each other where a blind write of one key would hide
it; every value is unique, so that it is known whose it was. Simplest first: two callers, then a reader, then three.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pytest_tradestore.contracts import Contract
from pytest_tradestore.race.execution import Actors, Call, Program
from pytest_tradestore.race.models import LISTING
from pytest_tradestore.records import Records


@dataclass(frozen=True, slots=True)
class Scenario:
    """A program with a name, before it is decided who runs it and through how many instances."""

    name: str
    actors: tuple[tuple[Call, ...], ...]
    prepare: tuple[Call, ...] = ()
    observe: tuple[Call, ...] = ()
    again: tuple[Call, ...] = ()

    def program(self, kind: Actors, *, own_instances: bool) -> Program:
        return Program(self.actors, self.prepare, self.observe, own_instances, kind, again=self.again)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How a contract says it. ``write(i)`` is the i-th update: of different places, but perhaps of one file.

    ``rewrite(i)`` are updates of the place of ``write(0)``; ``read(i)`` shows what ``write(i)`` wrote; ``last`` are
    reads that show everything. ``remove`` takes away what ``write(0)`` wrote. ``reread`` shows what ``rewrite(i)``
    wrote where ``read(0)`` does not. Without ``read`` nobody can look while others write.
    """

    write: Callable[[int], Call]
    rewrite: Callable[[int], Call]
    read: Callable[[int], Call] | None
    last: Callable[[int], tuple[Call, ...]]
    remove: Call | None = None
    reread: Call | None = None


def scenarios(contract: Contract, methods: frozenset[str], make: Records | None = None) -> tuple[Scenario, ...]:
    """Return the programs of a contract; optional methods are used where the store has them.

    There are none where the contract offers nothing to read back what was written.
    """
    if contract.name in _GENERIC:
        vocabulary = _GENERIC[contract.name](methods, make or Records())
    else:
        from pytest_tradestore.race.trading_programs import TRADING

        vocabulary = TRADING[contract.name](methods, make or Records())
    found: list[Scenario] = []
    if vocabulary is None:
        return ()
    for scenario in _scenarios(vocabulary):
        if all((scenario.actors, scenario.prepare) != (other.actors, other.prepare) for other in found):
            found.append(replace(scenario, again=(vocabulary.rewrite(9),)))
    return tuple(found)


def _scenarios(say: Vocabulary) -> list[Scenario]:
    write, rewrite, last = say.write, say.rewrite, say.last
    first, second, third = write(0), write(1), write(2)
    read = None if say.read is None else say.read(0)
    reread = say.reread or read
    found = [
        Scenario("two first writers", ((first,), (second,)), (), last(2)),
        Scenario("two writers of one place", ((rewrite(1),), (rewrite(2),)), (first,), last(1)),
    ]
    if read is not None and reread is not None:
        found += [
            Scenario("a reader beside a writer", ((rewrite(1),), (reread,)), (first,), last(1)),
            Scenario("a reader beside a first writer", ((first,), (read,)), (), last(1)),
        ]
    found.append(Scenario("two writers", ((second,), (third,)), (first,), last(3)))
    if say.remove is not None:
        found += [
            Scenario("a deletion beside a writer of its place", ((say.remove,), (rewrite(1),)), (first,), last(1)),
            Scenario("a deletion beside a writer", ((say.remove,), (third,)), (first, second), last(3)),
        ]
    found += [
        Scenario("a writer of two beside a writer", ((first, second), (third,)), (), last(3)),
        Scenario("three writers", ((first,), (second,), (third,)), (), last(3)),
    ]
    if read is not None and reread is not None:
        beside = ((rewrite(1),), (third,), (read, reread))
        found.append(Scenario("two writers beside a reader", beside, (first,), last(3)))
    return found


_KEYS = ("AAPL", "MSFT", "TSLA")
_SIZES = (6, 0, 12)
"""Bytes of padding: values of different lengths, so that one laid over the other shows."""


def value(number: int) -> dict[str, Any]:
    made: dict[str, Any] = {"version": number}
    if size := _SIZES[number % 3]:
        made["note"] = "x" * size
    return made


def shown(number: int) -> str:
    return f"{{version: {number}}}"


def _document(_: frozenset[str], __: Records) -> Vocabulary:
    def save(number: int) -> Call:
        return Call("save", (value(number),), "the document", f"save({shown(number)})")

    load = Call("load", (), "the document", "load()")
    return Vocabulary(save, save, lambda _: load, lambda _: (load,))


def _documents(methods: frozenset[str], _: Records) -> Vocabulary:
    def put(key: str, number: int) -> Call:
        return Call("put", (key, value(number)), key, f"put({key!r}, {shown(number)})")

    def get(number: int) -> Call:
        return Call("get", (_KEYS[number],), _KEYS[number], f"get({_KEYS[number]!r})")

    listing = (Call("keys", (), LISTING, "keys()"),) if "keys" in methods else ()
    return Vocabulary(
        lambda number: put(_KEYS[number], number),
        lambda number: put(_KEYS[0], 10 + number),
        get,
        lambda count: (*(get(i) for i in range(count)), *listing),
        Call("delete", (_KEYS[0],), _KEYS[0], f"delete({_KEYS[0]!r})") if "delete" in methods else None,
    )


def _journal(_: frozenset[str], __: Records) -> Vocabulary:
    def append(number: int) -> Call:
        record = {"order": number, "symbol": _KEYS[number % 3] * (1 + number % 3)}
        return Call("append", ("orders", record), "orders", f"append('orders', {{order: {number}}})")

    read = Call("read", ("orders",), "orders", "read('orders')")
    return Vocabulary(append, append, lambda _: read, lambda _: (read,))


_GENERIC: dict[str, Callable[[frozenset[str], Records], Vocabulary | None]] = {
    "document": _document,
    "documents": _documents,
    "journal": _journal,
}


def without(program: Program, actor: int, call: int) -> Program:
    """Return the program without one call of one actor; an actor without calls goes too."""
    actors = [list(calls) for calls in program.actors]
    del actors[actor][call]
    return replace(program, actors=tuple(tuple(calls) for calls in actors if calls))
