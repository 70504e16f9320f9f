"""What a store does not claim is not asked, and the skip has the line that would ask it."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import damage
from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.sound_stores.plain import PlainDocuments, PlainJournal

KIT = {kit.name: kit for kit in KITS}


def reason(capability, **declared):
    result = unclaimed("X-1", "documents", capability, StoreUnderTest("acme", object, **declared).declarations)
    assert (result.verdict, result.unclaimed) == (Verdict.NOT_APPLICABLE, capability)
    return result.reason


@pytest.mark.parametrize(
    ("claims", "line"),
    [
        ((), "tradestore_claims = ('processes',)"),
        (("backup",), "tradestore_claims = ('backup', 'processes')"),
    ],
)
def test_the_line_can_be_pasted_and_keeps_what_is_claimed_already(claims, line):
    assert reason("processes", claims=claims) == f"the store does not claim processes; {line} has it asked"


def test_what_is_claimed_unless_disclaimed_is_to_be_taken_out_of_what_is_disclaimed():
    assert "taking 'power-loss' out of tradestore_disclaims" in reason("power-loss", disclaims=("power-loss",))


@pytest.mark.parametrize(("claims", "verdict"), [((), Verdict.NOT_APPLICABLE), (("backup",), None)])
def test_a_log_without_a_backup_leaves_nothing_open_because_nothing_of_it_is_ever_replaced(claims, verdict):
    (check,) = (check for check in damage.checks(KIT["journal"]) if check.requirement == "CORR-3")

    result = check.judge(Bench(Settings(recorder="fake")), StoreUnderTest("log", PlainJournal, claims=claims))

    assert result.unclaimed == ""
    assert ("only ever appended to" in result.reason) is (verdict is Verdict.NOT_APPLICABLE)


def test_control_documents_without_a_backup_do():
    (check,) = (check for check in damage.checks(KIT["documents"]) if check.requirement == "CORR-3")

    result = check.judge(Bench(Settings(recorder="fake")), StoreUnderTest("documents", PlainDocuments))

    assert result.unclaimed == "backup"
