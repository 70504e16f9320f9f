"""Which descriptors of one execution hold a ``flock``: a model of what the kernel alone decides.

It says beforehand who would have to wait, and when it is worth to ask the kernel again.
"""

from pytest_tradestore.race.actors import Holder

File = tuple[int, int]
"""A file by its device and its number there."""


class Flocks:
    """Which descriptors hold a flock on which file, as far as it was seen."""

    def __init__(self) -> None:
        self._held: dict[File, dict[int, tuple[bool, Holder]]] = {}
        self._file_of: dict[int, File] = {}
        self._closed: dict[int, int] = {}
        self.releases = 0
        """Grows whenever a lock may have been let go."""
        self.freed = 0
        """Grows whenever another process may get a lock: to close a file that holds none frees none."""
        self.loose = False
        """Whether closing any file may free a lock: locks of POSIX are dropped so, and duplicates are not followed."""

    def forget(self) -> None:
        """Know of none any more: the execution is over, or this process is the child of the one that they were of."""
        self._held.clear()
        self._file_of.clear()
        self._closed.clear()
        self.loose = False

    def closed(self, number: int) -> None:
        """Note that a descriptor was closed."""
        self._closed[number] = self.times_closed(number) + 1
        self.releases += 1
        self.freed += self.loose
        if self._file_of:
            self.let_go(number)

    def times_closed(self, number: int) -> int:
        """Return how often a descriptor of this number was closed: one that comes after that is another."""
        return self._closed.get(number, 0)

    def let_go(self, number: int) -> None:
        self.releases += 1
        file = self._file_of.pop(number, None)
        if file is not None:
            self.freed += 1
            self._held[file].pop(number, None)

    def took(self, number: int, file: File, exclusive: bool, actor: Holder) -> None:
        self._file_of[number] = file
        self._held.setdefault(file, {})[number] = (exclusive, actor)

    def other(self, number: int, file: File, exclusive: bool) -> Holder | None:
        """Return who holds what this request would have to wait for."""
        for other, (theirs, actor) in self._held.get(file, {}).items():
            if other != number and (exclusive or theirs):
                return actor
        return None
