"""Places of documents that are no directories: what stores are given instead of one, and what they ask of it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from reference_store.core.schemas import Schema


@runtime_checkable
class Elsewhere(Protocol):
    """Where documents are kept in another way; what ``documents`` returns has the methods of DocumentFiles."""

    def below(self, name: str) -> Any:
        """The place ``name`` of this one."""

    def documents(self, schema: Schema | None) -> Any:
        """The documents that stand here."""
