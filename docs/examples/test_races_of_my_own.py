"""Races in code of one's own: what callers do side by side, and what has to hold afterwards.

Run it with: python -m pytest docs/examples/test_races_of_my_own.py
"""

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


class OrderCounter:
    """Gives out order numbers, and remembers the last one in a file."""

    def __init__(self, root):
        self.file = root / "last_order.json"
        self._lock = threading.Lock()

    def next_order(self):
        with self._lock:
            number = self.last() + 1
            self.file.write_text(json.dumps(number))
            return number

    def last(self):
        return json.loads(self.file.read_text()) if self.file.exists() else 0


class CounterWithoutLock(OrderCounter):
    def next_order(self):
        number = self.last() + 1
        self.file.write_text(json.dumps(number))
        return number


def all_different(outcome):
    numbers = [number for results in outcome.results for number in results]
    assert len(set(numbers)) == len(numbers), f"the same order number twice: {numbers}"


def test_no_order_number_is_given_out_twice(tradestore_race):
    tried = tradestore_race(OrderCounter).check(["next_order"], ["next_order"], holds=all_different)

    assert tried.schedules > 1


def test_control_without_the_lock_it_is(tradestore_race):
    with pytest.raises(AssertionError, match="the same order number twice"):
        tradestore_race(CounterWithoutLock).check(["next_order"], ["next_order"], holds=all_different)


@settings(max_examples=5, deadline=None)
@given(calls=st.lists(st.integers(1, 2), min_size=2, max_size=3))
def test_with_however_many_callers(tradestore_race, calls):
    callers = [["next_order"] * count for count in calls]
    race = tradestore_race(OrderCounter, budget=30)

    race.check(*callers, afterwards=["last"], holds=lambda outcome: outcome.afterwards == (sum(calls),))
