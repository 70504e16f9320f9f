"""Bars with time zones and bars without are not kept under one symbol, nor asked for by bounds of the other kind."""

from __future__ import annotations

from reference_store.errors import InvalidRecord, shown
from reference_store.stores.bars.columns import Columns
from reference_store.stores.bars.manifest import Manifest
from reference_store.stores.bars.recent import Recent


def go_together(first: Columns, second: Columns) -> bool:
    """Say whether two lots of bars can be kept together."""
    return first.aware is second.aware


def refuse_mixture(field: str, symbol: str, manifest: Manifest, recent: Recent | None, *, aware: bool) -> None:
    """Raise InvalidRecord for ``field`` when a symbol has bars of the other kind."""
    waiting = recent.aware(symbol, manifest.folded) if recent is not None and manifest.recent else None
    known = manifest.aware if manifest.months else waiting
    if known is not None and known is not aware:
        here, there = ("a", "none") if aware else ("no", "one")
        raise InvalidRecord(field, f"has {here} time zone, while the dates of {shown(symbol)} have {there}")
