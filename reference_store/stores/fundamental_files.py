"""All that was recorded about a company: the newest versions in a sealed JSON file for each symbol, older ones beside.

``<symbol>.json`` is rewritten at each addition, and so it does not grow: what it has moves to archives before it
outgrows its bound, but for the version with the latest timestamp if there is room for that. An archive is durable
before ``<symbol>.json`` names it, and removed only when neither that nor its backup does.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from reference_store.core import integrity, keys
from reference_store.core.atomic import Directory
from reference_store.core.by_key import ByKey
from reference_store.core.document_files import BACKUP, LARGEST, SUFFIX, DocumentFiles
from reference_store.core.document_reading import regular
from reference_store.core.group_commit import GroupCommit, Take
from reference_store.core.records import from_json, to_json
from reference_store.core.root import Place
from reference_store.core.signals import let_out
from reference_store.core.strict_json import Document
from reference_store.errors import CorruptData, InvalidRecord, UnserialisableValue
from reference_store.models import FundamentalData
from reference_store.stores import fundamental_archive as archives
from reference_store.stores.fundamental_archive import OUTGROWN, VERSIONS, Archive, Gone, listed, moment

_EARLIER = "earlier"


@dataclass(frozen=True, slots=True)
class _Known:
    """What ``<symbol>.json`` says: versions in the order in which they were written, and the archives before them."""

    versions: list[Document]
    earlier: list[Archive]

    def naive(self) -> bool:
        return moment(self.versions[0]).tzinfo is None


class FundamentalFiles(DocumentFiles):
    """``{"symbol": ..., "versions": [...]}`` in ``<symbol>.json``, and ``"earlier"``, the index of archives, if any."""

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
        return self.root.group(partial(self._add_all, symbol), _go_together, lambda _: ("write_fundamental", symbol))

    def _add_all(self, symbol: str, first: Document, take: Take[Document]) -> None:
        name = keys.encode(symbol)
        with self.root.updating("write_fundamental", symbol) as directory:
            known = self._known(directory, symbol, name)
            if known is not None and known.naive() is not (moment(first).tzinfo is None):
                raise InvalidRecord("timestamp", "has a time zone while others of the symbol have none, or the reverse")
            new = [ticket.change for ticket in take()]
            old = known or _Known([], [])
            grown = _Known([*old.versions, *new], old.earlier)
            if old.versions and _length(symbol, grown) > OUTGROWN:
                grown = _moved_out(directory, symbol, old, new)
            self._publish(directory, symbol, grown, BACKUP)

    def _publish(self, directory: Directory, symbol: str, known: _Known, backup: str | None) -> None:
        name = keys.encode(symbol)
        previous, generation = self._previous(directory, symbol, name)
        sealed = integrity.seal_document(integrity.encode(_content(symbol, known)), symbol, generation + 1)
        if len(sealed) > LARGEST:
            raise UnserialisableValue(f"a document of {len(sealed)} bytes, {LARGEST} is the limit")
        directory.replace(name + SUFFIX, sealed, previous, backup and name + backup)

    def latest(self, operation: str, symbol: str, as_of: datetime | None) -> FundamentalData | None:
        """Return the version with the latest timestamp, not after ``as_of``; of equal ones the one written last."""
        missed: Document | None = None
        while True:
            content = self.read(operation, symbol)
            if content is None:
                return None
            known = _parsed(content, symbol)
            if as_of is not None and known.naive() is not (as_of.tzinfo is None):
                raise InvalidRecord("as_of", "has a time zone while the timestamps have none, or the reverse")
            try:
                with self.root.reading(operation, symbol) as directory:
                    found = _latest(directory, symbol, known, as_of)
            except Gone:
                # Pruned since the index was read, unless the index is still the same.
                if content == missed:
                    raise CorruptData(
                        symbol, keys.encode(symbol) + SUFFIX, "an archive that it names is lost"
                    ) from None
                missed = content
                continue
            return None if found is None else from_json(FundamentalData, found, symbol, keys.encode(symbol) + SUFFIX)

    def versions(self, operation: str, symbol: str) -> list[Document]:
        """Return all versions in the order of their timestamps, those at the same time in that of their writes."""
        content = self.read(operation, symbol)
        if content is None:
            return []
        known = _parsed(content, symbol)
        found: list[Document] = []
        try:
            with self.root.reading(operation, symbol) as directory:
                for archive in known.earlier:
                    found += archives.read(directory, symbol, archive)
        except Gone:
            raise CorruptData(symbol, keys.encode(symbol) + SUFFIX, "an archive that it names is lost") from None
        return sorted([*found, *known.versions], key=moment)

    def prune(self, operation: str, symbol: str, before: datetime) -> int:
        """Remove the versions older than the one in force at ``before``, and say how many; what is left is durable.

        No answer for a time from ``before`` on changes. The backup goes too: it has what is to go.
        """
        name = keys.encode(symbol)

        def prune(directory: Directory) -> int:
            known = self._known(directory, symbol, name)
            if known is None:
                return 0
            if known.naive() is not (before.tzinfo is None):
                raise InvalidRecord("before", "has a time zone while the timestamps have none, or the reverse")
            try:
                found = _latest(directory, symbol, known, before)
                kept, count = known, 0
                if found is not None:
                    kept, count = _without_older(directory, symbol, known, moment(found))
            except Gone:
                raise CorruptData(symbol, name + SUFFIX, "an archive that it names is lost") from None
            if count:
                directory.sync()  # the archives made here must be durable before they are named
                self._publish(directory, symbol, kept, None)
                directory.remove(name + BACKUP)  # durable before anything that it names goes
            with suppress(CorruptData):  # a damaged backup may name any of them
                archives.clear(directory, symbol, [*kept.earlier, *_named_by_backup(directory, symbol)])
            return count

        return self.root.alone(operation, symbol, prune)

    def _known(self, directory: Directory, symbol: str, name: str) -> _Known | None:
        try:
            found = regular(directory, symbol, name + SUFFIX)
            if found is not None:
                return _parsed(integrity.unseal_document(found.data, symbol, name + SUFFIX).content, symbol)
            lost = self._lost(directory, symbol, name)
            return None if lost is None else _parsed(lost[1].content, symbol)
        except CorruptData as damage:
            return _parsed(self._from_backup(directory, symbol, name, damage)[0].content, symbol)


def _go_together(first: Document, second: Document) -> bool:
    return (moment(first).tzinfo is None) is (moment(second).tzinfo is None)


def _content(symbol: str, known: _Known) -> Document:
    content: Document = {"symbol": symbol, VERSIONS: known.versions}
    if known.earlier:
        content[_EARLIER] = [archive.entry() for archive in known.earlier]
    return content


def _length(symbol: str, known: _Known) -> int:
    return len(integrity.encode(_content(symbol, _Known(known.versions, []))).canonical)


def _parsed(content: Document, symbol: str) -> _Known:
    file = keys.encode(symbol) + SUFFIX
    versions = listed(content, symbol, file)
    try:
        return _Known(versions, [Archive.of(entry) for entry in content.get(_EARLIER, [])])
    except (KeyError, TypeError, ValueError) as error:
        let_out(error)
        raise CorruptData(symbol, file, "its index of earlier versions is none") from None


def _moved_out(directory: Directory, symbol: str, old: _Known, new: list[Document]) -> _Known:
    """Move versions to archives: all but the new ones, and the one with the latest timestamp if there is room."""
    latest = max(range(len(old.versions)), key=lambda number: (moment(old.versions[number]), number))
    staying = _Known([old.versions[latest], *new], [])
    moving = [version for number, version in enumerate(old.versions) if number != latest]
    if _length(symbol, staying) > OUTGROWN:
        staying, moving = _Known(new, []), old.versions
    if not moving:
        return _Known(staying.versions, old.earlier)
    made = archives.move_out(directory, symbol, moving)
    directory.sync()  # before the index: it must not name what a power loss can take away
    return _Known(staying.versions, [*old.earlier, *made])


def _latest(directory: Directory, symbol: str, known: _Known, as_of: datetime | None) -> Document | None:
    """Return the latest version not after ``as_of``, having read only the archives that can have it."""
    found = _latest_of(known.versions, as_of)
    for archive in reversed(known.earlier):
        if as_of is not None and archive.first > as_of:
            continue
        if found is not None and moment(found) >= (archive.last if as_of is None else min(archive.last, as_of)):
            continue
        other = _latest_of(archives.read(directory, symbol, archive), as_of)
        if found is None or (other is not None and moment(other) > moment(found)):
            found = other
    return found


def _latest_of(versions: list[Document], as_of: datetime | None) -> Document | None:
    latest: Document | None = None
    for version in versions:
        if (as_of is None or moment(version) <= as_of) and (latest is None or moment(version) >= moment(latest)):
            latest = version
    return latest


def _without_older(directory: Directory, symbol: str, known: _Known, first: datetime) -> tuple[_Known, int]:
    """Return what is left without the versions before ``first``, and how many those are."""
    earlier: list[Archive] = []
    count = 0
    for archive in known.earlier:
        if archive.first >= first:
            earlier.append(archive)
            continue
        left: list[Document] = []
        if archive.last >= first:
            left = [version for version in archives.read(directory, symbol, archive) if moment(version) >= first]
            earlier += archives.move_out(directory, symbol, left)
        count += archive.count - len(left)
    versions = [version for version in known.versions if moment(version) >= first]
    # The file is never without a version: nobody could tell what kind of times it has.
    versions = versions or known.versions[-1:]
    return _Known(versions, earlier), count + len(known.versions) - len(versions)


def _named_by_backup(directory: Directory, symbol: str) -> list[Archive]:
    file = keys.encode(symbol) + BACKUP
    found = regular(directory, symbol, file)
    return [] if found is None else _parsed(integrity.unseal_document(found.data, symbol, file).content, symbol).earlier
