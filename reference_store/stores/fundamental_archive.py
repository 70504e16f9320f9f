"""Versions of company data that have moved out of ``<symbol>.json``: sealed files that are written once, and an index.

A file is named by its content, so that whoever writes the same versions again, after a crash for example, writes the
same file. Which of them count is what the index in ``<symbol>.json`` says, and the business of ``fundamental_files``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reference_store.core import integrity, keys
from reference_store.core.atomic import FILE_MODE, Directory
from reference_store.core.document_files import SUFFIX
from reference_store.core.document_reading import regular
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData

VERSIONS = "versions"
OUTGROWN = 256 << 10
"""Characters of JSON from which on older versions move out of ``<symbol>.json``, and of which a file here has some."""

_PREFIX = ".versions-"


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of versions: its SHA-256, how many there are, and their first and last timestamp."""

    sha256: str
    count: int
    first: datetime
    last: datetime

    def file(self, symbol: str) -> str:
        return f"{prefix(symbol)}{self.sha256[:16]}{SUFFIX}"

    def entry(self) -> Document:
        """What the index says of it."""
        times = {"first": self.first.isoformat(), "last": self.last.isoformat()}
        return {"sha256": self.sha256, "count": self.count, **times}

    @classmethod
    def of(cls, entry: Any) -> Archive:
        """The archive of an entry; raises KeyError, TypeError or ValueError for what is none."""
        first, last = datetime.fromisoformat(entry["first"]), datetime.fromisoformat(entry["last"])
        if type(entry["sha256"]) is not str or type(entry["count"]) is not int:
            raise TypeError
        return cls(entry["sha256"], entry["count"], first, last)


class Gone(Exception):  # noqa: N818 - says what is the case
    """An archive is not there: damage, unless the index that named it is of yesterday."""


def prefix(symbol: str) -> str:
    """How the names of a symbol's archives begin; a hash of the symbol, whose own name may be as long as names get."""
    return f"{_PREFIX}{hashlib.sha256(keys.encode(symbol).encode()).hexdigest()[:16]}-"


def moment(version: Document) -> datetime:
    """When a version was known."""
    return datetime.fromisoformat(version["timestamp"])


def listed(content: Document, symbol: str, file: str) -> list[Document]:
    """The versions in a document; raises CorruptData when it has none."""
    versions = content.get(VERSIONS)
    if not isinstance(versions, list) or not versions or not all(map(_is_version, versions)):
        raise CorruptData(symbol, file, "it holds no list of versions")
    return versions


def move_out(directory: Directory, symbol: str, versions: Sequence[Document]) -> list[Archive]:
    """Write versions to archives, durably but for the names, which a ``sync`` of the directory pins."""
    made = []
    like = directory.access(keys.encode(symbol) + SUFFIX)
    for part in _parts(versions):
        data = integrity.seal_document(integrity.encode({"symbol": symbol, VERSIONS: part}), symbol, 0)
        times = list(map(moment, part))
        archive = Archive(hashlib.sha256(data).hexdigest(), len(part), min(times), max(times))
        directory.stage(archive.file(symbol), data, FILE_MODE, like)
        made.append(archive)
    return made


def read(directory: Directory, symbol: str, archive: Archive) -> list[Document]:
    """Return the versions of an archive; raises Gone, and CorruptData when it is not what the index says."""
    name = archive.file(symbol)
    found = regular(directory, symbol, name)
    if found is None:
        raise Gone
    if hashlib.sha256(found.data).hexdigest() != archive.sha256:
        raise CorruptData(symbol, name, "its content is not what the index of versions says")
    return listed(integrity.unseal_document(found.data, symbol, name).content, symbol, name)


def clear(directory: Directory, symbol: str, named: Sequence[Archive]) -> None:
    """Remove archives that no index names any more."""
    keep = {archive.file(symbol) for archive in named}
    for name in directory.names():
        if name.startswith(prefix(symbol)) and name not in keep:
            directory.discard(name)


def _parts(versions: Sequence[Document]) -> Iterator[list[Document]]:
    part: list[Document] = []
    size = 0
    for version in versions:
        length = len(integrity.encode_record(version).canonical)
        if part and size + length > OUTGROWN:
            yield part
            part, size = [], 0
        part.append(version)
        size += length
    if part:
        yield part


def _is_version(version: object) -> bool:
    try:
        return isinstance(version, dict) and moment(version) is not None
    except (KeyError, TypeError, ValueError) as error:
        let_out(error)
        return False
