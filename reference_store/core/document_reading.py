"""Reads one sealed document file, and says what it is: there, damaged, of which generation."""

from __future__ import annotations

from reference_store.core import integrity
from reference_store.core.descriptors import TooLarge
from reference_store.core.directory import Found, NotARegularFile, OpenDirectory
from reference_store.core.document_changes import LARGEST
from reference_store.core.integrity import Unsealed
from reference_store.errors import CorruptData


def regular(directory: OpenDirectory, key: str, file: str) -> Found | None:
    """Return the file, None if there is none; raises CorruptData for what is no regular file or too large."""
    try:
        return directory.read(file, LARGEST)
    except NotARegularFile:
        raise CorruptData(key, file, "it is not a regular file") from None
    except TooLarge:
        raise CorruptData(key, file, f"it is larger than {LARGEST} bytes") from None


def sound(directory: OpenDirectory, key: str, file: str) -> tuple[Found, Unsealed] | None:
    """Return the file and what its seal vouches for, None if there is none; raises CorruptData for a damaged one."""
    found = regular(directory, key, file)
    return None if found is None else (found, integrity.unseal_document(found.data, key, file))


def generation_of(directory: OpenDirectory, key: str, file: str) -> int:
    """The generation of a file: 0 when it is missing or damaged."""
    try:
        found = sound(directory, key, file)
    except CorruptData:
        return 0
    return found[1].number if found else 0


def inode_of(directory: OpenDirectory, key: str, file: str) -> int | None:
    """The number of the file that has this name now, -1 if it is no regular one, None if there is none."""
    try:
        found = regular(directory, key, file)
    except CorruptData:
        return -1
    return found.inode if found else None
