"""Crash requirements: what a reader finds after a crash at any point of a recorded workload."""

from pytest_tradestore.conformance import Check
from pytest_tradestore.contracts import Contract


def checks(contract: Contract) -> tuple[Check, ...]:
    return ()
