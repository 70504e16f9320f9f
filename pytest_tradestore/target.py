"""A store under test: how it is opened, called, closed and asked what it holds, whatever its make.

Everything here runs the store's own code, so it is called only inside an isolated process (see ``isolation``).
"""

import asyncio
import difflib
import inspect
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Literal, Self

from pytest_tradestore import declarations
from pytest_tradestore.backends import Address, Backend, Bucket, Postgres
from pytest_tradestore.errors import ConfigurationError, TargetError
from pytest_tradestore.imports import import_again
from pytest_tradestore.kits.kit import Kit, offers
from pytest_tradestore.kits.registry import KITS, checked_kits, kits_of, nearest_kit
from pytest_tradestore.records import MAKERS, Make, Records, takes_fields
from pytest_tradestore.takes import EVERYTHING, Takes

CAPABILITIES = tuple(capability.name for capability in declarations.CAPABILITIES)
CLAIMED_BY_DEFAULT = frozenset(capability.name for capability in declarations.CAPABILITIES if capability.by_default)
_DECLARATIONS = tuple(d.name for d in declarations.DECLARATIONS if d.name.startswith("tradestore_"))
SINGLE_INSTANCE = "single-instance"
"""The one capability that restricts."""
DEADLINE = 10.0
"""Seconds that a store may take for one step (open, read, update) before it counts as hung."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Declarations that nobody reads: a sentence that says where they would be, and whether one is on the instance.

    One on the instance was written for the suite. Those of a class may be there for who uses the class itself, as
    those of ``reference_store`` are, and a function that opens it need not mean them.
    """

    sentence: str
    on_the_instance: bool


DamageReported = Literal["error", "log"] | Callable[[Any], Any]
"""How a store tells of damage: by an error, by its log, or so that a function of the open store finds it."""


