"""The version before: what a month, a manifest and the recent bars held before they were replaced last.

A backup is the replaced file itself under a second name, so keeping it copies nothing. What it has to be is said by the
file that replaced it: a month's by the manifest in force, by its digest; the two others are sealed. It is believed only
where the newer one is damaged or lost, and whoever is answered from it is told.
"""

from __future__ import annotations

import logging
from collections import deque

from reference_store.core.atomic import FILE_MODE, Directory
from reference_store.core.document_files import Recovery
from reference_store.errors import CorruptData, shown
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars.manifest import BACKUP, MANIFEST, Manifest, MonthFile, file_name
from reference_store.stores.bars.places import regular

_log = logging.getLogger("reference_store")


class Recoveries:
    """The reads that were answered from a backup, newest last; each is logged too."""

    def __init__(self) -> None:
        self.newest: deque[Recovery] = deque(maxlen=100)

    def note(self, symbol: str, damage: CorruptData, generation: int) -> None:
        """Tell that ``symbol`` was answered from the version of ``generation``, because of ``damage``."""
        self.newest.append(Recovery(symbol, damage.file, damage.reason, generation))
        _log.warning(
            "%s: %r is damaged (%s); answered from the backup of generation %d: salvage or reseal the bars",
            shown(symbol), damage.file, damage.reason, generation,
        )  # fmt: skip


def keep_month(directory: Directory, symbol: str, month: str, file: MonthFile, inode: int | None = None) -> None:
    """Keep what is in a month's place as its backup before ``file`` comes there, if it is the version before that.

    ``inode`` is of a file that is known to be that version; else it is read. Raises OSError.
    """
    name, before = file_name(month), file.before
    if before is None:
        return
    if inode is None or directory.inode(name) != inode:
        try:
            found = regular(directory, symbol, name)
        except CorruptData:
            return
        if found is None or not before.is_content(found.data):
            return  # what is damaged never takes the place of the last good backup
        inode = found.inode
    if directory.inode(name + BACKUP) != inode and not directory.name_too(name, name + BACKUP):
        found = regular(directory, symbol, name)
        if found is not None:
            directory.stage(name + BACKUP, found.data, FILE_MODE, found.access)


def month_before(directory: Directory, symbol: str, month: str, file: MonthFile) -> tuple[bytes, int] | None:
    """The content of a month before it became ``file``, and its generation; None if that is not to be had.

    If the backup has ``file`` itself, somebody has put an older manifest in the place of the newest: then that.
    """
    # It is still in the month's own place if its successor could not be moved there.
    for name in (file_name(month) + BACKUP, file_name(month)):
        try:
            found = regular(directory, symbol, name)
        except CorruptData:
            continue
        for version in (file, file.before):
            if found is not None and version is not None and version.is_content(found.data):
                return found.data, version.generation
    return None


def manifest_before(directory: Directory, symbol: str) -> Manifest | None:
    """The manifest before the one in force, None if that is not to be had.

    It is of the moment when it was made: bars that came later and waited beside the months are none of it.
    """
    try:
        found = regular(directory, symbol, MANIFEST + BACKUP)
        return None if found is None else bar_manifest.parse(found.data, symbol)
    except CorruptData:
        return None
