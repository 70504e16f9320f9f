"""Values that cannot be stored: refused, with the old ones kept, or given back as they were.

Each is tried at the end of something long, so that a store which writes while it serialises is half way by then.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.values import same
from pytest_tradestore.conformance.visit import Mismatch, Visit, check
from pytest_tradestore.contracts import Contract
from pytest_tradestore.records import field, plain


class _Raising:
    """Fails when anybody looks at it closely."""

    def __str__(self) -> str:
        raise RuntimeError("this value cannot be shown")

    __repr__ = __str__

    def __reduce__(self) -> Any:
        raise RuntimeError("this value cannot be copied")


def _half_way() -> Any:
    yield 1
    raise RuntimeError("this generator ends half way")


def _itself() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


HOPELESS: dict[str, Callable[[], Any]] = {
    "a set": lambda: {1, 2},
    "an object": object,
    "bytes": lambda: b"\xff\xfe",
    "a complex number": lambda: 1j,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "half of a surrogate pair": lambda: "\ud800",
    "a number as a key": lambda: {1: "one"},
    "None as a key": lambda: {None: "nothing"},
    "a pair as a key": lambda: {(1, 2): "pair"},
    "a list that contains itself": _itself,
    "an object that raises when it is looked at": _Raising,
    "a generator that raises half way": _half_way,
}
"""Values that JSON does not have, or has by another name."""
_UNWRITABLE = ("an object", "an object that raises when it is looked at", "a generator that raises half way")
"""Those that no library of records makes text of by a rule of its own, as pydantic does of sets and NaN."""
_PRICES = ("a set", "an object", "a complex number", "NaN", "infinity", "an object that raises when it is looked at")
"""Those that somebody may take for a price."""
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class _Way:
    """How one contract is asked: an ordinary value, a hopeless one, a look, and where the hopeless one is in that.

    ``bad`` returns nothing if the record cannot even be made: that is no matter of the store.
    """

    good: Callable[[Visit], None]
    bad: Callable[[Visit, Any, str], Callable[[], None] | None]
    read: Callable[[Visit], Any]
    stored: Callable[[Any], Any]
    values: tuple[str, ...] = tuple(HOPELESS)
    compared: Callable[[Any], Any] = lambda found: found
    """What is compared of two looks: records of one's own make may not be equal to their like."""


def checks(contract: Contract) -> tuple[Check, ...]:
    """Return the check of a contract, none where its values have types that leave nothing to refuse."""
    way = _WAYS.get(contract.name)
    return () if way is None else (check("FAULT-4", contract.name, _program(way)),)


def _program(way: _Way) -> Callable[[Visit], Mismatch | None]:
    def program(visit: Visit) -> Mismatch | None:
        for name in way.values:
            visit.fresh()
            if found := _one_value(visit, name, way):
                return found
        return None

    return program


def _one_value(visit: Visit, name: str, way: _Way) -> Mismatch | None:
    way.good(visit)
    before = way.compared(way.read(visit))
    write = way.bad(visit, HOPELESS[name](), name)
    if write is None:
        return None
    visit.checked["values"] += 1
    try:
        write()
    except Exception:  # a refusal, by whichever exception: what counts is that the caller knows
        visit.checked["refused"] += 1
        try:
            kept = way.compared(way.read(visit))
        except Exception as error:
            told = f"{type(error).__name__}: {visit.opened.told(error)}"
            return visit.mismatch(
                f"{name} was refused, and the value before it can no longer be read", told, str(before)
            )
        if not same(kept, before):
            return visit.expect(f"{name} was refused, and the value before it is no longer what is read", kept, before)
        visit.reopen()
        kept = way.compared(way.read(visit))
        return visit.expect(
            f"{name} was refused, and after reopening the value before it is not what is read", kept, before
        )
    value = way.stored(way.read(visit))
    if value is not _NOTHING and _alike(value, HOPELESS[name]()):
        return None
    return visit.mismatch(
        f"{name} was accepted, and what is read is something else",
        "nothing of it" if value is _NOTHING else _shown(value),
        f"{name}, or an error when it is written",
    )


