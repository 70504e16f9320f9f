"""What was refused was not held: a program in which every update is refused asks nothing about races."""

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

DOCUMENTS = next(kit for kit in KITS if kit.name == "documents")


def judged(target, requirement):
    store, bench = StoreUnderTest("it", target), Bench(Settings(budget=Budget.QUICK))
    return next(c for c in races.checks(DOCUMENTS) if c.requirement == requirement).judge(bench, store)


class Files:
    lock = threading.Lock()

    def __init__(self, root):
        self.root = root

    def put(self, key, document):
        with self.lock:
            staged = self.root / f"{key}.tmp"
            staged.write_text(json.dumps(document))
            os.replace(staged, self.root / key)

    def get(self, key):
        try:
            return json.loads((self.root / key).read_text())
        except FileNotFoundError:
            return None


class TakesNothing(Files):
    def put(self, key, document):
        raise ValueError(f"{key}: a document needs a zone")


class TakesNothingSaysSoByAKeyError(Files):
    def put(self, key, document):
        raise KeyError(key)


class WrittenOnce(Files):
    """What is there is never written over: an update of it is refused, whoever else is there."""

    def put(self, key, document):
        with self.lock:
            try:
                descriptor = os.open(self.root / f"{key}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                raise ValueError(f"{key} is there already") from None
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file)
            os.link(self.root / f"{key}.new", self.root / key)


REQUIREMENTS = ("RACE-1", *(pytest.param(id_, marks=pytest.mark.proof) for id_ in ("RACE-2", "RACE-4", "RACE-5")))


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_where_every_update_is_refused_nothing_is_decided(requirement):
    result = judged(TakesNothing, requirement)

    assert result.verdict is Verdict.UNDECIDED
    assert "a document needs a zone" in result.reason


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_control_where_they_are_taken_it_holds(requirement):
    assert judged(Files, requirement).verdict is Verdict.HOLDS


def test_an_update_that_is_refused_whoever_is_there_is_no_race():
    result = judged(WrittenOnce, "RACE-1")

    assert result.verdict is not Verdict.VIOLATED, result.reason


def test_control_an_error_that_nobody_declared_is_one():
    assert judged(TakesNothingSaysSoByAKeyError, "RACE-1").verdict is Verdict.VIOLATED
