"""What documents and logs have in common: documents that differ, and what is asked of each value that goes in.

How a contract says "write this" and "read it back" is the kit's matter.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.generated import generated
from pytest_tradestore.kits.kit import ABSENT, Case, NotAskedError, Unstorable
from pytest_tradestore.kits.values import EMPTY_AS_NONE, ORDINARY, SAMPLED, VALUES, difference
from pytest_tradestore.observation import canonical, key_seen
from pytest_tradestore.records import Records

if TYPE_CHECKING:
    from pytest_tradestore.conformance.visit import DataViolation, Visit
    from pytest_tradestore.target import OpenStore

_SIZES = (6, 0, 12)
"""Bytes of padding: values of different lengths, so that one laid over the other shows."""


def ledger(version: int, size: int = 0) -> dict[str, Any]:
    """A portfolio as trading bots keep it; every version differs, and a large one fills ``size`` bytes."""
    document: dict[str, Any] = {
        "version": version,
        "cash": 1000.25 + version,
        "positions": {"AAPL": 100 + version, "MSFT": 50},
        "last_updated": f"2026-01-05T10:00:{version % 60:02d}",
    }
    if size:
        line = f"fill {version}: BUY 100 AAPL @ 150.25 "
        document["notes"] = (line * (size // len(line) + 1))[:size]
    return document


def described(document: dict[str, Any]) -> str:
    """Return a ledger as a report writes it."""
    notes = document.get("notes")
    return "{version: %s%s}" % (document["version"], f", notes: {len(notes):,} bytes" if notes else "")  # noqa: UP031


def small(number: int) -> dict[str, Any]:
    """Return a small document, with a version of its own."""
    made: dict[str, Any] = {"version": number}
    if size := _SIZES[number % 3]:
        made["note"] = "x" * size
    return made


_NOT_EMPTY = "an empty document was taken, and is not what is read"


@dataclass(frozen=True, slots=True)
class Counts:
    """Adds a number to those that a document has counted: each caller another, so that it is known whose is lost."""

    number: int

    def __call__(self, document: dict[str, Any] | None) -> dict[str, Any]:
        counted = (document or {}).get("counted", [])
        return {**(document or {}), "counted": [*counted, self.number]}


THE_DOCUMENT = "the document"
BY_FUNCTION = "an update that takes a function"
"""Beside the methods of a store: that its update is the one of the contract."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a contract says "write this value" and "read it back"; of a log the value is the newest record."""

    write: str
    read: str
    place: tuple[str, ...]
    nothing: tuple[Any, ...]
    log: bool = False
    update: str = ""
    """The optional method that changes a document by a function of it."""
    keys: bool = True
    """Whether places are keys, which may be no text, and not names."""

    def at(self, make: Records, place: tuple[str, ...] | None = None) -> tuple[Any, ...]:
        """Return a place as the store takes it: its key, or nothing where there is but one value."""
        place = self.place if place is None else place
        return tuple(map(make.takes.key, place)) if self.keys else place

    def put(self, visit: "Visit", value: Any, place: tuple[str, ...] | None = None) -> bool:
        return visit.accepted(self.write, *self.at(visit.make, place), value)

    def get(self, visit: "Visit", place: tuple[str, ...] | None = None) -> Any:
        return visit.call(self.read, *self.at(visit.make, place))

    def newest(self, visit: "Visit", place: tuple[str, ...] | None = None) -> Any:
        value = self.get(visit, place)
        return value[-1] if self.log and isinstance(value, list) and value else value

    def cases(self) -> Iterator[Case]:
        """Yield what is asked of whatever goes in."""
        for name, value in VALUES.items():
            yield Case("DATA-ROUNDTRIP", partial(_round_trip, self, name, value), name)
        yield Case("DATA-ROUNDTRIP", partial(_empty, self), "nothing")
        yield Case("DATA-ROUNDTRIP", partial(_generated, self), SAMPLED)
        yield Case("DATA-MISSING", partial(_missing, self))
        yield Case("DATA-REOPEN", partial(_reopened, self))
        if not self.log:
            yield Case("DATA-OVERWRITE", partial(_overwritten, self))
        yield from self.cases_of_update()

    def cases_of_update(self) -> Iterator[Case]:
        """Yield what is asked of an update by a function, if the contract has one."""
        if self.update:
            given = "name, function" if self.update != "update" else "key, function" if self.place else "function"
            unasked = (
                f"what {self.read}, change, {self.write} by several callers loses is not checked; a method "
                f"{self.update}({given}) has it asked, tradestore_race asks it of your own callers"
            )
            yield Case("DATA-UPDATE", partial(_updated, self), needs=self.update, unasked=unasked)

    def change(self, make: Records, number: int) -> Call:
        """Return an update by a function that adds ``number`` to what was counted."""
        place = self.at(make)
        given = ", ".join([*map(repr, place), f"count {number}"])
        key = key_seen(place[0]) if place else THE_DOCUMENT
        return Call(self.update, (*place, Counts(number)), key, f"{self.update}({given})")

    def trying(self, methods: frozenset[str]) -> "Callable[[OpenStore, Records], Iterable[str]] | None":
        """Return what finds out whether an update takes a function: many methods of that name take something else."""

        def tried(store: "OpenStore", make: Records) -> Iterator[str]:
            asked: list[Any] = []
            place = self.at(make)

            def look(document: Any) -> Any:
                asked.append(document)
                return document

            with suppress(Exception):  # whatever it says to a function, it is not the update that the contract has
                store.call(self.write, *place, small(1))
                store.call(self.update, *place, look)
            if asked:
                yield BY_FUNCTION

        return tried if self.update in methods else None

    def unstorable(self) -> Unstorable:
        """Return how it is asked about a document with a value in it that JSON does not have."""

        def bad(visit: "Visit", value: Any, name: str) -> Callable[[], None] | None:
            document = {"version": 2, "notes": "x" * 20_000, "value": value}
            place = self.at(visit.make)
            given = ", ".join([*map(repr, place), f"{{version: 2, notes: ..., value: {name}}}"])
            shown = f"{self.write}({given})"
            return lambda: visit.call(self.write, *place, document, shown=shown)

        def stored(found: Any) -> Any:
            newest = found[-1] if self.log and isinstance(found, list) and found else found
            return newest.get("value", ABSENT) if isinstance(newest, dict) else ABSENT

        elsewhere = ("MSFT",) if self.place else ()

        def another(visit: "Visit") -> tuple[Any, Any]:
            visit.call(self.write, *self.at(visit.make, elsewhere), good)
            return self.newest(visit, elsewhere), good

        good = {"version": 1, "cash": 1.5, "positions": {"AAPL": 100}}
        return Unstorable(
            lambda visit: visit.must(self.write, *self.at(visit.make), good),
            bad,
            lambda visit: visit.call(self.read, *self.at(visit.make)),
            stored,
            another=another if self.place or not self.log else None,
            elsewhere=" elsewhere" if elsewhere else "",
        )


