"""All that was ever recorded about a company, one sealed JSON file for each symbol, every version kept."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from reference_store.core import integrity, keys
from reference_store.core.atomic import Directory
from reference_store.core.document_files import BACKUP, LARGEST, SUFFIX, DocumentFiles, regular
from reference_store.core.group_commit import ByKey, GroupCommit, Take
from reference_store.core.records import from_json, to_json
from reference_store.core.root import Place
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, UnserialisableValue
from reference_store.models import FundamentalData

_VERSIONS = "versions"


class FundamentalFiles(DocumentFiles):
    """``{"symbol": ..., "versions": [...]}`` in ``<symbol>.json``: versions in the order in which they were written."""

    def __init__(self, root: Place, lock_timeout: float) -> None:
        super().__init__(root, lock_timeout)
        self._additions: ByKey[GroupCommit[Document]] = ByKey(self._additions_to)

    def add(self, symbol: str, data: FundamentalData) -> None:
        """Add a version, durably; raises as DocumentFiles.write does, and CorruptData rather than lose the others."""
        keys.encode(symbol)
        if data.symbol != symbol:
            raise InvalidRecord("symbol", "is not the one that the data is written for")
        version = integrity.encode_record(to_json(data)).content  # refused before anything is locked
        self._additions[symbol].commit(version)

    def _additions_to(self, symbol: str) -> GroupCommit[Document]:
        return GroupCommit(partial(self._add_all, symbol), self._lock_timeout, self.root.path, _go_together)

    def _add_all(self, symbol: str, first: Document, take: Take[Document]) -> None:
        name = keys.encode(symbol)
        with self.root.updating("write_fundamental", symbol) as directory:
            versions = self._versions(directory, symbol, name)
            if versions and not _go_together(versions[0], first):
                raise InvalidRecord("timestamp", "has a time zone while others of the symbol have none, or the reverse")
            versions += [ticket.change for ticket in take()]
            content = integrity.encode({"symbol": symbol, _VERSIONS: versions})
            previous, generation = self._previous(directory, symbol, name)
            sealed = integrity.seal_document(content, symbol, generation + 1)
            if len(sealed) > LARGEST:
                raise UnserialisableValue(f"a document of {len(sealed)} bytes, {LARGEST} is the limit")
            directory.replace(name + SUFFIX, sealed, previous, name + BACKUP)

    def latest(self, operation: str, symbol: str, as_of: datetime | None) -> FundamentalData | None:
        """Return the version with the latest timestamp, not after ``as_of``; of equal ones the one written last."""
        content = self.read(operation, symbol)
        if content is None:
            return None
        versions = _listed(content, symbol)
        if as_of is not None and versions and (_moment(versions[0]).tzinfo is None) is not (as_of.tzinfo is None):
            raise InvalidRecord("as_of", "has a time zone while the timestamps have none, or the reverse")
        latest: Document | None = None
        for version in versions:
            moment = _moment(version)
            if (as_of is None or moment <= as_of) and (latest is None or moment >= _moment(latest)):
                latest = version
        return None if latest is None else from_json(FundamentalData, latest, symbol, keys.encode(symbol) + SUFFIX)

    def _versions(self, directory: Directory, symbol: str, name: str) -> list[Document]:
        try:
            found = regular(directory, symbol, name + SUFFIX)
            if found is not None:
                return _listed(integrity.unseal_document(found.data, symbol, name + SUFFIX).content, symbol)
            lost = self._lost(directory, symbol, name)
            return [] if lost is None else _listed(lost[1].content, symbol)
        except CorruptData as damage:
            return _listed(self._from_backup(directory, symbol, name, damage).content, symbol)


def _go_together(first: Document, second: Document) -> bool:
    return (_moment(first).tzinfo is None) is (_moment(second).tzinfo is None)


def _listed(content: Document, symbol: str) -> list[Document]:
    versions = content.get(_VERSIONS)
    if not isinstance(versions, list) or not versions or not all(map(_is_version, versions)):
        raise CorruptData(symbol, keys.encode(symbol) + SUFFIX, "it holds no list of versions")
    return versions


def _is_version(version: object) -> bool:
    try:
        return isinstance(version, dict) and _moment(version) is not None
    except (KeyError, TypeError, ValueError):
        return False


def _moment(version: Document) -> datetime:
    return datetime.fromisoformat(version["timestamp"])
