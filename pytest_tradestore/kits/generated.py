"""Generated JSON documents: the same for the same seed, wherever they are made; a failing one is made simple.

What is drawn depends on the seed and on nothing else: not on the project, its modules, or the version of a library.
"""

import struct
from collections.abc import Callable, Iterator
from math import isfinite
from random import Random
from typing import Any, TypeVar

_FEWEST = 150
"""Documents that are tried however small the budget: one takes no time to speak of."""
_SHRINKING = 300
"""Documents that are tried while a failing one is made simpler."""
_DEEPEST = 3
_LONGEST_TEXT = 20
_TEXTS = (
    "",
    " ",
    "0",
    "a",
    "A",
    "AAPL",
    "null",
    "NaN",
    "1e5",
    "é",
    "e\u0301",
    "\x00",
    "\n",
    "\u2028",
    "\ufeff",
    "\U0001f680",
)
_INTEGERS = (0, 1, -1, 2**31, 2**53, 2**53 + 1, -(2**63), 2**63, 2**64 + 1)
_FLOATS = (0.0, -0.0, 0.1 + 0.2, 1e-7, 1e16, 1e22, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308)
_RANGES = ((0x20, 0x7E), (0x00, 0x1F), (0x7F, 0xFF), (0x100, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
"""Code points by kind, surrogates left out: they are no characters."""

Found = TypeVar("Found")


def generated(wrong: Callable[[dict[str, Any]], Found | None], examples: int, seed: int) -> Found | None:
    """Put generated documents through ``wrong``; return what it says of the simplest one found that it objects to."""
    for document in documents(max(_FEWEST, examples), seed):
        found = wrong(document)
        if found is not None:
            return _simplest(wrong, document, found)
    return None


def documents(number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield documents, small ones first."""
    random = Random(seed)  # noqa: S311 - it has to be the same every time
    for count in range(number):
        yield _object(random, min(_DEEPEST, 1 + count // 4), least=min(count, 1), most=min(count, 5))


def _value(random: Random, depth: int) -> Any:
    kind = random.randrange(8 if depth > 0 else 6)
    if kind == 0:
        return random.choice((None, True, False))
    if kind == 1:
        return random.choice(_INTEGERS) if random.random() < 0.5 else random.getrandbits(80) - 2**79
    if kind == 2:
        return random.choice(_FLOATS) if random.random() < 0.5 else _float(random)
    if kind == 3:
        return round(random.uniform(-1e6, 1e6), random.randrange(9))
    if kind in (4, 5):
        return _text(random)
    if kind == 6:
        return [_value(random, depth - 1) for _ in range(random.randrange(5))]
    return _object(random, depth - 1, least=0, most=4)


def _object(random: Random, depth: int, *, least: int, most: int) -> dict[str, Any]:
    return {_text(random): _value(random, depth) for _ in range(random.randint(least, most))}


def _float(random: Random) -> float:
    while True:
        number: float = struct.unpack("<d", random.getrandbits(64).to_bytes(8, "little"))[0]
        if isfinite(number):
            return number


def _text(random: Random) -> str:
    if random.random() < 0.4:
        return random.choice(_TEXTS)
    kinds = [random.choice(_RANGES) for _ in range(random.randint(1, 2))]
    return "".join(chr(random.randint(*random.choice(kinds))) for _ in range(random.randint(1, _LONGEST_TEXT)))


def _simplest(wrong: Callable[[dict[str, Any]], Found | None], document: dict[str, Any], found: Found) -> Found:
    """Take away and simplify as long as ``wrong`` still objects."""
    left = _SHRINKING
    tried = {repr(document)}
    again = True
    while again:
        again = False
        for candidate in simpler(document):
            if repr(candidate) in tried:
                continue
            if left == 0:
                return found
            left -= 1
            tried.add(repr(candidate))
            still = wrong(candidate)
            if still is not None:
                document, found, again = candidate, still, True
                break
    return found


def simpler(value: Any) -> Iterator[Any]:
    """Yield values of the same type that are simpler, boldest first."""
    match value:
        case dict():
            items = list(value.items())
            yield from (dict(part) for part in _parts(items))
            for at, (key, inner) in enumerate(items):
                before, after = items[:at], items[at + 1 :]
                if type(inner) is not int:
                    yield dict([*before, (key, 0), *after])
                held = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
                yield from (dict([*before, (key, less), *after]) for less in (*held, *simpler(inner)))
                for less in simpler(key):
                    if less not in value:
                        yield dict([*before, (less, inner), *after])
        case list():
            yield from _parts(value)
            for at, inner in enumerate(value):
                yield from ([*value[:at], less, *value[at + 1 :]] for less in simpler(inner))
        case str():
            yield from ("".join(part) for part in _parts(list(value)))
            yield from (value[:at] + "a" + value[at + 1 :] for at in range(len(value)) if value[at] != "a")
        case bool() | None:
            return
        case int():
            yield from (less for less in (0, 1, 2**53 + 1, 2**64 + 1, value // 2) if abs(less) < abs(value))
        case float():
            yield from (less for less in (0.0, 0.5, round(value, 2)) if abs(less) < abs(value))


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    size = len(items)
    while size:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size //= 2
