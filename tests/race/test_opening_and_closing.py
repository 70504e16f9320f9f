"""Opening and closing are the store's own code, too: what they raise is a finding, never an error of the suite."""

import asyncio
import json
import os
import threading

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import races
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict

DOCUMENT = next(kit for kit in KITS if kit.name == "document")
LOCK = threading.Lock()


def judged(target, requirement):
    store, bench = StoreUnderTest("it", target), Bench(Settings(budget=Budget.QUICK))
    return next(c for c in races.checks(DOCUMENT) if c.requirement == requirement).judge(bench, store)


class ReadsWhenOpened:
    """A bot as most are: the state is read when the program starts. Instances share one temporary file."""

    def __init__(self, root):
        self.path = root / "state.json"
        self.state = json.loads(self.path.read_text()) if self.path.exists() else {}

    def save(self, data):
        self._replace(json.dumps(data))
        self.state = data

    def _replace(self, text):
        staged = f"{self.path}.tmp"
        with open(staged, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(staged, self.path)

    def load(self):
        return json.loads(json.dumps(self.state))


class ReadsWhenOpenedUnderALock(ReadsWhenOpened):
    def save(self, data):
        with LOCK:
            super().save(data)


class AsyncReadsWhenOpened:
    def __init__(self, root):
        self.inner = ReadsWhenOpened(root)

    async def save(self, data):
        await asyncio.to_thread(self.inner.save, data)

    async def load(self):
        return self.inner.load()


@pytest.mark.parametrize("store", [ReadsWhenOpened, pytest.param(AsyncReadsWhenOpened, marks=pytest.mark.proof)])
def test_a_store_that_can_no_longer_be_opened_has_lost_what_was_written(store):
    result = judged(store, "RACE-2")

    assert result.verdict is Verdict.VIOLATED
    assert "opening the store raise" in result.reason


@pytest.mark.parametrize("requirement", ["RACE-2", pytest.param("RACE-5", marks=pytest.mark.proof)])
def test_control_with_a_lock_it_can_be_opened(requirement):
    assert judged(ReadsWhenOpenedUnderALock, requirement).verdict is Verdict.HOLDS


class RaisesWhenClosed(ReadsWhenOpenedUnderALock):
    """What is left to do when it is closed goes wrong if two have written."""

    def __init__(self, root):
        super().__init__(root)
        self.writers = set()

    def save(self, data):
        super().save(data)
        self.writers.add(threading.get_ident())

    def close(self):
        if len(self.writers) > 1:
            raise KeyError("who has it open?")


def test_closing_that_raises_is_a_finding():
    result = judged(RaisesWhenClosed, "RACE-1")

    assert result.verdict is Verdict.VIOLATED
    assert result.reason.startswith("closing the store raised KeyError")


class OneAtATime(ReadsWhenOpenedUnderALock):
    """An instance refuses to open while another is open, in words that it declares."""

    tradestore_errors = (Exception,)
    taken = {}  # noqa: RUF012 - of all instances

    def __init__(self, root):
        self.place = str(root)
        if self.place in self.taken:
            raise Exception("the store belongs to somebody else")
        super().__init__(root)
        self.taken[self.place] = self

    def close(self):
        self.taken.pop(self.place, None)


class OneAtATimeUndeclared(OneAtATime):
    tradestore_errors = (OSError,)


def test_a_plain_exception_that_the_store_declares_is_an_answer():
    assert judged(OneAtATime, "RACE-2").verdict is not Verdict.VIOLATED


def test_control_one_that_it_does_not_declare_is_none():
    assert judged(OneAtATimeUndeclared, "RACE-2").verdict is Verdict.VIOLATED
