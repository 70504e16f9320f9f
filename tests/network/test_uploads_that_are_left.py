"""Which uploads that are left are the store's fault: not the one whose name was lost with the answer that told it."""

import pytest

from pytest_tradestore.backends.lines import Asked, Spoil
from pytest_tradestore.backends.objects import BEGINS
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.oracle import History
from pytest_tradestore.network.client import OPEN, Outcome, Request
from pytest_tradestore.network.judging import all_of_it, of_a_spoilt_request
from pytest_tradestore.network.trials import After, Plan, Trial

OF_A, OF_B = "an unfinished upload of a", "an unfinished upload of b"


def broken(text, spoil, left):
    """Return what is broken where a request was spoilt and this is left."""
    spoilt = Request(OPEN, Asked(text, True), "no answer", spoil)
    trial = Trial(
        Plan(spoilt=1, spoil=spoil), (spoilt,), (), Window(0, 0), OPEN, Outcome(struck=True), after=After(()), left=left
    )
    return [wrong.requirement for wrong in of_a_spoilt_request(trial, History((), (), ()), all_of_it, whole=False)]


@pytest.mark.parametrize("spoil", [Spoil.LOST, Spoil.FAILED_DONE, Spoil.TWICE])
def test_one_upload_whose_name_was_lost_is_nobodys_fault(spoil):
    assert broken(f"{BEGINS} of a", spoil, (OF_A,)) == []


LEFT = {
    "another one of that name": (f"{BEGINS} of a", Spoil.LOST, (OF_A, OF_A)),
    "one of another name": (f"{BEGINS} of a", Spoil.LOST, (OF_B,)),
    "one that was never begun by it": (f"{BEGINS} of a", Spoil.REFUSED, (OF_A,)),
    "one whose part failed": ("PUT part 1 of a", Spoil.LOST, (OF_A,)),
}


@pytest.mark.parametrize("case", LEFT.values(), ids=list(LEFT))
def test_control_any_other_upload_is_the_stores(case):
    assert broken(*case) == ["FAULT-5"]
