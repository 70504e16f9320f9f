"""Where the contents of a symbol's months are on the disk: in their places, or staged beside them.

Which of them count is what a manifest says, and the business of ``files``.
"""

from __future__ import annotations

import errno
import logging

from reference_store.core.atomic import Directory
from reference_store.core.descriptors import TooLarge
from reference_store.core.directory import Found, NotARegularFile
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, shown
from reference_store.stores.bars import parquet as bar_parquet
from reference_store.stores.bars.columns import Columns
from reference_store.stores.bars.manifest import MANIFEST, MONTH_FILE, MonthFile, file_name, staged_name

LARGEST = 1 << 30
"""Bytes of a month file or a manifest; more is neither written nor read."""

TAIL = 160
_log = logging.getLogger("reference_store")


class Moved(Exception):  # noqa: N818 - says what is the case
    """A month's content is not where the manifest that was read says; ``damage`` is what that means if it stays so."""

    def __init__(self, damage: CorruptData) -> None:
        self.damage = damage
        super().__init__()


def child(directory: Directory, symbol: str, name: str, *, create: bool = False) -> Directory:
    try:
        return directory.child(name, create=create)
    except OSError as error:
        let_out(error)
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise CorruptData(symbol, name, "it is not a directory") from None
        raise


def regular(directory: Directory, symbol: str, file: str) -> Found | None:
    try:
        return directory.read(file, LARGEST)
    except NotARegularFile:
        raise CorruptData(symbol, file, "it is not a regular file") from None
    except TooLarge:
        raise CorruptData(symbol, file, f"it is larger than {LARGEST} bytes") from None


def manifest_end(directory: Directory) -> tuple[int, bytes] | None:
    try:
        return directory.tail(MANIFEST, TAIL)
    except NotARegularFile:
        return None


def content(directory: Directory, symbol: str, month: str, file: MonthFile) -> Found:
    """Return the month's content, from its place or from where it was staged; raises Moved if it is in neither."""
    damage: CorruptData | None = None
    # Looked for in its place a second time: it may have been moved there just before it was looked for elsewhere.
    for name in (file_name(month), staged_name(month, file), file_name(month)):
        try:
            found = regular(directory, symbol, name)
        except CorruptData as error:
            damage = error
            continue
        if found is not None and file.is_content(found.data):
            return found
        if name == file_name(month):
            reason = "it is missing" if found is None else "its content is not what the manifest says"
            damage = CorruptData(symbol, name, reason)
    raise Moved(damage or CorruptData(symbol, file_name(month), "it is missing"))


def decoded(
    symbol: str, month: str, data: bytes, first: int | None = None, last: int | None = None, *, aware: bool
) -> Columns:
    try:
        return bar_parquet.decode(data, first, last, aware=aware)
    except bar_parquet.Unreadable as error:
        raise CorruptData(symbol, file_name(month), str(error)) from None


def keep_evidence(directory: Directory, symbol: str, name: str, reason: str) -> None:
    """Keep a file, if there is one, as evidence."""
    try:
        found = regular(directory, symbol, name)
        if found is None:
            return
        data: bytes | None = found.data
    except CorruptData:
        data = None
    evidence = directory.preserve(name, data)
    _log.warning("%s: %r is kept as %r: %s", shown(symbol), name, evidence, reason)


def month_files(directory: Directory) -> list[str]:
    return [name for name in directory.names() if MONTH_FILE.fullmatch(name)]
