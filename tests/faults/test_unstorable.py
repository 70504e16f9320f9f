"""Values that cannot be stored, through the contracts whose records have types."""

import pytest

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import unstorable
from pytest_tradestore.kits.registry import KITS
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict
from tests.sound_stores.trading import PlainBars, PlainJobs


class BarByBar(PlainBars):
    """Writes one bar after the other, so that a call that fails is half done."""

    def write_bars(self, symbol, bars):
        for bar in bars:
            super().write_bars(symbol, [bar])


class PricesAsText(PlainBars):
    """Stores the look of what is no number."""

    def _row(self, bar):
        row = super()._row(bar)
        return row | {"close": row["close"] if isinstance(row["close"], float) else str(type(row["close"]))}


class ResultsByTheirLook(PlainJobs):
    """Stores the look of a result that it does not know."""

    def save(self, job):
        known = {"text": job.result["text"], "value": str(type(job.result["value"]))} if "text" in job.result else None
        super().save(job.model_copy(update={"result": known}) if known else job)


def judged(target, contract):
    (check,) = [found for c in KITS if c.name == contract for found in unstorable.checks(c)]
    return check.judge(Bench(Settings(budget=Budget.QUICK)), StoreUnderTest("mine", target))


BROKEN = {
    "bar-by-bar": (BarByBar, "bars", "a set was refused, and the value before it is no longer what is read"),
    "prices-as-text": (PricesAsText, "bars", "a set was accepted, and what is read is something else"),
    "results-by-their-look": (ResultsByTheirLook, "jobs", "an object was accepted, and what is read is something else"),
}


@pytest.mark.parametrize(("target", "contract", "words"), BROKEN.values(), ids=list(BROKEN))
def test_a_value_that_is_no_value_is_found_out_in_typed_records(target, contract, words):
    result = judged(target, contract)

    assert (result.requirement, result.verdict) == ("FAULT-4", Verdict.VIOLATED)
    assert words in result.reason


@pytest.mark.parametrize(("target", "contract"), [(PlainBars, "bars"), (PlainJobs, "jobs")])
def test_control_the_store_that_they_come_from_holds(target, contract):
    result = judged(target, contract)

    assert result.verdict is Verdict.HOLDS
    assert result.checked["refused"] >= 3
