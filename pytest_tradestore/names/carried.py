"""Finds an identifier in records that cannot be asked for by it: events by symbol, lines of the audit log."""

from collections.abc import Iterable
from typing import Any

from pytest_tradestore.records import plain


def leaves_of(value: Any) -> frozenset[Any]:
    """Return every text, number and truth value in a plain value."""
    if isinstance(value, dict):
        return frozenset(leaf for item in value.values() for leaf in leaves_of(item))
    if isinstance(value, list):
        return frozenset(leaf for item in value for leaf in leaves_of(item))
    return frozenset([value])


def by_mark(records: Iterable[Any]) -> dict[int, frozenset[Any]]:
    """Return the leaves of each record by its mark: the number in the text that was written for it, or its numbers."""
    found: dict[int, frozenset[Any]] = {}
    for record in records:
        leaves = leaves_of(plain(record))
        texts = [leaf for leaf in leaves if isinstance(leaf, str) and leaf.startswith("mark ") and leaf.endswith(".")]
        numbers = [int(text[5:-1]) for text in texts] or [leaf for leaf in leaves if type(leaf) is int]
        found.update(dict.fromkeys(numbers, leaves))
    return found


def carries(records: Iterable[Any], identifier: str, mark: int) -> bool:
    """Say whether the record with this mark has this identifier."""
    return identifier in by_mark(records).get(mark, frozenset())