def _round_trip(dialect: Dialect, name: str, value: dict[str, Any], visit: "Visit") -> "DataViolation | None":
    if not dialect.put(visit, value):
        if name == ORDINARY:
            return visit.mismatch("an ordinary document was refused", "refused", "accepted")
        return None
    if found := _came_back(visit, "what is read is not what was written", dialect.newest(visit), value):
        return found
    visit.reopen()
    return _came_back(visit, "what is read after reopening is not what was written", dialect.newest(visit), value)


_ABSENT_ALONE = (
    "Tell by the file, not by the document, whether there is one: 'if found is None', never 'found or None', and write "
    "{} like any other document."
)


def _came_back(visit: "Visit", sentence: str, found: Any, wanted: Any) -> "DataViolation | None":
    """Return a mismatch unless a value came back as it was, with the way in which it did not as the flaw."""
    wrong = visit.expect(sentence, found, wanted)
    if wrong is None:
        return None
    flaw = difference(found, wanted)
    return replace(wrong, flaw=flaw, remedy=_ABSENT_ALONE if flaw == EMPTY_AS_NONE else "")


def _empty(dialect: Dialect, visit: "Visit") -> "DataViolation | None":
    """Write an empty document: whoever has closed all positions has saved that."""
    if not dialect.put(visit, {}):
        return None  # it says that it keeps none
    wanted: Any = [{}] if dialect.log else {}
    if found := _came_back(visit, _NOT_EMPTY, dialect.get(visit), wanted):
        return found
    visit.reopen()
    return _came_back(visit, f"after reopening, {_NOT_EMPTY}", dialect.get(visit), wanted)


def _generated(dialect: Dialect, visit: "Visit") -> "DataViolation | None":
    number = 0

    def wrong(value: dict[str, Any]) -> "DataViolation | None":
        nonlocal number
        number += 1
        visit.calls.clear()
        place = tuple(f"{name}{number}" for name in dialect.place)  # each value alone, where there are places
        if not dialect.put(visit, value, place):
            return None
        found = dialect.newest(visit, place)
        return _came_back(visit, "what is read is not what was written", found, value)

    return generated(wrong, visit.examples, visit.seed)


