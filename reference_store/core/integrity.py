"""Seals stored JSON, and tells whether what is read is what was sealed, under this name and with this number.

The seal is the reserved last key ``_integrity``. Its digest is SHA-256 over two lines of UTF-8: kind, number and
identifier (``document 3 AAPL``; no identifier has a line break), and the content as
``json.dumps(content, ensure_ascii=False)`` prints it. Whitespace in the file is therefore free; values, types and the
order of keys are not. A record that was written together with earlier ones says with which the write began: ``first``
in its seal, ``record 7-5 AAPL`` in its digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reference_store.core import strict_json
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document, Encoded
from reference_store.errors import CorruptData, UnserialisableValue

RESERVED = "_integrity"
"""The key that holds the seal; documents and records of users must not have it."""

_SEAL = re.compile(
    rf'"{RESERVED}": {{"(generation|sequence)": (0|[1-9][0-9]*), (?:"first": (0|[1-9][0-9]*), )?'
    r'"sha256": "([0-9a-f]{64})"}}'
)

_RECORD = f', "{RESERVED}": {{'.encode()
_RECORD_SEAL = re.compile(
    _RECORD + rb'"sequence": (0|[1-9][0-9]*), (?:"first": (0|[1-9][0-9]*), )?"sha256": "([0-9a-f]{64})"}}'
)


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What a seal vouches for; ``number`` is the generation of a document, the sequence number of a record.

    ``first`` is the number of the record with which the write of this one began.
    """

    content: Document
    number: int
    first: int


def encode(content: object) -> Encoded:
    """Return ``content`` as strict JSON text, ready to be sealed as a document.

    Raises UnserialisableValue when it cannot be stored, also when it has the reserved key.
    """
    return _unreserved(strict_json.encode(content))


def encode_record(content: object) -> Encoded:
    """Return ``content`` as strict JSON text, ready to be sealed as a record; raises as ``encode`` does."""
    return _unreserved(strict_json.encode_line(content))


def _unreserved(encoded: Encoded) -> Encoded:
    if RESERVED in encoded.content:
        raise UnserialisableValue(f"the key {RESERVED!r} is reserved for the seal")
    return encoded


def seal_document(encoded: Encoded, identifier: str, generation: int) -> bytes:
    """Return the bytes of a document file: readable JSON, sealed."""
    seal = _seal("document", identifier, generation, encoded.canonical)
    return encoded.readable(seal).encode("utf-8")


def seal_records(records: Sequence[Encoded], identifier: str, first: int) -> bytes:
    """Return the lines of a journal for one write of ``records``, the first of them with the number ``first``."""
    lines = []
    for number, encoded in enumerate(records, first):
        seal = _seal("record", identifier, number, encoded.canonical, first)
        lines.append(f"{encoded.canonical[:-1]}{', ' if encoded.canonical != '{}' else ''}{seal}}}\n")
    return "".join(lines).encode()


def unseal_document(raw: bytes, identifier: str, file: str) -> Unsealed:
    """Return what the document file ``raw`` holds; raises CorruptData unless its seal vouches for it."""
    return _unseal("document", raw, identifier, file, None)


def text_and_number(raw: bytes, identifier: str) -> tuple[str, int] | None:
    """Return the text of a document file and its generation, nothing of it parsed, if its seal vouches for it.

    None if it does not stand as this store writes it, which is no damage yet: ``unseal_document`` knows.
    """
    found = _standing("document", raw, identifier)
    return None if found is None else (raw.decode(), found[1])


def generation_at_end(data: bytes) -> int | None:
    """Return the number in the seal at the end of a document's ``data``, which may lack its beginning; unverified."""
    seals = list(_SEAL.finditer(data.decode("utf-8", "replace")))
    return int(seals[-1][2]) if seals and seals[-1][1] == "generation" else None


def unseal_record(raw: bytes, identifier: str, file: str, sequence: int) -> Unsealed:
    """Return the record of one journal line; raises CorruptData unless it is sealed as number ``sequence``."""
    found = sealed_record(raw, identifier, file, sequence)
    if found.number != sequence:
        raise CorruptData(identifier, file, f"record {found.number} stands where record {sequence} belongs", sequence)
    return found


def sealed_record(raw: bytes, identifier: str, file: str, line: int) -> Unsealed:
    """Return the record of the journal line number ``line``, whatever its number is; raises CorruptData."""
    return _record_as_written(raw, identifier) or _unseal("record", raw, identifier, file, line)


