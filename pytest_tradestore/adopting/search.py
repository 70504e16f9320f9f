"""Finds the way in which a store can be asked: as it is, through its constructor, through an adapter, or by a kit.

The first that works in a trial is taken; what comes closest is kept for what is said where none does.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from pytest_tradestore.adopting.adapter import ENGINES, Callee, Known, adapter, opener, store_named
from pytest_tradestore.adopting.methods import Guess, Methods, guesses, queues
from pytest_tradestore.adopting.openings import Opening, openings
from pytest_tradestore.adopting.skeletons import kit_module, queue_module, stub_module
from pytest_tradestore.adopting.trials import HUNG, Opened, Tried, looked_at, tried, tried_as_it_is
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.kits.registry import KITS, kit_named

_SECONDS = 45.0
"""How long is searched."""
_HOLDS_OTHERS = {"database", "databases", "collection", "collections", "table", "tables", "bucket", "buckets"}
"""Words in the names of methods of what is no store itself, but a client of several."""
_OPENERS = ("open", "connect", "create", "load", "new", "from_path", "from_file", "from_directory", "from_url")
"""What methods of a class are called that make one of it."""
_MORE = 6
"""How many guesses are tried for each further contract, once one was found that works."""


@dataclass(frozen=True, slots=True)
class Found:
    """How a store is asked: ``module`` is the text to write, empty if it needs none, and ``name`` what opens it there.

    ``whole`` is false for a skeleton that somebody has to finish.
    """

    contract: str
    opened: str = ""
    module: str = ""
    name: str = ""
    uses: tuple[str, ...] = ()
    whole: bool = True
    lacking: str = ""
    """What of the nearest contract is missing, in a sentence."""
    others: tuple["Other", ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Another contract that the store could be asked as: by which of its methods, and what an adapter would add."""

    contract: str
    uses: tuple[str, ...]
    told: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """It could not even be opened: ``wrong`` says for each way why not."""

    wrong: tuple[tuple[str, str], ...]


def search(
    target: Callable[..., Any], callee: Callee, stem: str, say: Callable[[str], None], wanted: str = ""
) -> Found | Nothing:
    """Find how ``target`` can be asked; ``stem`` names its file and its adapter, and ``say`` tells what is tried.

    With the name of a contract ``wanted`` no other is looked for, and an adapter for it is begun if nothing works.
    Raises ConfigurationError if there is nothing to ask.
    """
    until = monotonic() + _SECONDS
    if (found := _as_it_is(target, say)) and _is(found, wanted):
        return found
    ways = [looked_at(callee, way, KITS) for way in _said(openings(target, f"{stem}.db"), callee, say)]
    opened = _usable(ways)
    if not opened:
        for name in _other_ways(target):
            other = replace(callee, attribute=f"{callee.attribute}.{name}")
            by_it = search(getattr(target, name), other, stem, say, wanted)
            if isinstance(by_it, Found):
                return by_it
        return Nothing(tuple((f"{callee.expression}({way.opening.arguments})", way.wrong) for way in ways))
    name = class_name(callee)
    for one in opened:
        if (found := _by_its_own_methods(target, callee, one, store_named(name))) and _is(found, wanted):
            return found
    entered = [replace(one, methods=one.inside) for one in opened if one.inside]
    for one in (*(replace(one, leaving="") for one in opened), *entered):
        if found := _adapted(target, callee, one, store_named(name), say, until, wanted):
            return found
    if not any(_is_public(method) for method in opened[0].methods or {}):
        raise ConfigurationError(
            f"{callee.expression}({opened[0].opening.arguments}) has no public methods to be asked by"
        )
    return _skeleton(target, callee, opened[0], name, wanted)


def _is(found: Found, wanted: str) -> bool:
    return not wanted or wanted in found.contract.split(" and ")


def _other_ways(target: Callable[..., Any]) -> list[str]:
    """Return the class's own methods that may make one of a path, where its constructor takes something else."""
    if not inspect.isclass(target):
        return []
    return [name for name in _OPENERS if inspect.ismethod(getattr(target, name, None))]


def _is_public(method: str) -> bool:
    return not method.startswith("_") and not hasattr(object, method)


