"""The checks of a contract's data: each sentence of its kit put to the store, and generated programs."""

from pytest_tradestore.conformance import aliasing, volume
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.programs import from_programs
from pytest_tradestore.conformance.visit import check
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.kits.values import SAMPLED


def checks(kit: Kit) -> tuple[Check, ...]:
    """Return the checks of one contract's data."""
    made = [
        check(
            case.requirement,
            f"{kit.name}-{case.variant}" if case.variant else kit.name,
            case.program,
            case.needs,
            case.unasked,
        )
        for case in kit.cases()
    ]
    made += [*aliasing.checks(kit), *volume.checks(kit)]
    if kit.grammar:
        made.append(check("DATA-MODEL", f"{kit.name}-{SAMPLED}", from_programs(kit.play, kit.grammar)))
    return tuple(made)
