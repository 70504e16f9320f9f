"""Every sentence of the trading contracts: a store that keeps it, and beside it the smallest change that does not.

Thousands of records are asked for in the kill matrix, of the same stores.
"""

import pytest

from pytest_tradestore.conformance import checks_for
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.verdict import Verdict
from tests.judging import BROKEN
from tests.sound_stores import SOUND

SOUND_OF = {row.contracts[0]: row for row in SOUND if row.target.startswith("tests.sound_stores.trading:Plain")}
SOUND_OF |= {row.contracts[0]: row for row in SOUND if row.name == "updating-states"}  # it offers what is optional, too
TRADING_CONTRACTS = ("bars", "fundamentals", "events", "state", "audit", "jobs", "runs")
TRADING = [row for row in BROKEN if row.contract in TRADING_CONTRACTS]
CHECKS = [
    (check.requirement, check.case)
    for contract in KITS
    if contract.name in TRADING_CONTRACTS
    for check in checks_for((contract,))
    if check.requirement.startswith("DATA-") and check.requirement != "DATA-VOLUME"
]
CONTROLS = [(row, id_) for row in TRADING for id_ in row.breaks if id_ in {asked for asked, _ in CHECKS}]


@pytest.mark.parametrize(("requirement", "case"), CHECKS, ids=[f"{id_}-{case}" for id_, case in CHECKS])
def test_a_store_that_keeps_its_contract_holds(judged, requirement, case):
    result = judged(SOUND_OF[case.partition("-")[0]].store, requirement, case)

    assert (result.verdict, result.reason) == (Verdict.HOLDS, "")
    assert result.checked["values"] + result.checked.get("programs", 0) > 0


@pytest.mark.parametrize(("row", "requirement"), CONTROLS, ids=[f"{row.name}-{id_}" for row, id_ in CONTROLS])
def test_control_a_store_with_one_defect_violates(judged, row, requirement):
    results = [judged(row.store, id_, case) for id_, case in CHECKS if id_ == requirement and of(case, row)]

    assert Verdict.VIOLATED in {result.verdict for result in results}


def of(case, row):
    return case.partition("-")[0] == row.contract


def test_every_sentence_has_a_control():
    broken = {id_ for row in TRADING for id_ in row.breaks}
    broken |= {id_ for row in BROKEN for id_ in row.breaks if id_ == "DATA-ALIAS"}  # asked of all alike

    assert {requirement for requirement, _ in CHECKS} - broken == set()