def _missing(dialect: Dialect, visit: "Visit") -> "DataViolation | None":
    found = dialect.get(visit)
    if not _nothing(dialect, found):
        return _invented(visit, found)
    if dialect.place:
        dialect.put(visit, VALUES[ORDINARY], ("MSFT",))
        found = dialect.get(visit)
        if not _nothing(dialect, found):
            return _invented(visit, found)
    return None


def _nothing(dialect: Dialect, found: Any) -> bool:
    return any(type(found) is type(nothing) and found == nothing for nothing in dialect.nothing)


def _invented(visit: "Visit", found: Any) -> "DataViolation":
    return visit.mismatch("what was never written reads as something", canonical(found), "None, {} or []")


def _overwritten(dialect: Dialect, visit: "Visit") -> "DataViolation | None":
    first = {"cash": 1.5, "old": True, "positions": {"AAPL": 1, "MSFT": 2}}
    second = {"cash": 2.5, "positions": {"AAPL": 3}}
    if dialect.place:
        dialect.put(visit, first, ("MSFT",))
    dialect.put(visit, first)
    dialect.put(visit, second)
    if found := visit.expect("after an overwrite the new document is not what is read", dialect.get(visit), second):
        return found
    third = {"cash": 7.5, "positions": {"AAPL": 3}}  # as long as the second: who looks at sizes sees no change
    dialect.put(visit, third)
    sentence = "after an overwrite with a value of the same length the new document is not what is read"
    if found := visit.expect(sentence, dialect.get(visit), third):
        return found
    if dialect.place:
        other = dialect.get(visit, ("MSFT",))
        if found := visit.expect("overwriting one key changed another", other, first):
            return found
    return _came_back(visit, _NOT_EMPTY, dialect.get(visit), {}) if dialect.put(visit, {}) else None


def _reopened(dialect: Dialect, visit: "Visit") -> "DataViolation | None":
    first, second = {"cash": 1.5}, {"cash": 2.5, "positions": {"AAPL": 3}}
    dialect.put(visit, first)
    dialect.put(visit, second)
    if dialect.place:
        dialect.put(visit, first, ("MSFT",))
    before = dialect.get(visit)
    visit.reopen()
    if found := visit.expect("after reopening the store shows something else", dialect.get(visit), before):
        return found
    if dialect.place:
        other = dialect.newest(visit, ("MSFT",))
        return visit.expect("after reopening another key shows something else", other, first)
    return None


class _GivesUp(Exception):  # noqa: N818 - raised by a caller's function, no error of ours
    """What a caller's function raises in the middle of an update."""


def _updated(dialect: Dialect, visit: "Visit") -> "DataViolation | None":
    """Change a document by a function, once more by one that raises, and look whether that left anything behind."""
    before = {"cash": 1.5, "positions": {"AAPL": 1}, "counted": []}
    dialect.put(visit, before)
    given: list[Any] = []

    def pays(document: dict[str, Any]) -> dict[str, Any]:
        given.append(dict(document))
        return {**document, "cash": document["cash"] + 1}

    def gives_up(document: dict[str, Any]) -> dict[str, Any]:
        document["cash"] = 0.0
        document["positions"].clear()
        raise _GivesUp("no money left")

    place = dialect.at(visit.make)
    named = ", ".join([*map(repr, place), "{}"])
    refusals: tuple[type[BaseException], ...] = (*visit.errors, TypeError, AttributeError)
    try:
        visit.call(dialect.update, *place, pays, shown=f"{dialect.update}({named.format('cash + 1')})")
    except refusals:
        if not given:
            raise NotAskedError(f"its {dialect.update}() takes no function") from None
        raise
    if not given:
        raise NotAskedError(f"its {dialect.update}() takes no function")
    if found := visit.expect("a function was not given the document as it is", given[0], before):
        return found
    after = before | {"cash": 2.5}
    if found := visit.expect("what a function returned is not what is read", dialect.get(visit), after):
        return found
    if found := visit.expect("for one update a function was called more than once", len(given), 1):
        return found
    told = f"{dialect.update}({named.format('a function that changes the document and raises')})"
    try:
        visit.call(dialect.update, *place, gives_up, shown=told)
    except _GivesUp:
        pass
    else:
        return visit.mismatch("an exception of a caller's function does not reach the caller", "nothing", "_GivesUp")
    sentence = "a function that raised has changed the document"
    if found := visit.expect(sentence, dialect.get(visit), after):
        return found
    visit.call(dialect.update, *place, Counts(1), shown=f"{dialect.update}({named.format('count 1')})")
    after |= {"counted": [1]}
    if found := visit.expect("after a function that raised, the next update is lost", dialect.get(visit), after):
        return found
    visit.reopen()
    return visit.expect("after reopening, what functions have made is not what is read", dialect.get(visit), after)
