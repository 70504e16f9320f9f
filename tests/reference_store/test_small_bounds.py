"""What stores do only when something has outgrown its bound, crashed and damaged by the suite under small bounds."""

from pathlib import Path

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.contracts import CONTRACTS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from reference_store import FileDataStore
from reference_store.stores import fundamental_archive, fundamental_files

pytestmark = pytest.mark.proof

REQUIREMENTS = ("ATOM-1", "ATOM-2", "DUR-1", "DUR-2", "REC-3", "FAULT-1", "CORR-1", "CORR-2", "CORR-6", "CORR-7")


def small(root: Path) -> FileDataStore:
    """A store whose companies have archives from the second version on."""
    return FileDataStore(root)


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fundamental_archive, fundamental_files):
        monkeypatch.setattr(module, "OUTGROWN", 500)


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_versions_beside_hold_what_the_newest_ones_do(requirement: str) -> None:
    store = StoreUnderTest("small", small)
    contracts = tuple(contract for contract in CONTRACTS if contract.name == "fundamentals")
    bench = Bench(Settings(recorder="fake", budget=Budget.QUICK))

    judged = [check.judge(bench, store) for check in checks_for(contracts) if check.requirement == requirement]

    assert judged
    assert all(result.verdict in (Verdict.HOLDS, Verdict.NOT_APPLICABLE) for result in judged), judged
