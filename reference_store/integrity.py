"""Seals stored JSON, and tells whether what is read is what was sealed, under this name and with this number.

The seal is the reserved last key ``_integrity``. Its digest is SHA-256 over two lines of UTF-8: kind, number and
identifier (``document 3 AAPL``; no identifier has a line break), and the content as
``json.dumps(content, ensure_ascii=False)`` prints it. Whitespace in the file is therefore free; values, types and the
order of keys are not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from reference_store import strict_json
from reference_store.errors import CorruptData, UnserialisableValue
from reference_store.strict_json import Document, Encoded

RESERVED = "_integrity"
"""The key that holds the seal; documents and records of users must not have it."""


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What a seal vouches for; ``number`` is the generation of a document, the sequence number of a record."""

    content: Document
    number: int


def encode(content: object) -> Encoded:
    """Return ``content`` as strict JSON text, ready to be sealed.

    Raises UnserialisableValue when it cannot be stored, also when it has the reserved key.
    """
    encoded = strict_json.encode(content)
    if isinstance(content, dict) and RESERVED in content:
        raise UnserialisableValue(f"the key {RESERVED!r} is reserved for the seal")
    return encoded


def seal_document(encoded: Encoded, identifier: str, generation: int) -> bytes:
    """Return the bytes of a document file: readable JSON, sealed."""
    seal = _seal("document", identifier, generation, encoded.canonical)
    return encoded.readable(seal).encode("utf-8")


def seal_record(encoded: Encoded, identifier: str, sequence: int) -> bytes:
    """Return one line of a journal, sealed, with its newline."""
    seal = _seal("record", identifier, sequence, encoded.canonical)
    return f"{encoded.canonical[:-1]}{', ' if encoded.members else ''}{seal}}}\n".encode()


def unseal_document(raw: bytes, identifier: str, file: str) -> Unsealed:
    """Return what the document file ``raw`` holds; raises CorruptData unless its seal vouches for it."""
    return _unseal("document", raw, identifier, file, None)


def unseal_record(raw: bytes, identifier: str, file: str, sequence: int) -> Unsealed:
    """Return the record of one journal line; raises CorruptData unless it is sealed as number ``sequence``."""
    found = _unseal("record", raw, identifier, file, sequence)
    if found.number != sequence:
        raise CorruptData(identifier, file, f"record {found.number} stands where record {sequence} belongs", sequence)
    return found


def reseal(raw: bytes, identifier: str, file: str, generation: int) -> bytes:
    """Return the document file ``raw``, edited by hand, with a new seal; whatever seal it has is not looked at.

    Raises CorruptData when it is not strict JSON of one object.
    """
    content, _ = _parsed(raw, identifier, file, None)
    content.pop(RESERVED, None)
    return seal_document(strict_json.encode(content), identifier, generation)


def _seal(kind: str, identifier: str, number: int, canonical: str) -> str:
    digest = _digest(kind, identifier, number, canonical)
    name = "generation" if kind == "document" else "sequence"
    return f'"{RESERVED}": {{"{name}": {number}, "sha256": "{digest}"}}'


def _digest(kind: str, identifier: str, number: int, canonical: str) -> str:
    return hashlib.sha256(f"{kind} {number} {identifier}\n{canonical}".encode()).hexdigest()


def _parsed(raw: bytes, identifier: str, file: str, line: int | None) -> tuple[Document, str]:
    try:
        return strict_json.decode(raw)
    except strict_json.Malformed as error:
        raise CorruptData(identifier, file, str(error), line) from None


def _unseal(kind: str, raw: bytes, identifier: str, file: str, line: int | None) -> Unsealed:
    content, canonical = _parsed(raw, identifier, file, line)
    seal = content.get(RESERVED)
    name = "generation" if kind == "document" else "sequence"
    if not isinstance(seal, dict) or next(reversed(content)) != RESERVED:
        raise CorruptData(identifier, file, "it carries no seal", line)
    number, digest = seal.get(name), seal.get("sha256")
    if len(seal) != 2 or type(number) is not int or type(digest) is not str:
        raise CorruptData(identifier, file, "its seal is incomplete", line)
    del content[RESERVED]
    # The seal is the last member: what stands before it is the canonical text of the content.
    ending = json.dumps({RESERVED: seal}, ensure_ascii=False)[1:]
    head = canonical[: -len(ending)].removesuffix(", ") + "}"
    if _digest(kind, identifier, number, head) != digest:
        raise CorruptData(identifier, file, "its content and its seal do not agree under this identifier", line)
    return Unsealed(content, number)
