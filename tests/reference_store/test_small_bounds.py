"""What stores do only when something has outgrown its bound, crashed and damaged by the suite under small bounds."""

from pathlib import Path
from typing import Literal

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from reference_store import FileDataStore
from reference_store.stores import fundamental_archive, fundamental_files
from reference_store.stores.bars import files as bar_files

pytestmark = pytest.mark.proof

FAMILIES = {
    "crashes": ("ATOM-1", "ATOM-2", "DUR-1", "DUR-2", "REC-3"),
    "faults": ("FAULT-1", "FAULT-5"),
    "damage": ("CORR-1", "CORR-2", "CORR-5", "CORR-6", "CORR-7"),
}
FINE = (Verdict.HOLDS, Verdict.NOT_APPLICABLE)


def small(root: Path) -> FileDataStore:
    """A store whose companies have archives from the second version on, and whose months are large with one bar."""
    return FileDataStore(root)


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fundamental_archive, fundamental_files):
        monkeypatch.setattr(module, "OUTGROWN", 500)
    monkeypatch.setattr(bar_files, "LARGE", 1)


def violations(contract: str, requirements: tuple[str, ...], recorder: Literal["auto", "fake"]) -> list[str]:
    """What does not hold for a small store; the evidence is gathered once for all of the requirements."""
    store = StoreUnderTest("small", small)
    contracts = tuple(known for known in KITS if known.name == contract)
    bench = Bench(Settings(recorder=recorder, budget=Budget.QUICK))
    asked = [check for check in checks_for(contracts) if check.requirement in requirements]
    assert {check.requirement for check in asked} == set(requirements)
    results = [(check.requirement, check.judge(bench, store)) for check in asked]
    return [f"{name}: {result}" for name, result in results if result.verdict not in FINE]


@pytest.mark.parametrize("family", FAMILIES)
def test_versions_beside_hold_what_the_newest_ones_do(family: str) -> None:
    assert violations("fundamentals", FAMILIES[family], "fake") == []


@pytest.mark.parametrize("outgrown", [1 << 20, 200], ids=["waiting", "folded"])
@pytest.mark.parametrize("family", ["crashes", "damage"])
def test_recent_bars_hold_what_months_do(monkeypatch: pytest.MonkeyPatch, family: str, outgrown: int) -> None:
    monkeypatch.setattr(bar_files, "OUTGROWN", outgrown)
    assert violations("bars", FAMILIES[family], "auto") == []
