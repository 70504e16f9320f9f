"""Whether a store keeps to its root, whatever it is asked (ROOT-1)."""

from typing import TYPE_CHECKING

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample, Fate, Step

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.outside import Change, Outside
    from pytest_tradestore.target import StoreUnderTest


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the check of what one contract's calls do outside of the root."""

    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        outside = bench.outside(store, kit)
        return Grounds(
            _example(outside),
            outside.undecided,
            remark="" if outside.elsewhere else "there is no second file system here to put the temporary directory on",
            checked={"watched_calls": outside.calls},
        )

    return (check_by("ROOT-1", kit, grounds),)


def _example(outside: "Outside") -> Counterexample | None:
    if outside.changes:
        return _told(outside.changes[0])
    if not outside.needs:
        return None
    return Counterexample(
        outside.needs,
        found=(outside.needs,),
        allowed=("what it does where the temporary directory is on the file system of the root",),
    )


def _told(change: "Change") -> Counterexample:
    step = Step(1, Fate.NOTE, f"creates or changes {change.path}", change.location, change.source)
    return Counterexample(
        str(change),
        workload=(*change.calls, change.during),
        steps=(step,) if change.location else (),
        found=(change.path,),
        allowed=("changes below the root, and nowhere else",),
    )
