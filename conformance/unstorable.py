"""Values that cannot be stored: refused, with the old ones kept, or given back as they were.

Each is tried at the end of something long, so that a store which writes while it serialises is half way by then.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.visit import DataViolation, Visit, check
from pytest_tradestore.kits.kit import ABSENT, Kit, Unstorable
from pytest_tradestore.kits.values import same


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
    "a number and its text as keys": lambda: {1: "one", "1": "another"},
    "None as a key": lambda: {None: "nothing"},
    "a pair as a key": lambda: {(1, 2): "pair"},
    "a list that contains itself": _itself,
    "an object that raises when it is looked at": _Raising,
    "a generator that raises half way": _half_way,
}
"""Values that JSON does not have, or has by another name."""


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the check of a kit, none where its values have types that leave nothing to refuse."""
    way = kit.unstorable()
    return () if way is None else (check("FAULT-4", kit.name, _program(way)),)


def _program(way: Unstorable) -> Callable[[Visit], DataViolation | None]:
    def program(visit: Visit) -> DataViolation | None:
        found: dict[str, DataViolation] = {}
        for name in way.values or HOPELESS:
            try:
                visit.fresh()
                wrong = _one_value(visit, name, way)
            except Exception:  # what an ordinary call raises is a finding of its own, unless there is one
                if not found:
                    raise
                break
            if wrong is not None:
                flaw = wrong.sentence.replace(name, "a value that cannot be stored")
                found.setdefault(flaw, replace(wrong, flaw=flaw))
        first, *others = tuple(found.values()) or (None,)
        return None if first is None else replace(first, others=tuple(filter(None, others)))

    return program


def _one_value(visit: Visit, name: str, way: Unstorable) -> DataViolation | None:
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
        if way.another is not None and (found := _others(visit, name, way)):
            return found
        visit.reopen()
        kept = way.compared(way.read(visit))
        return visit.expect(
            f"{name} was refused, and after reopening the value before it is not what is read", kept, before
        )
    value = way.stored(way.read(visit))
    if value is not ABSENT and _alike(value, HOPELESS[name]()):
        return None
    return visit.mismatch(
        f"{name} was accepted, and what is read is something else",
        "nothing of it" if value is ABSENT else _shown(value),
        f"{name}, or an error when it is written",
    )


def _others(visit: Visit, name: str, way: Unstorable) -> DataViolation | None:
    """Say what is wrong when an ordinary value is written after a refusal: nobody may remember that."""
    assert way.another is not None
    sentence = f"after {name} was refused, an ordinary value{way.elsewhere}"
    try:
        found, wanted = way.another(visit)
    except Exception as error:
        return visit.mismatch(f"{sentence} is refused, too", f"{type(error).__name__}: {error}", "it is stored")
    return visit.expect(f"{sentence} is not what is read", found, wanted)


def _alike(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and wanted != wanted:
        return isinstance(found, float) and found != found
    if isinstance(wanted, (_Raising, list)) or type(wanted) is object or hasattr(wanted, "send"):
        return type(found) is type(wanted)
    if isinstance(wanted, dict):
        told = _as_json(wanted)
        alike = [list(wanted.items()), *([list(told.items())] if len(told) == len(wanted) else [])]
        return isinstance(found, dict) and list(found.items()) in alike
    return type(found) is type(wanted) and bool(found == wanted)


def _as_json(value: dict[Any, Any]) -> dict[Any, Any]:
    """Return what Python's json makes of keys that are no text: it writes 1 as "1", by its documentation."""
    return {json.dumps(key) if key is None or isinstance(key, int) else key: item for key, item in value.items()}


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.200}" if not isinstance(value, _Raising) else "an object"
    except Exception:
        return f"a {type(value).__name__}"
