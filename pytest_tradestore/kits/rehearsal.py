"""Is a team's kit whole? Its calls are made up and put to its specification once, without a store.

What is wrong with it is one sentence, told before anything is asked: in the middle of a search it would be a riddle.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Case, Kit
from pytest_tradestore.records import MAKERS, Records
from pytest_tradestore.requirements import BY_ID, Requirement, check_own


class _AnyRecord(dict[str, Any]):
    """Stands in for a record of whatever type: what the store's own makers take is not known here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)


def problem_of(kit: Kit) -> str:
    """Return what is wrong with a kit, in one sentence; nothing if it is whole."""
    return next(_problems(kit), "")


def _problems(kit: Kit) -> Iterator[str]:
    for what in ("required", "optional"):
        names = getattr(kit, what)
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            yield f"{what} has to be a tuple of method names, like ('put', 'get'), not {names!r}"
            return
    yield from _of_its_requirements(kit)
    make, methods = Records(dict.fromkeys(MAKERS, _AnyRecord)), frozenset((*kit.required, *kit.optional))
    looks, problem = _calls("looks(make, methods)", lambda: kit.looks(make, methods))
    updates, more = _calls("workload(make, methods)", lambda: kit.workload(make, methods))
    if problem or more:
        yield problem or more
        return
    for call in (*looks, *updates):
        if call.look is None and call.method not in methods:
            yield f"{call.rendered} calls none of its methods; {call.method!r} has to stand in required or optional"
            return
    yield from _of_its_specification(kit, make, methods)


def _of_its_requirements(kit: Kit) -> Iterator[str]:
    ids = []
    for requirement in kit.requirements:
        if not isinstance(requirement, Requirement):
            yield f"requirements has to hold Requirement(id, profile, sentence, why, remedy), not {requirement!r}"
            return
        try:
            check_own(requirement)
        except ValueError as error:
            yield str(error)
            return
        ids.append(requirement.id)
    for id_ in ids:
        if ids.count(id_) > 1:
            yield f"two of its requirements are called {id_}; give one of them another id"
            return
    try:
        cases = list(kit.cases())
    except Exception as error:
        yield f"cases() raised {_told(error)}; it is called without a store and gives Case(id, program)"
        return
    for case in cases:
        if not isinstance(case, Case):
            yield f"cases() has to give Case(id, program), not {case!r}"
            return
        if case.requirement not in ids and case.requirement not in BY_ID:
            yield f"it has a case of {case.requirement}, and no requirement of that id"
            return


def _calls(what: str, made: Callable[[], Iterable[Any]]) -> tuple[tuple[Call, ...], str]:
    """Return the calls that a kit gives, or what is wrong with them."""
    try:
        calls = tuple(made())
    except Exception as error:
        return (), f"{what} raised {_told(error)}; it is called without a store and gives calls"
    for call in calls:
        if not isinstance(call, Call):
            return (), f'{what} has to give calls, like Call("get", ("AAPL",)), not {call!r}'
    return calls, "" if calls else f"{what} gives no calls, so that nothing can be asked"


def _of_its_specification(kit: Kit, make: Records, methods: frozenset[str]) -> Iterator[str]:
    """Put what concurrent callers do to the specification, one call after the other, key by key."""
    try:
        say = kit.concurrent(make, methods)
        calls = [] if say is None else [say.write(0), say.write(1), say.rewrite(1), *say.last(2)]
    except Exception as error:
        yield f"concurrent(make, methods) raised {_told(error)}; it is called without a store"
        return
    states: dict[str, Any] = {}
    for call in calls:
        spec = kit.spec_of(call.key)
        try:
            after = spec.apply(states.get(call.key, spec.initial), call)
        except Exception as error:
            yield f"its specification raised {_told(error)} for {call.rendered}"
            return
        if not isinstance(after, tuple) or len(after) != 2:
            yield f"its specification has to answer {call.rendered} with (state, answer), not {after!r}"
            return
        states[call.key] = after[0]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
