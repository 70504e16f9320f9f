"""Bars and small helpers that the tests of the trading stores share."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reference_store.models import PriceBar

JANUARY = datetime(2026, 1, 5, 9, 30)  # noqa: DTZ001 - naive bars are the ordinary case
ALWAYS = (datetime(1990, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - as above
ALWAYS_UTC = tuple(moment.replace(tzinfo=UTC) for moment in ALWAYS)
DAY = timedelta(days=1)


def bar(date: datetime, close: float = 1.0, **fields: Any) -> PriceBar:
    values: dict[str, Any] = {"open": 1.0, "high": 2.5, "low": 0.5, "volume": 100, "symbol": "AAPL", **fields}
    return PriceBar(date=date, close=close, **values)


def bars(first: datetime, count: int, close: float = 1.0, step: timedelta = DAY) -> list[PriceBar]:
    return [bar(first + number * step, close + number / 128) for number in range(count)]


def tree(root: Path) -> dict[str, bytes]:
    """All files below ``root`` with their content, locks left out."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def flip(path: Path, position: int) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 0x10
    path.write_bytes(bytes(data))
