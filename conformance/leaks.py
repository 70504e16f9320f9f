"""What calls that succeed give back: descriptors, threads and temporary files (LEAK-1)."""

from typing import TYPE_CHECKING

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by
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
        return Grounds(
            _told(leaks.found) if leaks.found else None, leaks.undecided, checked={"repeated_calls": leaks.calls}
        )

    return (check_by("LEAK-1", kit, grounds),)


def _told(found: "tuple[Leak, ...]") -> Counterexample:
    first, *others = found
    return Counterexample(
        f"{first.call} succeeds and leaves {first.what} behind",
        workload=(*first.calls, "all of it again, several times"),
        found=tuple(f"{leak.what}: {', '.join(map(str, leak.counts))} after one round and the next" for leak in found),
        allowed=("as many after each round as after the one before",),
        notes=tuple(f"{leak.call} leaves {leak.what} behind, too" for leak in others),
    )
