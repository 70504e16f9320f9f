"""What was found out about the identifiers of one contract of a store: facts that the checks judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_tradestore.causes import Cause


@dataclass(frozen=True, slots=True)
class NameViolation:
    """One way in which a requirement is violated: a sentence, the calls that lead there, what was and had to be."""

    requirement: str
    cause: Cause
    """What the store does wrong, whichever identifier has shown it."""
    sentence: str
    calls: tuple[str, ...]
    found: str
    allowed: str
    notes: tuple[str, ...] = ()
    filesystems: tuple[str, ...] = ()
    platform: str = ""
    """The only one on which it can happen; empty where it can on any."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found: by requirement, the first one first; what was tried; why something was not looked at."""

    violations: tuple[NameViolation, ...] = ()
    checked: Mapping[str, int] = field(default_factory=dict)
    not_asked: Mapping[str, str] = field(default_factory=dict)
    """By requirement, why it could not be asked at all."""
    undecided: Mapping[str, str] = field(default_factory=dict)
    """By requirement, why nothing can be said of it although nothing was found."""
    unfinished: str = ""
    """Why not everything was tried."""
