"""What a store does not claim is not asked, and the skip has the line that would ask it."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import damage
from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.sound_stores.files import file_name, locked, log_line, replace_durably
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


class RewrittenJournal(PlainJournal):
    """Writes all of the log anew for each record."""

    def append(self, stream, record):
        path = self.directory / file_name(stream)
        with locked(self.root):
            before = path.read_bytes() if path.exists() else b""
            replace_durably(path, (before + log_line(record)).decode())


def asked_of_a_backup(log, claims):
    (check,) = (check for check in damage.checks(KIT["journal"]) if check.requirement == "CORR-3")
    return check.judge(Bench(Settings(recorder="fake")), StoreUnderTest("log", log, claims=claims))


@pytest.mark.parametrize("claims", [(), ("backup",)], ids=["unclaimed", "claimed for the other contracts of a store"])
def test_a_log_without_a_backup_leaves_nothing_open_because_nothing_of_it_is_ever_replaced(claims):
    result = asked_of_a_backup(PlainJournal, claims)

    assert (result.verdict, result.unclaimed) == (Verdict.NOT_APPLICABLE, "")
    assert "only ever appended to" in result.reason


def test_control_a_log_that_is_written_anew_for_each_record_has_a_version_before():
    result = asked_of_a_backup(RewrittenJournal, ("backup",))

    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample is not None


def test_control_documents_without_a_backup_do():
    (check,) = (check for check in damage.checks(KIT["documents"]) if check.requirement == "CORR-3")

    result = check.judge(Bench(Settings(recorder="fake")), StoreUnderTest("documents", PlainDocuments))

    assert result.unclaimed == "backup"
