"""Looks at every file below a directory of stores, and says which are what was acknowledged; it changes nothing.

No lock is taken and nothing is cleared away. What is found is told as it was at the moment when it was read, so a file
that is replaced meanwhile counts as it was or as it is. Not looked at: what waits beside a file in another whose name
begins with a dot (the last changes of jobs and runs, the newest bars, older versions of company data); their stores do.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from reference_store.core import integrity, keys
from reference_store.core.atomic import DAMAGED, Directory
from reference_store.core.directory import DIRECTORY
from reference_store.core.document_files import BACKUP, SUFFIX
from reference_store.core.document_reading import regular
from reference_store.core.integrity import RESERVED, Unsealed
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, InvalidIdentifier, StorageFailure, StoreError
from reference_store.stores.bars import manifest
from reference_store.stores.bot.cache_files import cache_key
from reference_store.stores.bot.sealed_kinds import SealedKind, sealed_kind
from reference_store.stores.journal_ends import place_behind
from reference_store.stores.journal_files import SUFFIX as LOG
from reference_store.stores.journal_files import opened_log
from reference_store.stores.journal_lines import LogFile, Walk
from reference_store.stores.record_identity import RECORDS, identity_of
from reference_store.stores.single import file_stem

_PIECE = 1 << 20
RECENT = 2_000_000_000
"""Nanoseconds: a file that was changed so short a time ago can change again and show no other time."""


class State(StrEnum):
    """What a file is: sound, damaged, kept as evidence of damage, or none of ours."""

    SOUND = "sound"
    DAMAGED = "damaged"
    EVIDENCE = "evidence"
    FOREIGN = "foreign"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One file, by its path below the directory: what it is, what it holds, and what is wrong with it."""

    file: str
    kind: str
    state: State
    reason: str = ""
    records: int | None = None


def opened(root: str) -> Directory:
    """Open a directory that is there; raises StorageFailure if it is not. Nothing is made."""
    try:
        return Directory(os.open(root, DIRECTORY), root)
    except (OSError, ValueError) as error:
        let_out(error)
        cause = error if isinstance(error, OSError) else OSError(22, "it is no path")
        raise StorageFailure("open", root, cause) from error


Known = dict[str, tuple[tuple[int, ...], Finding]]
"""What was found of logs, by their paths, and the marks that each had before it was read."""


def inspect(root: str, known: Known | None = None) -> Iterator[Finding]:
    """Yield what is found of each file below ``root``, directory by directory; links are not followed.

    A log that is ``known``, and has not changed since, is not read again; what is found of the others is noted there.
    """
    yield from _inspect(opened(root), "", {} if known is None else known)


def changed(about: os.stat_result) -> int:
    """When a file was changed last, in nanoseconds."""
    return max(about.st_mtime_ns, about.st_ctime_ns)


def marks(about: os.stat_result) -> tuple[int, ...]:
    """What cannot stay the same when a file is changed or replaced, unless that comes at the very same moment."""
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_mode


def _inspect(directory: Directory, path: str, known: Known) -> Iterator[Finding]:
    names = set(directory.names())
    for name in sorted(names):
        try:
            about, started = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False), time.time_ns()
            if stat.S_ISDIR(about.st_mode):
                yield from _inspect(directory.child(name), f"{path}{name}/", known)
                continue
            there = known.get(path + name)
            if there is not None and there[0] == marks(about):
                yield there[1]
                continue
            for found in _file(directory, path, name, names):
                if found.kind == "log" and changed(about) < started - RECENT:
                    known[path + name] = marks(about), found
                yield found
        except FileNotFoundError:
            continue  # replaced or removed meanwhile
        except (StoreError, OSError) as error:
            let_out(error)
            yield Finding(path + name, "file", State.UNREADABLE, _sentence(error))


def _file(directory: Directory, path: str, name: str, names: set[str]) -> Iterator[Finding]:
    if name.startswith(DAMAGED):
        yield Finding(path + name, "evidence", State.EVIDENCE)
    elif name == manifest.MANIFEST:
        yield from _bars(directory, path)
    elif name.startswith("."):
        return  # locks, indexes and what stands beside a file are looked at by whoever needs them
    elif name.endswith(LOG):
        yield _log(directory, path, name)
    elif (kind := sealed_kind(name)) is not None:
        yield from _sealed(directory, path, name, kind, names)
    elif name.endswith((SUFFIX, BACKUP)):
        suffix = SUFFIX if name.endswith(SUFFIX) else BACKUP
        yield _document(directory, path, name, name.removesuffix(suffix))
        if suffix == BACKUP and (file := name.removesuffix(BACKUP) + SUFFIX) not in names:
            yield Finding(path + file, "document", State.DAMAGED, "it is missing while its backup is there")
    elif not (name.endswith(manifest.SUFFIX) and manifest.MANIFEST in names):
        yield Finding(path + name, "file", State.FOREIGN)


