"""Which guess holds? Each is tried on an empty directory, in a process of its own: written, read, reopened, read again.

Nothing is said here of what the store does wrong; it only has to work once, as in the smoke stage.
"""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pytest_tradestore.adopting.adapter import Callee
from pytest_tradestore.adopting.methods import Methods, methods_of
from pytest_tradestore.adopting.openings import Opening
from pytest_tradestore.crash.workloads import Workload, workload_for
from pytest_tradestore.errors import TradestoreError
from pytest_tradestore.isolation import Channel, Finished, HarnessError, Hung, run_isolated
from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.kits.spec import UNSAID
from pytest_tradestore.observation import Absent, key_seen
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest

_DEADLINE = 3.0
HUNG = "it hung"
_VOLATILE = {"-shm": "*-shm", "lock.mdb": "lock.mdb"}
"""What the names of files end with whose content after a crash does not matter, and how that is declared."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """What a store looks like that was opened in one way; ``wrong`` is why it was not."""

    opening: Opening
    wrong: str = ""
    methods: Methods | None = None
    contracts: tuple[str, ...] = ()
    awaited: bool = False
    made_directory: bool = False
    inside: Methods | None = None
    """The methods of what it gives when it is entered as a context manager, if they are others."""
    leaving: str = ""
    """What leaves it then."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial: what went ``wrong``, at which ``step``, and what was seen of the store's files."""

    step: str = ""
    wrong: str = ""
    raised: tuple[str, str] = ("", "")
    volatile: tuple[str, ...] = ()
    single: bool = False
    seconds: float = 0.0

    @property
    def works(self) -> bool:
        return not self.step


def looked_at(callee: Callee, opening: Opening, kits: tuple[Kit, ...]) -> Opened:
    """Open a store in one way, and say which methods it has."""
    code = f"from pathlib import Path\nimport os\n{callee.imported}\ndef opened(root: Path):\n"
    code += "    os.chdir(root)\n" if opening.elsewhere else ""
    code += f"    return {callee.expression}({opening.arguments})\n"

    def look(root: Path) -> Opened:
        namespace: dict[str, Any] = {}
        exec(compile(code, "<opening>", "exec"), namespace)  # noqa: S102 - what will stand in the adapter
        bridge = Bridge()
        made = namespace["opened"](root)
        awaited = inspect.isawaitable(made)
        store = bridge.settle(made)
        if store is None:
            return Opened(opening, "it returned nothing")
        offered = tuple(kit.name for kit in kits if kit.offered_by(store))
        below = [path for path in sorted(root.iterdir()) if path.is_dir()]
        named = bool(below) and f'"{below[0].name}"' in code
        methods = methods_of(store)
        return Opened(opening, "", methods, offered, awaited, named, *_inside(store, methods, bridge))

    return _alone(look, lambda wrong, _: Opened(opening, wrong))


def _inside(store: object, methods: Methods, bridge: Bridge) -> tuple[Methods | None, str]:
    """Enter a context manager, and return the methods that are there then, if they are others, and what leaves it."""
    for enter, leave in (("__aenter__", "__aexit__"), ("__enter__", "__exit__")):
        if getattr(type(store), enter, None) is None:
            continue
        try:
            inside = methods_of(bridge.settle(getattr(store, enter)()))
        except Exception:  # noqa: S112 - it cannot be entered in this way, whatever it says
            continue
        if inside.keys() - methods.keys():
            return inside, leave
    return None, ""


def tried(code: str, name: str, kit: Kit | None = None) -> Tried:
    """Use what ``name`` opens in the module ``code`` in the ordinary way, by one contract: by default its own."""

    def use(root: Path, *, twice: bool) -> Tried:
        namespace: dict[str, Any] = {"__name__": "tradestore_trial"}
        exec(compile(code, "<adapter>", "exec"), namespace)  # noqa: S102 - the adapter, before it is a file
        store = StoreUnderTest("trial", namespace[name], deadline=_DEADLINE)
        return used(store, kit or store.kits[0], root, twice=twice)

    def failed(wrong: str, raised: tuple[str, str]) -> Tried:
        return Tried("opening", wrong, raised)

    found = _alone(partial(use, twice=True), failed)
    if found.wrong == HUNG:  # perhaps it was the second instance, which waits until the first is closed
        again = _alone(partial(use, twice=False), failed)
        return replace(again, single=True) if again.works else found
    return found


