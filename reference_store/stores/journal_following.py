"""Reading on in a log that grows: what is new since the last look, whoever appended it, without reading what is old."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from reference_store.errors import PositionLost
from reference_store.stores.journal_ends import place_behind
from reference_store.stores.journal_files import Look
from reference_store.stores.journal_lines import Entry, Walk

_SIGN = 80
AT_ONCE = 1000

Looking = Callable[[str, str], AbstractContextManager[Look | None]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where record ``number`` ends, in the file with this inode, and how."""

    number: int
    inode: int
    length: int
    sign: bytes

    def is_in(self, look: Look) -> bool:
        begin = self.length - len(self.sign)
        return self.inode == look.inode and look.log.at(begin, len(self.sign)) == self.sign


class Following(ABC):
    """One record after the other, as they come: ``look`` says what is there."""

    def __init__(self, stream: str, since: int, pause: float) -> None:
        self.stream, self.position, self.pause = stream, since, pause
        self._closed = threading.Event()

    def read(self, limit: int = AT_ONCE) -> list[Entry]:
        """Return what is there by now, at most ``limit`` records, and ``[]`` at the end; it waits for nothing."""
        found = self.look(limit)
        if found:
            self.position = found[-1].number
        return found

    def __iter__(self) -> Iterator[Entry]:
        """Yield one record after the other, and at the end look again every ``pause`` seconds, until ``close``."""
        while not self._closed.is_set():
            found = self.look(AT_ONCE)
            for entry in found:
                self.position = entry.number
                yield entry
            if not found:
                self._closed.wait(self.pause)

    def close(self) -> None:
        """End the iteration, also one that waits in another thread."""
        self._closed.set()

    @abstractmethod
    def look(self, limit: int) -> list[Entry]:
        """Return what ``read`` would, and let ``position`` be."""


class Follower(Following):
    """Hands out the records of ``stream`` behind number ``position``, which is that of the last one handed out.

    Keep ``position`` somewhere, and a later follower that begins ``since`` it goes on there. What is handed out may be
    an append whose caller has not been answered yet. Raises PositionLost when the log ends before ``position``.
    """

    def __init__(self, looking: Looking, stream: str, since: int, pause: float) -> None:
        super().__init__(stream, since, pause)
        self._looking = looking
        self._place: _Place | None = None

    def look(self, limit: int) -> list[Entry]:
        found: list[Entry] = []
        with self._looking("follow", self.stream) as look:
            if look is None or limit <= 0:
                return found
            walk = self._walk(look)
            for entry in walk:
                if entry.number > self.position:
                    found.append(entry)
                    if len(found) == limit:
                        break
            if walk.sequence < self.position:
                raise PositionLost(self.stream, self.position, walk.sequence)
            if walk.terminated and walk.length:  # a record whose newline is not there yet ends somewhere else later
                self._place = _place_at(look, walk)
        return found

    def _walk(self, look: Look) -> Walk:
        place = self._place
        if place is not None and place.number == self.position and place.is_in(look):
            return Walk(look.log, self.stream, look.file, place.number, place.length)
        anchor = place_behind(look.log, self.stream, look.file, self.position)
        return Walk(look.log, self.stream, look.file, anchor.sequence, anchor.offset)


def _place_at(look: Look, walk: Walk) -> _Place:
    size = min(walk.length, _SIGN)
    return _Place(walk.sequence, look.inode, walk.length, look.log.at(walk.length - size, size))
