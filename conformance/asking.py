"""What is not asked because the store does not claim it, and the line that would have it asked.

A requirement that a contract has nothing for is not applicable; one that the team has not claimed is an open question,
and no profile that it belongs to is reached while it is open.
"""

from typing import TYPE_CHECKING

from pytest_tradestore.target import CLAIMED_BY_DEFAULT, SINGLE_INSTANCE
from pytest_tradestore.verdict import SEVERAL_INSTANCES, Result, Verdict

if TYPE_CHECKING:
    from pytest_tradestore.target import Declarations


def unclaimed(requirement: str, case: str, capability: str, declarations: "Declarations") -> Result:
    """Return the result of a check that was not made because the store does not claim ``capability``."""
    reason = f"the store does not claim {capability}; {_line(capability, declarations)} has it asked"
    return Result(requirement, case, Verdict.NOT_APPLICABLE, reason, unclaimed=capability)


def restricted(requirement: str, case: str) -> Result:
    """Return the result of a check that was not made because the store is to be opened once at a time."""
    reason = (
        f"the store claims {SINGLE_INSTANCE}, so no second one is opened on its directory; "
        f"taking {SINGLE_INSTANCE!r} out of tradestore_claims has it asked"
    )
    return Result(requirement, case, Verdict.NOT_APPLICABLE, reason, unclaimed=SEVERAL_INSTANCES)


def _line(capability: str, declarations: "Declarations") -> str:
    if capability in CLAIMED_BY_DEFAULT:
        return f"taking {capability!r} out of tradestore_disclaims"
    claims = sorted((declarations.claims - CLAIMED_BY_DEFAULT) | {capability})
    return f"tradestore_claims = ({', '.join(map(repr, claims))}{',' if len(claims) == 1 else ''})"