def tried_as_it_is(target: Callable[[Path], Any], kit: Kit) -> Tried:
    """Use a store that needs no adapter in the same way."""
    store = StoreUnderTest("trial", target, deadline=_DEADLINE)
    return _alone(lambda root: used(store, kit, root), lambda wrong, raised: Tried("opening", wrong, raised))


def used(store: StoreUnderTest, kit: Kit, root: Path, *, twice: bool = True) -> Tried:
    """Write, read, reopen and read again, with a second instance beside it if ``twice``, in this process."""
    bridge, step = Bridge(), "opening"
    try:
        opened = store.open(root, bridge)
        methods = frozenset(m for m in (*kit.required, *kit.optional) if opened.has(m))
        work = workload_for(kit, methods, store.records)
        states: dict[str, Any] = {}
        step = "reading what is not there"
        before = work.look(opened, work.looks[0].key)
        for number, update in enumerate(work.updates):
            step = f"calling {update.rendered}"
            update.make(opened)
            states[update.key] = _after(kit, states.get(update.key), update)
            step = f"reading after {update.rendered}"
            if number == 0 and work.look(opened, work.looks[0].key) in (before, Absent()):
                return Tried(step, "what was written is not there")
            if wrong := _wrong(work, opened, states):
                return Tried(step, wrong)
        volatile = tuple(
            sorted({glob for end, glob in _VOLATILE.items() for name in _files(root) if name.endswith(end)})
        )
        step = "opening a second instance"
        single = twice and _refuses_another(store, root, bridge)
        step = "closing"
        opened.close()
        step = "reopening"
        again = store.open(root, bridge)
        step = "reading after reopening"
        if wrong := _wrong(work, again, states):
            return Tried(step, wrong)
        step = "closing again"
        again.close()
        bridge.close()
    except (Exception, SystemExit) as error:
        return Tried(step, _told(error), _named(error))
    return Tried(volatile=volatile, single=single)


def _refuses_another(store: StoreUnderTest, root: Path, bridge: Bridge) -> bool:
    try:
        store.open(root, bridge).close()
    except Exception:
        return True
    return False


def _after(kit: Kit, state: Any, call: Call) -> Any:
    spec = kit.spec_of(call.key)
    return spec.apply(spec.initial if state is None else state, call)[0]


def _wrong(work: Workload, opened: Any, states: dict[str, Any]) -> str:
    """Say what is wrong with what each look shows, by the specification of the contract."""
    for look in work.looks:
        spec = work.kit.spec_of(look.key)
        there = {key for key, state in states.items() if state != work.kit.spec_of(key).initial}
        if look.key == work.listing and not _lists(look, opened, there):
            return f"{look.rendered} does not list what was written"
        if look.key not in states:
            continue
        answer = spec.apply(states[look.key], look)[1]
        found = look.make(opened)
        if answer is not UNSAID and spec.seen(look, found) != spec.told(answer):
            return f"{look.rendered} is not what was written"
    return ""


def _lists(look: Call, opened: Any, there: set[str]) -> bool:
    try:
        return there <= {key_seen(key) for key in look.make(opened)}
    except Exception:
        return False


def _files(root: Path) -> list[str]:
    return [name for _, _, names in os.walk(root) for name in names]


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ").replace("\n", " ")[:200]


def _named(error: BaseException) -> tuple[str, str]:
    kind = type(error)
    return kind.__module__, kind.__qualname__


def _alone(look: Callable[[Path], T], failed: Callable[[str, tuple[str, str]], T]) -> T:
    """Do this on an empty directory in a process of its own; whatever becomes of it is an answer."""
    with Sandbox() as sandbox:
        root = sandbox.fresh_root()

        def task(channel: Channel) -> Any:
            channel.step(0)
            try:
                return look(root)
            except (Exception, SystemExit) as error:
                return "raised", _told(error).replace(str(root), "<root>"), _named(error)

        try:
            ending = run_isolated(task, _DEADLINE)
        except (HarnessError, TradestoreError) as error:
            return failed(str(error).strip().rpartition("\n")[2], ("", ""))
    if not isinstance(ending, Finished):
        return failed(HUNG if isinstance(ending, Hung) else "its process ended", ("", ""))
    if isinstance(ending.value, tuple) and ending.value[:1] == ("raised",):
        return failed(*ending.value[1:])
    found: T = ending.value
    return found
