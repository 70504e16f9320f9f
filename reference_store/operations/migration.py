"""Brings the documents of a store up to the current version of its schema; those that cannot be are told, and stay."""

from __future__ import annotations

from collections.abc import Iterable
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
    migrated, current, failed = [], [], []
    for key in keys:
        try:
            if files.migrate("migrate", key):
                migrated.append(key)
            else:
                files.read("migrate", key)
                current.append(key)
        except StoreError as error:
            failed.append((key, error))
    return Migrated(tuple(migrated), tuple(current), tuple(failed))