@dataclass(frozen=True)
class StoreUnderTest:
    """A store that the suite is pointed at: a name, and a callable that opens the store on a root directory.

    ``target(root)`` may return the store, something to await, or a context manager (sync or async) that gives it.
    ``errors``: exception types that count as a clear refusal or report (default: the target's ``tradestore_errors``,
    else ``(ValueError, OSError)``). ``claims`` / ``disclaims``: capabilities beyond or below the default ones.
    ``volatile``: globs, relative to the root, of files whose content after a crash does not matter.
    ``deadline``: seconds for one step of the store. ``contracts``: the kits that it is asked by, those of the suite by
    name; without them it is asked what its methods show. ``takes``: which values it takes where its contract leaves
    that open. ``platforms``: those that it is used on. ``damage_reported``: how it tells of damage, ``"log"`` or a
    function of the store, where it raises nothing. What is not given here is taken from plain attributes of the
    target: ``tradestore_errors``, ``tradestore_claims``, ``tradestore_disclaims``, ``tradestore_identifiers``,
    ``tradestore_volatile``, ``tradestore_deadline``, ``tradestore_contracts``, ``tradestore_takes``,
    ``tradestore_platforms``, ``tradestore_backend``, ``tradestore_damage_reported``, ``make_bar`` and the other makers
    of its own records.
    """

    name: str
    target: Callable[[Any], Any]
    errors: tuple[type[BaseException], ...] | None = None
    claims: Collection[str] | None = None
    disclaims: Collection[str] | None = None
    identifiers: Literal["strict", "opaque"] | None = None
    volatile: Collection[str] | None = None
    deadline: float | None = None
    contracts: Collection[Kit | str] | None = None
    takes: Takes | None = None
    platforms: Collection[str] | None = None
    damage_reported: DamageReported | None = None
    backend: Backend | None = None
    make_bar: Make | None = None
    make_fundamental: Make | None = None
    make_event: Make | None = None
    make_decision: Make | None = None
    make_order: Make | None = None
    make_order_result: Make | None = None
    make_job: Make | None = None
    origin: str = field(default="", compare=False)
    """Where the store was configured, for messages."""
    imports: tuple[str, ...] = field(default=(), compare=False)
    """Modules of others that ordinary use of it imports, where that was found out."""

    @cached_property
    def declarations(self) -> "Declarations":
        """Everything declared, by arguments or by attributes of the target.

        Raises ConfigurationError for a capability or declaration that does not exist, or one of the wrong type.
        """
        for name in declared_names(self.target):
            if name not in _DECLARATIONS:
                raise ConfigurationError(f"store {self.name!r}: {no_declaration(name)}")
        self._check_makers()
        return Declarations(
            errors=self._errors(),
            claims=self._claims(),
            identifiers=self._one_of("identifiers", ("strict", "opaque"), "strict"),
            volatile=self._names("volatile"),
            deadline=self._deadline(),
            contracts=self._contracts(),
            takes=self._takes(),
            platforms=self._platforms(),
            damage_reported=self._damage_reported(),
            backend=self._backend(),
        )

    def unread(self, made: object) -> Unread | None:
        """Say which declarations ``made``, an open store, has that nobody reads; None when there are none.

        What decides what is asked has to be known before a store is opened: so only the target's declarations count.
        """
        on_it = getattr(made, "__dict__", {})
        lost = [name for name in declared_names(made) if name in on_it or not hasattr(self.target, name)]
        lost = [name for name in lost if getattr(self, name.removeprefix("tradestore_"), None) is None]
        if not lost:
            return None
        target = getattr(self.target, "__name__", "the target")
        return Unread(
            f"the {type(made).__name__} that it returns declares {' and '.join(lost)}, which nobody reads: what is "
            f"asked is known before a store is opened. Declare it on the class or function that is the target "
            f"({target}.{lost[0]} = ...), or give it to StoreUnderTest",
            any(name in on_it for name in lost),
        )

    def load(self) -> None:
        """Import what ordinary use of it imports, before anybody watches what it does."""
        import_again(self.imports)

    @property
    def kits(self) -> tuple[Kit, ...]:
        """The contracts that it may offer: those that it declares, else all that the suite knows."""
        return self.declarations.contracts or KITS

    def open(self, root: Path, bridge: "Bridge") -> "OpenStore":
        """Open the store on ``root``, or where its data of this root is on a server, as ``open_store`` says."""
        return open_store(lambda path: self.target(self.place(path)), root, bridge, self.declarations.contracts)

    def place(self, root: Path) -> Path | Address:
        """Return what the target is called with: the root, or the address that belongs to it."""
        backend = self.declarations.backend
        if backend is None:
            return root
        from pytest_tradestore.backends.hosts import address_of

        return address_of(backend, root)

    @property
    def records(self) -> Records:
        """What makes the records that this store takes."""
        return self.records_of(self.declarations.takes)

    def records_of(self, takes: Takes) -> Records:
        """What makes its records, with values of which it takes those that ``takes`` says."""
        own = {name: getattr(self, name) or getattr(self.target, name, None) for name in MAKERS}
        return Records({name: make for name, make in own.items() if make is not None}, takes)

    def declared(self, what: str) -> Any:
        """Return what was given as an argument or an attribute, unchecked; None where it was not."""
        given = getattr(self, what)
        return getattr(self.target, f"tradestore_{what}", None) if given is None else given

    def _errors(self) -> tuple[type[BaseException], ...]:
        errors = self.declared("errors")
        if errors is None:
            return (ValueError, OSError)
        listed = errors if isinstance(errors, (tuple, list)) else (errors,)
        if not all(isinstance(e, type) and issubclass(e, BaseException) for e in listed):
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_errors must be a tuple of exception types, not {errors!r}"
            )
        if not listed:
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_errors is empty, so that nothing it raises is a clear refusal; list "
                "its own exception types, or leave it out for (ValueError, OSError)"
            )
        for error in listed:
            if not issubclass(error, Exception):
                raise ConfigurationError(
                    f"store {self.name!r}: tradestore_errors lists {error.__name__}, which is no Exception: it stands "
                    "for Ctrl-C, sys.exit() and the like, which no caller takes for a refusal; list the exception "
                    "types that the store raises itself"
                )
        return tuple(listed)

    def _check_makers(self) -> None:
        """Raise ConfigurationError for a maker of records that cannot be called, or one by a name that nobody reads.

        A method of the store itself may be called as it likes, and so may a function that cannot make a record.
        """
        for name in MAKERS:
            make = getattr(self, name) or getattr(self.target, name, None)
            if make is not None and not callable(make):
                raise ConfigurationError(
                    f"store {self.name!r}: {name} must be a type or function that makes one record, {name}(**fields), "
                    f"not {make!r}"
                )
        for name in dir(self.target):
            meant = _maker_meant_by(name)
            own = not meant or hasattr(self.target, meant) or _is_a_method(self.target, name)
            if not own and takes_fields(getattr(self.target, name), meant):
                raise ConfigurationError(
                    f"store {self.name!r}: nobody reads {name}; did you mean {meant}? It is called for one record at a "
                    f"time, {meant}(**fields). If it is something else, give it another name"
                )

    def _names(self, what: str) -> tuple[str, ...]:
        names = self.declared(what)
        if names is None:
            return ()
        listed = isinstance(names, Collection) and not isinstance(names, (str, bytes))
        if not listed or not all(isinstance(n, str) for n in names):
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_{what} must be a set or tuple of strings, not {names!r}"
            )
        return tuple(sorted(names))

    def _claims(self) -> frozenset[str]:
        claims, disclaims = self._names("claims"), self._names("disclaims")
        for capability in (*claims, *disclaims):
            if capability not in CAPABILITIES:
                raise ConfigurationError(
                    f"store {self.name!r}: there is no capability {capability!r}; choose from {', '.join(CAPABILITIES)}"
                )
        if {SINGLE_INSTANCE, "processes"} <= set(claims):
            raise ConfigurationError(
                f"store {self.name!r}: it claims {SINGLE_INSTANCE!r} and 'processes', "
                "and each process opens an instance of its own; claim one of them"
            )
        if both := sorted(set(claims) & set(disclaims)):
            raise ConfigurationError(
                f"store {self.name!r}: it claims and disclaims {both[0]!r}; take it out of tradestore_claims or out of "
                "tradestore_disclaims"
            )
        return (CLAIMED_BY_DEFAULT | set(claims)) - set(disclaims)

    def _one_of(self, what: str, choices: tuple[str, ...], default: str) -> str:
        chosen = self.declared(what) or default
        if chosen not in choices:
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_{what} must be {' or '.join(choices)}, not {chosen!r}"
            )
        return str(chosen)

    def _contracts(self) -> tuple[Kit, ...]:
        listed = self.declared("contracts")
        if listed is None:
            return ()
        if isinstance(listed, (str, Kit, type)) or not isinstance(listed, Collection) or not listed:
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_contracts must be a tuple of kits, like (QueueKit(),), not {listed!r}"
            )
        try:
            return checked_kits(listed)
        except ValueError as error:
            raise ConfigurationError(f"store {self.name!r}: tradestore_contracts: {error}") from None

    def _takes(self) -> Takes:
        takes = self.declared("takes")
        if takes is None:
            return EVERYTHING
        if not isinstance(takes, Takes):
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_takes must be like Takes(aware=True), not {takes!r}"
            )
        return takes

    def _platforms(self) -> frozenset[str]:
        platforms = self._names("platforms")
        if not platforms and self.declared("platforms") is not None:
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_platforms names none; name those that it is used on, of "
                f"{', '.join(PLATFORMS)}, or leave it out for the one that the suite runs on"
            )
        for platform in platforms:
            if platform not in PLATFORMS:
                raise ConfigurationError(
                    f"store {self.name!r}: there is no platform {platform!r}; choose from {', '.join(PLATFORMS)}"
                )
        return frozenset(platforms) or frozenset({this_platform()})

    def _damage_reported(self) -> DamageReported:
        how = self.declared("damage_reported")
        if how is None:
            return "error"
        if how not in ("error", "log") and not callable(how):
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_damage_reported must be 'error', 'log', or a function of the open "
                f"store that says whether it has reported damage, not {how!r}"
            )
        return how  # type: ignore[no-any-return] # checked just now

    def _backend(self) -> Backend | None:
        backend = self.declared("backend")
        if isinstance(backend, type) and issubclass(backend, (Bucket, Postgres)):
            backend = backend()
        if backend is not None and not isinstance(backend, (Bucket, Postgres)):
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_backend must be Bucket() or Postgres(), not {backend!r}"
            )
        return backend

    def _deadline(self) -> float:
        deadline = self.declared("deadline")
        if deadline is None:
            return DEADLINE
        if isinstance(deadline, bool) or not isinstance(deadline, (int, float)) or not 0 < deadline < float("inf"):
            raise ConfigurationError(
                f"store {self.name!r}: tradestore_deadline must be a positive number of seconds, not {deadline!r}"
            )
        return float(deadline)