def identifiers(stem: str) -> list[str]:
    """The keys and names whose file has this stem: that of a key, that of a single document, of a cache, or none."""
    return list(dict.fromkeys(_candidates(stem)))


def _candidates(stem: str) -> Iterator[str]:
    """Who may have a file of this stem, the likeliest first: most files need no more than that one."""
    if (key := keys.decode(stem)) is not None:
        yield key
    for name in (stem, stem.removesuffix("+")):
        with suppress(InvalidIdentifier):
            if file_stem(name) == stem:
                yield name
    if (key := cache_key(stem)) is not None:
        yield key


def unsealed(data: bytes, stem: str, file: str) -> tuple[str, Unsealed]:
    """Return whose document this is, and what it holds; raises CorruptData when nobody's seal vouches for it."""
    damage: CorruptData | None = None
    for whose, identifier in _sealed_as(stem):
        try:
            return whose, integrity.unseal_document(data, identifier, file)
        except CorruptData as error:
            damage = damage or error
    raise damage or CorruptData(stem, file, "no identifier has this file name")


def _sealed_as(stem: str) -> Iterator[tuple[str, str]]:
    for identifier in _candidates(stem):
        yield identifier, identifier
    if stem in RECORDS:
        yield stem, identity_of(stem, opened=True)


def _document(directory: Directory, path: str, name: str, stem: str) -> Finding:
    try:
        found = regular(directory, stem, name)
        if found is None:
            raise FileNotFoundError(name)
        if RESERVED.encode() not in found.data and not identifiers(stem):
            return Finding(path + name, "file", State.FOREIGN)
        unsealed(found.data, stem, name)
    except CorruptData as damage:
        return Finding(path + name, "document", State.DAMAGED, damage.reason)
    return Finding(path + name, "document", State.SOUND)


def _sealed(directory: Directory, path: str, name: str, kind: SealedKind, names: set[str]) -> Iterator[Finding]:
    try:
        found = regular(directory, kind.key, name)
        if found is None:
            raise FileNotFoundError(name)
        kind.check(name, found.data)
    except CorruptData as damage:
        yield Finding(path + name, kind.what, State.DAMAGED, damage.reason)
    else:
        yield Finding(path + name, kind.what, State.SOUND)
    if name != kind.key and kind.key not in names:
        yield Finding(path + kind.key, kind.what, State.DAMAGED, "it is missing while its backup is there")


def _log(directory: Directory, path: str, name: str) -> Finding:
    stream = keys.decode(name.removesuffix(LOG))
    if stream is None:
        return Finding(path + name, "file", State.FOREIGN)
    try:
        count = log_in(directory, name, name)
    except CorruptData as damage:
        where = "" if damage.line is None else f"line {damage.line}: "
        return Finding(path + name, "log", State.DAMAGED, where + damage.reason)
    return Finding(path + name, "log", State.SOUND, records=count)


def log_in(directory: Directory, file: str, name: str) -> int:
    """How many records a log has that stands in ``file`` and is called ``name``; raises CorruptData."""
    stream = keys.decode(name.removesuffix(LOG))
    if stream is None:
        raise CorruptData(name, file, "no stream has this file name")
    there = opened_log(directory, stream, file, os.O_RDONLY)
    if there is None:
        raise FileNotFoundError(file)
    try:
        log = LogFile(there[0], there[1].st_size)
        place = place_behind(log, stream, file, 0)
        return sum(1 for _entry in Walk(log, stream, file, place.sequence, place.offset))
    finally:
        os.close(there[0])


def _bars(directory: Directory, path: str) -> Iterator[Finding]:
    symbol = keys.decode(path.rstrip("/").rpartition("/")[2]) or ""
    try:
        found = regular(directory, symbol, manifest.MANIFEST)
        if found is None:
            return
        listed = manifest.parse(found.data, symbol)
    except CorruptData as damage:
        yield Finding(path + manifest.MANIFEST, "bars", State.DAMAGED, damage.reason)
        return
    yield Finding(path + manifest.MANIFEST, "bars", State.SOUND)
    for month, file in sorted(listed.months.items()):
        name = manifest.file_name(month)
        is_there = any(_digest(directory, each) == file.sha256 for each in (name, manifest.staged_name(month, file)))
        reason = "" if is_there else "it is missing, or not what was written last"
        yield Finding(path + name, "bars", State.SOUND if is_there else State.DAMAGED, reason, file.rows)


def _digest(directory: Directory, name: str) -> str:
    digest = hashlib.sha256()
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory.descriptor)
    except OSError as error:
        let_out(error)
        return ""
    try:
        while piece := os.read(descriptor, _PIECE):
            digest.update(piece)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def _sentence(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
