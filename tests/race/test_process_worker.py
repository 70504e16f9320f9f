"""What a worker's call starts as a thread is done at once, in the thread that starts it; others are left alone."""

import threading

import pytest

from pytest_tradestore.race import process_worker
from pytest_tradestore.race.in_force import running


@pytest.fixture
def controlled(monkeypatch):
    """This thread as one that the coordinator controls, and threads as a worker has them."""
    for name, method in (
        ("start", process_worker._start_at_once),
        ("join", process_worker._join),
        ("is_alive", process_worker._is_alive),
    ):
        monkeypatch.setattr(threading.Thread, name, method)
    me = threading.get_ident()
    monkeypatch.setitem(running, me, object())
    return me


def worked_in(done, **options):
    return threading.Thread(target=lambda: done.append(threading.get_ident()), **options)


def test_the_work_of_a_thread_is_done_by_whoever_starts_it(controlled):
    done = []
    thread = worked_in(done, daemon=True)

    thread.start()

    assert done == [controlled]
    assert not thread.is_alive()
    thread.join()
    thread.join(timeout=0)


def test_what_it_raises_is_told_and_does_not_reach_who_starts_it(controlled, monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda about: told.append((about.exc_type, about.thread)))
    thread = threading.Thread(target=lambda: 1 / 0)

    thread.start()

    assert told == [(ZeroDivisionError, thread)]


def test_a_thread_that_such_a_thread_starts_is_done_at_once_too(controlled):
    done = []
    threading.Thread(target=lambda: worked_in(done).start()).start()
    assert done == [controlled]


def test_control_where_nobody_is_controlled_a_thread_is_one(controlled, monkeypatch):
    monkeypatch.delitem(running, controlled)
    done = []
    thread = worked_in(done)

    thread.start()
    thread.join()

    assert done
    assert done != [controlled]
