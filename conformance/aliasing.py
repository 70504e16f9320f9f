"""Whether a store keeps what it was given, whatever the caller does to it afterwards or meanwhile (DATA-ALIAS).

Its own calls and looks are the kit's. What was given, and what a look gave, is changed throughout, as a program does
that goes on working with its portfolio; then the store is looked at again, and opened anew.
"""

import copy
import dataclasses
import enum
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.visit import DataViolation, Visit, check
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.observation import Seen

_AFTER = "what the caller does to {} after the call shows in the store"
_DURING = "what the caller does to what it gave a call, while it is awaited, is stored"
_MARK = "spoiled by the caller"
_READ = "what the caller does to what {} gave shows in the store"
_MOST = 4
"""Updates that are tried: the first of most workloads are of several sorts."""


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the check of what reaches back into the store of one contract."""
    return (check("DATA-ALIAS", kit.name, lambda visit: _program(kit, visit)),)


def _program(kit: Kit, visit: Visit) -> DataViolation | None:
    """Ask each of them, for a store that keeps what it was given may hand out what it keeps as well."""
    found = [wrong for part in (_given, _awaited, _handed_out) if (wrong := part(kit, visit))]
    return replace(found[0], others=tuple(found[1:])) if found else None


def _given(kit: Kit, visit: Visit) -> DataViolation | None:
    """Change what updates were given after they have returned."""
    looks = kit.looks(visit.make, visit.offers(kit))
    for call in _updates(kit, visit):
        given = _given_to(call)
        visit.must(call.method, *given, shown=call.rendered, **call.options)
        before = _seen(kit, visit, looks)
        spoil(given)
        visit.calls.append("(change all that was given)")
        if found := _differs(visit, _AFTER.format(f"what {call.method}() was given"), before, _seen(kit, visit, looks)):
            return found
    visit.reopen()
    again = _seen(kit, visit, looks)
    return _differs(visit, "what was given, changed later, is not what is there after reopening", before, again)


def _awaited(kit: Kit, visit: Visit) -> DataViolation | None:
    """Change what an update is given while it waits for the first time."""
    looks = kit.looks(visit.make, visit.offers(kit))
    undisturbed: list[dict[str, Seen]] = []
    for meanwhile in (False, False, True):
        visit.fresh()
        for call in _updates(kit, visit):
            given = _given_to(call)
            if not visit.call_beside(call, given, partial(spoil, given) if meanwhile else None):
                return None  # it is not asynchronous: nobody else is there meanwhile
        undisturbed.append(_seen(kit, visit, looks))
    first, second, found = undisturbed
    if first == second:
        return _differs(visit, _DURING, first, found)
    for place, seen in found.items():  # it adds something of its own each time, a time say
        if _MARK in str(seen):
            return visit.mismatch(_DURING, f"{place}: {seen}", "what it was given")
    return None


def _handed_out(kit: Kit, visit: Visit) -> DataViolation | None:
    """Change what looks gave; then make one more update, which must not take that along."""
    visit.fresh()
    looks = kit.looks(visit.make, visit.offers(kit))
    updates = list(_updates(kit, visit))
    for call in updates:
        visit.must(call.method, *_given_to(call), shown=call.rendered, **call.options)
    before = _seen(kit, visit, looks)
    for look in looks:
        with suppress(Exception):  # a look that raises is seen as one that does
            spoil(visit.make_call(look))
    visit.calls.append("(change all that was read)")
    sentence = _READ.format(" and ".join(dict.fromkeys(f"{look.method}()" for look in looks)))
    if found := _differs(visit, sentence, before, _seen(kit, visit, looks)):
        return found
    visit.reopen()
    return _differs(visit, f"after reopening, {sentence}", before, _seen(kit, visit, looks))


def _updates(kit: Kit, visit: Visit) -> Iterator[Call]:
    """Yield the first updates of the workload whose arguments are values."""
    made = 0
    for call in kit.workload(visit.make, visit.offers(kit)):
        if made < _MOST and not any(callable(argument) for argument in (*call.arguments, *call.options.values())):
            made += 1
            yield call


def _given_to(call: Call) -> tuple[Any, ...]:
    """Return arguments that belong to this one call alone."""
    return copy.deepcopy(call.arguments)


def _seen(kit: Kit, visit: Visit, looks: tuple[Call, ...]) -> dict[str, Seen]:
    return {look.key or look.rendered: kit.seen(look, visit.make_call(look)) for look in looks}


def _differs(visit: Visit, sentence: str, before: dict[str, Seen], now: dict[str, Seen]) -> DataViolation | None:
    for place, was in before.items():
        if now[place] != was:
            return visit.mismatch(sentence, f"{place}: {now[place]}", f"{place}: {was}")
    return None


def spoil(value: Any) -> None:
    """Change everything in a value that can be changed where it is."""
    if isinstance(value, dict):
        for key, inner in list(value.items()):
            spoil(inner)
            value[key] = _other(inner)
        value[_MARK] = True
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            spoil(inner)
            value[position] = _other(inner)
        value.append(_MARK)
    elif isinstance(value, tuple):
        for inner in value:
            spoil(inner)
    else:
        for name in _fields(value):
            with suppress(Exception):  # a field that cannot be changed
                inner = getattr(value, name)
                spoil(inner)
                setattr(value, name, _other(inner))


def _fields(value: Any) -> list[str]:
    if isinstance(value, (type, enum.Enum)) or callable(value):
        return []
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return [name for name in getattr(value, "__dict__", ()) if not name.startswith("_")]


_CHANGED: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (bool, lambda value: not value),
    (int, lambda value: value + 1),
    (float, lambda value: value + 1.0),
    (str, lambda value: f"{value}~"),
    (date, lambda value: value + timedelta(days=1)),
)


def _other(value: Any) -> Any:
    """Return another value of the same type, where there is a simple one."""
    return next((change(value) for kind, change in _CHANGED if type(value) is kind), value)
