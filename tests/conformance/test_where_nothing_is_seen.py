"""Where nothing of what a store does is below its root, nothing that rests on seeing it may hold."""

import json
import os
import threading
from pathlib import Path

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.examination import Place, place_of
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict

DOCUMENT = next(kit for kit in KITS if kit.name == "document")
LOCK = threading.Lock()


class Below:
    """Sound enough: a file below the root, replaced under a lock."""

    def __init__(self, root):
        self.path = self.file_of(root)

    def file_of(self, root):
        return root / "state.json"

    def save(self, data):
        with LOCK:
            staged = Path(f"{self.path}.tmp")
            staged.write_text(json.dumps(data))
            os.replace(staged, self.path)

    def load(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}


def elsewhere(server):
    """Return a store as a server is: what it has of each root is somewhere else, and updates of it are lost."""

    class Elsewhere(Below):
        def file_of(self, root):
            return server / str(root).replace("/", "_")

    return Elsewhere


class InMemory:
    """All instances of one root share one dictionary; nothing is written."""

    roots = {}  # noqa: RUF012 - of all instances

    def __init__(self, root):
        self.root = str(root)

    def save(self, data):
        with LOCK:
            self.roots[self.root] = json.dumps(data)

    def load(self):
        return json.loads(self.roots.get(self.root, "{}"))


class EachItsOwn(InMemory):
    """Each instance has a dictionary of its own."""

    def __init__(self, root):
        super().__init__(root)
        self.roots = {}


def judged(target, *requirements):
    store, bench = StoreUnderTest("it", target), Bench(Settings(budget=Budget.QUICK, recorder="fake"))
    checks = [check for check in checks_for((DOCUMENT,)) if check.requirement in requirements]
    return {check.requirement: check.judge(bench, store) for check in checks}


@pytest.mark.parametrize(
    ("target", "place"), [(Below, Place.BELOW), (elsewhere, Place.ELSEWHERE), (InMemory, Place.NOWHERE)]
)
def test_where_a_store_has_its_data_is_found_out(target, place, tmp_path):
    store = StoreUnderTest("it", elsewhere(tmp_path) if target is elsewhere else target)

    assert place_of(store, DOCUMENT, frozenset(("save", "load"))) is place


def test_of_data_that_are_somewhere_else_nothing_is_known(tmp_path):
    results = judged(elsewhere(tmp_path), "ATOM-1", "DUR-1", "RACE-2", "FAULT-1", "CORR-4")

    assert {result.verdict for result in results.values()} == {Verdict.UNDECIDED}
    assert "not below its root" in results["RACE-2"].reason


def test_of_data_in_memory_alone_it_is_known_that_they_are_lost_and_nothing_holds():
    results = judged(InMemory, "ATOM-1", "DUR-1", "RACE-2")

    assert results["DUR-1"].verdict is Verdict.VIOLATED
    assert (results["ATOM-1"].verdict, results["RACE-2"].verdict) == (Verdict.UNDECIDED, Verdict.UNDECIDED)


def test_instances_that_write_nothing_do_not_see_each_other_for_that_and_for_no_race():
    results = judged(EachItsOwn, "DUR-2", "RACE-2")

    told = {example.cause.culprit.fault for result in results.values() for example in result.examples}
    assert {result.verdict for result in results.values()} == {Verdict.VIOLATED}
    assert told == {"save returns before anything is written"}
    assert "lock" not in results["RACE-2"].counterexample.remedy


def test_control_below_the_root_it_is_judged():
    results = judged(Below, "ATOM-1", "RACE-2")

    assert {result.verdict for result in results.values()} == {Verdict.HOLDS}
