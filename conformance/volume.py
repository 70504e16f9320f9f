"""Whether a store keeps all of it when there is much (DATA-VOLUME): a thousand updates, hundreds of keys.

Small examples do not reach the place where a page, a chunk, a compaction or a limit begins. What is written, and how it
is read, the kit says; what has to be read then, its specification.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic, process_time
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.visit import DataViolation, RefusedError, Visit, check
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit, NotAskedError
from pytest_tradestore.observation import Names, Records, counted, shortened

_MOST = 1_250
"""Updates at most: more than a thousand, and no round number."""
_AT_ONCE = 10
_SECONDS = 1.5
"""After so much processor time no more is written: what a store cannot take quickly is not written by the thousand."""
_WAITED = 4.0
"""Seconds that count as one of processor time: a store may merely wait, but so does every store of a busy machine."""
_FEWEST = 2 * _AT_ONCE
_AFTERWARDS = 3


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the check of one contract; none where its specification says nothing of the calls that read."""
    return (check("DATA-VOLUME", kit.name, lambda visit: _program(kit, visit)),)


def _program(kit: Kit, visit: Visit) -> DataViolation | None:
    updates, reads = kit.much(visit.make, visit.offers(kit), _MOST)
    states: dict[str, Any] = {}
    if not updates:
        raise NotAskedError("nothing reads back what was written, or nothing says what has to be read")
    spent, made = _spending(), 0
    while made < len(updates) - _AFTERWARDS and (made < _FEWEST or spent() < _SECONDS):
        some = updates[made : min(made + _AT_ONCE, len(updates) - _AFTERWARDS)]
        _make(visit, kit, states, some)
        made += len(some)
    visit.checked["updates"] = made
    visit.calls[:] = [f"{updates[0].rendered} and so on, {counted(made, 'call')}"]
    if found := _read(visit, kit, states, reads, f"of {counted(made, 'update')} not all is read"):
        return found
    visit.reopen()
    if found := _read(visit, kit, states, reads, f"of {counted(made, 'update')} not all is read after reopening"):
        return found
    _make(visit, kit, states, updates[-_AFTERWARDS:])
    visit.calls.append(f"{counted(_AFTERWARDS, 'more call')}")
    visit.reopen()
    return _read(visit, kit, states, reads, "what is there is not all that was written before and after reopening")


def _spending() -> Callable[[], float]:
    """Return what says how many seconds of processor time have passed since; waiting counts little."""
    processor, wall = process_time(), monotonic()
    return lambda: max(process_time() - processor, (monotonic() - wall) / _WAITED)


def _make(visit: Visit, kit: Kit, states: dict[str, Any], calls: Sequence[Call]) -> None:
    """Make the calls, those of one method in a row together, and keep what they lead to."""
    try:
        visit.many(calls)
    except visit.errors as error:
        raise RefusedError(f"{type(error).__name__}: {visit.opened.told(error)}") from error
    visit.checked["values"] += len(calls)
    listed = isinstance(kit.several, str) and kit.several in visit.offers(kit)  # a listing shows what all calls do
    for call in calls:
        for key in (call.key, *([kit.listing] if listed else [])):
            spec = kit.spec_of(key)
            states[key], _ = spec.apply(states.get(key, spec.initial), call)


def _read(visit: Visit, kit: Kit, states: dict[str, Any], reads: Sequence[Call], sentence: str) -> DataViolation | None:
    for call in reads:
        spec = kit.spec_of(call.key)
        state = states.get(call.key, spec.initial)
        if not spec.says(state, call):
            continue
        _, answer = spec.apply(state, call)
        shown = len(visit.calls)
        found = visit.make_call(call)
        seen, wanted = spec.seen(call, found), spec.told(answer)
        if seen != wanted:
            told = _difference(seen, wanted)
            if _same_items(seen, wanted):
                sentence = sentence.replace("not all is read", "some are read in another order")
            wrong = visit.mismatch(f"{sentence}: {call.rendered}", *told)
            return replace(wrong, flaw=f"much is not read as it was written: {call.method}()")
        del visit.calls[shown:]
    return None


def _difference(found: Any, wanted: Any) -> tuple[str, str]:
    """Return what was found and what was wanted, of many things how many and the first that is not in the other."""
    one, other = _items(found), _items(wanted)
    if one is None or other is None:
        return shortened(str(found), 200), shortened(str(wanted), 200)
    missing = next((item for item in other if item not in one), None)
    strange = next((item for item in one if item not in other), None)
    told = f"{len(one):,}" if strange is None else f"{len(one):,}, among them {shortened(str(strange), 120)}"
    return told, f"{len(other):,}" if missing is None else f"{len(other):,}, among them {shortened(str(missing), 120)}"


def _same_items(found: Any, wanted: Any) -> bool:
    one, other = _items(found), _items(wanted)
    return one is not None and other is not None and Counter(map(str, one)) == Counter(map(str, other))


def _items(seen: Any) -> tuple[Any, ...] | None:
    match seen:
        case Records(items):
            return items
        case Names(names):
            return names
        case tuple():
            return seen
    return None
