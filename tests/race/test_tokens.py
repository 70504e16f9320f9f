"""Replay: the token names one schedule of one program, and says so when the code is not the same any more."""

import subprocess
import sys

import pytest

from pytest_tradestore.errors import ReplayError
from pytest_tradestore.kits.call import Call
from pytest_tradestore.race.execution import Actors, ContextSwitch, Program
from pytest_tradestore.race.search import replay
from pytest_tradestore.race.tokens import ScheduleToken, parse
from pytest_tradestore.target import StoreUnderTest
from tests.race import patterns
from tests.race.running import increments, judge, search

TOKENS = {
    "plain": ScheduleToken((), "1a2b3c4d"),
    "one-turn": ScheduleToken((ContextSwitch(0, 5, "replace", 1),), "1a2b3c4d"),
    "lines": ScheduleToken((ContextSwitch(0, 5, "line", 1), ContextSwitch(12, 0, "start", 3)), "00000000", lines=True),
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=list(TOKENS))
def test_a_token_reads_back_as_it_was_written(token):
    assert parse(str(token)) == token


@pytest.mark.parametrize("text", ["", "0.5.replace-1a2b3c4d", "plain", "0.5.replace.1", "x-1a2b3c4d", "plain-1a2b3c4"])
def test_what_is_no_token_is_refused(text):
    with pytest.raises(ReplayError, match="names no schedule"):
        parse(text)


STORES = {
    "threads": patterns.NoLock,
    "tasks": patterns.AsyncLazyLock,
    "lines": patterns.InMemory,
    "deadlock": patterns.LockOrder,
}


@pytest.mark.proof
@pytest.mark.parametrize("store", STORES.values(), ids=list(STORES))
def test_a_token_brings_the_same_execution_back(store):
    result = search(store, increments(store))
    under_test = StoreUnderTest("again", store)

    by_token = replay(under_test, increments(store), result.token)
    by_choices = replay(under_test, increments(store), result.found.choices)

    assert by_token == by_choices == result.found
    assert judge(by_token) == result.sentence


class WritesTwice(patterns.NoLock):
    """What the store may have become since."""

    def save(self, data):
        super().save(data)
        super().save(data)


def test_a_token_of_other_code_is_refused_and_says_what_changed():
    result = search(patterns.NoLock, increments(patterns.NoLock))
    changed = StoreUnderTest("changed", WritesTwice)

    with pytest.raises(ReplayError, match="the code has changed since"):
        replay(changed, increments(WritesTwice), result.token)
    with pytest.raises(ReplayError, match=r"step \d+ was '.*' of actor -?\d, and now it is"):
        replay(changed, increments(WritesTwice), result.found.choices)


def test_a_token_of_another_program_is_refused():
    result = search(patterns.NoLock, increments(patterns.NoLock))
    load = Call("load", (), "", "load()")
    other = Program(((load,), (load,)), kind=Actors.THREADS)

    with pytest.raises(ReplayError, match="the code has changed since"):
        replay(StoreUnderTest("other", patterns.NoLock), other, result.token)


SCHEDULES = """
from pytest_tradestore.race.search import Harness
from pytest_tradestore.race.strategies import Portfolio
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import StoreUnderTest
from tests.race import patterns
from tests.race.running import increments
with Sandbox() as sandbox:
    harness = Harness(sandbox)
    for store in (patterns.NoLock, patterns.AsyncCounter, patterns.OwnTempCounter):
        strategy = Portfolio({seed}, alone=10)
        for _ in range(40):
            strategy.begin()
            print(harness.run(StoreUnderTest("x", store), increments(store), strategy).choices)
"""


def schedules(seed, hashes):
    return subprocess.run(
        [sys.executable, "-c", SCHEDULES.format(seed=seed)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": str(hashes), "PYTHONPATH": "."},
    ).stdout


def test_the_same_seed_gives_the_same_schedules_in_another_process():
    first, second = schedules(3, hashes=1), schedules(3, hashes=2)

    assert first.count("\n") == 120
    assert first == second


def test_control_another_seed_gives_other_schedules():
    assert schedules(3, hashes=1) != schedules(4, hashes=1)
