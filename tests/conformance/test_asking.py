"""What a store does not claim is not asked, and the skip has the line that would ask it."""

import pytest

from pytest_tradestore.conformance.asking import unclaimed
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Verdict


def reason(capability, **declared):
    result = unclaimed("X-1", "documents", capability, StoreUnderTest("acme", object, **declared).declarations)
    assert (result.verdict, result.unclaimed) == (Verdict.NOT_APPLICABLE, capability)
    return result.reason


@pytest.mark.parametrize(
    ("claims", "line"),
    [
        ((), "tradestore_claims = ('processes',)"),
        (("backup",), "tradestore_claims = ('backup', 'processes')"),
    ],
)
def test_the_line_can_be_pasted_and_keeps_what_is_claimed_already(claims, line):
    assert reason("processes", claims=claims) == f"the store does not claim processes; {line} has it asked"


def test_what_is_claimed_unless_disclaimed_is_to_be_taken_out_of_what_is_disclaimed():
    assert "taking 'power-loss' out of tradestore_disclaims" in reason("power-loss", disclaims=("power-loss",))
