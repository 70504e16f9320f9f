"""What differs between runs of one workload in which nobody died: times, and what a server draws. Nobody's to compare.

A trial is a run of its own, and is held against another one. What a store stamps its records with (a clock's time,
``now()`` or ``gen_random_uuid()`` of a server) is another in each run, and says nothing about what was lost.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pytest_tradestore.crash.oracle import History
from pytest_tradestore.network.trials import After, Trial
from pytest_tradestore.observation import Absent, Failed, Observation, Records, Seen, Value, canonical

OF_THIS_RUN = "<differs from run to run>"
"""Stands for what differs."""
_Path = tuple[str | None, ...]
"""The keys that lead to a value; None for any item of a list."""
_NOT_JSON = object()


@dataclass(frozen=True, slots=True)
class Varying:
    """What differs, by place; a place that differs as a whole has the empty path, and can be held against nothing."""

    paths: frozenset[tuple[str, _Path]] = frozenset()

    @property
    def as_a_whole(self) -> tuple[str, ...]:
        return tuple(sorted(place for place, path in self.paths if not path))


def between(first: tuple[Observation, ...], others: Iterable[tuple[Observation, ...]]) -> Varying:
    """Return what differs between the states of a first run and those of others.

    Take the first run from before all trials and another from after them: a clock goes on only, so that what is equal
    in both, rounded to seconds or to days, was the same in between.
    """
    return Varying(
        frozenset(
            (place, path)
            for states in others
            for one, other in zip(first, states, strict=False)
            for (place, seen), (_, also) in zip(one.places, other.places, strict=False)
            for path in _apart(seen, also)
        )
    )


def _apart(one: Seen, other: Seen) -> Iterator[_Path]:
    if one == other:
        return
    yield from _differing(_told(one), _told(other), ())


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


def _differing(one: Any, other: Any, path: _Path) -> Iterator[_Path]:
    match one, other:
        case dict(), dict() if one.keys() == other.keys():
            for key in one:
                yield from _differing(one[key], other[key], (*path, key))
        case list(), list() if len(one) == len(other):
            for item, also in zip(one, other, strict=True):
                yield from _differing(item, also, (*path, None))
        case _ if one is _NOT_JSON or other is _NOT_JSON:
            yield path
        case _ if canonical(one) != canonical(other):
            yield path


def history_without(history: History, varying: Varying) -> History:
    """Return the history with all that differs replaced by one word."""
    return replace(history, states=tuple(_blanked(state, varying) for state in history.states))


def trial_without(trial: Trial, varying: Varying) -> Trial:
    """Return the trial with all that differs replaced by one word."""
    return replace(
        trial,
        own=_if_seen(trial.own, varying),
        fresh=_after(trial.fresh, varying),
        after=_after(trial.after, varying),
    )


def _after(after: After | None, varying: Varying) -> After | None:
    if after is None:
        return None
    seen, updated, later = (_if_seen(one, varying) for one in (after.seen, after.updated, after.later))
    return replace(after, seen=seen, updated=updated, later=later)


def _if_seen(observation: Observation | None, varying: Varying) -> Observation | None:
    return None if observation is None else _blanked(observation, varying)


def _blanked(observation: Observation, varying: Varying) -> Observation:
    paths: dict[str, list[_Path]] = {}
    for place, path in sorted(varying.paths, key=repr):
        paths.setdefault(place, []).append(path)
    return Observation(tuple((place, _without(seen, paths.get(place, ()))) for place, seen in observation.places))


def _without(seen: Seen, paths: Iterable[_Path]) -> Seen:
    told = _told(seen)
    for path in paths:
        if not path:
            return seen if isinstance(seen, (Absent, Failed)) else Value(OF_THIS_RUN)
        if told is not _NOT_JSON:
            _blank(told, path)
    match seen:
        case Value() if told is not _NOT_JSON and paths:
            return Value(canonical(told))
        case Records() if told is not _NOT_JSON and paths:
            return Records(tuple(canonical(item) for item in told))
    return seen


def _blank(told: Any, path: _Path) -> None:
    """Replace what the path leads to, wherever it leads to anything."""
    key, *rest = path
    places: Iterable[Any]
    if isinstance(told, dict):
        places = [key] if key in told else []
    elif isinstance(told, list) and key is None:
        places = range(len(told))
    else:
        places = []
    for place in places:
        if rest:
            _blank(told[place], tuple(rest))
        else:
            told[place] = OF_THIS_RUN
