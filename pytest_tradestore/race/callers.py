"""One execution of a program whose callers are threads (``threads`` lets them run): from a new root to its history."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.race.actors import Abandoned, never
from pytest_tradestore.race.execution import SIGNALS, Completed, Ending, Execution, Program
from pytest_tradestore.race.interrupts import InterruptedCaller
from pytest_tradestore.race.refusals import is_an_answer, told
from pytest_tradestore.race.scheduler import Scheduler
from pytest_tradestore.race.threads import Control, Ended, ThreadActor
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest, open_store

OPENING = Call("open", (), "", "open the store")
CLOSING = Call("close", (), "", "close the store")


Plain = dict[int, tuple[Any, type, tuple[Kit, ...]]]
"""Targets that give the store itself, its type and what it offers; kept, so that their identity stays theirs."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and where; ``plain`` is what orders before it have found out, and grows."""

    store: StoreUnderTest
    program: Program
    root: str
    plain: Plain

    @property
    def path(self) -> Path:
        return Path(self.root)

    def open(self, bridge: Bridge) -> OpenStore:
        """Open the store on the root. What it offers is looked at only the first time."""
        target, path = self.store.target, Path(self.root)
        known = self.plain.get(id(target))
        if known is not None:
            made = bridge.timed(lambda: target(self.store.place(path)))
            if type(made) is known[1]:
                return OpenStore(made, known[2], path, bridge, None)
            return open_store(lambda _path: made, path, bridge, self.store.declarations.contracts)
        opened = self.store.open(path, bridge)
        if opened._leave is None and not inspect.isawaitable(opened.store):
            self.plain[id(target)] = (target, type(opened.store), opened.contracts)
        return opened


class Unusable(Exception):  # noqa: N818 - says that there is nothing more to do
    """The store could not be opened or closed by who prepares or observes; the history says so."""


class Ledger:
    """The history of one execution as it grows."""

    def __init__(self, scheduler: Scheduler, order: "Order") -> None:
        self._scheduler = scheduler
        self._declared, self._root = order.store.declarations.errors, order.root
        self.entries: list[Completed] = []
        self._open: dict[int, tuple[int, Call]] = {}

    def invoked(self, caller: int, call: Call, position: int) -> None:
        """Note that a call begins; if nothing more is heard of it, it never came back."""
        self._open[caller] = (position, call)

    def note(self, caller: int, operation: str) -> int:
        """Count one step and return its position."""
        return self._scheduler.note(caller, operation)

    def returned(self, caller: int, result: Any = None) -> None:
        """Note that the caller's call has come back with a result."""
        invoked, call = self._open.pop(caller)
        note = repr(result) if self._scheduler.steps is not None else ""
        position = self._scheduler.note(caller, f"return {call.rendered}", note=note)
        self.entries.append(Completed(caller, call, invoked, position, result))

    def failed(self, caller: int, error: BaseException, *, interrupted: bool = False) -> None:
        """Note that the caller's call has raised; ``interrupted``: because a signal's handler did."""
        invoked, call = self._open.pop(caller)
        words = told(error, self._root)
        position = self._scheduler.note(caller, f"fail {call.rendered}", note=words)
        answer, declared = is_an_answer(error, words, self._declared), isinstance(error, self._declared)
        self.entries.append(
            Completed(
                caller,
                call,
                invoked,
                position,
                None,
                words,
                undeclared=not answer,
                declared=declared,
                interrupted=interrupted,
            )
        )

    def alone(self, call: Call, do: Callable[[], Any]) -> Any:
        """Do what nobody is called for, opening or closing a store that all share; if it raises, the history says so.

        Raises Unusable then: the execution goes no further.
        """
        try:
            return do()
        except (Abandoned, Ended):
            raise
        except BaseException as error:
            self.invoked(-1, call, self._scheduler.note(-1, call.rendered))
            self.failed(-1, error)
            raise Unusable from None

    def history(self) -> tuple[Completed, ...]:
        unfinished = [Completed(caller, call, at, None) for caller, (at, call) in self._open.items()]
        return tuple(sorted(self.entries + unfinished, key=lambda entry: entry.invoked))


