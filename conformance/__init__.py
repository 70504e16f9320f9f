"""The conformance suite: which checks there are for a store, one module per requirement family.

A check is a fact (requirement, case) with a function that judges it; the plugin makes one test item of each.
"""

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.contracts import Contract

__all__ = ["Check", "checks_for"]


def checks_for(contracts: tuple[Contract, ...]) -> tuple[Check, ...]:
    """Return every check for a store that offers ``contracts``, in the order in which they are reported."""
    # Imported here because the judges need the engine, and naming the checks must not cost its import.
    from pytest_tradestore.conformance import crashes, damage, data, faults, names, permissions, races

    return tuple(
        check
        for contract in contracts
        for family in (crashes, faults, damage, races, names, permissions, data)
        for check in family.checks(contract)
    )