def _said(ways: tuple[Opening, ...], callee: Callee, say: Callable[[str], None]) -> Iterator[Opening]:
    for way in ways:
        say(f"trying {callee.expression}({way.arguments})")
        yield way


def _usable(ways: list[Opened]) -> list[Opened]:
    """Return the ways that opened it: in the root itself rather than in a directory of its own, and few of them."""
    opened = [way for way in ways if not way.wrong]
    opened.sort(key=lambda way: (way.opening.elsewhere, way.made_directory))
    return opened[:3]


def _as_it_is(target: Callable[..., Any], say: Callable[[str], None]) -> Found | None:
    """Try it as it stands: called with the root alone, with all methods of a contract."""
    say(f"trying {getattr(target, '__name__', target)}(root)")
    kits = [kit for kit in KITS if kit.offered_by(target)] if inspect.isclass(target) else []
    names = [kit.name for kit in kits if tried_as_it_is(target, kit).works]
    return Found(" and ".join(names), f"{target.__name__}(root)") if names and len(names) == len(kits) else None


def _by_its_own_methods(target: Callable[..., Any], callee: Callee, one: Opened, name: str) -> Found | None:
    """Give a store that has all methods of a contract a constructor that takes the root."""
    kits = [kit_named(contract) for contract in one.contracts]
    known = Known(errors_of(target))
    trials = [tried(opener(name, callee, one.opening, known), name, kit) for kit in kits]
    if not trials or not all(trial.works for trial in trials):
        return None
    known = replace(known, volatile=trials[0].volatile, single=any(trial.single for trial in trials))
    module = opener(name, callee, one.opening, known)
    methods = [m for kit in kits for m in (*kit.required, *kit.optional) if m in (one.methods or {})]
    return Found(" and ".join(one.contracts), _shown(callee, one), module, name, tuple(methods))


def _shown(callee: Callee, one: Opened) -> str:
    return f"{callee.expression}({one.opening.arguments})"


def _adapted(
    target: Callable[..., Any],
    callee: Callee,
    one: Opened,
    name: str,
    say: Callable[[str], None],
    until: float,
    wanted: str,
) -> Found | None:
    """Take of the contracts that work the one for which an adapter adds least, and name the others."""
    known, hung = Known(errors_of(target), awaited=one.awaited), []
    works: dict[str, tuple[Guess, Tried]] = {}
    tries: dict[str, int] = {}
    for guess in guesses(one.methods or {}, one.leaving):
        if monotonic() > until:
            break
        if guess.uses in hung or guess.contract in works or wanted not in ("", guess.contract):
            continue
        tries[guess.contract] = tries.get(guess.contract, 0) + 1
        if works and tries[guess.contract] > _MORE:
            continue
        say(f"trying it as {guess.contract}: {', '.join(guess.uses.values())}")
        held, trial = _fitted(callee, one.opening, guess, known, name)
        if trial.wrong == HUNG:
            hung.append(guess.uses)
        if trial.works:
            works[guess.contract] = held, trial
    if works:
        first, *rest = sorted(works, key=lambda contract: works[contract][0].price)
        held, trial = works[first]
        seen = replace(known, volatile=trial.volatile, single=trial.single)
        module = adapter(name, callee, one.opening, held, seen)
        others = tuple(Other(o, tuple(works[o][0].uses.values()), works[o][0].told) for o in rest)
        return Found(first, _shown(callee, one), module, name, tuple(held.uses), others=others)
    return None if wanted else _queue(callee, one, name, say, known)


def _queue(callee: Callee, one: Opened, name: str, say: Callable[[str], None], known: Known) -> Found | None:
    base = class_name(callee)
    for put, take, end in queues(one.methods or {}):
        say(f"trying it as a queue: {put}, {take}")
        module = queue_module(base, callee, one.opening, (put, take, end), known)
        trial = tried(module, name)
        if trial.works:
            seen = replace(known, volatile=trial.volatile, single=trial.single)
            module = queue_module(base, callee, one.opening, (put, take, end), seen)
            return Found("a queue, by a kit of its own", _shown(callee, one), module, name, ("put", "take", "waiting"))
    return None


