"""Which generations stay, and the removal of all others and of what only they had.

A generation is removed, durably, before its contents: after a crash each of those that can be listed is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reference_store.errors import InvalidRecord, StoreError
from reference_store.operations.backups.generations import Generation, in_order
from reference_store.operations.backups.vault import Vault, load


@dataclass(frozen=True, slots=True)
class Retention:
    """The last ``generations`` are kept, and all that are not older than ``days``; the last sound one always is."""

    generations: int = 30
    days: float | None = None

    def __post_init__(self) -> None:
        if type(self.generations) is not int or self.generations < 1:
            raise InvalidRecord("generations", "is not at least 1")
        if self.days is not None and not 0 <= self.days < 1e6:
            raise InvalidRecord("days", "is no number of days")


def prune(vault: Vault, retention: Retention, now: datetime) -> list[str]:
    """Remove the generations that need not be kept, and the contents that no other needs; return their ids.

    One that cannot be read is kept, and all contents with it: nobody knows which are its own.
    """
    ids = in_order(vault.ids())
    kept: list[Generation] = []
    going: list[str] = []
    unknown = False
    has_sound = False
    for place, name in enumerate(reversed(ids)):
        try:
            generation = load(vault, name)
        except StoreError:
            unknown = True
            continue
        last_sound = not has_sound and not generation.damaged
        has_sound |= last_sound
        if place < retention.generations or last_sound or _is_young(generation, retention, now):
            kept.append(generation)
        else:
            going.append(name)
    for name in reversed(going):
        vault.forget(name)
    if not unknown:
        needed = {entry.digest for generation in kept for entry in generation.files.values()}
        vault.discard([digest for digest in vault.contents() if digest not in needed])
    return going[::-1]


def _is_young(generation: Generation, retention: Retention, now: datetime) -> bool:
    return retention.days is not None and now - generation.made <= timedelta(days=retention.days)
