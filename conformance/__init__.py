"""The conformance suite: which checks there are for a store, one module per requirement family.

A check is a fact (requirement, case) with a function that judges it; the plugin makes one test item of each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_tradestore.contracts import Contract
from pytest_tradestore.verdict import Result

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.target import StoreUnderTest


@dataclass(frozen=True)
class Check:
    """One test item: judge ``requirement`` for a store in ``case``."""

    requirement: str
    case: str
    judge: "Callable[[Bench, StoreUnderTest], Result]"


def checks_for(contracts: tuple[Contract, ...]) -> tuple[Check, ...]:
    """Return every check for a store that offers ``contracts``, in the order in which they are reported."""
    from pytest_tradestore.conformance import crashes, data

    return tuple(check for contract in contracts for family in (crashes, data) for check in family.checks(contract))
