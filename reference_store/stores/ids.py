"""Which ids of jobs, runs and artifacts are accepted, and the arguments of a listing.

These ids are members of records, never names of files; the allowlists keep them harmless wherever else they go.
"""

from __future__ import annotations

import re
from typing import Any

from reference_store.errors import InvalidIdentifier, InvalidRecord

_RUN_ID_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ARTIFACT_ID_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")
LONGEST_KIND = 64


def checked_id(what: str, identifier: object, allowed: re.Pattern[str] = _RUN_ID_RE) -> str:
    """Return ``identifier`` if all of it is allowed; raises InvalidIdentifier, and says ``what`` it would have been."""
    if type(identifier) is not str:
        raise InvalidIdentifier(identifier, f"({what}) is not exactly a str")
    if not allowed.fullmatch(identifier):
        raise InvalidIdentifier(
            identifier, f"({what}) is not made of ASCII letters, digits, '.', '_' and '-' after a letter or digit"
        )
    return identifier


def checked_artifact_id(identifier: object) -> str:
    """Return the id of an artifact if it is allowed; raises InvalidIdentifier."""
    return checked_id("artifact_id", identifier, _ARTIFACT_ID_RE)


def normalised_kind(kind: object) -> str:
    """Return ``kind`` in lower-case ASCII letters and digits, at most 64; what else it has is left out.

    Raises InvalidRecord when it is no text or nothing is left of it.
    """
    if not isinstance(kind, str):
        raise InvalidRecord("kind", "is not text")
    normalised = _NOT_ALPHANUMERIC.sub("", kind.lower())[:LONGEST_KIND]
    if not normalised:
        raise InvalidRecord("kind", "has no ASCII letter or digit")
    return normalised


def checked_page(limit: Any, offset: Any) -> None:
    """Raise InvalidRecord unless ``limit`` and ``offset`` are counts."""
    for name, count in (("limit", limit), ("offset", offset)):
        if type(count) is not int or count < 0:
            raise InvalidRecord(name, "is not an int from 0 on")
