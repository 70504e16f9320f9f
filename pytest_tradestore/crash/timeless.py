"""Observations of two runs made comparable: times of today that the store itself put in are left out."""

import re
import time
from datetime import UTC, datetime
from functools import lru_cache

from pytest_tradestore.observation import Observation, Records, Seen, Value

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?<![\d.])\d{10}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?!\d)"
)
_NEAR = 2 * 86400.0


def timeless(observation: Observation) -> Observation:
    """Return the observation with every time that is within two days of now as ``<now>``."""
    return Observation(tuple((place, timeless_at(seen)) for place, seen in observation.places))


def timeless_at(seen: Seen) -> Seen:
    """The same for one place."""
    match seen:
        case Value(text):
            return Value(_without_times(text))
        case Records(items):
            return Records(tuple(_without_times(item) for item in items))
        case _:
            return seen


@lru_cache(maxsize=1024)
def _without_times(text: str) -> str:
    return _TIME.sub(lambda match: "<now>" if _is_near(match[0]) else match[0], text)


def _is_near(text: str) -> bool:
    if "-" in text[:5]:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return False
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    else:
        seconds = float(text)
        for scale in (1e9, 1e6, 1e3):
            if seconds > scale * 1e9:
                seconds /= scale
                break
    return abs(seconds - time.time()) < _NEAR
