"""Whoever a process may have started is looked for among those that came later: nobody is missed, few are asked."""

import os
import subprocess
import sys

import pytest

from pytest_tradestore.offspring import after, started

pytestmark = pytest.mark.skipif(started() is None, reason="the system does not say how many processes it has started")


@pytest.fixture
def later():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield process.pid
    process.communicate()


@pytest.mark.parametrize("known", [True, False])
def test_what_was_started_later_is_among_them(later, known):
    leader = os.getpid()

    assert later in after(leader, started() - 2 if known else None)
    assert leader not in after(leader, None)


def test_all_that_live_are_where_numbers_may_have_begun_anew(later):
    assert os.getpid() in after(later, 0 - 10**9)
    assert os.getpid() in after(later, None)


def test_control_nobody_is_where_nothing_else_was_started(later):
    assert after(os.getpid(), started() + 100) == []
