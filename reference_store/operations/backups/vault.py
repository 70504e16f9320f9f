"""What a backup asks of the place that keeps generations, wherever that is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypeAlias

from reference_store.errors import NoSuchGeneration
from reference_store.operations.backups.generations import Generation, decoded, in_order

Pieces: TypeAlias = Callable[[], Iterable[bytes]]
"""Reads a content, from its beginning, as often as it is called."""
Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many files are done, and of how many."""


class ContentChanged(Exception):  # noqa: N818 - says what is the case
    """What was to be kept is not what it was when its digest was taken."""


class Vault(Protocol):
    """Keeps contents by their digests, and generations that say which files had them.

    Whoever writes puts the contents first, settles them, and publishes the generation last: one that can be listed is
    whole. All but ``held`` is called by who holds the vault.
    """

    name: str
    """What it is called towards people; no credentials are in it."""

    def held(self) -> AbstractContextManager[None]:
        """Exclude others who change the vault, as far as it can; raises LockTimeout."""

    def ids(self) -> list[str]:
        """The generations, in no order."""

    def read(self, name: str) -> bytes:
        """The sealed document of a generation; raises NoSuchGeneration."""

    def publish(self, name: str, data: bytes) -> bool:
        """Make a generation that was not there, durably; False if there is one of this name."""

    def forget(self, name: str) -> None:
        """Remove a generation, durably."""

    def contents(self) -> Mapping[str, int]:
        """Digests and sizes (bytes) of the contents that are there, whole or not."""

    def is_sound(self, digest: str, size: int) -> bool:
        """Whether a content that is there may be relied on by a new generation."""

    def put(self, digest: str, size: int, pieces: Pieces) -> None:
        """Keep a content; raises ContentChanged if it has not this digest. Counts from ``settle`` on."""

    def settle(self) -> None:
        """Wait until all that was put is there, durable and as it was given."""

    def pieces(self, digest: str, size: int) -> Iterator[bytes]:
        """Read a content; whoever asks checks it. Raises OSError if it is not there."""

    def doubt(self, digests: Collection[str]) -> None:
        """Have contents put again that were found to be gone or damaged, by the next backup that needs them."""

    def discard(self, digests: Collection[str]) -> None:
        """Remove contents that no generation needs, now or later."""


def load(vault: Vault, name: str) -> Generation:
    """Return a generation; raises NoSuchGeneration, CorruptData and NewerRecord."""
    return decoded(vault.read(name), name)


def chosen(vault: Vault, name: str | None = None, at: datetime | None = None) -> Generation:
    """Return the generation ``name``, or the last one, or the last one that was made not later than ``at``.

    What a restore was going to replace has to be asked for by name. Raises NoSuchGeneration, and CorruptData for one
    that is damaged: no older one stands in for it unasked.
    """
    if name is not None:
        return load(vault, name)
    for each in reversed(in_order(vault.ids())):
        found = load(vault, each)
        if (at is None or found.made <= at) and not found.before_restore:
            return found
    raise NoSuchGeneration(vault.name, "any" if at is None else f"one of {at.isoformat()} or before")
