"""Which images show a reader the same, told before they are made: of many thousand found only some are taken."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_tradestore.crash.images import ImageFile
from pytest_tradestore.crash.operations import Inode, Kind

Links = tuple[int, ...]
"""For each path of an image the first one that leads to the same file."""
Look = tuple[Links, tuple[int, ...], tuple[int, ...]]
"""Equal for images that are equal, with the same beside their content; only within one ``Likeness``."""


@dataclass(frozen=True, slots=True)
class Part:
    """One path of an image: ``shows`` is a number for all that is there, ``changed`` the time of a regular file."""

    file: ImageFile
    shows: int
    changed: int | None


class Likeness:
    """Numbers for what has been seen so far."""

    def __init__(self) -> None:
        self._shown: dict[tuple[object, ...], int] = {}
        self._orders: dict[tuple[int, ...], tuple[int, ...]] = {}

    def part(self, file: ImageFile) -> Part:
        """Return a path with the number of what it shows."""
        beside = (file.mode, file.owner, file.attributes)
        shows = self._shown.setdefault((file.path, file.kind, file.content, file.target, beside), len(self._shown))
        return Part(file, shows, file.changed if file.kind is Kind.FILE else None)

    def look(self, linked: Links, parts: Sequence[Part]) -> Look:
        """Return what an image of these paths looks like."""
        times = tuple([part.changed for part in parts if part.changed is not None])
        order = self._orders.get(times)
        if order is None:
            order = self._orders[times] = ranks(times)
        return linked, tuple([part.shows for part in parts]), order


def links(inodes: Iterable[Inode]) -> Links:
    """Return which of the paths lead to one file."""
    first: dict[Inode, int] = {}
    return tuple(first.setdefault(inode, position) for position, inode in enumerate(inodes))


def ranks(times: Sequence[int]) -> tuple[int, ...]:
    """Return how times compare: the earliest is 0, equal ones are the same."""
    rank = {time: number for number, time in enumerate(sorted(set(times)))}
    return tuple([rank[time] for time in times])
