"""The data contract of documents and logs: what goes in comes out, whole, in order, under its own name, for good."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_tradestore.conformance import audit, bars, events, fundamentals, jobs, runs, state
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.generated import generated
from pytest_tradestore.conformance.values import ORDINARY, VALUES
from pytest_tradestore.conformance.visit import SAMPLED, Mismatch, Program, Visit, check
from pytest_tradestore.contracts import Contract
from pytest_tradestore.crash.observation import canonical


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a contract says "write this value" and "read it back"; with the journal the value is the newest record."""

    write: str
    read: str
    place: tuple[str, ...]
    nothing: tuple[Any, ...]

    def put(self, visit: Visit, value: Any, place: tuple[str, ...] | None = None) -> bool:
        return visit.accepted(self.write, *(self.place if place is None else place), value)

    def get(self, visit: Visit, place: tuple[str, ...] | None = None) -> Any:
        return visit.call(self.read, *(self.place if place is None else place))

    def newest(self, visit: Visit, place: tuple[str, ...] | None = None) -> Any:
        value = self.get(visit, place)
        return value[-1] if self.write == "append" and isinstance(value, list) and value else value


_DIALECTS = {
    "document": Dialect("save", "load", (), (None, {})),
    "documents": Dialect("put", "get", ("AAPL",), (None, {})),
    "journal": Dialect("append", "read", ("orders",), (None, [], {})),
}


_TRADING: dict[str, Callable[[], tuple[Check, ...]]] = {
    "bars": bars.checks,
    "fundamentals": fundamentals.checks,
    "events": events.checks,
    "state": state.checks,
    "audit": audit.checks,
    "jobs": jobs.checks,
    "runs": runs.checks,
}


def checks(contract: Contract) -> tuple[Check, ...]:
    """Return the checks of one contract's data."""
    if contract.name not in _DIALECTS:
        return _TRADING[contract.name]()
    dialect = _DIALECTS[contract.name]
    rows: list[tuple[str, str, Program, str]] = [
        ("DATA-ROUNDTRIP", name, partial(_round_trip, dialect, name, value), "") for name, value in VALUES.items()
    ]
    rows += [
        ("DATA-ROUNDTRIP", SAMPLED, partial(_generated, dialect), ""),
        ("DATA-MISSING", "", partial(_missing, dialect), ""),
        ("DATA-REOPEN", "", partial(_reopened, dialect), ""),
    ]
    if contract.name == "journal":
        rows.append(("DATA-ORDER", "", _ordered, ""))
    else:
        rows.append(("DATA-OVERWRITE", "", partial(_overwritten, dialect), ""))
    if contract.name == "documents":
        rows += [("DATA-DELETE", "", _deleted, "delete"), ("DATA-KEYS", "", _listed, "keys")]
    return tuple(
        check(requirement, f"{contract.name}-{name}" if name else contract.name, program, needs)
        for requirement, name, program, needs in rows
    )


def _round_trip(dialect: Dialect, name: str, value: dict[str, Any], visit: Visit) -> Mismatch | None:
    if not dialect.put(visit, value):
        if name == ORDINARY:
            return Mismatch("an ordinary document was refused", tuple(visit.calls), "refused", "accepted")
        return None
    if found := visit.expect("what is read is not what was written", dialect.newest(visit), value):
        return found
    visit.reopen()
    return visit.expect("what is read after reopening is not what was written", dialect.newest(visit), value)


def _generated(dialect: Dialect, visit: Visit) -> Mismatch | None:
    number = 0

    def wrong(value: dict[str, Any]) -> Mismatch | None:
        nonlocal number
        number += 1
        visit.calls.clear()
        place = tuple(f"{name}{number}" for name in dialect.place)  # each value alone, where there are places
        if not dialect.put(visit, value, place):
            return None
        found = dialect.newest(visit, place)
        if value == {} and found in dialect.nothing:
            return None  # an empty document and none read alike
        return visit.expect("what is read is not what was written", found, value)

    return generated(wrong, visit.examples, visit.seed)


def _missing(dialect: Dialect, visit: Visit) -> Mismatch | None:
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


def _invented(visit: Visit, found: Any) -> Mismatch:
    return Mismatch("what was never written reads as something", tuple(visit.calls), canonical(found), "None, {} or []")


def _overwritten(dialect: Dialect, visit: Visit) -> Mismatch | None:
    first = {"cash": 1.5, "old": True, "positions": {"AAPL": 1, "MSFT": 2}}
    second = {"cash": 2.5, "positions": {"AAPL": 3}}
    if dialect.place:
        dialect.put(visit, first, ("MSFT",))
    dialect.put(visit, first)
    dialect.put(visit, second)
    if found := visit.expect("after an overwrite the new document is not what is read", dialect.get(visit), second):
        return found
    if dialect.place:
        return visit.expect("overwriting one key changed another", dialect.get(visit, ("MSFT",)), first)
    return None


def _reopened(dialect: Dialect, visit: Visit) -> Mismatch | None:
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


_SIMILAR_KEYS = ("AAPL", "AAPL2", "AAP", "MSFT")


def _deleted(visit: Visit) -> Mismatch | None:
    for number, key in enumerate(_SIMILAR_KEYS):
        visit.accepted("put", key, {"version": number})
    visit.call("delete", "AAPL")
    found = visit.call("get", "AAPL")
    if found not in (None, {}):
        return Mismatch("a deleted key is still read", tuple(visit.calls), canonical(found), "None or {}")
    for number, key in enumerate(_SIMILAR_KEYS):
        if key != "AAPL" and (
            mismatch := visit.expect(f"deleting one key changed {key!r}", visit.call("get", key), {"version": number})
        ):
            return mismatch
    visit.accepted("put", "AAPL", {"version": 10})
    return visit.expect(
        "a key written again after its deletion is not read", visit.call("get", "AAPL"), {"version": 10}
    )


def _listed(visit: Visit) -> Mismatch | None:
    wanted: list[str] = []

    def wrong(sentence: str) -> Mismatch | None:
        return visit.expect(sentence, sorted(str(key) for key in visit.call("keys")), sorted(wanted))

    if mismatch := wrong("an empty store lists keys"):
        return mismatch
    keys = ("AAPL", "BRK.B", "005930.KS", "BTC-USD", "aapl.json")
    wanted.extend(key for key in keys if visit.accepted("put", key, {"symbol": key}))
    visit.accepted("put", "AAPL", {"symbol": "AAPL", "again": True})
    if mismatch := wrong("the keys listed are not the keys written"):
        return mismatch
    visit.reopen()
    if mismatch := wrong("the keys listed after reopening are not the keys written"):
        return mismatch
    if visit.opened.has("delete"):
        visit.call("delete", "BRK.B")
        wanted[:] = [key for key in wanted if key != "BRK.B"]
        return wrong("the keys listed after a deletion are not the ones left")
    return None


def _ordered(visit: Visit) -> Mismatch | None:
    orders = [{"order": number, "symbol": "AAPL"} for number in (3, 1, 2, 2, 10, 9)]
    fills = [{"fill": number} for number in range(3)]
    for number, record in enumerate(orders):
        visit.call("append", "orders", record)
        if number < len(fills):
            visit.call("append", "fills", fills[number])
    sentence = "the log is not the records appended to it, once each and in order"
    if mismatch := visit.expect(sentence, visit.call("read", "orders"), orders):
        return mismatch
    if mismatch := visit.expect(sentence, visit.call("read", "fills"), fills):
        return mismatch
    visit.reopen()
    return visit.expect(f"after reopening {sentence}", visit.call("read", "orders"), orders)
