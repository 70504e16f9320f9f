"""How far a run is whose checks are judged one by one: in pytest's own process, or by workers that only report.

Work that is done ahead of the items counts itself, in ``ahead``.
"""

from collections.abc import Hashable, Sequence

from pytest_tradestore.ahead import Portion, Progress


class Course:
    """Which of the portions of a run are over, by the checks that have begun and ended."""

    def __init__(self, portions: Sequence[Portion] = ()) -> None:
        self._portions = tuple(portions)
        self._of = {key: number for number, portion in enumerate(portions) for key in portion.keys}
        self._left = [set(portion.keys) for portion in portions]
        self._now: list[Hashable] = []

    def begins(self, key: Hashable) -> None:
        """Note that this check is being judged."""
        self._now.append(key)

    def ends(self, key: Hashable) -> None:
        """Note that it was; one whose beginning was not seen is taken too."""
        if key in self._now:
            self._now.remove(key)
        number = self._of.get(key)
        if number is not None:
            self._left[number].discard(key)

    @property
    def empty(self) -> bool:
        return not self._portions

    @property
    def progress(self) -> Progress:
        """How far it is; a portion of which a part is done counts for that part."""
        shares = [1 - len(left) / len(portion.keys) for left, portion in zip(self._left, self._portions, strict=True)]
        done = sum(share * portion.weight for share, portion in zip(shares, self._portions, strict=True))
        weight = sum(portion.weight for portion in self._portions) or 1.0
        at = dict.fromkeys(self._portions[self._of[key]].name for key in self._now if key in self._of)
        return Progress(shares.count(1.0), len(shares), done / weight, tuple(at))