def declared_names(thing: object) -> list[str]:
    """Return the attributes whose names begin as those of declarations do, however they are written."""
    return [name for name in dir(thing) if name.lower().replace("_", "").startswith("tradestore")]


def no_declaration(name: str) -> str:
    """Say that there is no such declaration, and which one may have been meant."""
    near = difflib.get_close_matches(name.lower(), _DECLARATIONS, n=1, cutoff=0.7)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"there is no declaration {name!r}{meant}; choose from {', '.join(_DECLARATIONS)}"


def _maker_meant_by(name: str) -> str:
    """Return the maker that a name is a misspelling of, nothing where it is none: ``make_bars``, ``makeEvent``."""
    if name in MAKERS or not name.lower().startswith("make"):
        return ""
    spelled = {maker.replace("_", ""): maker for maker in MAKERS}
    plain = name.lower().replace("_", "")
    near = difflib.get_close_matches(plain, spelled, n=1, cutoff=0.85)
    return spelled[near[0]] if near and abs(len(near[0]) - len(plain)) <= 1 else ""


def _is_a_method(target: object, name: str) -> bool:
    """Say whether it is a method that wants an instance, or the class, and so something that the store does.

    What an object that opens stores has is called as it stands there, and so may be a maker.
    """
    if not isinstance(target, type):
        return False
    found = inspect.getattr_static(target, name, None)
    if isinstance(found, classmethod):
        return True
    if not inspect.isfunction(found):
        return False
    first = next(iter(inspect.signature(found).parameters.values()), None)
    return first is not None and first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a store says of itself, checked and complete."""

    errors: tuple[type[BaseException], ...] = (ValueError, OSError)
    claims: frozenset[str] = CLAIMED_BY_DEFAULT
    identifiers: str = "strict"
    volatile: tuple[str, ...] = ()
    deadline: float = DEADLINE
    contracts: tuple[Kit, ...] = ()
    takes: Takes = EVERYTHING
    platforms: frozenset[str] = frozenset({"linux"})
    damage_reported: DamageReported = "error"
    backend: Backend | None = None


PLATFORMS = ("linux", "macos", "windows")


def this_platform() -> str:
    """Return which of the platforms the suite runs on."""
    return {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")


class Bridge:
    """Runs what a store returns to its end: awaits what is awaitable, on one event loop for the whole process."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self.seconds = 0.0
        """Time spent inside the store's own code."""

    def timed(self, call: Callable[[], Any]) -> Any:
        """Return the settled result of ``call``, and count the time that it took as the store's."""
        began = perf_counter()
        try:
            return self.settle(call())
        finally:
            self.seconds += perf_counter() - began

    def settle(self, value: Any) -> Any:
        """Return ``value``, or its result if it has to be awaited."""
        if not inspect.isawaitable(value):
            return value
        if self._runner is None:
            self._runner = asyncio.Runner()

        async def wait() -> Any:
            return await value

        # Not Runner.run: it looks after Ctrl-C anew for each call, which takes longer than many a call does.
        return self._runner.get_loop().run_until_complete(wait())

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
            self._runner = None


