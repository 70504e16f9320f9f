"""The contracts that the suite knows, each a kit, and how they are recognised: by the methods that a store has.

It stands above the kits; engines are handed a kit and never look one up.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from pytest_tradestore.kits.audit import AuditLogKit
from pytest_tradestore.kits.bars import BarsKit
from pytest_tradestore.kits.cache import CacheKit
from pytest_tradestore.kits.document import SingleDocumentKit
from pytest_tradestore.kits.documents import DocumentsKit
from pytest_tradestore.kits.events import EventsKit
from pytest_tradestore.kits.fundamentals import FundamentalsKit
from pytest_tradestore.kits.jobs import JobsKit
from pytest_tradestore.kits.journal import JournalKit
from pytest_tradestore.kits.kit import Kit, offers
from pytest_tradestore.kits.rehearsal import problem_of
from pytest_tradestore.kits.runs import RunsKit
from pytest_tradestore.kits.spec import Spec
from pytest_tradestore.kits.state import StrategyStateKit
from pytest_tradestore.requirements import adopt

KITS: tuple[Kit, ...] = (
    SingleDocumentKit(),
    DocumentsKit(),
    JournalKit(),
    BarsKit(),
    FundamentalsKit(),
    EventsKit(),
    StrategyStateKit(),
    AuditLogKit(),
    JobsKit(),
    RunsKit(),
)
"""Those that a store is known by, by its methods."""
ON_REQUEST: tuple[Kit, ...] = (CacheKit(),)
"""Those that have the methods of others, so that a store has to declare them: ``tradestore_contracts = ("cache",)``."""


def kits_of(store: object, kits: tuple[Kit, ...] = KITS) -> tuple[Kit, ...]:
    """Return the contracts that ``store`` offers, in the order of ``kits``."""
    return tuple(kit for kit in kits if kit.offered_by(store))


def kit_named(name: str) -> Kit:
    """Return the contract of that name, declared only or known by its methods. Raises KeyError if there is none."""
    return _by_name()[name]


def _by_name() -> dict[str, Kit]:
    return {kit.name: kit for kit in (*KITS, *ON_REQUEST)}


_NAME = re.compile(r"[a-z][a-z0-9_]*")


def checked_kits(listed: Iterable[Kit | str]) -> tuple[Kit, ...]:
    """Return kits, those of the suite by name; their own requirements are known from then on.

    Raises ValueError, with one sentence, for what is no kit or not a whole one.
    """
    found = tuple(map(_checked, listed))
    names = [kit.name for kit in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"there are two contracts named {name!r}; give one of the kits another name")
    return found


def _checked(kit: Kit | str) -> Kit:
    if isinstance(kit, str):
        ours = _by_name()
        if kit not in ours:
            raise ValueError(f"the suite has no contract {kit!r}; it has {', '.join(ours)}")
        return ours[kit]
    if isinstance(kit, type) and issubclass(kit, Kit):
        raise ValueError(f"{kit.__name__} is a class; write {kit.__name__}()")
    if not isinstance(kit, Kit):
        raise ValueError(f"{kit!r} is no kit; derive its class from pytest_tradestore.kits.Kit")
    who = type(kit).__name__
    if not _NAME.fullmatch(kit.name):
        raise ValueError(f"{who} needs a name of small letters, digits and '_', not {kit.name!r}")
    if not kit.required or isinstance(kit.required, str):
        raise ValueError(f"{who} has to say the method names that make up its contract: required = ('put', 'get')")
    if type(kit).spec_of is Kit.spec_of and type(kit.spec).apply is Spec.apply:
        raise ValueError(f"{who} needs a spec: an object of a subclass of Spec with an apply(state, call)")
    if problem := problem_of(kit):
        raise ValueError(f"{who}: {problem}")
    for requirement in kit.requirements:
        adopt(requirement)
    return kit


def nearest_kit(store: object) -> str:
    """Say in one sentence what ``store`` lacks most nearly: for the message when it offers no contract."""
    nearest = max(KITS, key=lambda kit: _likeness(kit, store))
    lacking = nearest.lacking(store)
    if len(lacking) < len(nearest.required) or _likeness(nearest, store) >= _LIKE_ENOUGH:
        names = " and ".join(f"{method}()" for method in lacking)
        return f"the nearest is {_title(nearest)}, for which it lacks {names}"
    public = sorted(name for name in dir(store) if not name.startswith("_") and offers(store, name))
    has = ", ".join(f"{name}()" for name in public[:8]) or "no public methods"
    simple = "; ".join(f"{_title(kit)} needs {', '.join(f'{m}()' for m in kit.required)}" for kit in KITS[:3])
    return f"it has {has}. {simple}; the documentation lists the trading contracts"


_LIKE_ENOUGH = 0.8


def _likeness(kit: Kit, store: object) -> float:
    """Say how much the methods of a store, and its name, are like those of a contract."""
    own = [name for name in dir(store) if not name.startswith("_") and offers(store, name)]
    methods = [max((_alike(wanted, name) for name in own), default=0.0) for wanted in kit.required]
    named = kit.name.rstrip("s").lower() in type(store).__name__.lower()
    return sum(methods) / len(methods) + (0.2 if named else 0.0)


def _alike(wanted: str, name: str) -> float:
    if wanted == name:
        return 1.0
    ratio = SequenceMatcher(None, wanted, name).ratio()
    return max(0.7, ratio) if wanted.startswith(f"{name}_") else ratio * 0.9


def _title(kit: Kit) -> str:
    return kit.name if kit.protocol is None else kit.protocol.__name__
