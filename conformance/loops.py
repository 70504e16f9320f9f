"""Whether an asynchronous store keeps the event loop free while it works on files (ASYNC-1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, check_by, each_cause
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Counterexample, Step, StepStatus

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.on_the_loop import Looped
    from pytest_tradestore.target import StoreUnderTest


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the check of what one contract's calls do on the event loop."""

    def grounds(bench: "Bench", store: "StoreUnderTest") -> Grounds:
        looped = bench.looped(store, kit)
        examples = each_cause(_told(looped))
        return Grounds(
            examples[0] if examples else None,
            looped.undecided,
            "no call of this contract is awaited: there is no event loop that could be held up" if looped.sync else "",
            remark="" if looped.native else "what native libraries do is not seen here",
            checked={"awaited_calls": looped.calls},
            others=examples[1:],
        )

    return (check_by("ASYNC-1", kit, grounds, by_sight=True),)


def _told(looped: "Looped") -> Iterator[Counterexample]:
    for blocking in looped.found:
        where = blocking.location or blocking.work.role
        yield Counterexample(
            str(blocking),
            workload=(*blocking.calls, blocking.during),
            steps=(Step(1, StepStatus.NOTE, str(blocking.work), blocking.location, blocking.source),),
            found=(f"{blocking.work}, in the thread of the event loop",),
            allowed=("file work in another thread, as by aiofiles or asyncio.to_thread",),
            cause=Cause(Culprit("file work on the event loop", (where,)), Harm.LEFTOVER),
        )
