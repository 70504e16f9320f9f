"""The fixture for people's own tests finds races in any class, and says how much it tried where there are none."""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_tradestore.race.own_tests import RaceFound


class Tally:
    def __init__(self, root):
        self.file = root / "tally.json"
        self.file.touch()

    def add(self, amount):
        self.file.write_text(json.dumps(self.total() + amount))

    def total(self):
        return json.loads(self.file.read_text() or "0")


class LockedTally(Tally):
    def __init__(self, root):
        super().__init__(root)
        self._lock = threading.Lock()

    def add(self, amount):
        with self._lock:
            super().add(amount)


class AwaitedTally(Tally):
    async def add(self, amount):
        total = await asyncio.to_thread(self.total)
        await asyncio.to_thread(self.file.write_text, json.dumps(total + amount))


class TwoLocks:
    def __init__(self, root):
        self._first, self._second = threading.Lock(), threading.Lock()

    def there(self):
        with self._first, self._second:
            pass

    def back(self):
        with self._second, self._first:
            pass


def adds_up(outcome):
    return outcome.afterwards == (3,)


ADDING = ([("add", 1)], [("add", 2)])


@pytest.mark.parametrize("target", [Tally, AwaitedTally])
def test_a_lost_update_of_any_class_is_found_and_shown_as_a_timeline(tradestore_race, target):
    with pytest.raises(RaceFound) as found:
        tradestore_race(target, budget=200).check(*ADDING, afterwards=["total"], holds=adds_up)

    text = str(found.value)
    assert "writer A" in text
    assert "-- switch --" in text
    assert "replayed 10/10" in text


def test_control_a_class_with_a_lock_is_not_accused_and_the_answer_says_how_much_was_tried(tradestore_race):
    tried = tradestore_race(LockedTally, budget=200).check(*ADDING, afterwards=["total"], holds=adds_up)

    assert tried.schedules > 20


def test_control_its_lock_does_not_help_two_instances(tradestore_race):
    with pytest.raises(RaceFound):
        tradestore_race(LockedTally).check(*ADDING, afterwards=["total"], holds=adds_up, own_instances=True)


def test_a_deadlock_is_found_whatever_has_to_hold(tradestore_race):
    with pytest.raises(RaceFound, match="wait for ever"):
        tradestore_race(TwoLocks).check(["there"], ["back"], holds=lambda outcome: True)


def test_what_a_caller_raises_is_its_result(tradestore_race):
    def the_second_is_refused(outcome):
        (first,), (second,) = outcome.results
        return first is None and second.startswith("TypeError: ")

    tradestore_race(LockedTally, budget=20).check([("add", 1)], [("add", "x")], holds=the_second_is_refused)


def test_the_documented_example_runs():
    root = Path(__file__).parents[2]
    example = root / "docs" / "examples" / "test_races_of_my_own.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", root / "pyproject.toml", example]

    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert "3 passed" in run.stdout
