"""What can be done to a document, and what becomes of it when several changes of it meet in one write.

Nothing here touches a disk: what a key has is looked up by whoever writes, once, and the changes follow each other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeAlias

from reference_store.core import integrity, strict_json
from reference_store.core.directory import Found
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, InvalidRecord, UnserialisableValue, VersionConflict

LARGEST = 64 << 20
"""Bytes of a document file; more is neither written nor read."""
_HIGHEST = 10**18
"""As long as generations get."""

Update: TypeAlias = Callable[[Document | None], Document]
"""Makes the new document of the one that is there, None if there is none."""
Encode: TypeAlias = Callable[[str, object], Encoded]
"""Returns the document of a key as it is stored; raises what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What ``operation`` does to the document of ``key``: put ``encoded``, or what ``update`` makes of the present one,
    in its place; remove it if both are None. With ``expected`` only when that is its generation.
    """

    operation: str
    key: str
    encoded: Encoded | None = None
    update: Update | None = None
    expected: int | None = None
    encode: Encode | None = None
    """What checks, and makes storable, what ``update`` returns."""
    damaged: Callable[[], Document] | None = None
    """Gives what ``update`` gets where the present document is damaged, and no backup is sound."""

    @property
    def removes(self) -> bool:
        """Whether the document goes."""
        return self.encoded is None and self.update is None


def putting(operation: str, key: str, document: Encoded, expected: int | None = None) -> Change:
    """Return the change that puts ``document``; raises InvalidRecord for what is no generation."""
    if expected is not None and (type(expected) is not int or expected < 0):
        raise InvalidRecord("expected", "is no generation: a whole number, 0 for a document that is not there")
    return Change(operation, key, document, expected=expected)


def updating(
    operation: str,
    key: str,
    function: Update,
    encode: Encode | None = None,
    damaged: Callable[[], Document] | None = None,
) -> Change:
    """Return the change that ``function`` makes, with the context variables of the caller."""
    if not callable(function):
        raise InvalidRecord("function", "cannot be called")
    context = copy_context()

    def update(document: Document | None) -> Document:
        return context.run(function, document)

    return Change(operation, key, update=update, encode=encode, damaged=damaged)


def encoded(key: str, document: object) -> Encoded:
    """Return ``document`` as it is stored; raises UnserialisableValue."""
    found = integrity.encode(document)
    # The layout adds a few bytes for each item, and UTF-8 three for each character.
    if len(found.canonical) > LARGEST // 16:
        size = len(integrity.seal_document(found, key, _HIGHEST))
        if size > LARGEST:
            raise UnserialisableValue(f"a document of {size} bytes, {LARGEST} is the limit")
    return found


def go_together(first: Change, second: Change) -> bool:
    """Whether one write does for both: removals need syncs of their own."""
    return first.removes is second.removes


@dataclass(slots=True)
class Present:
    """What a key has: the file that becomes the backup, its generation (0: none), and what is to be written."""

    key: str
    previous: Found | None
    generation: int
    floor: Callable[[], int]
    """The highest generation of a document that was removed: a new one must not be taken for it."""
    read: Callable[[], Document | None]
    new: Encoded | None = None

    def follow(self, change: Change) -> Document | None:
        """Make ``change`` of this; return what an update made. Raises what stands in its way, and changes nothing."""
        if change.expected is not None:
            if self.previous is None and self.new is None:
                self.read()  # one that is damaged, with no backup, is not one that is not there: raises CorruptData
            if change.expected != self.generation:
                raise VersionConflict(self.key, change.expected, self.generation)
        made: Document | None = None
        new = change.encoded
        if change.update is not None:
            made = change.update(self._content(change.damaged))
            if made is None:
                raise UnserialisableValue("the function returned None (to remove a document use delete), which")
            if change.encode is None:
                new = encoded(self.key, made)
            else:
                new = change.encode(self.key, made)
                made = strict_json.copy_of(new.canonical)
        self.generation = (self.generation or self.floor()) + 1
        self.new = new
        return made

    def _content(self, damaged: Callable[[], Document] | None) -> Document | None:
        if self.new is not None:
            return strict_json.copy_of(self.new.canonical)
        try:
            return self.read()
        except CorruptData:
            if damaged is None:
                raise
            return damaged()
