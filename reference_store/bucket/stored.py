"""What an object of a document holds: the document, its generation, and who has written it lately.

A put whose answer was lost was done or not, and by the time somebody looks another may stand there. So each object
names the last WRITES that made it what it is, each by a nonce: whoever finds his own is done. One that is not there,
though fewer writes have come since, was not done.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_store.core import integrity
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData

WRITES = 64
SMALL = 64 * 40 + 400
"""Bytes that the object of a document which was removed has at most."""


@dataclass(frozen=True, slots=True)
class Stored:
    """``document`` is None for one that was removed; its object stays, so that no generation is given twice."""

    document: Document | None
    generation: int
    writes: tuple[str, ...]

    def followed(self, document: Encoded | None, nonce: str) -> tuple[Stored, Encoded]:
        """What comes behind this, and its content as an object."""
        writes = (*self.writes, nonce)[-WRITES:]
        content: Document = {"writes": list(writes)}
        if document is not None:
            content["document"] = document.content
        found = Stored(None if document is None else document.content, self.generation + 1, writes)
        return found, integrity.encode(content)

    def tells(self, nonce: str, generation: int) -> bool | None:
        """Whether the write ``nonce``, which would have made ``generation``, is part of this; None if nobody knows."""
        if nonce in self.writes:
            return True
        return None if self.generation - generation >= WRITES else False


NOTHING = Stored(None, 0, ())


def stored(data: bytes, key: str, path: str) -> Stored:
    """Return what an object holds; raises CorruptData."""
    found = integrity.unseal_document(data, key, path)
    document, writes = found.content.get("document"), found.content.get("writes")
    if not isinstance(writes, list) or not all(isinstance(each, str) for each in writes):
        raise CorruptData(key, path, "it does not say who has written it")
    if document is not None and not isinstance(document, dict):
        raise CorruptData(key, path, "it holds no document")
    return Stored(document, found.number, tuple(writes))
