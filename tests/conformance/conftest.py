"""Judges one check of one store, in the way in which the plugin does."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest


@pytest.fixture
def judged():
    def judge(target, requirement, case, *, recorder="fake", seed=0, **declarations):
        store = StoreUnderTest("store", target, **declarations)
        bench = Bench(Settings(recorder=recorder, budget=Budget.QUICK, seed=seed))
        contract = kit_named(case.partition("-")[0])
        (check,) = (c for c in checks_for((contract,)) if (c.requirement, c.case) == (requirement, case))
        return check.judge(bench, store)

    return judge
