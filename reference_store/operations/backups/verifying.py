"""Proves a generation by restoring it into a scratch directory, which is compared with what was kept, and inspected."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reference_store.operations.backups.generations import Generation
from reference_store.operations.backups.restoring import restore
from reference_store.operations.backups.tree import digest_of, walk
from reference_store.operations.backups.vault import Progress, Vault
from reference_store.operations.inspection import State, inspect, opened


@dataclass(frozen=True, slots=True)
class Verified:
    """A generation that was restored: ``different`` are the files that are not as they were, or should not be there.

    ``damaged`` are those that a store would refuse and that were not damaged already when the backup was made.
    """

    generation: Generation
    files: int
    different: tuple[str, ...]
    damaged: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether it is what was kept, and a store can use it."""
        return not self.different and not self.damaged


def verify(
    vault: Vault,
    *,
    generation: str | None = None,
    at: datetime | None = None,
    scratch: str | None = None,
    progress: Progress = lambda _done, _of: None,
    seen: Callable[[str], None] = lambda _directory: None,
) -> Verified:
    """Restore a generation (the last one if none is named) into a directory of its own in ``scratch``, and compare.

    ``seen`` is called with that directory before it goes. Raises DamagedBackup when it cannot be restored at all, and
    what else ``restore`` raises.
    """
    with tempfile.TemporaryDirectory(prefix="tradestore-", dir=scratch) as directory:
        restored = restore(vault, os.path.join(directory, "data"), generation=generation, at=at, progress=progress)
        root = os.path.join(directory, "data")
        found = _found(root)
        wanted = {path: (entry.size, entry.digest) for path, entry in restored.generation.files.items()}
        different = sorted(path for path in {*found, *wanted} if found.get(path) != wanted.get(path))
        bad = {each.file for each in inspect(root) if each.state in (State.DAMAGED, State.UNREADABLE)}
        seen(root)
    damaged = sorted(bad - set(restored.generation.damaged))
    return Verified(restored.generation, len(wanted), tuple(different), tuple(damaged))


def _found(root: str) -> dict[str, tuple[int, str]]:
    found = {}
    for place in walk(opened(root)):
        for name in place.files:
            there = place.directory.open_regular(name, os.O_RDONLY)
            if there is not None:
                try:
                    found[place.path_of(name)] = there[1].st_size, digest_of(there[0], there[1].st_size)
                finally:
                    os.close(there[0])
    return found