def _documents(write: str, read: str, *place: str) -> _Way:
    """A document, under a key or not; a log takes them one after the other."""

    def bad(visit: Visit, value: Any, name: str) -> Callable[[], None]:
        document = {"version": 2, "notes": "x" * 20_000, "value": value}
        given = ", ".join([*map(repr, place), f"{{version: 2, notes: ..., value: {name}}}"])
        shown = f"{write}({given})"
        return lambda: visit.call(write, *place, document, shown=shown)

    def stored(found: Any) -> Any:
        newest = found[-1] if write == "append" and isinstance(found, list) and found else found
        return newest.get("value", _NOTHING) if isinstance(newest, dict) else _NOTHING

    good = {"version": 1, "cash": 1.5, "positions": {"AAPL": 100}}
    return _Way(lambda visit: visit.must(write, *place, good), bad, lambda visit: visit.call(read, *place), stored)


def _bar(visit: Visit, number: int, price: Any) -> Any:
    when = visit.at(2026, 1, 2) + timedelta(hours=3 * number)
    return visit.make.make_bar(symbol="AAPL", date=when, open=1.5, high=2.5, low=0.5, close=price, volume=100)


def _bars() -> _Way:
    """The last of many bars of one month has no price; that several months are written at once, nobody promised."""

    def bad(visit: Visit, value: Any, name: str) -> Callable[[], None] | None:
        try:
            bars = [*(_bar(visit, number, 2.5) for number in range(200)), _bar(visit, 200, value)]
        except Exception:
            return None
        shown = f"write_bars('AAPL', [200 bars, and one with {name} for its price])"
        return lambda: visit.call("write_bars", "AAPL", bars, shown=shown)

    def read(visit: Visit) -> Any:
        found = visit.call("read_bars", "AAPL", visit.at(2026, 1, 1), visit.at(2026, 12, 31))
        return list(found)

    return _Way(
        lambda visit: visit.must("write_bars", "AAPL", [_bar(visit, 0, 1.5)], shown="write_bars('AAPL', [a bar])"),
        bad,
        read,
        lambda found: field(found[-1], "close") if len(found) == 201 else _NOTHING,
        _PRICES,
        plain,
    )


def _jobs() -> _Way:
    """A job whose result is what nobody can write down."""

    def save(visit: Visit, result: Any, shown: str) -> Callable[[], None] | None:
        try:
            job = visit.make.make_job(job_id="job-1", job_type="backtest", status="completed", result=result)
        except Exception:
            return None
        return lambda: visit.call("save", job, shown=f"save(a job with {shown} for its result)")

    def good(visit: Visit) -> None:
        if write := save(visit, {"profit": 1.5}, "a number"):
            write()

    def read(visit: Visit) -> Any:
        return field(visit.call("get", "job-1"), "result")

    def bad(visit: Visit, value: Any, name: str) -> Callable[[], None] | None:
        return save(visit, {"text": "x" * 20_000, "value": value}, name)

    return _Way(good, bad, read, _of_result, _UNWRITABLE)


def _of_result(result: Any) -> Any:
    return result.get("value", _NOTHING) if isinstance(result, dict) else _NOTHING


_WAYS = {
    "document": _documents("save", "load"),
    "documents": _documents("put", "get", "AAPL"),
    "journal": _documents("append", "read", "orders"),
    "state": _documents("save_strategy_state", "load_strategy_state", "momentum"),
    "bars": _bars(),
    "jobs": _jobs(),
}


def _alike(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and wanted != wanted:
        return isinstance(found, float) and found != found
    if isinstance(wanted, (_Raising, list)) or type(wanted) is object or hasattr(wanted, "send"):
        return type(found) is type(wanted)
    if isinstance(wanted, dict):
        return isinstance(found, dict) and list(found.items()) in (list(wanted.items()), list(_as_json(wanted).items()))
    return type(found) is type(wanted) and bool(found == wanted)


def _as_json(value: dict[Any, Any]) -> dict[Any, Any]:
    """Return what Python's json makes of keys that are no text: it writes 1 as "1", by its documentation."""
    return {json.dumps(key) if key is None or isinstance(key, int) else key: item for key, item in value.items()}


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.200}" if not isinstance(value, _Raising) else "an object"
    except Exception:
        return f"a {type(value).__name__}"
