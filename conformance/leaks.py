"""What calls that succeed give back: descriptors, threads and temporary files (LEAK-1)."""

from typing import TYPE_CHECKING

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by, each_cause
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.leaks import Leak
    from pytest_tradestore.target import StoreUnderTest


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the check of what the calls of one contract leave behind."""

    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        leaks = bench.leaks(store, kit)
        examples = each_cause(map(_told, leaks.found))
        return Grounds(
            examples[0] if examples else None,
            leaks.undecided,
            checked={"repeated_calls": leaks.calls},
            others=examples[1:],
        )

    return (check_by("LEAK-1", kit, grounds),)


def _told(leak: "Leak") -> Counterexample:
    remedy = "Close and end in finally, or by with, what the call opens or starts, also when it succeeds."
    return Counterexample(
        f"{leak.call} succeeds and leaves {leak.what} behind",
        workload=(*leak.calls, "all of it again, several times"),
        found=(f"{leak.what}: {', '.join(map(str, leak.counts))} after one round and the next",),
        allowed=("as many after each round as after the one before",),
        remedy=remedy,
        cause=Cause(Culprit(f"{leak.what} left behind", (leak.method,)), Harm.LEFTOVER, remedy),
    )
