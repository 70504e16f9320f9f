"""Which images show a reader the same, told before they are made: of many thousand found only some are taken."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_tradestore.crash.images import DurableImage, ImageFile, Links, Shown, ranks, shown
from pytest_tradestore.crash.operations import Kind

Look = tuple[Links, tuple[int, ...], tuple[int, ...]]
"""Equal for images that are equal, with the same beside their content; only within one ``Likeness``."""


@dataclass(frozen=True, slots=True)
class Part:
    """One path of an image: ``shows`` is a number for all that is there, ``changed`` the time of a regular file."""

    file: ImageFile
    seen: Shown
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
        return Part(file, shown(file), shows, file.changed if file.kind is Kind.FILE else None)

    def look(self, linked: Links, parts: Sequence[Part]) -> Look:
        """Return what an image of these paths looks like."""
        times = tuple([part.changed for part in parts if part.changed is not None])
        order = self._orders.get(times)
        if order is None:
            order = self._orders[times] = ranks(times)
        return linked, tuple([part.shows for part in parts]), order


def image_of_parts(look: Look, parts: Sequence[Part]) -> DurableImage:
    """Return the image of paths that look so."""
    linked, _, order = look
    return DurableImage.of(tuple([p.file for p in parts]), order, linked, tuple([p.seen for p in parts]))
