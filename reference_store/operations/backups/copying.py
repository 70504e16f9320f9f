"""Copies generations from one vault to another: what is missing there, contents first, the oldest generation first.

A copy that was broken off is gone on with by copying again: contents that have arrived are not sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from reference_store.errors import DamagedBackup, StoreError
from reference_store.operations.backups.generations import Entry, Generation, in_order
from reference_store.operations.backups.restoring import is_whole
from reference_store.operations.backups.vault import ContentChanged, Progress, Vault, load


@dataclass(frozen=True, slots=True)
class Copied:
    """The generations that are new ``there``, with how many contents and bytes of them were sent.

    ``failed`` has those that could not be copied, with what was raised.
    """

    generations: tuple[str, ...]
    contents: int
    size: int
    failed: tuple[tuple[str, StoreError], ...]


def copy(here: Vault, there: Vault, *, progress: Progress = lambda _done, _of: None) -> Copied:
    """Copy every generation that ``there`` has not; one that is damaged here is told, and stands in no other's way.

    Raises LockTimeout and StorageFailure.
    """
    copied: list[str] = []
    failed: list[tuple[str, StoreError]] = []
    sent: dict[str, int] = {}
    with here.held(), there.held():
        have = set(there.ids())
        missing = [name for name in in_order(here.ids()) if name not in have]
        known = dict(there.contents())
        for name in missing:
            try:
                generation = load(here, name)
                _send(here, there, generation, known, sent, progress)
            except StoreError as error:
                failed.append((name, error))
                continue
            there.publish(name, here.read(name))
            copied.append(name)
    return Copied(tuple(copied), len(sent), sum(sent.values()), tuple(failed))


def _send(
    here: Vault, there: Vault, generation: Generation, known: dict[str, int], sent: dict[str, int], progress: Progress
) -> None:
    wanted: dict[str, tuple[str, Entry]] = {entry.digest: (path, entry) for path, entry in generation.files.items()}
    for done, (digest, (path, entry)) in enumerate(wanted.items(), 1):
        if digest not in sent and not (known.get(digest) == entry.size and there.is_sound(digest, entry.size)):
            if not is_whole(here, digest, entry.size):
                raise DamagedBackup(generation.id, here.name, (path,))
            try:
                there.put(digest, entry.size, partial(here.pieces, digest, entry.size))
            except ContentChanged:
                raise DamagedBackup(generation.id, here.name, (path,)) from None
            sent[digest] = entry.size
        progress(done, len(wanted))
    there.settle()
