"""Before which requests a client's death shows something new: where anything has lasted since, and nowhere else."""

import pytest

from pytest_tradestore.backends.lines import Asked, Spoil
from pytest_tradestore.backends.postgres_messages import may_commit
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.network.client import LOOK, OPEN, Request
from pytest_tradestore.network.evidence import following, telling_spoils
from pytest_tradestore.network.lasting import telling
from pytest_tradestore.network.trials import After, Plan, Trial
from pytest_tradestore.settings import Budget, Settings


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


COMMITTING = ["COMMIT AND CHAIN", "commit; BEGIN", "INSERT INTO t VALUES (1); END", "ROLLBACK PREPARED 'x'"]


@pytest.mark.parametrize("statement", COMMITTING)
def test_what_may_commit_counts_though_another_transaction_has_begun(statement):
    assert may_commit(statement)


@pytest.mark.parametrize("statement", ["BEGIN", "SELECT CASE WHEN n = 1 THEN 2 END FROM t", "ROLLBACK AND CHAIN"])
def test_control_what_ends_no_transaction_is_known(statement):
    assert not may_commit(statement)


def test_who_comes_next_dies_while_it_comes_back_and_not_in_what_it_does_then():
    back = [request("commit", OPEN), request("commit", OPEN), request("read", LOOK)]
    then = [request("commit"), request("commit"), request("read", LOOK)]
    worked = Trial(Plan(), tuple(request("commit", step) for step in (OPEN, "save", "save")), (), Window(1, 1))
    died = Trial(Plan(dies=1), (), (), Window(0, 0), after=After((*back, *then)))

    assert [plan.again for plan in following(died, worked, Settings(budget=Budget.NORMAL))] == [2, 3]


BREAKS = (Spoil.REFUSED, Spoil.LOST, Spoil.SHUTDOWN)


def test_an_answer_is_lost_where_the_request_has_left_something():
    commit = Request("save", Asked("commit", True, BREAKS), "done", None, True)

    assert list(telling_spoils(commit)) == list(BREAKS)


def test_control_elsewhere_it_is_a_connection_that_broke_before():
    read = Request("save", Asked("read", False, BREAKS), "done", None, False)

    assert list(telling_spoils(read)) == [Spoil.REFUSED, Spoil.SHUTDOWN]
