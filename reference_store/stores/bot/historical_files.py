"""A file of historical bars: Parquet, snappy, with its seal inside, and what has to be true of what it holds.

The seal is the SHA-256 of the name and of the whole file as it is with zeros for the digest. It stands in the metadata
of the file, where readers of Parquet pass over it: one file is all there is, and it can be moved and copied as one.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from operator import sub

from reference_store.core.sealed_files import Form
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, InvalidIdentifier, InvalidRecord
from reference_store.stores.bars.checks import accepted
from reference_store.stores.bars.columns import Columns
from reference_store.stores.bars.parquet import Unreadable, adopted_whole, decode, encode, is_aware
from reference_store.stores.bot.file_names import Granularity, HistoricalName

_SEAL = re.compile(rb"sha256:([0-9a-f]{64})")
_MEMBER, _BLANK = "tradestore_seal", "sha256:" + 64 * "0"
_DAY = timedelta(days=1)
_CLOSEST = {Granularity.MINUTE: timedelta(minutes=1), Granularity.HOUR: timedelta(hours=1)}
_CLOSEST |= {Granularity.DAILY: timedelta(hours=23)}  # where a day is as short as the clock is put forward
_LONGEST = {"h": timedelta(hours=1), "d": _DAY, "w": 7 * _DAY, "m": 31 * _DAY, "y": 366 * _DAY}


def symbol_of(name: HistoricalName) -> str:
    """The symbol of the bars in a file: ``BTC-EUR``."""
    return f"{name.asset}-{name.base}"


def length_of(name: HistoricalName) -> int:
    """How long the period of a name is at most, in microseconds."""
    return int(name.period[:-1]) * (_LONGEST[name.period[-1]] // timedelta(microseconds=1))


def check(name: HistoricalName, columns: Columns) -> Columns:
    """Return bars that such a file can hold; raises InvalidRecord for bars that are too close or too far apart."""
    times = columns.times().tolist()
    closest = _CLOSEST[name.granularity] // timedelta(microseconds=1)
    for position, distance in enumerate(map(sub, times[1:], times)):
        if distance < closest:
            raise InvalidRecord("date", f"is closer to the one before than bars by the {_one(name)} are", position + 1)
    if times and times[-1] - times[0] > length_of(name):
        raise InvalidRecord("bars", f"span more than {name.period}, the period of the file")
    return columns


def _one(name: HistoricalName) -> str:
    return "day" if name.granularity is Granularity.DAILY else str(name.granularity)


def lately(name: HistoricalName, columns: Columns) -> Columns:
    """The bars that lie within the period of the file, counted from the newest one."""
    last = columns.times()[-1]
    return columns.between(last - length_of(name), last)


def _digest(key: str, data: bytes) -> bytes:
    return hashlib.sha256(b"historical " + key.encode() + b"\n" + data).hexdigest().encode()


def _sealed(key: str, columns: Columns) -> bytes:
    name = HistoricalName.parse(key)
    data = encode(symbol_of(name), check(name, columns), {_MEMBER: _BLANK})
    start, end = _place(data)
    return data[:start] + _digest(key, data) + data[end:]


def _place(data: bytes) -> tuple[int, int]:
    """Where the digest stands; raises ValueError unless there is just one."""
    (found,) = _SEAL.finditer(data)
    return found.span(1)


def _unsealed(key: str, file: str, data: bytes) -> Columns:
    try:
        start, end = _place(data)
    except ValueError as error:
        let_out(error)
        raise CorruptData(key, file, "it carries no seal") from None
    if _digest(key, data[:start] + 64 * b"0" + data[end:]) != data[start:end]:
        raise CorruptData(key, file, "its content and its seal do not agree under this name")
    try:
        return decode(data, aware=is_aware(data))
    except Unreadable as error:
        raise CorruptData(key, file, str(error)) from None


def adopt(key: str, file: str, data: bytes) -> Columns:
    """Return the bars of a file that another program wrote; raises CorruptData for what this one would not write."""
    name = HistoricalName.parse(key)
    try:
        return check(name, accepted(adopted_whole(data, symbol_of(name)), negative=False))
    except Unreadable as error:
        raise CorruptData(key, file, str(error)) from None
    except InvalidRecord as error:
        raise CorruptData(key, file, f"it has a bar whose {error.field} {error.reason}") from None


def key_of(file: str) -> str | None:
    """The name that a file has, None for a file of another make."""
    try:
        return str(HistoricalName.parse(file))
    except InvalidIdentifier:
        return None


FORM: Form[Columns] = Form(_sealed, _unsealed)