def reseal(raw: bytes, identifier: str, file: str, generation: int) -> bytes:
    """Return the document file ``raw``, edited by hand, with a new seal; whatever seal it has is not looked at.

    Raises CorruptData when it is not strict JSON of one object.
    """
    content, _ = _parsed(raw, identifier, file, None)
    content.pop(RESERVED, None)
    return seal_document(strict_json.encode(content), identifier, generation)


def _seal(kind: str, identifier: str, number: int, canonical: str, first: int | None = None) -> str:
    if first is None:
        first = number
    digest = _digest(kind, identifier, number, first, canonical)
    name = "generation" if kind == "document" else "sequence"
    together = "" if first == number else f'"first": {first}, '
    return f'"{RESERVED}": {{"{name}": {number}, {together}"sha256": "{digest}"}}'


def _digest(kind: str, identifier: str, number: int, first: int, canonical: str) -> str:
    numbers = number if first == number else f"{number}-{first}"
    return hashlib.sha256(f"{kind} {numbers} {identifier}\n{canonical}".encode()).hexdigest()


def _parsed(raw: bytes, identifier: str, file: str, line: int | None) -> tuple[Document, str]:
    try:
        return strict_json.decode(raw)
    except strict_json.Malformed as error:
        raise CorruptData(identifier, file, str(error), line) from None


def _as_written(kind: str, raw: bytes, identifier: str) -> Unsealed | None:
    """Return what ``raw`` holds if it stands as this store writes it, and its seal vouches for it; None if not.

    What a digest vouches for need not be encoded again to be compared.
    """
    found = _standing(kind, raw, identifier)
    try:
        return None if found is None else Unsealed(strict_json.copy_of(found[0]), *found[1:])
    except (ValueError, RecursionError) as error:
        let_out(error)
        return None


def _standing(kind: str, raw: bytes, identifier: str) -> tuple[str, int, int] | None:
    """Return the canonical text of what ``_as_written`` returns, its number and its first one, and parse nothing."""
    try:
        text = strict_json.flattened(raw.decode("utf-8"))
        start = text.rfind(f'"{RESERVED}": {{')
        seal = _SEAL.fullmatch(text, start) if start > 0 else None
        if seal is None or (seal[1] == "generation") is not (kind == "document"):
            return None
        number = int(seal[2])
        first = number if seal[3] is None else int(seal[3])
        if seal[3] is not None and (kind == "document" or first >= number):
            return None
        head = text[:start].removesuffix(", ") + "}"
        return (head, number, first) if _digest(kind, identifier, number, first, head) == seal[4] else None
    except ValueError as error:
        let_out(error)
        return None


def _record_as_written(raw: bytes, identifier: str) -> Unsealed | None:
    """``_as_written`` for the line of a journal, of which there are very many."""
    start = raw.rfind(_RECORD)
    seal = _RECORD_SEAL.fullmatch(raw, start) if start > 0 else None
    if seal is None:
        return None
    try:
        head, number = raw[:start] + b"}", int(seal[1])
        first = number if seal[2] is None else int(seal[2])
        if seal[2] is not None and first >= number:
            return None
        numbers = number if first == number else f"{number}-{first}"  # as in ``_digest``
        if hashlib.sha256(f"record {numbers} {identifier}\n".encode() + head).hexdigest().encode() != seal[3]:
            return None
        return Unsealed(strict_json.copy_of(head.decode()), number, first)
    except (ValueError, RecursionError) as error:
        let_out(error)
        return None


def _unseal(kind: str, raw: bytes, identifier: str, file: str, line: int | None) -> Unsealed:
    found = _as_written(kind, raw, identifier)
    if found is not None:
        return found
    content, canonical = _parsed(raw, identifier, file, line)
    seal = content.get(RESERVED)
    name = "generation" if kind == "document" else "sequence"
    if not isinstance(seal, dict) or next(reversed(content)) != RESERVED:
        raise CorruptData(identifier, file, "it carries no seal", line)
    number, digest = seal.get(name), seal.get("sha256")
    first = seal.get("first", number)
    if type(number) is not int or type(first) is not int or type(digest) is not str:
        raise CorruptData(identifier, file, "its seal is incomplete", line)
    if len(seal) != (2 if first == number else 3) or (first != number and (kind == "document" or first > number)):
        raise CorruptData(identifier, file, "its seal is not one of this store's", line)
    del content[RESERVED]
    # The seal is the last member: what stands before it is the canonical text of the content.
    ending = json.dumps({RESERVED: seal}, ensure_ascii=False)[1:]
    head = canonical[: -len(ending)].removesuffix(", ") + "}"
    if _digest(kind, identifier, number, first, head) != digest:
        raise CorruptData(identifier, file, "its content and its seal do not agree under this identifier", line)
    return Unsealed(content, number, first)
