"""Changes of a symbol's months: staged beside them, in force with the manifest that names them, then moved into place.

Why each step stands where it stands: ``docs/decisions/0121-multi-file-writes.md``. The caller holds the lock.
"""

from __future__ import annotations

from collections.abc import Mapping

from reference_store.core.access import Access
from reference_store.core.atomic import FILE_MODE, TEMPORARY, Directory, NotPinned
from reference_store.errors import InvalidRecord
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars import parquet as bar_parquet
from reference_store.stores.bars.columns import Columns, merged
from reference_store.stores.bars.manifest import MANIFEST, STAGED, Manifest, MonthFile, file_name, staged_name
from reference_store.stores.bars.places import (
    LARGEST,
    Moved,
    content,
    decoded,
    keep_evidence,
    move_into_place,
    regular,
)


def publish(
    directory: Directory,
    symbol: str,
    manifest: Manifest,
    changes: Mapping[str, Columns],
    *,
    folded: int,
    recent: bool,
    replacing: bool = False,
) -> None:
    """Add bars to months, all or none, durably; with ``replacing`` they take the place of all that the months have.

    A month that is replaced by no bars is removed.
    """
    settle(directory, manifest)
    staged: dict[str, MonthFile] = {}
    months, removed = dict(manifest.months), []
    try:
        for month, bars in changes.items():
            if len(bars):
                known = manifest.months.get(month)
                staged[month] = months[month] = _stage(directory, symbol, month, known, bars, replacing=replacing)
            else:
                del months[month]
                removed.append(month)
        directory.sync()  # before the manifest: it must not name what a power loss can take away
        after = Manifest(manifest.generation + 1, manifest.aware, months, folded, recent, tuple(removed))
        previous = regular(directory, symbol, MANIFEST)
        # All months change here, together; durable on return.
        directory.replace(MANIFEST, bar_manifest.dump(after, symbol), previous)
    except NotPinned:
        raise  # the manifest is visible, but what it replaced may come back: nothing must be moved yet
    except BaseException:
        for month, file in staged.items():
            directory.discard(staged_name(month, file))
        raise
    for month, file in staged.items():
        move_into_place(directory, symbol, month, file)
    for month in removed:
        directory.discard(file_name(month))


def settle(directory: Directory, manifest: Manifest, keep: str | None = None) -> None:
    """Finish what a writer that died had begun to move or remove, and clear away what it had only staged.

    ``keep`` is the symbol if what has to go for it stays as evidence.
    """
    gone = {file_name(month) for month in manifest.removed}
    names = [name for name in directory.names() if name.startswith((STAGED, TEMPORARY)) or name in gone]
    if not names:
        return
    pending = {staged_name(month, file): file_name(month) for month, file in manifest.months.items()}
    directory.sync()  # the manifest may not be durable yet, and must be before its content replaces other content
    for name in names:
        if name in pending:
            if keep is not None:
                keep_evidence(directory, keep, pending[name], "newer content waited for its place")
            directory.move(name, pending[name])
        else:
            directory.discard(name)


def _stage(
    directory: Directory, symbol: str, month: str, before: MonthFile | None, bars: Columns, *, replacing: bool
) -> MonthFile:
    if before is not None:
        like: Access | None = directory.access(file_name(month))
        if not replacing:
            try:
                found = content(directory, symbol, month, before)
            except Moved as moved:  # but nobody else moves anything: the lock is held
                raise moved.damage from None
            like = found.access
            bars = merged(decoded(symbol, month, found.data, aware=bars.aware), bars)
    else:
        like = directory.access(file_name(month))
        keep_evidence(directory, symbol, file_name(month), "it was not written by this store")
    data = bar_parquet.encode(symbol, bars)
    if len(data) > LARGEST:
        raise InvalidRecord("bars", f"make a month file of {len(data)} bytes, {LARGEST} is the limit")
    times = bars.times()
    file = bar_manifest.describe(data, len(bars), times[0], times[-1])
    directory.stage(staged_name(month, file), data, FILE_MODE, like)
    return file
