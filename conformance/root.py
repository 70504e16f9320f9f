"""Whether a store keeps to its root, whatever it is asked (ROOT-1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by, each_cause
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample, Step, StepStatus

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.outside import Change, Outside
    from pytest_tradestore.target import StoreUnderTest

_BESIDE = "Make temporary files in the directory of the file that they will replace: tempfile.mkstemp(dir=...)."


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the check of what one contract's calls do outside of the root."""

    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        outside = bench.outside(store, kit)
        examples = each_cause(_examples(outside))
        return Grounds(
            examples[0] if examples else None,
            outside.undecided,
            remark="" if outside.elsewhere else "there is no second file system here to put the temporary directory on",
            checked={"watched_calls": outside.calls},
            others=examples[1:],
        )

    return (check_by("ROOT-1", kit, grounds),)


def _examples(outside: "Outside") -> Iterator[Counterexample]:
    yield from map(_told, outside.changes)
    if outside.needs and not outside.changes:
        yield Counterexample(
            outside.needs,
            found=(outside.needs,),
            allowed=("what it does where the temporary directory is on the file system of the root",),
            remedy=_BESIDE,
            cause=Cause(Culprit("temporary directory that has to be on the root's file system"), Harm.LOST, _BESIDE),
        )


def _told(change: "Change") -> Counterexample:
    step = Step(1, StepStatus.NOTE, f"creates or changes {change.path}", change.location, change.source)
    return Counterexample(
        str(change),
        workload=(*change.calls, change.during),
        steps=(step,) if change.location else (),
        found=(change.path,),
        allowed=("changes below the root, and nowhere else",),
        cause=Cause(Culprit("file made or changed outside of the root", (change.location or change.path,)), Harm.WRONG),
    )
