"""Callers that share one client of a server: let go on one request at a time, cancelled and interrupted in one."""

import pytest

from pytest_tradestore.backends.postgres_server import unavailable
from pytest_tradestore.verdict import Verdict
from tests.network import bucket_stores as stores
from tests.network.judging import judged, shown

pytestmark = pytest.mark.proof


def test_what_threads_keep_in_memory_side_by_side_is_lost():
    shown(stores.KeepsWhatItWrote, "RACE-1", "returned, but load() then gives", "PUT document.json")


def test_a_connection_on_which_a_request_was_broken_off_serves_no_other():
    shown(stores.GoesOnWhereItWasBrokenOff, "RACE-6", "load() raises NoAnswer", "is interrupted by")


SOUND = {
    "RACE-1": (stores.ChangesUnderALock, stores.BucketDocument),
    "RACE-6": (stores.BucketDocument, stores.BucketJournal),
}


@pytest.mark.parametrize(("requirement", "target"), [(r, t) for r, targets in SOUND.items() for t in targets])
def test_control_with_a_lock_or_a_condition_nothing_is_lost(requirement, target):
    (result,) = judged(target, requirement)

    assert result.verdict is Verdict.HOLDS
    assert result.checked["schedules"] > 5


@pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")
def test_threads_in_one_transaction_do_not_keep_each_other_from_a_row():
    pytest.importorskip("psycopg", reason="psycopg (the extra postgres) is not installed")
    from tests.network import postgres_stores

    shown(postgres_stores.SharesATransaction, "RACE-1", "returned, but load() then gives", "COMMIT")


@pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")
def test_a_connection_whose_statement_an_alarm_broke_off_takes_no_other():
    pytest.importorskip("psycopg", reason="psycopg (the extra postgres) is not installed")
    from tests.network import postgres_stores

    words = "another command is already in progress"
    shown(postgres_stores.GoesOnWhereItWasBrokenOff, "RACE-6", words, "is interrupted by an alarm")


@pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")
def test_control_one_that_waits_for_its_end_keeps_what_came_before():
    pytest.importorskip("psycopg_pool", reason="psycopg_pool (the extra postgres) is not installed")
    from pytest_tradestore.on_servers import postgres

    (result,) = judged(postgres.document, "RACE-6")

    assert result.verdict is Verdict.HOLDS
    assert result.checked["schedules"] > 40
