"""JSON values that stores get wrong, each under the name of what it is about."""

import unicodedata
from math import copysign
from typing import Any

ORDINARY = "ordinary"
SAMPLED = "generated"
"""The end of the name of every case whose values are drawn, not listed."""


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(depth):
        value = {"in": [value]}
    return value


VALUES: dict[str, dict[str, Any]] = {
    ORDINARY: {"cash": 1000.25, "positions": {"AAPL": 100, "MSFT": 50}, "open": True, "note": None},
    "integers": {"beyond_a_double": 2**53 + 1, "negative": -(2**63) - 1, "id": 10**30, "zero": 0},
    "floats": {
        "tiny": 1e-7,
        "price": 0.1 + 0.2,
        "large": 1.7976931348623157e308,
        "least": 5e-324,
        "minus": -0.25,
        "nil": -0.0,
    },
    "unicode": {
        "name": "Société Générale",
        "日経": "225",
        "rocket": "\U0001f680",
        "composed": "\u00e9",
        "apart": "e\u0301",
    },
    "controls": {"text": "a\x00b\x1b[2J\x7f\u2028\u2029\r\n\t", "quote": '"\\/'},
    "lookalikes": {
        "symbol": "NA",
        "null": "null",
        "number": "1E5",
        "zeros": "005930",
        "yes": "ON",
        "date": "2026-01-05",
    },
    "empty": {"": "", "list": [], "object": {}, "nested": [[], {}, [[]]]},
    "nesting": _nested(50),
    "booleans": {"true": True, "false": False, "one": 1, "zero": 0, "mixed": [True, 1, False, 0, None]},
    "long": {"text": "0123456789abcdef" * 8192, "list": list(range(2000))},
}


def difference(found: Any, wanted: Any) -> str:
    """Say in which way a value came back that is not the same, whatever value it was: the first way that is met."""
    match wanted, found:
        case dict(), None:
            return EMPTY_AS_NONE if not wanted else NOT_THERE
        case dict(), [] if wanted:  # a log without the record
            return NOT_THERE
        case dict(), dict():
            return _of_keys(found, wanted)
        case ((list() | tuple()), (list() | tuple())):
            pairs = zip(found, wanted, strict=False)
            of_items = next((difference(f, w) for f, w in pairs if not same(f, w)), "")
            return of_items if len(found) == len(wanted) else "lists come back with other items"
        case bool(), bool():
            return "truth values come back as others"
        case bool(), int() | float():
            return "truth values come back as numbers"
        case int() | float(), bool():
            return "numbers come back as truth values"
        case int(), float():
            return "whole numbers come back as floats"
        case int() | float(), int() | float():
            return "-0.0 comes back as 0.0" if found == wanted else "numbers come back as others"
        case str(), str():
            alike = unicodedata.normalize("NFKC", found) == unicodedata.normalize("NFKC", wanted)
            return "text comes back in another Unicode form" if alike else "text comes back otherwise"
    return "values come back as something of another type"


EMPTY_AS_NONE = "an empty document comes back as None"
NOT_THERE = "what was written is not there"


def _of_keys(found: dict[Any, Any], wanted: dict[str, Any]) -> str:
    missing = [key for key in wanted if key not in found]
    if any(type(key) is not str for key in found):
        return "keys come back as something that is no text"
    if missing and len(found) < len(wanted) and found.keys() <= wanted.keys():
        return "what is empty or None is left out" if not any(map(_says, map(wanted.get, missing))) else "keys are lost"
    if found.keys() != wanted.keys():
        return "keys come back otherwise"
    return next(difference(found[key], wanted[key]) for key in wanted if not same(found[key], wanted[key]))


def _says(value: Any) -> bool:
    return value not in (None, "", [], {})


def same(found: Any, wanted: Any) -> bool:
    """Say whether two JSON values are the same: true is not 1, text is no number, -0.0 is not 0.0, but 1.0 is 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return isinstance(found, bool) and isinstance(wanted, bool) and found == wanted
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and found.keys() == wanted.keys()
            and all(type(k) is str for k in found)
            and all(same(found[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(wanted)
            and all(same(f, w) for f, w in zip(found, wanted, strict=True))
        )
    if isinstance(wanted, (int, float)):
        if not isinstance(found, (int, float)) or found != wanted:
            return False
        return wanted != 0 or copysign(1, found) == copysign(1, wanted)
    return type(found) is type(wanted) and found == wanted
