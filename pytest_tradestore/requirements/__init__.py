"""The catalogue: every requirement with its id, profile, sentence, why it matters, and the remedy in one line.

The rows stand in ``storage`` and ``data``; what teams ask of their own stores is adopted here.
``docs/reference/requirements.md`` is generated from here.
"""

import re

from pytest_tradestore.requirements.data import ANSWERED
from pytest_tradestore.requirements.entry import Profile, Requirement
from pytest_tradestore.requirements.storage import KEPT

__all__ = [
    "BY_ID",
    "REQUIREMENTS",
    "SPEC",
    "Profile",
    "Requirement",
    "adopt",
    "check_own",
    "find",
    "is_of_a_team",
    "known",
]

SPEC = "2026.1"
"""The edition of the requirements, for reports."""

REQUIREMENTS = (*KEPT, *ANSWERED)

BY_ID = {requirement.id: requirement for requirement in REQUIREMENTS}

_FAMILIES = frozenset(id_.partition("-")[0] for id_ in BY_ID)
_OWN_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
_own: dict[str, Requirement] = {}
"""What teams ask beyond the catalogue: filled as their stores are configured, in every process that reports."""


def adopt(requirement: Requirement) -> None:
    """Know a team's own requirement from now on. Raises ValueError if its id is not one with a prefix of its own."""
    check_own(requirement)
    _own[requirement.id] = requirement


def check_own(requirement: Requirement) -> None:
    """Raise ValueError if a team cannot have this requirement: its id is not its own, or is another's already."""
    if not _OWN_ID.fullmatch(requirement.id) or not is_of_a_team(requirement.id):
        raise ValueError(
            f"{requirement.id!r} cannot be the id of a requirement of your own: write capitals, digits and '-', "
            f"beginning with a prefix that the catalogue does not have, such as ACME-{requirement.id or 'ORDER'}"
        )
    if _own.get(requirement.id, requirement) != requirement:
        raise ValueError(f"two different requirements are called {requirement.id}; give one of them another id")


def is_of_a_team(id_: str) -> bool:
    """Say whether an id begins with none of the prefixes of the catalogue."""
    return id_.partition("-")[0] not in _FAMILIES


def find(id_: str) -> Requirement | None:
    """Return the requirement of that id, of the catalogue or a team's own; None if there is none."""
    return BY_ID.get(id_) or _own.get(id_)


def known() -> tuple[Requirement, ...]:
    """Return the catalogue and, behind it, what teams ask beyond it."""
    return (*REQUIREMENTS, *_own.values())
