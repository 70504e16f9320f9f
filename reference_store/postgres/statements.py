"""What is asked of a server, apart from who waits for the answers: a thread, or a task of an event loop.

A program is a generator that yields statements and is sent their rows. It is one transaction, and may be begun anew
when the server has taken that back, so it changes nothing outside. ``{s}`` in a text stands for the schema.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from reference_store.errors import CorruptData

R = TypeVar("R")
Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One statement and its values."""

    text: str
    values: tuple[Any, ...] = ()


Program: TypeAlias = Generator[Ask, list[Row], R]

NUMBER = "nextval('{s}.numbers')"
"""A number that nothing in the schema has had before."""


def alone(place: str, key: str) -> Ask:
    """Wait until no other transaction writes to ``key``, whether there is such a row or not.

    In a statement of its own: the snapshot of a later one is made after the waiting.
    """
    return Ask(
        "SELECT pg_advisory_xact_lock(hashtextextended('{s}' || chr(31) || %s || chr(31) || %s, 0))", (place, key)
    )


def can_be_kept(text: str) -> bool:
    """Whether there can be a row with this text: a server takes neither lone surrogates nor zeros."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def seal(kind: str, place: str, identifier: str, number: int, body: str) -> str:
    """The digest that tells whether a row is what was written, under this name and with this number."""
    return hashlib.sha256(f"{kind} {number} {place} {identifier}\n{body}".encode()).hexdigest()


def vouched(kind: str, place: str, identifier: str, number: int, body: str, digest: str) -> str:
    """Return ``body`` if its seal vouches for it; raises CorruptData."""
    if seal(kind, place, identifier, number, body) != digest:
        line = number if kind == "record" else None
        raise CorruptData(identifier, place, "its content and its seal do not agree under this identifier", line)
    return body
