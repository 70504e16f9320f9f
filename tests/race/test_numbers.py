"""Whoever takes part in an execution has a number that nobody else has: schedules are told by it."""

import asyncio
import threading
from dataclasses import replace

import pytest

from pytest_tradestore.race.search import run_schedules
from pytest_tradestore.target import StoreUnderTest
from tests.race.running import INCREMENT, increments


class WithWriterThread:
    """Increments in a thread of its own, which the first increment begins; callers wait for it."""

    def __init__(self, _root):
        self.number = 0
        self.asked, self.lock, self.writer = [], threading.Condition(), None

    def _write(self):
        while True:
            with self.lock:
                self.lock.wait_for(lambda: self.asked)
                done = self.asked.pop()
            self.number += 1
            done.set()

    def increment(self):
        with self.lock:
            if self.writer is None:
                self.writer = threading.Thread(target=self._write, daemon=True)
                self.writer.start()
        done = threading.Event()
        with self.lock:
            self.asked.append(done)
            self.lock.notify()
        done.wait()

    def save(self, document):
        self.number = document["n"]

    def load(self):
        return {"n": self.number}


class AsyncWithWriterThread(WithWriterThread):
    async def increment(self):
        await asyncio.to_thread(super().increment)

    async def save(self, document):
        super().save(document)

    async def load(self):
        return super().load()


@pytest.mark.parametrize("store", [WithWriterThread, AsyncWithWriterThread])
def test_no_schedule_comes_twice_although_the_preparation_has_left_a_thread(store):
    seen = set()

    def judge(execution):
        twice = execution.choices in seen
        seen.add(execution.choices)
        return "the same schedule again" if twice else None

    program = replace(increments(store), prepare=(INCREMENT,))
    depth_first_alone = 12
    result = run_schedules(
        StoreUnderTest(store.__name__, store), program, budget=depth_first_alone, seed=0, judge=judge
    )

    assert (result.trouble, result.sentence) == ("", "")
