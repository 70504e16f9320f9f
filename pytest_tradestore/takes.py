"""What a store takes of the values that its contract leaves open: which keys, times and prices, bars over bars.

Facts only. A store declares them, or they are found out when it is first tried; whoever builds records asks here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, Literal, get_args

from pytest_tradestore.observation import key_seen

Writing = Literal["replace", "apart", "later"]
"""Where bars may be written: over others, which they replace; only between and beside others; only after all others."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What a store takes. By default all that the contracts know.

    ``aware``: only times with a zone. ``bars``: a second bar at one time replaces the first (``"replace"``), or bars
    are taken only where no others are (``"apart"``), or only after the last one there is (``"later"``). ``tick``: the
    step of prices, 0 for none. ``float_volume``: volumes are floats. ``keys``: keys are no text; ``keys(n)`` makes the
    n-th one, the same each time: ``int``, ``lambda n: ("AAPL", n)``. ``intervals``: bars are kept by symbol and
    interval, which calls name (``write_bars(symbol, bars, interval="1m")``). ``nanoseconds``: times of bars are whole
    numbers of nanoseconds since 1970 in UTC. Raises ValueError for what is none of these.
    """

    aware: bool = False
    bars: Writing = "replace"
    tick: float = 0.0
    float_volume: bool = False
    keys: Callable[[int], Any] | None = None
    intervals: tuple[str, ...] = ()
    nanoseconds: bool = False

    def __post_init__(self) -> None:
        if self.bars not in get_args(Writing):
            raise ValueError(f"Takes(bars=...) is one of {', '.join(get_args(Writing))}, not {self.bars!r}")
        number = isinstance(self.tick, (int, float)) and not isinstance(self.tick, bool)
        if not (number and isfinite(self.tick) and self.tick >= 0):
            raise ValueError(f"Takes(tick=...) is the step of prices, like 0.01, or 0 for none, not {self.tick!r}")
        if self.keys is not None:
            _check_keys(self.keys)
        listed = isinstance(self.intervals, (tuple, list)) and all(isinstance(one, str) for one in self.intervals)
        if not listed or len(self.intervals) != len(set(self.intervals)) or len(self.intervals) == 1:
            raise ValueError(f"Takes(intervals=...) names two or more, like ('1m', '1h'), not {self.intervals!r}")

    @property
    def replaces(self) -> bool:
        """Whether bars may be written where there are others."""
        return self.bars == "replace"

    def time(self, when: datetime) -> datetime:
        """Return ``when`` as the store takes it: in UTC where it has no zone and has to have one."""
        return when.replace(tzinfo=UTC) if self.aware and when.tzinfo is None else when

    def instant(self, when: datetime | int) -> Any:
        """Return a time of a bar as the store takes it, without a zone as one in UTC where it is a number."""
        if not self.nanoseconds or not isinstance(when, datetime):
            return when
        since = (when if when.tzinfo is not None else when.replace(tzinfo=UTC)) - _EPOCH
        return since // timedelta(microseconds=1) * 1_000

    def datetime_of(self, instant: Any) -> datetime:
        """Return what ``instant`` made a number of, whole microseconds of it."""
        return _EPOCH + timedelta(microseconds=instant // 1_000) if isinstance(instant, int) else instant

    def series(self, symbol: str) -> tuple[str, dict[str, str]]:
        """Return a symbol and options of calls; where intervals count, the first two are one symbol in two of them."""
        if not self.intervals:
            return symbol, {}
        first, second = _NAMES[:2]
        return first if symbol == second else symbol, {"interval": self.intervals[symbol == second]}

    def price(self, price: float) -> float:
        """Return the nearest price that the store takes."""
        if not self.tick:
            return price
        tick = Decimal(str(self.tick))
        return float(round(Decimal(str(price)) / tick) * tick)

    def volume(self, volume: int) -> float:
        """Return a volume of the type that the store takes."""
        return float(volume) if self.float_volume else volume

    def key(self, name: str) -> Any:
        """Return the key that stands for a name in programs: the name itself, where keys are text."""
        return name if self.keys is None else self.keys(_number_of(name))

    def key_among(self, names: Sequence[str], seen: str) -> Any:
        """Return the key that is seen as ``seen``, of those that stand for ``names``; without one, the first."""
        if self.keys is None:
            return seen
        keys = [self.key(name) for name in names]
        return next((key for key in keys if key_seen(key) == seen), keys[0])


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = (
    "AAPL",
    "MSFT",
    "TSLA",
    "GOOG",
    "AAPL2",
    "AAP",
    "BRK.B",
    "005930.KS",
    "BTC-USD",
    "aapl.json",
    "orders",
    "fills",
)
"""What programs call keys and symbols; what ends with a number besides is one of many."""
_MANY = 100


def _number_of(name: str) -> int:
    if name in _NAMES:
        return _NAMES.index(name) + 1
    numbered = re.search(r"[0-9]+$", name)
    if numbered is None:
        raise KeyError(f"no program has a key {name!r}")
    return _MANY + int(numbered[0])


def _check_keys(keys: Callable[[int], Any]) -> None:
    """Raise ValueError unless ``keys`` makes keys: of each number one of its own, and always the same."""
    said = "Takes(keys=...) makes a key of a number, like int or lambda n: ('AAPL', n)"
    if not callable(keys):
        raise ValueError(f"{said}, not {keys!r}")
    last = _MANY + 2_000
    try:
        made, again = [[keys(number) for number in (1, 2, last)] for _ in range(2)]
        distinct = len(set(made)) == len(made)
    except Exception as error:
        raise ValueError(f"{said}; it raised {type(error).__name__} for 1, 2 or {last}: {error}") from error
    if made != again or not distinct:
        raise ValueError(f"{said}, another one for each and always the same; of 1, 2 and {last} it made {made!r}")


EVERYTHING = Takes()