class OpenStore:
    """A store that is open on a root: its contracts, and a way to call it that hides whether it is sync or async."""

    def __init__(
        self,
        store: Any,
        contracts: tuple[Kit, ...],
        root: Path,
        bridge: Bridge,
        leave: Callable[[], Any] | None,
    ) -> None:
        self.store = store
        self.contracts = contracts
        self.root = root
        self._bridge = bridge
        self._leave = leave

    def has(self, method: str) -> bool:
        return offers(self.store, method)

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method and wait for its result; whatever the store raises is raised."""
        function = getattr(self.store, method)
        return self._bridge.timed(lambda: function(*arguments, **options))

    def lent(self, bridge: Bridge) -> None:
        """Let a forked process use the instance that it has inherited, with a bridge of its own."""
        self._bridge = bridge

    def told(self, error: BaseException) -> str:
        """Return an error's message with the root called so: it lies elsewhere each time, and says nothing."""
        return str(error).replace(str(self.root), "<root>")

    @property
    def can_be_closed(self) -> bool:
        """Whether it offers a way to be closed."""
        return self._leave is not None or _can_be_closed(self.store)

    def close(self) -> None:
        """Close the store by whichever way it offers; whatever it raises is raised."""
        if self._leave is not None:
            self._bridge.timed(self._leave)
        elif self.has("aclose"):
            self.call("aclose")
        elif self.has("close"):
            self.call("close")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(target: Callable[[Any], Any], root: Path, bridge: Bridge, declared: tuple[Kit, ...] = ()) -> OpenStore:
    """Open a store on ``root``; it has to offer all that is ``declared``, or else any contract that the suite knows.

    Raises TargetError if it does not; whatever the target raises is raised.
    """
    made = bridge.timed(lambda: target(root))
    leave: Callable[[], Any] | None = None
    offered = kits_of(made, declared or KITS)
    if not (offered and _can_be_closed(made)):
        # A context manager is entered if it gives the store, or if leaving it is the only way to close the store.
        if isinstance(made, AbstractAsyncContextManager):
            manager, made = made, bridge.settle(made.__aenter__())
            leave = lambda: manager.__aexit__(None, None, None)  # noqa: E731 - a def here would read no better
        elif isinstance(made, AbstractContextManager):
            entered, made = made, made.__enter__()
            leave = lambda: entered.__exit__(None, None, None)  # noqa: E731 - as above
        offered = kits_of(made, declared or KITS)
    if declared and len(offered) < len(declared):
        (lacking, *_) = (kit for kit in declared if kit not in offered)
        raise TargetError(
            f"{type(made).__name__} declares the contract {lacking.name!r} and lacks "
            f"{' and '.join(f'{method}()' for method in lacking.lacking(made))}. Give it what is missing, or "
            "take the kit out of tradestore_contracts"
        )
    if not offered:
        raise TargetError(
            f"{type(made).__name__} offers no contract that the suite knows: {nearest_kit(made)}. "
            "Give it these methods, wrap it in an adapter of a few lines, or write a kit for it"
        )
    return OpenStore(made, offered, root, bridge, leave)


def _can_be_closed(store: object) -> bool:
    return offers(store, "close") or offers(store, "aclose")
