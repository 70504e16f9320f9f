"""What concurrent callers are made to do: per contract, the shortest programs in which a missing lock shows.

Updates of *different* keys or records that may share a file lose each other where a blind write of one key would hide
it; every value is unique, so that it is known whose it was. Simplest first: two callers, then a reader, then three.
"""

from dataclasses import dataclass, replace

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Concurrent, Kit
from pytest_tradestore.race.execution import SIGNALS, Actors, Blow, Program
from pytest_tradestore.records import Records


@dataclass(frozen=True, slots=True)
class Scenario:
    """A program with a name, before it is decided who runs it and through how many instances."""

    name: str
    actors: tuple[tuple[Call, ...], ...]
    prepare: tuple[Call, ...] = ()
    observe: tuple[Call, ...] = ()
    again: tuple[Call, ...] = ()
    blow: Blow | None = None
    """What happens to the first caller, where the program is for that alone."""

    def program(self, kind: Actors, *, own_instances: bool) -> Program:
        return Program(self.actors, self.prepare, self.observe, own_instances, kind, self.blow, again=self.again)


def scenarios(kit: Kit, methods: frozenset[str], make: Records | None = None) -> tuple[Scenario, ...]:
    """Return the programs of a contract; optional methods are used where the store has them.

    There are none where the contract offers nothing to read back what was written.
    """
    make = make or Records()
    say = kit.concurrent(make, methods)
    found: list[Scenario] = []
    if say is None:
        return ()
    listing = next((look for look in kit.looks(make, methods) if look.key == kit.listing), None)
    for scenario in _scenarios(say, listing):
        if all((scenario.actors, scenario.prepare) != (other.actors, other.prepare) for other in found):
            found.append(replace(scenario, again=(say.rewrite(9),)))
    return tuple(found)


def of_blows(kit: Kit, methods: frozenset[str], make: Records | None = None) -> tuple[Scenario, ...]:
    """Return the programs in which something happens to the first caller that the others' programs do not show.

    A slow caller's update is read before it is slow and written after; an interrupted one goes on with its next call.
    """
    say = kit.concurrent(make or Records(), methods)
    if say is None:
        return ()
    first, second, third = say.write(0), say.write(1), say.write(2)
    change, last = say.change, say.last
    found = [Scenario("a slow writer beside a writer of two", ((first,), (second, third)), (), last(3), blow=Blow.SLOW)]
    if change is not None:
        of_one = ((change(1),), (change(2), change(3)))
        found.append(Scenario("a slow change beside two", of_one, (first,), last(1), blow=Blow.SLOW))
    calls = (say.rewrite(1), *(() if change is None else (change(1),)), say.rewrite(2))
    of_two = calls if say.remove is None else (say.rewrite(1), say.remove, *calls[1:])
    found += [Scenario("a writer alone", (of_two,), (first,), last(1), blow=blow) for blow in SIGNALS]
    beside = ((say.rewrite(1),), (say.rewrite(2),))
    found.append(Scenario("a writer beside a writer", beside, (first,), last(1), blow=Blow.CTRL_C))
    return tuple(replace(scenario, again=(say.rewrite(9),)) for scenario in found)


def _scenarios(say: Concurrent, listing: Call | None) -> list[Scenario]:
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
            Scenario("a reader beside a first writer", ((first,), (read, read)), (), last(1)),
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
        name = "two readers" if listing is None else "two who list"
        look = listing or last(2)[-1]
        found.append(Scenario(name, ((look,), (look,)), (first, second), last(2)))
    if listing is not None:
        found.append(Scenario("a listing beside a writer", ((rewrite(1),), (listing,)), (first, second), last(2)))
    if say.change is not None:
        found += [
            Scenario("two who change one place", ((say.change(1),), (say.change(2),)), (first,), last(1)),
            Scenario("one who changes a place beside its writer", ((say.change(1),), (rewrite(2),)), (first,), last(1)),
        ]
    return found


def without(program: Program, actor: int, call: int) -> Program:
    """Return the program without one call of one actor; an actor without calls goes too."""
    actors = [list(calls) for calls in program.actors]
    del actors[actor][call]
    return replace(program, actors=tuple(tuple(calls) for calls in actors if calls))
