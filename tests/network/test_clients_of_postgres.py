"""Stores on a real PostgreSQL: each broken one dies for its reason, shown as statements; the sound ones do not."""

import pytest

from pytest_tradestore.backends.postgres_server import unavailable
from pytest_tradestore.verdict import Verdict
from tests.judging import violated
from tests.network.judging import judged, shown
from tests.network.test_clients_of_a_bucket import DEATHS, SPOILT

pytest.importorskip("psycopg", reason="psycopg (the extra postgres) is not installed")
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "it is there")

from tests.network import postgres_stores as stores  # noqa: E402 - it needs psycopg


@pytest.mark.proof
@pytest.mark.parametrize(
    "target",
    [stores.PostgresDocument, stores.PostgresJournal, stores.StampedJournal],
    ids=lambda target: target.__name__,
)
def test_neither_deaths_nor_spoilt_answers_harm_a_sound_store(target):
    results = judged(target, (*DEATHS, *SPOILT))

    assert violated(results) == {}
    held = [r.requirement for r in results if r.verdict is Verdict.HOLDS]
    assert {"ATOM-1", "DUR-1", "REC-1", "REC-3", "FAULT-1", "FAULT-3", "FAULT-5"} <= set(held)
    (lasting,) = (r for r in results if r.requirement == "DUR-2")
    assert lasting.verdict is Verdict.NOT_APPLICABLE
    assert "synchronous_commit is on" in lasting.reason


@pytest.mark.proof
def test_a_session_that_does_not_wait_for_the_disk_is_noticed():
    (result,) = judged(stores.DoesNotWaitForTheDisk, "DUR-2")

    assert result.verdict is Verdict.VIOLATED
    assert "synchronous_commit is off" in result.counterexample.headline


@pytest.mark.proof
def test_a_record_is_doubled_by_whoever_retries_a_lost_commit():
    shown(stores.RetriesALostCommit, "FAULT-1", "holds one record twice", "COMMIT -> no answer")


@pytest.mark.proof
def test_what_a_server_stamps_hides_neither_a_doubled_record_nor_one_that_is_half_there():
    shown(stores.StampedJournalThatRetries, "FAULT-1", "holds one record twice", "COMMIT -> no answer")
    half = shown(stores.StampedJournalOfTwoTransactions, "ATOM-1", "which nobody appended")
    assert not any("differs from run to run" in one for one in half.found)


@pytest.mark.proof
def test_a_store_whose_states_cannot_be_compared_is_told_nothing_but_what_needs_no_comparison():
    results = {
        result.requirement: result for result in judged(stores.DrawsAKey, ("ATOM-1", "REC-3", "FAULT-1", "DUR-2"))
    }

    assert violated(results.values()).keys() == {"DUR-2"}
    assert "synchronous_commit is off" in results["DUR-2"].counterexample.headline
    for requirement in ("ATOM-1", "REC-3", "FAULT-1"):
        assert results[requirement].verdict is Verdict.UNDECIDED
        assert "shows something else in each run" in results[requirement].reason


LOSING = {
    stores.ReadsOutsideOfTheTransaction: "UPDATE",
    stores.ReadCommittedDocument: "UPDATE",
}


@pytest.mark.proof
@pytest.mark.parametrize("target", LOSING, ids=lambda target: target.__name__)
def test_counters_that_nothing_locks_are_lost_in_a_schedule_that_is_replayed(target):
    example = shown(target, "RACE-3", "returned, but load() then gives", LOSING[target])

    assert "SELECT data FROM document and UPDATE document" in str(example.cause)


@pytest.mark.deep
@pytest.mark.parametrize(
    "target", [stores.PostgresDocument, stores.SerializableDocument], ids=lambda target: target.__name__
)
def test_control_a_row_that_is_locked_or_a_transaction_that_is_serialisable_loses_none(target):
    (result,) = judged(target, "RACE-3")

    assert result.verdict is Verdict.HOLDS
    assert result.checked["schedules"] > 40
