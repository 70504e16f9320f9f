"""Both defects of a store are found, the worse one first; none of its sound twin is."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import crashes, damage, faults, races
from pytest_tradestore.faults import seccomp
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.report.findings import findings_of
from pytest_tradestore.report.records import StoreFacts, StoreRecord, check_id
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.two_defects import DECLARED, crashing, damaged, failing, racing

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(seccomp.why_not() is not None, reason=str(seccomp.why_not())),
]
FAMILIES = {crashing.__name__: crashes, failing.__name__: faults, racing.__name__: races, damaged.__name__: damage}


def record_of(store, row):
    """Judge a store by the family that its module is about."""
    target, kit = StoreUnderTest("two", store), kit_named(row.contract)
    bench = Bench(Settings(recorder="fake", budget=Budget.QUICK))
    checks = FAMILIES[row.store.__module__].checks(kit)
    results = {check_id(c.requirement, c.case): c.judge(bench, target) for c in checks}
    return StoreRecord(StoreFacts("tradestore/two", "two", (row.contract,), (), tuple(results)), results)


@pytest.mark.parametrize("row", DECLARED, ids=lambda row: row.name)
def test_both_defects_are_shown_each_once_and_the_worse_one_first(row):
    findings = findings_of(record_of(row.store, row))

    told = [(f.cause.culprit.fault, f.cause.harm.name.lower(), set(f.requirements)) for f in findings]
    worse, other = (
        [place for place, (f, h, broken) in enumerate(told) if (f, h) == (fault, harm) and broken >= requirements]
        for fault, harm, requirements in row.findings
    )
    assert worse and other, told
    assert worse[0] < other[0]
    assert len(told) == 2, told


@pytest.mark.parametrize("row", DECLARED, ids=lambda row: row.name)
def test_control_the_sound_twin_has_neither(row):
    record = record_of(row.twin, row)

    assert findings_of(record) == ()
    assert Verdict.HOLDS in {result.verdict for result in record.results.values()}


def test_there_are_ten_and_no_two_share_a_name():
    assert len({row.name for row in DECLARED}) == len(DECLARED) == 10
