"""Numbers of any library as those of Python: exactly, or not at all.

``float(Decimal("0.1"))`` and ``float(2**53 + 1)`` round without a word; money must not pass through either.
"""

from __future__ import annotations

from numbers import Integral, Rational, Real


class Inexact(ValueError):  # noqa: N818 - says what is the case
    """What was given is no int or float, or would not be the same number as one; the message says why."""


def exact_int(value: object) -> int:
    """Return an int, or an integer of another library, as int; raises Inexact for all else, bools too."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise Inexact(f"is of type {type(value).__name__}, not int")
    return int(value)


def exact_float(value: object) -> float:
    """Return a number as the float that equals it; raises Inexact when there is none, and for bools and decimals."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Inexact(f"is of type {type(value).__name__}, not float")
    if isinstance(value, Rational) and not isinstance(value, Integral):
        raise Inexact(f"is of type {type(value).__name__}, not float")
    try:
        found = float(value)
    except OverflowError:
        raise Inexact("is an int that no float can hold") from None
    if found != value and found == found and value == value:  # NaN equals nothing, and is for others to refuse
        raise Inexact(f"is a number of type {type(value).__name__} that no float can hold exactly")
    return found


def exact_number(value: object) -> int | float:
    """Return an integer as int and any other number as float; raises Inexact as the two above do."""
    if isinstance(value, Integral):
        return exact_int(value)
    return exact_float(value)
