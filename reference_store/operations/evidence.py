"""Puts what was kept of a document or a log, as evidence or as its version before a migration, in its place again.

Only what a store would read is put back. What stood there is kept as evidence first, so that this can be undone.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress

from reference_store.core import integrity
from reference_store.core.atomic import Directory
from reference_store.core.directory import Found
from reference_store.core.document_files import BACKUP, SUFFIX
from reference_store.core.document_reading import regular
from reference_store.core.root import LOCK_TIMEOUT, Root
from reference_store.errors import CorruptData, InvalidRecord
from reference_store.operations.inspection import log_in, opened, unsealed
from reference_store.stores.journal_files import SUFFIX as LOG

_KEPT = re.compile(r"\.(?:damaged|version-[0-9.]{1,20})-(?:[0-9a-f]{12}|inode[0-9]+)-(.+)")


def name_of(evidence: str) -> str | None:
    """The name of the file of which something was kept under the name ``evidence``; None for other names."""
    found = _KEPT.fullmatch(evidence)
    return found[1] if found else None


def restore_evidence(path: str) -> str:
    """Put the file ``path`` in place of the one that it was kept of, durably, and return the name of that.

    A document gets the next generation. Raises InvalidRecord for what is no evidence of a document or a log,
    CorruptData if a store would refuse it, LockTimeout and StorageFailure.
    """
    parent, kept = os.path.split(path)
    name = name_of(kept)
    if name is None or not name.endswith((SUFFIX, LOG)) or name.startswith("."):
        raise InvalidRecord("the file", "is no evidence of a document or a log: restore a backup, or salvage")
    directory = opened(parent or ".")
    if name.endswith(SUFFIX) and directory.has(f".{name.removesuffix(SUFFIX)}.changes.jsonl"):
        raise InvalidRecord("the file", "has a log of changes beside it, which goes on from another: restore a backup")
    root = Root(directory, LOCK_TIMEOUT)
    try:
        root.alone("restore", kept, lambda held: _put(held, kept, name))
    finally:
        root.close()
    return name


def _put(directory: Directory, kept: str, name: str) -> None:
    stem = name.removesuffix(SUFFIX)
    found = regular(directory, name, kept)
    if found is None:
        raise CorruptData(kept, kept, "there is no such file")
    data = found.data
    if name.endswith(SUFFIX):
        identifier, _ = unsealed(data, stem, name)
        newest = max(_generation(directory, stem, each) for each in (kept, name, stem + BACKUP))
        data = integrity.reseal(data, identifier, name, newest + 1)
    else:
        log_in(directory, kept, name)
    there = _present(directory, name)
    if there is not None:
        directory.preserve(name, there.data)
    directory.replace(name, data, None)


def _present(directory: Directory, name: str) -> Found | None:
    try:
        return regular(directory, name, name)
    except CorruptData:
        directory.preserve(name, None)
        return None


def _generation(directory: Directory, stem: str, name: str) -> int:
    with suppress(CorruptData):
        found = regular(directory, stem, name)
        if found is not None:
            return unsealed(found.data, stem, name)[1].number
    return 0
