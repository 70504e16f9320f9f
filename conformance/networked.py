"""What is asked of a store whose data is on a server: which requirement means the same there, and what breaks it.

Requirements about data and identifiers are asked as of any store. Those about crashes, faults and concurrent callers
are asked with requests in the place of operations on files. The rest has no meaning where there are no files, and says
so.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import Grounds, judged
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.verdict import Result

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.target import StoreUnderTest

_POWER = (
    "power loss is the server's affair: what it has confirmed it keeps. Asked instead: ATOM-1 and DUR-1, the client "
    "dying between any two requests"
)
_NO_FILES = "the store keeps no files: its data is on a server"
_MEANINGLESS = {
    "ATOM-2": _POWER,
    "FAULT-2": "it syncs no files: the server does. Asked instead: FAULT-1, with answers that are lost",
    "ASYNC-1": _NO_FILES,
    "NAME-1": f"{_NO_FILES}, so that no identifier leads out of a directory",
    "NAME-2": f"{_NO_FILES}, so that no link can be planted among them",
    "PERM-1": _NO_FILES,
    "PERM-2": _NO_FILES,
    "PERM-3": _NO_FILES,
}
"""Why a requirement has no meaning for a store on a server."""
_NOT_ASKED_YET = "this is not asked of stores on a server yet"
_AS_EVER = ("DATA-", "NAME-", "FAULT-4", "LEAK-", "ROOT-")
"""What is asked as of any store: beginnings of ids; ids of kits of teams begin otherwise, and are too."""
_OF_FILES = ("ATOM-", "DUR-", "REC-", "RACE-", "FAULT-", "ASYNC-", "PERM-", "CORR-")


def also_of_servers(check: Check, kit: Kit) -> Check:
    """Return the check that judges a store on a server by what that requirement means there."""

    def judge(bench: "Bench", store: "StoreUnderTest") -> Result:
        if store.declarations.backend is None or _is_asked_as_ever(check.requirement):
            return check.judge(bench, store)
        return judged(check.requirement, kit.name, _grounds(check.requirement, kit, bench, store))

    return replace(check, judge=judge)


def _is_asked_as_ever(requirement: str) -> bool:
    if requirement in _MEANINGLESS:
        return False
    return requirement.startswith(_AS_EVER) or not requirement.startswith(_OF_FILES)


def _grounds(requirement: str, kit: Kit, bench: "Bench", store: "StoreUnderTest") -> Grounds:  # noqa: ARG001 - to come
    if requirement in _MEANINGLESS:
        return Grounds(not_asked=_MEANINGLESS[requirement])
    return Grounds(undecided=_NOT_ASKED_YET)
