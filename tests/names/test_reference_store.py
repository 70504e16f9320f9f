"""The reference store holds every requirement about identifiers, on every contract, and has no escapes."""

import pytest

from pytest_tradestore.contracts import CONTRACTS
from pytest_tradestore.names.evidence import gather
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from reference_store import DocumentStore, FileDataStore, JobStore, JournalStore, RunStore
from tests.benchmarks.bench_identifiers import tally

pytestmark = pytest.mark.proof

CONTRACT = {contract.name: contract for contract in CONTRACTS}


@pytest.mark.parametrize(
    ("target", "contract"),
    [
        (DocumentStore, "documents"),
        (JournalStore, "journal"),
        (JobStore, "jobs"),
        (RunStore, "runs"),
        *((FileDataStore, name) for name in ("bars", "fundamentals", "events", "state", "audit")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reference_store_violates_nothing(target, contract):
    found = gather(StoreUnderTest("reference", target), CONTRACT[contract], Settings(budget=Budget.NORMAL))

    assert (found.violations, found.unfinished, found.undecided) == ((), "", {})
    assert found.checked["identifiers"] > 200


def test_no_generated_identifier_escapes_or_comes_back_as_another():
    found = tally(3000, seed=1)

    assert (found.escapes, found.changed) == ((), ())
    assert min(found.accepted, found.refused) > 300
