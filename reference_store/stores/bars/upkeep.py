"""What people ask for when files of bars are not as the store has left them: vouching for them as they stand.

The caller holds the lock.
"""

from __future__ import annotations

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.core.directory import Found
from reference_store.errors import CorruptData
from reference_store.stores.bars import manifest as bar_manifest
from reference_store.stores.bars import parquet as bar_parquet
from reference_store.stores.bars.backups import manifest_before
from reference_store.stores.bars.manifest import BACKUP, MANIFEST, MONTH_FILE, STAGED, Manifest, MonthFile, file_name
from reference_store.stores.bars.months import settle
from reference_store.stores.bars.places import keep_evidence, regular


def reseal(directory: Directory, symbol: str, *, negative: bool, recent: bool) -> None:
    """Vouch for the month files of a symbol as they stand; raises CorruptData for one that is no month of bars.

    ``recent`` says whether the file of recent bars can be relied on.
    """
    name = keys.encode(symbol)
    found = regular(directory, symbol, MANIFEST)
    before, sound = _settled(directory, symbol, found)
    months: dict[str, MonthFile] = {}
    kinds: set[bool] = set()
    for file in sorted(directory.names()):
        if match := MONTH_FILE.fullmatch(file):
            months[match[1]], aware = _vouched(directory, symbol, match[1], before, negative=negative)
            kinds.add(aware)
    if len(kinds) > 1:
        raise CorruptData(symbol, name, "some of its dates have time zones and some have none")
    aware = kinds == {True} if kinds else before.aware
    manifest = Manifest(before.generation + 1, aware, months, before.folded if recent else 0, recent)
    directory.replace(MANIFEST, bar_manifest.dump(manifest, symbol), found, MANIFEST + BACKUP if sound else None)


def _settled(directory: Directory, symbol: str, found: Found | None) -> tuple[Manifest, bool]:
    """Return the manifest in force when nothing waits for its place any more, and whether it is sound.

    For one that is damaged or missing an empty one stands, that follows its backup.

    What had been acknowledged and not yet moved takes its place first: else the older content there would be
    vouched for. Whatever has to go stays as evidence, edits of that older content and all that a damaged manifest
    may have named.
    """
    try:
        if found is not None:
            manifest = bar_manifest.parse(found.data, symbol)
            settle(directory, symbol, manifest, evidence=True)
            return manifest, True
    except CorruptData as damage:
        keep_evidence(directory, symbol, MANIFEST, damage.reason)
    for name in directory.names():
        if name.startswith(STAGED):
            keep_evidence(directory, symbol, name, "no manifest says whether it counts")
    older = manifest_before(directory, symbol)
    if older is None:
        return Manifest(0, False, {}), False
    return Manifest(older.generation + 1, older.aware, {}, older.folded), False


def _vouched(
    directory: Directory, symbol: str, month: str, before: Manifest, *, negative: bool
) -> tuple[MonthFile, bool]:
    """Return what a manifest says about the month file as it stands, and whether its dates have time zones."""
    name = file_name(month)
    found = regular(directory, symbol, name)
    if found is None:
        raise CorruptData(symbol, name, "it is missing")
    known = before.months.get(month)
    if known is not None and known.is_content(found.data):
        return known, before.aware
    try:
        columns = bar_parquet.adopted(found.data, symbol, month, negative=negative)
    except bar_parquet.Unreadable as error:
        raise CorruptData(symbol, name, str(error)) from None
    times = columns.times()
    older = known.before if known is not None and columns.aware is before.aware else None
    generation = before.generation + 1
    return bar_manifest.describe(found.data, len(columns), times[0], times[-1], generation, older), columns.aware
