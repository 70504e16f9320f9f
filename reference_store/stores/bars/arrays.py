"""Arrow arrays and scalars made of Python's numbers and texts, without asking pyarrow what they are.

To find out whether a list is one of pandas', pyarrow imports pandas, and dateutil for numbers whose type it is not
told. That would be in the first call of whichever thread comes first, and a process forked meanwhile would wait for
that import for ever. It is also half a second.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from reference_store.core.late_imports import late


def floats(values: Iterable[float]) -> pa.Array:
    """Return floats as a column of float64."""
    return _made(pa.float64(), array("d", values))


def ints(values: Iterable[int], kind: pa.DataType | None = None) -> pa.Array:
    """Return ints as a column of int64, or of another ``kind`` that holds such: a time, for instance.

    Raises OverflowError for one that has no place there.
    """
    return _made(kind or pa.int64(), array("q", values))


def ints_or_none(values: Sequence[int | None]) -> pa.Array:
    """Return ints as a column of int64 that has a null for each None."""
    bits = bytearray((len(values) + 7) // 8)
    for position, value in enumerate(values):
        if value is not None:
            bits[position // 8] |= 1 << position % 8
    plain = array("q", (value or 0 for value in values))
    return pa.Array.from_buffers(pa.int64(), len(values), [pa.py_buffer(bytes(bits)), pa.py_buffer(plain)])


def text(value: str) -> pa.Scalar:
    """Return a text that a column of texts may be compared with."""
    return pa.scalar(value, pa.string())


def table_of(given: Any) -> pa.Table:
    """Return an object of the Arrow interface as a table; raises what it or pyarrow raises."""
    if isinstance(given, pa.Table):
        return given
    if isinstance(given, pa.RecordBatchReader):
        return given.read_all()
    return late(partial(_foreign, given))  # what pandas does for it is imported when it is first asked


def _foreign(given: Any) -> pa.Table:
    if hasattr(given, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(given).read_all()
    return pa.table(given)


def _made(kind: pa.DataType, values: array[Any]) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
