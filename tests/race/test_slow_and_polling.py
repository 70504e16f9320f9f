"""Callers that look again and again for ten minutes, beside one who is slow: they come to their end, and nobody sleeps
through what another renews in time."""

import threading
import time
from dataclasses import replace

import pytest

from pytest_tradestore.race.execution import Blow
from tests.race.patterns import Counter
from tests.race.running import increments, search


class LooksForItsWriter(Counter):
    """A thread of each caller's own writes, and the caller looks every hundredth of a second whether it is done."""

    def __init__(self, root):
        super().__init__(root)
        self._lock = threading.Lock()

    def increment(self):
        numbers = []
        writer = threading.Thread(target=lambda: numbers.append(self._increment()))
        writer.start()
        while writer.is_alive():
            time.sleep(0.01)
        return numbers[0]

    def _increment(self):
        with self._lock:
            return super().increment()


class RenewsItsLease(Counter):
    """Who increments holds a lease of half a second, and a thread renews it as long as that lasts."""

    renewed_every = 0.2

    def __init__(self, root):
        super().__init__(root)
        self._until = 0.0

    def increment(self):
        while self._until > time.monotonic():
            time.sleep(0.01)
        over = threading.Event()
        self._until = time.monotonic() + 0.5
        renewing = threading.Thread(target=self._renew, args=(over,))
        renewing.start()
        try:
            return super().increment()
        finally:
            over.set()
            renewing.join()
            self._until = 0.0

    def _renew(self, over):
        while not over.wait(self.renewed_every):
            self._until = time.monotonic() + 0.5


class ForgetsToRenew(RenewsItsLease):
    renewed_every = 3600.0


def slow(store, at, callers=3):
    return replace(increments(store, callers), blow=Blow.SLOW, struck=(0, at))


@pytest.mark.parametrize("at", [2, 4])
def test_two_who_poll_while_a_third_is_slow_come_to_their_end(at):
    result = search(LooksForItsWriter, slow(LooksForItsWriter, at), budget=1)

    assert (result.sentence, result.trouble) == ("", "")


def test_a_lease_that_is_renewed_in_time_is_not_slept_through():
    assert search(RenewsItsLease, slow(RenewsItsLease, 2), budget=1).sentence == ""


def test_control_one_that_is_not_renewed_runs_out():
    assert "lost update" in search(ForgetsToRenew, slow(ForgetsToRenew, 2), budget=1).sentence
