"""What a store takes of the values that its contract leaves open: which times, which prices, bars over other bars.

Facts only. A store declares them, or they are found out when it is first tried; whoever builds records asks here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Literal, get_args

Writing = Literal["replace", "apart", "later"]
"""Where bars may be written: over others, which they replace; only between and beside others; only after all others."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What a store takes. By default all that the contracts know.

    ``aware``: only times with a zone. ``bars``: a second bar at one time replaces the first (``"replace"``), or bars
    are taken only where no others are (``"apart"``), or only after the last one there is (``"later"``). ``tick``: the
    step of prices, 0 for none. ``float_volume``: volumes are floats. Raises ValueError for what is none of these.
    """

    aware: bool = False
    bars: Writing = "replace"
    tick: float = 0.0
    float_volume: bool = False

    def __post_init__(self) -> None:
        if self.bars not in get_args(Writing):
            raise ValueError(f"Takes(bars=...) is one of {', '.join(get_args(Writing))}, not {self.bars!r}")
        number = isinstance(self.tick, (int, float)) and not isinstance(self.tick, bool)
        if not (number and isfinite(self.tick) and self.tick >= 0):
            raise ValueError(f"Takes(tick=...) is the step of prices, like 0.01, or 0 for none, not {self.tick!r}")

    @property
    def replaces(self) -> bool:
        """Whether bars may be written where there are others."""
        return self.bars == "replace"

    def time(self, when: datetime) -> datetime:
        """Return ``when`` as the store takes it: in UTC where it has no zone and has to have one."""
        return when.replace(tzinfo=UTC) if self.aware and when.tzinfo is None else when

    def price(self, price: float) -> float:
        """Return the nearest price that the store takes."""
        if not self.tick:
            return price
        tick = Decimal(str(self.tick))
        return float(round(Decimal(str(price)) / tick) * tick)

    def volume(self, volume: int) -> float:
        """Return a volume of the type that the store takes."""
        return float(volume) if self.float_volume else volume


EVERYTHING = Takes()
