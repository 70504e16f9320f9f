"""When no further process is begun for code that hangs or ends its process again and again."""

import os
import signal
import threading

import pytest

from pytest_tradestore import runner
from pytest_tradestore.isolation import Died, Finished, Hung, Sent
from pytest_tradestore.runner import Runner, finished

SOON = 0.2
LONG = 60.0


def hang(channel):
    channel.step(1)
    threading.Event().wait()


def die(channel):
    os.kill(os.getpid(), signal.SIGSEGV)


def answer(channel):
    channel.send("an answer")
    return "done"


def kinds(runs, task):
    return [type(event) for event in runs.through(lambda: task)]


@pytest.mark.parametrize(("task", "bound"), [(hang, "HANGS"), (die, "DEATHS")])
def test_after_so_many_endings_no_task_is_begun(task, bound, monkeypatch):
    monkeypatch.setattr(runner, bound, 3)
    runs = Runner(SOON)

    assert len(kinds(runs, task)) == 3
    assert (runs.gave_up, runs.endings) == (True, 3)
    assert list(runs.through(lambda: answer)) == []


def test_long_hangs_are_fewer(monkeypatch):
    monkeypatch.setattr(runner, "SECONDS", 1.5 * SOON)
    runs = Runner(SOON)

    assert kinds(runs, hang) == [Hung, Hung]
    assert runs.gave_up


def test_control_tasks_that_come_to_their_end_are_run_until_none_is_left():
    runs, left = Runner(LONG), [answer, die, answer]

    found = list(runs.through(lambda: left.pop() if left else None))

    assert [type(event) for event in found] == [Sent, Finished, Died, Sent, Finished]
    assert not runs.gave_up
    assert runs.ways == ("ended its process: killed by SIGSEGV",)


def test_one_that_uses_a_store_in_the_ordinary_way_says_why_it_did_not_end():
    assert finished(answer, LONG) == "done"
    assert finished(hang, SOON) == "the workload took longer than 0.2 s (tradestore_deadline) for one step"
    assert finished(die, LONG) == "the store ended its process: killed by SIGSEGV"
