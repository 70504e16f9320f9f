"""The conformance suite: which checks there are for a store, one module per requirement family.

A check is a fact (requirement, case) with a function that judges it; the plugin makes one test item of each.
"""

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.kits.kit import Kit

__all__ = ["Check", "checks_for"]


def checks_for(kits: tuple[Kit, ...]) -> tuple[Check, ...]:
    """Return every check for a store that offers ``kits``, in the order in which they are reported."""
    # Imported here because the judges need the engine, and naming the checks must not cost its import.
    from pytest_tradestore.conformance import (
        crashes,
        damage,
        data,
        faults,
        leaks,
        loops,
        names,
        networked,
        permissions,
        races,
        root,
    )

    return tuple(
        networked.also_of_servers(check, kit)
        for kit in kits
        for family in (crashes, faults, leaks, damage, races, loops, root, names, permissions, data)
        for check in family.checks(kit)
    )
