"""What a reader sees: all that the contract lets it see, as frozen values that can be compared and shown."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Absent:
    """The store says that there is nothing."""

    def __str__(self) -> str:
        return "nothing"


@dataclass(frozen=True, slots=True)
class Value:
    """A document, as canonical JSON text."""

    text: str

    def __str__(self) -> str:
        return shortened(self.text)


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a log, each as canonical JSON text."""

    items: tuple[str, ...]

    def __str__(self) -> str:
        listed = ", ".join(shortened(item, 40) for item in self.items)
        return f"{counted(len(self.items), 'record')}: {listed}" if self.items else "no records"


@dataclass(frozen=True, slots=True)
class Names:
    """The keys that the store lists, sorted."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "[" + ", ".join(repr(name) for name in self.names) + "]"


@dataclass(frozen=True, slots=True)
class Failed:
    """Reading raised; ``declared`` when it is one of the store's own error types."""

    error: str
    message: str
    declared: bool

    def __str__(self) -> str:
        return f"{self.error}: {shortened(self.message, 100)}" if self.message else self.error


Seen = Absent | Value | Records | Names | Failed


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen at each place (a key, a stream, the list of keys), in the order of the workload's places."""

    places: tuple[tuple[str, Seen], ...]

    def at(self, place: str) -> Seen:
        for name, seen in self.places:  # a handful; quicker than a dictionary, and asked very often
            if name == place:
                return seen
        raise KeyError(place)


def canonical(value: Any) -> str:
    """Return text that is equal for equal JSON values only; the order of keys does not matter."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def _other(value: Any) -> Any:
    """Stand for a value that JSON does not have by its type and its text."""
    return {"": f"{type(value).__name__}: {value!s}"}


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_other)


def document_seen(value: Any) -> Seen:
    """Return what reading one document gave; ``None`` and ``{}`` both say that there is none."""
    return Absent() if value is None or value == {} else Value(canonical(value))


def records_seen(value: Any) -> Seen:
    """Return what reading a log gave; anything that is not a sequence of records is shown as it is."""
    if value is None:
        return Records(())
    if isinstance(value, (list, tuple)):
        return Records(tuple(canonical(item) for item in value))
    return Value(canonical(value))


def names_seen(value: Any) -> Seen:
    """Return what listing the keys gave; anything that is no collection is shown as it is."""
    if not isinstance(value, Iterable):
        return Value(canonical(value))
    return Names(tuple(sorted(map(key_seen, value))))


def key_seen(key: Any) -> str:
    """Return a key as text: itself, or how Python shows one that is no text; a list is as good as a tuple."""
    return str(tuple(key) if isinstance(key, list) else key)


def shortened(text: str, width: int = 60) -> str:
    """Return the beginning of ``text`` and its length when it is longer than ``width``; it can be printed safely."""
    begins = text[: 2 * width]  # enough to fill the width, and quick for a text of a megabyte
    printable = begins if begins.isprintable() else repr(begins)[1:-1]
    if len(printable) <= width and len(begins) == len(text):
        return printable
    return f"{printable[: width - 16]} …({len(text):,} characters)"


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
