"""What differs between runs of one workload in which nobody died: times, and what a server draws. Nobody's to compare.

A trial is a run of its own, and is held against another one. What a store stamps its records with (a clock's time,
``now()`` or ``gen_random_uuid()`` of a server) is another in each run, and says nothing about what was lost. What a
call has given is compared always: where that differs, nothing is known.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_tradestore.crash.oracle import History
from pytest_tradestore.kits.call import Call
from pytest_tradestore.observation import Absent, Failed, Observation, Records, Seen, Value, canonical
from pytest_tradestore.records import plain

OF_THIS_RUN = "<differs from run to run>"
"""Stands for what differs."""
_Path = tuple[str | int | None, ...]
"""Keys and indices that lead to a value; None for any record of a log."""
_WHOLE: _Path = ()
_MESSAGE: _Path = ("what an error says",)
_NOT_JSON: Any = object()


@dataclass(frozen=True, slots=True)
class Varying:
    """What differs, by place; a place that differs as a whole has the empty path, and can be held against nothing."""

    paths: frozenset[tuple[str, _Path]] = frozenset()

    @property
    def as_a_whole(self) -> tuple[str, ...]:
        return tuple(sorted(place for place, path in self.paths if path == _WHOLE))

    def without(self, observation: Observation) -> Observation:
        """Return what is compared of an observation: one word stands for all that differs."""
        paths: dict[str, list[_Path]] = {}
        for place, path in sorted(self.paths, key=repr):
            paths.setdefault(place, []).append(path)
        return Observation(tuple((place, _without(seen, paths.get(place, ()))) for place, seen in observation.places))


def between(first: History, others: Iterable[tuple[Observation, ...]], calls: Iterable[Call] = ()) -> Varying:
    """Return what differs between a first run and the states of others, in all of which the calls were made.

    Take the first run from before all trials and another from after them: a clock goes on only, so that what is equal
    in both, rounded to seconds or to days, was the same in between. What is drawn from few values can be equal by
    chance: take many others, if only their beginnings are known.
    """
    given = frozenset(_given(calls))
    paths = frozenset(
        (place, path)
        for states in others
        for one, other in zip(first.states, states, strict=False)
        for (place, seen), (_, also) in zip(one.places, other.places, strict=False)
        for path in _apart(seen, also, given)
    )
    return Varying(paths | {(place, _WHOLE) for place in _made_equal(first.states, Varying(paths))})


def history_without(history: History, varying: Varying) -> History:
    """Return the history with all that differs replaced by one word."""
    return replace(history, states=tuple(varying.without(state) for state in history.states))


def _given(calls: Iterable[Call]) -> Iterator[str]:
    """Yield each text and number that a call has given, as canonical JSON."""
    left: list[Any] = [plain(value) for call in calls for value in (*call.arguments, *call.options.values())]
    while left:
        match left.pop():
            case dict() as fields:
                left.extend(fields.values())
            case list() as items:
                left.extend(items)
            case bool():
                pass
            case str() | int() | float() as value:
                yield canonical(value)


def _made_equal(states: Sequence[Observation], varying: Varying) -> Iterator[str]:
    """Yield the places at which only what differs tells two records apart: what is lost there would not be seen."""
    for state in states:
        compared = varying.without(state)
        for place, seen in state.places:
            match seen, compared.at(place):
                case Records(items), Records(left) if len({*left}) < len({*items}):
                    yield place


def _apart(one: Seen, other: Seen, given: frozenset[str]) -> Iterator[_Path]:
    if one == other:
        return
    match one, other:
        case Failed(), Failed() if replace(one, message="") == replace(other, message=""):
            yield _MESSAGE
        case (Value(), Value()) | (Records(), Records()):
            found = [*_differing(_told(one), _told(other), _WHOLE)]
            if any(not path or canonical(mine) in given or canonical(theirs) in given for path, mine, theirs in found):
                yield _WHOLE
            else:
                of_any_record = isinstance(one, Records)
                yield from ((None, *path[1:]) if of_any_record else path for path, *_ in found)
        case _:
            yield _WHOLE


def _told(seen: Seen) -> Any:
    try:
        match seen:
            case Value(text):
                return json.loads(text)
            case Records(items):
                return [json.loads(item) for item in items]
    except ValueError:
        pass
    return _NOT_JSON


def _differing(one: Any, other: Any, path: _Path) -> Iterator[tuple[_Path, Any, Any]]:
    match one, other:
        case dict(), dict() if one.keys() == other.keys():
            for key in one:
                yield from _differing(one[key], other[key], (*path, key))
        case list(), list() if len(one) == len(other):
            for number, (item, also) in enumerate(zip(one, other, strict=True)):
                yield from _differing(item, also, (*path, number))
        case _ if any(value is _NOT_JSON or isinstance(value, dict | list) for value in (one, other)):
            yield _WHOLE, None, None  # of what differs in its shape nobody knows what stands for what
        case _ if canonical(one) != canonical(other):
            yield path, one, other


def _without(seen: Seen, paths: Sequence[_Path]) -> Seen:
    if isinstance(seen, Failed):
        return replace(seen, message=OF_THIS_RUN) if {_WHOLE, _MESSAGE} & {*paths} else seen
    if isinstance(seen, Absent):
        return seen
    if _WHOLE in paths:
        return Value(OF_THIS_RUN)
    told = _told(seen) if paths else _NOT_JSON
    if told is _NOT_JSON:
        return seen
    for path in paths:
        _blank(told, path)
    return Records(tuple(canonical(item) for item in told)) if isinstance(seen, Records) else Value(canonical(told))


def _blank(told: Any, path: _Path) -> None:
    """Replace what the path leads to, wherever it leads to anything."""
    key, *rest = path
    places: Iterable[Any] = ()
    match told:
        case dict() if key in told:
            places = [key]
        case list() if key is None:
            places = [*range(len(told))]
        case list() if isinstance(key, int) and key < len(told):
            places = [key]
    for place in places:
        if rest:
            _blank(told[place], tuple(rest))
        else:
            told[place] = OF_THIS_RUN
