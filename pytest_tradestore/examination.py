"""First contact with a store: can it be opened at all, and which contracts does it offer?"""

import os
import textwrap
import traceback
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pytest_tradestore.backends.hosts import ready
from pytest_tradestore.errors import TargetError
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, run_isolated
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.observation import Seen
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, StoreUnderTest


@dataclass(frozen=True, slots=True)
class Examined:
    """What a store offers: its contracts and optional methods; what it printed, and declares, while it was opened.

    ``unread`` says which declarations of its class nobody reads, and where they would be read.
    """

    contracts: tuple[Kit, ...]
    methods: tuple[str, ...]
    output: str = ""
    unread: str = ""


def examine(store: StoreUnderTest) -> Examined:
    """Open ``store`` on an empty root in a process of its own, look at it, and close it.

    Raises TargetError, with one sentence, if it cannot be imported or opened, offers no contract, hangs or exits;
    ConfigurationError if its declarations are wrong.
    """
    deadline = store.declarations.deadline
    ready(store.declarations.backend)

    with Sandbox() as sandbox:
        root = sandbox.fresh_root()

        def look(channel: Channel) -> tuple[str, tuple[str, ...], tuple[str, ...], str]:
            channel.step(0)
            bridge = Bridge()
            try:
                opened = store.open(root, bridge)
                names = tuple(kit.name for kit in opened.contracts)
                wanted = {m for kit in store.kits for m in (*kit.required, *kit.optional)}
                methods = tuple(sorted(m for m in wanted if opened.has(m)))
                unread = store.unread(opened.store)
                if unread is not None and unread.on_the_instance:
                    return unread.sentence, (), (), ""
            except TargetError as error:
                return str(error), (), (), ""
            except Exception as error:
                return _raised(error, "when it was opened on an empty directory", root), (), (), ""
            channel.step(1)
            try:
                opened.close()
                bridge.close()
            except Exception as error:
                return _raised(error, "when it was closed right after opening", root), (), (), ""
            return "", names, methods, "" if unread is None else unread.sentence

        ending = run_isolated(look, deadline)
    where = f"store {store.name!r}" + (f" ({store.origin})" if store.origin else "")
    match ending:
        case Finished((problem, names, methods, unread), output):
            if problem:
                raise TargetError(f"{where}: {problem}")
            return Examined(tuple(kit for kit in store.kits if kit.name in names), methods, output, unread)
        case Hung(step, seconds, output):
            what = "opening it on an empty directory" if step == 0 else "closing it"
            raise TargetError(
                f"{where}: {what} took longer than {seconds:g} s{_printed(output)}. "
                "If that is right for it, set tradestore_deadline"
            )
        case Died(step, how, output):
            what = "while it was opened on an empty directory" if step == 0 else "while it was closed"
            raise TargetError(
                f"{where}: its process {how} {what}{_printed(output)}; a store must raise an exception instead"
            )
    raise AssertionError("every ending is matched")


def offered(store: StoreUnderTest, kit: Kit, methods: frozenset[str]) -> frozenset[str]:
    """Return the methods, and what else can be asked, where a kit finds that out by trying on an empty store."""
    trying = kit.trying(methods)
    if trying is None:
        return methods

    with Sandbox() as sandbox:

        def look(channel: Channel) -> list[str]:
            channel.step(0)
            try:
                with store.open(sandbox.fresh_root(), Bridge()) as opened:
                    return list(trying(opened, store.records))
            except Exception:  # the smoke stage says what the store cannot do at all
                return []

        found = run_isolated(look, store.declarations.deadline)
    return methods | set(found.value) if isinstance(found, Finished) else methods


class Place(Enum):
    """Where a store has what it was given."""

    BELOW = "below its root"
    NOWHERE = "in memory alone"
    ELSEWHERE = "somewhere else"


def place_of(store: StoreUnderTest, kit: Kit, methods: frozenset[str]) -> Place:
    """Find out where the first update of a contract goes: is anything below the root, and does the next process see it?

    Whatever goes wrong on the way is for others to find; then it counts as below the root, as does what is on a server
    of the suite: there its requests are seen.
    """
    if store.declarations.backend is not None:
        return Place.BELOW
    with Sandbox() as sandbox:
        root = sandbox.fresh_root()

        def update(channel: Channel) -> tuple[Seen, Seen] | None:
            return _seen_after(store, kit, methods, root, channel, write=True)

        def look(channel: Channel) -> tuple[Seen, Seen] | None:
            return _seen_after(store, kit, methods, root, channel, write=False)

        wrote = run_isolated(update, store.declarations.deadline)
        if not isinstance(wrote, Finished) or wrote.value is None or os.listdir(root):
            return Place.BELOW
        before, after = wrote.value
        found = run_isolated(look, store.declarations.deadline)
        if not isinstance(found, Finished) or found.value is None or before == after:
            return Place.BELOW
        return Place.ELSEWHERE if found.value[0] == after else Place.NOWHERE


def _seen_after(
    store: StoreUnderTest, kit: Kit, methods: frozenset[str], root: Path, channel: Channel, *, write: bool
) -> "tuple[Seen, Seen] | None":
    """Return what is seen of the first place before and after its update, which is made only to ``write``."""
    from pytest_tradestore.crash.workloads import workload_for

    channel.step(0)
    try:
        workload, bridge = workload_for(kit, methods, store.records), Bridge()
        with store.open(root, bridge) as opened:
            first = workload.updates[0]
            before = workload.look(opened, first.key)
            if write:
                first.make(opened)
            after = workload.look(opened, first.key)
        bridge.close()
    except Exception:
        return None
    return before, after


def _raised(error: Exception, when: str, root: Path) -> str:
    """Say what the store raised, in one line, with the place in its code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if os.path.dirname(frame.filename) != os.path.dirname(__file__)]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    message = _one_line(str(error).replace(str(root), "<root>"))
    if isinstance(error, TypeError) and not own:
        message += "; it is called with one argument, the directory of the store"
    return f"raised {type(error).__name__} {when}{': ' + message if message else ''}{place}"


def _printed(output: str) -> str:
    """Quote the last line that the store printed: often that is where it says why."""
    lines = output.split("\n") if output.strip() else []
    last = next((line for line in reversed(lines) if line.strip()), "")
    return f" (it printed {_one_line(last)!r})" if last else ""


def _one_line(text: str) -> str:
    return textwrap.shorten(text, 300, placeholder=" ...")
