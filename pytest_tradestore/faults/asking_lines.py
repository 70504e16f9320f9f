"""Which line of the store asked for each call of a trial that is shown?

Taking notes of lines costs time that most trials need not spend: those that break something are made once more.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from pytest_tradestore.crash.recorders.source_lines import SourceLines
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.faults.calls import Call, InjectedFault
from pytest_tradestore.faults.injecting import who_refuses
from pytest_tradestore.faults.trials import Subject, Trial, attempt
from pytest_tradestore.faults.workbench import FaultClient
from pytest_tradestore.isolation import Channel, Sent, stream_isolated
from pytest_tradestore.target import StoreUnderTest

Row = tuple[Subject, InjectedFault | None, Trial | None, tuple[Call, ...]]
"""What was tried, with which refusal, the same without one, and the calls that were seen."""


def with_lines(
    store: StoreUnderTest, workload: Workload, directory: Path, rows: Sequence[Row]
) -> list[tuple[Call, ...]]:
    """Return the calls of each row, each with the line that asked for it; as they are, where it goes otherwise now."""
    found = [calls for *_, calls in rows]

    def task(channel: Channel) -> None:
        steps = count(1)
        store.load()
        injecting, _ = who_refuses()
        client = FaultClient(store, workload, directory, lambda: channel.step(next(steps)), injecting)
        client.lines = SourceLines
        try:
            for number, (subject, refusal, control, calls) in enumerate(rows):
                again = attempt(client, subject, refusal, control).watched.calls
                if again == calls:
                    channel.send((number, again))
        finally:
            client.close()

    for event in stream_isolated(task, store.declarations.deadline):
        match event:
            case Sent((number, calls)):
                found[number] = calls
    return found
