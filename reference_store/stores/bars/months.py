"""Changes of a symbol's months: staged beside them, in force with the manifest that names them, then moved into place.

Why each step stands where it stands: ``docs/decisions/0121-multi-file-writes.md``. The caller holds the lock.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from reference_store.core.access import Access
from reference_store.core.atomic import FILE_MODE, TEMPORARY, Directory
from reference_store.errors import InvalidRecord, StoreError, hint_for, shown
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars import parquet as bar_parquet
from reference_store.stores.bars.backups import keep_month
from reference_store.stores.bars.columns import Columns, merged
from reference_store.stores.bars.manifest import (
    BACKUP,
    MANIFEST,
    STAGED,
    Manifest,
    MonthFile,
    file_name,
    staged_name,
)
from reference_store.stores.bars.places import (
    LARGEST,
    Moved,
    content,
    decoded,
    keep_evidence,
    regular,
)

_log = logging.getLogger("reference_store")


def publish(
    directory: Directory,
    symbol: str,
    manifest: Manifest,
    changes: Mapping[str, Columns],
    *,
    folded: int,
    recent: bool,
    replacing: bool = False,
    forgetting: bool = False,
) -> None:
    """Add bars to months, all or none, durably; what they are added to stays as the backup.

    With ``replacing`` they take the place of what the months have, which is damaged; the backup that there is stays.
    With ``forgetting`` they take its place too, and no backup has it afterwards. A month replaced by none is removed.
    """
    settle(directory, symbol, manifest)
    generation = manifest.generation + 1
    staged: dict[str, MonthFile] = {}
    inodes: dict[str, int | None] = {}
    months, removed = dict(manifest.months), []
    try:
        for month, bars in changes.items():
            if len(bars):
                known = manifest.months.get(month)
                whole = replacing or forgetting
                file, inodes[month] = _stage(directory, symbol, month, known, bars, generation, replacing=whole)
                staged[month] = months[month] = replace(file, before=None) if forgetting else file
            else:
                del months[month]
                removed.append(month)
        if forgetting:
            directory.unlink(MANIFEST + BACKUP)  # pinned by the next sync: before the call is acknowledged
        directory.sync()  # before the manifest: it must not name what a power loss can take away
        after = Manifest(generation, manifest.aware, months, folded, recent, tuple(removed))
        previous = regular(directory, symbol, MANIFEST)
        if previous is not None:
            bar_manifest.parse(previous.data, symbol)  # what is damaged never takes the place of a good backup
        # All months change here, together; durable on return.
        backup = None if forgetting else MANIFEST + BACKUP
        directory.replace(MANIFEST, bar_manifest.dump(after, symbol), previous, backup)
    except (OSError, StoreError):
        # Anything else may have come when the manifest was in force, which names what was staged. NotPinned says that
        # it is, and that what it replaced may come back: nothing must be moved yet.
        for month, file in staged.items():
            directory.discard(staged_name(month, file))
        raise
    for month, file in staged.items():
        try:
            _move(directory, symbol, month, file, inodes[month])
        except OSError as error:
            # The write counts, and readers here find it; the next writer tries again.
            hint = hint_for(error)
            _log.warning("%s: the new %r cannot take its place: %s%s", shown(symbol), month, error.strerror, hint)
    for month in removed:
        directory.discard(file_name(month))
    for month in changes if forgetting else ():
        directory.discard(file_name(month) + BACKUP)  # no manifest names it


def without(
    directory: Directory, symbol: str, manifest: Manifest, first: int, last: int
) -> tuple[dict[str, Columns], int]:
    """What is left of each month that has bars from ``first`` to ``last`` without these, and how many those are."""
    left: dict[str, Columns] = {}
    count = 0
    for month in manifest.overlapping(first, last):
        try:
            data = content(directory, symbol, month, manifest.months[month]).data
        except Moved as moved:
            raise moved.damage from None
        bars = decoded(symbol, month, data, aware=manifest.aware)
        removed = len(bars.between(first, last))
        if removed:
            left[month] = bars.without(first, last)
            count += removed
    return left, count


def _move(directory: Directory, symbol: str, month: str, file: MonthFile, inode: int | None = None) -> None:
    """Give the staged content of a month its place, where readers of other make look, and keep what was there."""
    keep_month(directory, symbol, month, file, inode)
    directory.move(staged_name(month, file), file_name(month))


def settle(directory: Directory, symbol: str, manifest: Manifest, *, evidence: bool = False) -> None:
    """Finish what a writer that died had begun to move or remove, and clear away what it had only staged.

    With ``evidence`` what has to go for it stays.
    """
    gone = {file_name(month) + suffix for month in manifest.removed for suffix in ("", BACKUP)}
    names = [name for name in directory.names() if name.startswith((STAGED, TEMPORARY)) or name in gone]
    if not names:
        return
    pending = {staged_name(month, file): (month, file) for month, file in manifest.months.items()}
    directory.sync()  # the manifest may not be durable yet, and must be before its content replaces other content
    for name in names:
        if name in pending:
            month, file = pending[name]
            if evidence:
                keep_evidence(directory, symbol, file_name(month), "newer content waited for its place")
            _move(directory, symbol, month, file)
        else:
            directory.discard(name)


def _stage(
    directory: Directory,
    symbol: str,
    month: str,
    before: MonthFile | None,
    bars: Columns,
    generation: int,
    *,
    replacing: bool,
) -> tuple[MonthFile, int | None]:
    """Write the new content of a month beside it; with it comes the number of the file that has the one before."""
    inode = None
    if before is not None:
        like: Access | None = directory.access(file_name(month))
        if not replacing:
            try:
                found = content(directory, symbol, month, before)
            except Moved as moved:  # but nobody else moves anything: the lock is held
                raise moved.damage from None
            like, inode = found.access, found.inode
            bars = merged(decoded(symbol, month, found.data, aware=bars.aware), bars)
    else:
        like = directory.access(file_name(month))
        keep_evidence(directory, symbol, file_name(month), "it was not written by this store")
    data = bar_parquet.encode(symbol, bars)
    if len(data) > LARGEST:
        raise InvalidRecord("bars", f"make a month file of {len(data)} bytes, {LARGEST} is the limit")
    times = bars.times()
    # What is replaced is no backup, but the one that there is stays.
    older = before.before if before is not None and replacing else before
    file = bar_manifest.describe(data, len(bars), times[0], times[-1], generation, older)
    directory.stage(staged_name(month, file), data, FILE_MODE, like)
    return file, inode