def run_threads(order: Order, scheduler: Scheduler, control: Control) -> Execution:
    """Run the program once, each caller a thread, and return what happened."""
    ledger = Ledger(scheduler, order)
    main = control.adopt_this_thread(-1, -1, "the preparation")
    program, callers_left = order.program, [len(order.program.actors)]
    scheduler.quiet = lambda: not callers_left[0]
    bridge = Bridge()
    for _ in program.actors:  # before the preparation: a thread that it leaves behind has another number than a caller
        scheduler.next_number()
    try:
        shared: OpenStore | None = None
        if program.prepare or not program.own_instances:  # else the callers are the first to open it
            shared = ledger.alone(OPENING, lambda: order.open(bridge))
            in_turn(shared, program.prepare, ledger, scheduler)
            if program.own_instances:
                ledger.alone(CLOSING, shared.close)
        for number, calls in enumerate(program.actors):
            _start_caller(
                order, control, ledger, number, calls, None if program.own_instances else shared, callers_left
            )
        scheduler.exploring = True
        main.reach("wait for the callers", never)
        scheduler.exploring, scheduler.quiet = False, lambda: False  # from here on it waits for what a store keeps
        control.in_force.clock.settle()
        main.label = "the observer"
        if program.own_instances or shared is None:
            shared = ledger.alone(OPENING, lambda: order.open(bridge))
        in_turn(shared, program.observe, ledger, scheduler)
        ledger.alone(CLOSING, shared.close)
    except (Ended, Unusable):
        pass
    finally:
        control.close()
        bridge.close()
    return finished(scheduler, ledger)


def finished(scheduler: Scheduler, ledger: Ledger) -> Execution:
    """Return the execution as facts."""
    return Execution(
        ledger.history(),
        tuple(scheduler.steps or ()),
        tuple(scheduler.choices),
        scheduler.ending or Ending.FINISHED,
        scheduler.preemptions,
        scheduler.waits_for,
        tuple(scheduler.uncontrolled),
        tuple(scheduler.turns),
        scheduler.given_up,
    )


def in_turn(opened: OpenStore, calls: Iterable[Call], ledger: Ledger, scheduler: Scheduler) -> None:
    """Make the calls of the preparing or observing caller."""
    for call in calls:
        ledger.invoked(-1, call, scheduler.note(-1, f"call {call.rendered}"))
        _make(opened, call, ledger, -1)


def _make(opened: OpenStore, call: Call, ledger: Ledger, caller: int, actor: ThreadActor | None = None) -> None:
    try:
        result = call.make(opened)
    except (Abandoned, Ended):
        raise
    except BaseException as error:
        ledger.failed(caller, error, interrupted=actor is not None and actor.interrupted)
    else:
        ledger.returned(caller, result)


def _start_caller(
    order: Order,
    control: Control,
    ledger: Ledger,
    number: int,
    calls: tuple[Call, ...],
    shared: OpenStore | None,
    left: list[int],
) -> None:
    scheduler = control.scheduler
    label = f"caller {number}"

    def work() -> None:
        bridge = Bridge()
        try:
            opened = shared or opening(bridge)
            for at, call in enumerate(calls):
                if at or shared is None:
                    actor.reach(f"call {call.rendered}")
                ledger.invoked(number, call, scheduler.position - 1)
                actor.due = actor.interrupted = False
                _make(opened, call, ledger, number, actor)
            if shared is None:
                with suppress(Exception, SystemExit):  # what closing does wrong, the observer finds
                    opened.close()
        except _NotOpened:
            pass
        finally:
            bridge.close()
            left[0] -= 1

    def opening(bridge: Bridge) -> OpenStore:
        ledger.invoked(number, OPENING, scheduler.position - 1)
        try:
            opened = order.open(bridge)
        except Abandoned:
            raise
        except BaseException as error:
            ledger.failed(number, error)
            raise _NotOpened from None
        ledger.returned(number)
        return opened

    first = OPENING.rendered if shared is None else f"call {calls[0].rendered}" if calls else "nothing"
    actor = _caller(control, order.program, number, label, first, work)


class _NotOpened(Exception):  # noqa: N818 - says that there is nothing more to do
    """The caller's own instance could not be opened; the history says so."""


def _caller(
    control: Control, program: Program, number: int, label: str, first: str, work: Callable[[], None]
) -> ThreadActor:
    carrier = control.carrier()
    actor: ThreadActor
    if program.blow in SIGNALS and program.struck is not None and program.struck[0] == number:
        actor = InterruptedCaller(control, number, label, carrier.gate, program.blow, program.struck[1])
    else:
        actor = ThreadActor(control, number, label, carrier.gate, number)
    actor.pending = first
    carrier.take(actor, work)
    control.scheduler.add(actor)
    return actor
