"""A store that hangs in every schedule is given up by the one policy of the runner, not once for each program."""

import os
from functools import partial

import pytest

from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import gather
from pytest_tradestore.race.programs import scenarios
from pytest_tradestore.runner import HANGS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest

pytestmark = pytest.mark.proof  # it takes a second for each hang
METHODS = frozenset({"put", "get", "delete"})


class Spins:
    """Never comes back from a call, or ``only`` from one that deletes."""

    tradestore_deadline = 1.0

    def __init__(self, root, begun, only):
        self.begun, self.only = begun, only

    def put(self, key, document):
        self.spin("put")

    def get(self, key):
        return None

    def delete(self, key):
        self.spin("delete")

    def spin(self, method):
        if self.only in ("", method):
            with self.begun.open("a") as begun:
                begun.write(f"{os.getpid()}\n")
            while True:
                pass


def hung(tmp_path, only=""):
    """Return in how many processes it hung, and why nothing is decided."""
    begun = tmp_path / "begun"
    begun.touch()  # a machine that is busy may end them before their first call
    store = StoreUnderTest("spins", partial(Spins, begun=begun, only=only), deadline=1.0)
    evidence = gather(store, kit_named("documents"), METHODS, Setting.ONE_INSTANCE, Settings(budget=Budget.QUICK))
    return len(set(begun.read_text().split())), evidence.undecided


def test_a_store_that_hangs_each_time_is_given_up(tmp_path):
    programs = len(scenarios(kit_named("documents"), METHODS))
    processes, why = hung(tmp_path)

    assert processes <= HANGS < programs
    assert "made no step within 1 s" in why


def test_control_one_that_hangs_in_some_programs_is_asked_the_others(tmp_path):
    processes, why = hung(tmp_path, only="delete")

    assert processes < HANGS
    assert "made no step within 1 s" in why
