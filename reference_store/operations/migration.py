"""Brings the documents of a store up to the current version of its schema; those that cannot be are told, and stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reference_store.core.document_files import DocumentFiles
from reference_store.errors import StoreError


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of the documents: the keys that were ``migrated``, those that were ``current``, and why others stay.

    ``failed`` has pairs of a key and what was raised: CorruptData, NewerRecord, MigrationError, LockTimeout.
    """

    migrated: tuple[str, ...]
    current: tuple[str, ...]
    failed: tuple[tuple[str, StoreError], ...]


def migrate_all(files: DocumentFiles, keys: Iterable[str]) -> Migrated:
    """Migrate the documents of ``keys``, each by itself: a crash leaves some of them migrated, and none half."""
    return migrated_of(lambda key: files.migrate("migrate", key), lambda key: files.read("migrate", key), keys)


def migrated_of(migrate: Callable[[str], bool], read: Callable[[str], object], keys: Iterable[str]) -> Migrated:
    """Do the same by ``migrate``, which says whether a document was of an older version, and ``read``."""
    migrated, current, failed = [], [], []
    for key in keys:
        try:
            if migrate(key):
                migrated.append(key)
            else:
                read(key)
                current.append(key)
        except StoreError as error:
            failed.append((key, error))
    return Migrated(tuple(migrated), tuple(current), tuple(failed))
