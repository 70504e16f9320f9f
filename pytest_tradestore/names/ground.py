"""A filled store for ``planting`` and ``exchanging``, and outside of its root what a planted link leads to.

What stands outside is a sound file of the same make with other content, so that a store which follows the link shows
that content, or changes it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_tradestore.kits.slots import Slot
from pytest_tradestore.names.client import How, NestClient
from pytest_tradestore.names.context import NEIGHBOUR, Context
from pytest_tradestore.names.nest import Nest, age


@dataclass(frozen=True, slots=True)
class Ground:
    """A filled store: ``place`` is the path in question, ``outside`` where a link leads to, ``strange`` its mark."""

    client: NestClient
    place: Path
    outside: str
    strange: int

    @property
    def beside(self) -> str:
        """Where a link, or what it has taken the place of, waits for its turn: neither in the root nor a canary."""
        return _beside(self.client.nest)

    def shows(self, slot: Slot) -> bool:
        """Say whether a read shows what stands outside."""
        if slot.read is None:
            return False
        ended = self.client.attempt(lambda: slot.read(self.client, NEIGHBOUR))  # type: ignore[misc]
        return ended.how is How.ACCEPTED and self.strange in ended.value.marks


@contextmanager
def ground(context: Context, slot: Slot, path: str) -> Iterator[Ground]:
    """Fill a store, and put outside what another store has by that path."""
    with context.client() as other:
        strange = fill(context, slot, other)
        kept = other.nest.root / path
        with context.client() as client:
            fill(context, slot, client)
            outside = str(client.nest.out / "planted")
            if os.path.lexists(kept):
                (shutil.copytree if kept.is_dir() else shutil.copy2)(kept, outside)
            else:
                Path(outside).write_bytes(b"{}")
            try:
                yield Ground(client, client.nest.root / path, outside, strange)
            finally:
                for leftover in (outside, f"{outside}-new", _beside(client.nest)):
                    with suppress(OSError):
                        remove(leftover)
                age(client.nest.out)


def fill(context: Context, slot: Slot, client: NestClient) -> int:
    """Write twice, so that there is a backup where the store keeps one; return the mark that counts."""
    mark = 0
    for _ in range(2):
        mark = context.mark()
        client.write(slot, NEIGHBOUR, mark)
    client.attempt(client.close)
    return mark


def remove(path: str) -> None:
    """Remove what is at a path, whatever it is; links are not followed, and there may be nothing."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _beside(nest: Nest) -> str:
    return f"{nest.top}-exchanged"
