"""Errors of the system in people's own tests: their object, what it is asked to do, and what has to hold afterwards.

This is what the fixture ``tradestore_faults`` hands out; the suite itself does not come here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tradestore.faults import seccomp
from pytest_tradestore.faults.calls import Call, Fault
from pytest_tradestore.faults.plans import faults_for
from pytest_tradestore.isolation import Channel, Finished, run_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import DEADLINE, Bridge

Act = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """What one refused call did: ``fault`` says which; ``raised`` what the caller got, nothing if it returned.

    ``found`` is what ``read`` gave afterwards on a new instance, or the text of what that raised.
    """

    fault: str
    raised: str
    found: Any


class Faults:
    """Makes each call to the system fail in turn that an action of your object makes below its directory.

    ``target(root)`` makes the object. Needs Linux on x86-64 or AArch64, and no privileges.
    """

    def __init__(self, target: Callable[[Path], Any], *, deadline: float = DEADLINE) -> None:
        self._target, self._deadline = target, deadline

    def outcomes(self, act: Act, *, read: Act, before: Act = lambda _: None) -> tuple[FaultOutcome, ...]:
        """Return what became of ``act(object)`` under each fault.

        Each time anew, on an empty directory: ``before(object)`` prepares, ``act`` meets the fault, and ``read`` looks
        with a new object. What ``read`` returns has to be picklable. Raises RuntimeError where no call can be made to
        fail, where ``act`` fails without a fault, or where the object hangs.
        """
        if reason := seccomp.why_not():
            raise RuntimeError(reason)
        with Sandbox() as sandbox:

            def task(channel: Channel) -> tuple[FaultOutcome, ...] | str:
                return _tried(self._target, act, read, before, sandbox, channel)

            ending = run_isolated(task, self._deadline)
        match ending:
            case Finished(tuple(found)):
                return found
            case Finished(problem):
                raise RuntimeError(f"without any fault: {problem}")
            case _:
                raise RuntimeError(f"the object hung or ended its process: {ending}")

    def check(self, act: Act, *, read: Act, holds: Callable[[FaultOutcome], None], before: Act = lambda _: None) -> int:
        """Let ``holds(outcome)`` assert what has to be true under every fault; return how many there were."""
        found = self.outcomes(act, read=read, before=before)
        for outcome in found:
            holds(outcome)
        return len(found)


def _tried(
    target: Callable[[Path], Any], act: Act, read: Act, before: Act, sandbox: Sandbox, channel: Channel
) -> tuple[FaultOutcome, ...] | str:
    from pytest_tradestore.faults.supervisor import Injector

    injector, bridge = Injector(), Bridge()
    steps = iter(range(1, 1 << 62))

    def once(fault: Fault | None) -> tuple[str, Any, tuple[Call, ...], int]:
        channel.step(next(steps))
        root = sandbox.fresh_root()
        opened = bridge.settle(target(root))
        bridge.settle(before(opened))
        raised = ""
        injector.arm(str(root), fault)
        try:
            bridge.settle(act(opened))
        except Exception as error:
            raised = f"{type(error).__name__}: {error}".replace(str(root), "<root>")
        watched = injector.disarm()
        try:
            found = bridge.settle(read(bridge.settle(target(root))))
        except Exception as error:
            found = f"{type(error).__name__}: {error}".replace(str(root), "<root>")
        sandbox.discard(root)
        return raised, found, watched.calls, watched.hits

    try:
        raised, _, calls, _ = once(None)
        if raised:
            return raised
        return tuple(_outcomes(once, calls))
    finally:
        bridge.close()


def _outcomes(
    once: Callable[[Fault | None], tuple[str, Any, tuple[Call, ...], int]], calls: tuple[Call, ...]
) -> Iterator[FaultOutcome]:
    known = set()
    for _, fault in sorted(faults_for(calls), key=lambda row: row[0]):
        if fault in known:
            continue
        known.add(fault)
        raised, found, _, hits = once(fault)
        if hits:
            yield FaultOutcome(str(fault), raised, found)
