"""Before which requests a client's death shows something new: where anything has lasted since, and nowhere else."""

import pytest

from pytest_tradestore.backends.lines import Asked
from pytest_tradestore.backends.postgres_messages import may_commit, may_last
from pytest_tradestore.network.client import Request
from pytest_tradestore.network.lasting import telling


def request(word, step="save"):
    """``read``, ``write`` in a transaction, or ``commit``, which lasts."""
    return Request(step, Asked(word, word != "read"), "done", None, word == "commit")


def places(words, since=0):
    requests = [request(*word) if isinstance(word, tuple) else request(word) for word in words]
    return list(telling(requests, range(since + 1, len(words) + 1), since))


def test_reads_leave_nothing_to_die_after():
    assert places(["read", "read", "read"]) == [1]


def test_a_transaction_is_died_in_before_it_is_committed_and_after():
    assert places(["read", "write", "write", "commit", "read", "read"]) == [1, 4, 5]


def test_each_request_that_lasts_is_died_after():
    assert places(["commit", "commit", "read", "commit"]) == [1, 2, 3]


def test_a_call_that_acknowledges_without_anything_that_lasts_is_died_after_all_the_same():
    assert places([("read", "save 1"), ("read", "save 1"), ("read", "save 2")]) == [1, 3]


def test_what_is_left_before_a_place_that_is_known_is_not_new():
    assert places(["commit", "read", "read"], since=2) == []
    assert places(["commit", "commit", "read"], since=2) == [3]


LASTING = [
    "INSERT INTO t VALUES (1)",
    "COMMIT",
    "CREATE TABLE t (n int)",
    "SELECT record_trade(1)",
    'SELECT "record_trade"(1)',
    "SELECT desk.length(1)",
    "SELECT nextval('s')",
    "SET lock_timeout = 1; DELETE FROM t",
    "ROLLBACK PREPARED 'x'",
    "COMMIT PREPARED 'x'",
    "PREPARE TRANSACTION 'x'",
    "WITH gone AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM gone",
    "a prepared statement",
]
GONE = [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "SET synchronous_commit = on; SET lock_timeout = 1000",
    "SELECT data FROM t WHERE id IN (1, 2)",
    "SELECT coalesce(max(n), 0) FROM t",
    "SELECT pg_advisory_xact_lock(hashtextextended('a' || chr(31), 0))",
    "SHOW fsync",
    "ROLLBACK",
    "",
]


@pytest.mark.parametrize("statement", LASTING)
def test_what_may_outlast_its_session_is_taken_to_do_so(statement):
    assert may_last(statement)


@pytest.mark.parametrize("statement", GONE)
def test_control_what_is_gone_with_its_session_is_known(statement):
    assert not may_last(statement)


@pytest.mark.parametrize("statement", ["COMMIT AND CHAIN", "commit; BEGIN", "INSERT INTO t VALUES (1); END"])
def test_what_may_commit_counts_though_another_transaction_has_begun(statement):
    assert may_commit(statement)


@pytest.mark.parametrize("statement", ["BEGIN", "SELECT CASE WHEN n = 1 THEN 2 END FROM t", "ROLLBACK AND CHAIN"])
def test_control_what_ends_no_transaction_is_known(statement):
    assert not may_commit(statement)