def _fitted(callee: Callee, opening: Opening, guess: Guess, known: Known, name: str) -> tuple[Guess, Tried]:
    """Try a guess, and again without what of it does not work but may be missing."""
    kit = kit_named(guess.contract)
    for _ in range(5):
        trial = tried(adapter(name, callee, opening, guess, known), name, kit)
        if trial.step == "reading what is not there" and trial.raised[1] and not guess.absent[1]:
            if "." in trial.raised[1] or trial.raised[1] in ("TypeError", "AttributeError"):
                break
            guess = replace(guess, absent=trial.raised)
        elif "keys()" in trial.wrong and "keys" in guess.uses:  # perhaps it lists them as bytes
            guess = _without(guess, "keys") if guess.keys else replace(guess, keys="bytes")
        elif "delete(" in trial.step and "delete" in guess.uses:
            guess = _without(guess, "delete")
        else:
            break
    return guess, trial


def _without(guess: Guess, method: str) -> Guess:
    return replace(guess, uses={ours: theirs for ours, theirs in guess.uses.items() if ours != method})


def _skeleton(target: Callable[..., Any], callee: Callee, one: Opened, name: str, wanted: str) -> Found:
    """Begin what somebody has to finish: the rest of a contract that is half there, else a kit of its own methods."""
    methods = one.methods or {}
    known = Known(errors_of(target), awaited=one.awaited)
    shown = _shown(callee, one)
    if (kit := kit_named(wanted) if wanted else _half_there(methods)) is not None:
        lacking = _lacking(kit, methods) or list(kit.required)  # all are there, and none does what it promises
        module = stub_module(store_named(name), callee, one.opening, kit, lacking, known)
        listed = " and ".join(f"{method}()" for method in lacking)
        sentence = (
            f"nothing that it has works as {listed}"
            if wanted
            else f"nearest is {kit.name}, for which it lacks {listed}"
        )
        return Found(kit.name, shown, module, store_named(name), tuple(kit.required), whole=False, lacking=sentence)
    own = {method: told for method, told in methods.items() if not hasattr(dict, method)}
    module = kit_module(name, callee, one.opening, own, known)
    sentence = "it has no methods that are like those of a contract of the suite"
    if any(_HOLDS_OTHERS & set(method.split("_")) for method in own):
        sentence += "; what it holds may have: name a function that opens one of these, def open_store(root: Path)"
    return Found(f"a kit, {name}Kit", shown, module, store_named(name), whole=False, lacking=sentence)


def _lacking(kit: Kit, methods: Methods) -> list[str]:
    return [method for method in kit.required if method not in methods]


def _half_there(methods: Methods) -> Kit | None:
    """Return the contract of which at least half is there, by names that nothing else has."""

    def share(kit: Kit) -> float:
        return sum(method in methods for method in kit.required) / len(kit.required)

    telling = [kit for kit in KITS if any("_" in method and method in methods for method in kit.required)]
    most = max(telling, key=share, default=None)
    return most if most is not None and share(most) >= 0.5 else None


def class_name(callee: Callee) -> str:
    """Return what the adapter's class is called after: the store's class, else its module."""
    first = callee.attribute.partition(".")[0]
    named = first if first[0].isupper() else callee.module.partition(".")[0]
    return "".join(word[0].upper() + word[1:] for word in re.split(r"[\W_]+", named) if word)


def errors_of(target: Callable[..., Any]) -> tuple[tuple[str, str], ...]:
    """Return the exception types of a library's own, each with a module that has it; at most three."""
    module = getattr(target, "__module__", None) or ""
    top = module.partition(".")[0]
    loaded = [sys.modules[name] for name in (top, module) if name in sys.modules]
    if not loaded or top in sys.stdlib_module_names:
        return ()
    found: dict[type, str] = {}
    for place in dict.fromkeys(loaded):
        for name, value in sorted(vars(place).items()):
            if _is_error(value, top) and name == value.__name__:
                found.setdefault(value, place.__name__)
    bases = [(where, kind.__name__) for kind, where in found.items() if not any(b in found for b in kind.__mro__[1:])]
    its_own = [other for name, other in list(sys.modules.items()) if name.partition(".")[0] == top]
    engines = [(e, "Error") for e in ENGINES if e != top and any(hasattr(other, e) for other in its_own)]
    return (*engines[:1], *bases[:2])


def _is_error(value: object, top: str) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, Exception)
        and not issubclass(value, (Warning, ValueError, OSError))
        and value.__module__.partition(".")[0] == top
    )
