"""Moves recent bars into the files of their months; they count there once the manifest names the new content."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from reference_store.core import keys
from reference_store.core.atomic import Directory
from reference_store.errors import CorruptData
from reference_store.stores.bars.columns import by_month
from reference_store.stores.bars.months import publish
from reference_store.stores.bars.places import child
from reference_store.stores.bars.recent import Recent
from reference_store.stores.bars.snapshots import Snapshots


def symbols_by_need(recent: Recent, most: int) -> list[tuple[str, int]]:
    """Return the symbols that make room when they are folded and how many bars each has, those with most first.

    None if the file has at most ``most`` bytes.
    """
    if recent.size <= most:
        return []
    rows: dict[str, int] = {}
    for line in recent.lines:
        for symbol, bars in line.bars.items():
            rows[symbol] = rows.get(symbol, 0) + len(bars)
    return [(symbol, rows[symbol]) for symbol in sorted(rows, key=rows.__getitem__, reverse=True)]


def into_months(snapshots: Snapshots, root: Directory, recent: Recent, symbol: str) -> None:
    """Move the recent bars of a symbol into its months, durably; their lines stay for whoever clears them."""
    try:
        directory = child(root, symbol, keys.encode(symbol))
    except FileNotFoundError:
        return  # somebody has taken all of it away
    manifest = snapshots.manifest(directory, symbol, waiting=True)
    if manifest is None or not manifest.recent:
        return  # given up
    waiting = recent.of(symbol, manifest.folded)
    if waiting is None:
        directory.sync()  # whoever folded them may have died before that
    else:
        manifest, months = replace(manifest, aware=waiting.aware), dict(by_month(waiting))
        publish(directory, symbol, manifest, months, folded=recent.newest(symbol), recent=True)


def folded_up_to(snapshots: Snapshots, root: Directory, symbol: str) -> int | None:
    """Return the number up to which the lines of a symbol are in its months; None if its manifest is damaged."""
    try:
        with closing(child(root, symbol, keys.encode(symbol))) as directory:
            manifest = snapshots.manifest(directory, symbol)
    except FileNotFoundError:
        return 0
    except CorruptData:
        return None
    return 0 if manifest is None else manifest.folded
