"""The suite's own workloads, one for each contract that it has, as stores of the tests carry them out."""

from collections.abc import Iterator

from pytest_tradestore.confirm.playing import unplayable
from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.recording import NotRecorded, record
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.examination import examine
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.broken_stores.unsynced import JobsFile, RenameWithoutSync
from tests.kernel.programs import Program
from tests.sound_stores import SOUND

_UNSYNCED = (RenameWithoutSync, JobsFile)
"""Stores that leave much to the kernel, so that much can be seen of it."""


def workloads() -> Iterator[Program]:
    """Yield what is done for each contract, by a sound store and by some that sync little, where it can be played."""
    covered: set[str] = set()
    for row in SOUND:
        if "fake" in row.recorders and not set(row.contracts) <= covered:
            store = StoreUnderTest(row.name, row.store)
            for kit in examine(store).contracts:
                if kit.name not in covered:
                    for program in _recorded(store, kit):
                        covered.add(kit.name)
                        yield program
    for target in _UNSYNCED:
        store = StoreUnderTest(target.__name__, target)
        for kit in examine(store).contracts:
            yield from _recorded(store, kit)


def _recorded(store: StoreUnderTest, kit: Kit) -> Iterator[Program]:
    workload = workload_for(kit, frozenset(examine(store).methods))
    with Sandbox() as sandbox:
        recorded = record(store, workload, workload.updates, FakeRecorder(), sandbox)
    if not isinstance(recorded, NotRecorded) and not unplayable(recorded.trace.operations):
        yield Program(f"{kit.name} of {store.name}", recorded.trace)
