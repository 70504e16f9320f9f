"""The data contract itself: what goes in comes out, in order, whole, and under its own name."""

from pytest_tradestore.conformance import Check

from pytest_tradestore.contracts import Contract


def checks(contract: Contract) -> tuple[Check, ...]:
    return ()
