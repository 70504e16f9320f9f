"""JSON values that stores get wrong, each under the name of what it is about."""

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
