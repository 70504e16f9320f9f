"""The suite's own workloads, as the stores of the tests carry them out."""

from collections.abc import Iterator

from pytest_tradestore.confirm.playing import unplayable
from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.recording import NotRecorded, record
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.examination import examine
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.broken_stores.unsynced import JobsFile, RenameWithoutSync
from tests.kernel.programs import Program
from tests.sound_stores.plain import PlainDocument, PlainDocuments, PlainJournal

_STORES = (PlainDocument, PlainDocuments, PlainJournal, RenameWithoutSync, JobsFile)


def workloads() -> Iterator[Program]:
    """Yield what these stores do for each of their contracts, as far as it can be played again."""
    for target in _STORES:
        store = StoreUnderTest(target.__name__, target)
        examined = examine(store)
        for contract in examined.contracts:
            workload = workload_for(contract, frozenset(examined.methods))
            with Sandbox() as sandbox:
                recorded = record(store, workload, workload.updates, FakeRecorder(), sandbox)
            if not isinstance(recorded, NotRecorded) and not unplayable(recorded.trace.operations):
                yield Program(f"{contract.name} of {target.__name__}", recorded.trace)
