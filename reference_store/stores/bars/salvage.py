"""A damaged month, and what of it can be vouched for: the row groups whose pages all have their checksums.

Where the pages stand is what the footer says, so that has to be sound too, and the file as long as it was. Nothing is
guessed: a row group with one bad page is lost, with all of its columns. The caller holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_store.core.atomic import Directory
from reference_store.errors import CorruptData
from reference_store.stores.bars import parquet as bar_parquet
from reference_store.stores.bars.backups import month_before
from reference_store.stores.bars.columns import Columns, merged, schema
from reference_store.stores.bars.manifest import Manifest, MonthFile, file_name, footer_digest
from reference_store.stores.bars.months import publish, settle
from reference_store.stores.bars.places import Moved, content, decoded, regular


@dataclass(frozen=True, slots=True)
class SalvagedMonth:
    """What became of a damaged month: how many bars were ``kept`` and how many are ``lost``, and why.

    ``older`` of those kept are from the backup, and are as they were before the month was written last. ``evidence`` is
    the name beside it under which its bytes stay as they were found, None if the file was missing.
    """

    month: str
    kept: int
    lost: int
    reason: str
    evidence: str | None
    older: int = 0


def salvage(directory: Directory, symbol: str, manifest: Manifest) -> list[SalvagedMonth]:
    """Replace each damaged month by what of it can be vouched for, all of them or none, durably; say what is lost."""
    settle(directory, symbol, manifest)
    left: dict[str, Columns] = {}
    reports: list[SalvagedMonth] = []
    for month, file in sorted(manifest.months.items()):
        try:
            content(directory, symbol, month, file)
        except Moved as moved:
            sound, evidence = _rest(directory, symbol, month, file, aware=manifest.aware)
            before = month_before(directory, symbol, month, file)
            older = None if before is None else decoded(symbol, month, before[0], aware=manifest.aware)
            left[month] = sound if older is None else merged(older, sound)
            kept = len(left[month])
            lost = max(file.rows - kept, 0)
            reports.append(SalvagedMonth(month, kept, lost, moved.damage.reason, evidence, kept - len(sound)))
    if left:
        folded, recent = manifest.folded, manifest.recent
        publish(directory, symbol, manifest, left, folded=folded, recent=recent, replacing=True)
    return reports


def _rest(directory: Directory, symbol: str, month: str, file: MonthFile, *, aware: bool) -> tuple[Columns, str | None]:
    """What can be vouched for, and the name of the evidence, which is durable."""
    name = file_name(month)
    nothing = Columns(schema(aware=aware).remove(0).empty_table(), [] if aware else None)
    try:
        found = regular(directory, symbol, name)
    except CorruptData:
        return nothing, directory.preserve(name, None)
    if found is None:
        return nothing, None
    evidence = directory.preserve(name, found.data)
    if len(found.data) != file.size or (file.footer and footer_digest(found.data) != file.footer):
        return nothing, evidence
    return bar_parquet.sound_groups(found.data, month, aware=aware) or nothing, evidence
