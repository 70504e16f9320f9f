"""One file as pages and a size, and every content that losses of these can give it by the rules of ``content``."""

from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from pytest_tradestore.crash.content import ContentRule
from pytest_tradestore.crash.lowering import PAGE, Data, Micro, Sets, Size

Loss = tuple[int, ...]
"""The numbers of the micro-operations that never arrived."""


@dataclass(frozen=True, slots=True)
class Pages:
    """What a file is on disk: its size and its pages, of which those behind the size do not show."""

    size: int
    pages: tuple[bytes, ...]

    @staticmethod
    def of(content: bytes) -> "Pages":
        return Pages(len(content), _cut(content))

    def after(self, part: Micro) -> "Pages":
        """Return what ``part`` makes of it when it arrives."""
        if isinstance(part, Data):
            at = part.offset // PAGE
            before = self.pages[:at] if len(self.pages) >= at else (*self.pages, *(_ZEROS,) * (at - len(self.pages)))
            written = _cut(part.content)
            return Pages(self.size, (*before, *written, *self.pages[at + len(written) :]))
        if not isinstance(part, Size):
            return self
        if part.sets is Sets.CUT:
            return Pages(part.size, self.pages[: -(-part.size // PAGE)])
        return Pages(part.size if part.sets is Sets.END else max(self.size, part.size), self.pages)

    def content(self) -> bytes:
        shown = b"".join(self.pages[: -(-self.size // PAGE)])
        return shown[: self.size].ljust(self.size, b"\0")


_ZEROS = bytes(PAGE)


@lru_cache(maxsize=256)
def _cut(content: bytes) -> tuple[bytes, ...]:
    return tuple(content[at : at + PAGE].ljust(PAGE, b"\0") for at in range(0, len(content), PAGE))


def all_contents(
    initial: Pages,
    parts: Sequence[tuple[int, Micro]],
    gone: Set[int],
    losable: Set[int],
    rule: ContentRule,
    limit: int,
) -> dict[bytes, Loss] | None:
    """Return every content that a file can have, with the fewest of ``losable`` that give it, fewest first.

    Losses that have led to the same pages by the same rule's state are one from there on. None where these are more
    than ``limit``.
    """
    reached: dict[tuple[Hashable, Pages], Loss] = {(rule.start, initial): ()}
    for m, part in parts:
        following: dict[tuple[Hashable, Pages], Loss] = {}
        for (state, pages), lost in reached.items():
            if m not in gone and (arrived := rule.after(state, m, part, True)) is not None:
                _keep(following, (arrived, pages.after(part)), lost)
            if (m in gone or m in losable) and (missing := rule.after(state, m, part, False)) is not None:
                _keep(following, (missing, pages), lost if m in gone else (*lost, m))
        reached = following
        if len(reached) > limit:
            return None
    found: dict[bytes, Loss] = {}
    for (state, pages), lost in sorted(reached.items(), key=lambda entry: (len(entry[1]), entry[1])):
        if rule.stands(state):
            found.setdefault(pages.content(), lost)
    return found


def _keep(found: dict[tuple[Hashable, Pages], Loss], key: tuple[Hashable, Pages], lost: Loss) -> None:
    """Note a way to ``key`` unless a simpler one is known."""
    known = found.get(key)
    if known is None or (len(lost), lost) < (len(known), known):
        found[key] = lost


def content_left(initial: Pages, parts: Sequence[tuple[int, Micro]], lost: Set[int]) -> bytes:
    """Return what a file holds when the micro-operations in ``lost`` never arrived."""
    pages = initial
    for m, part in parts:
        if m not in lost:
            pages = pages.after(part)
    return pages.content()
