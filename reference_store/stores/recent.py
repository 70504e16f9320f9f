"""A memory of bounded size that forgets what was used longest ago, one thing at a time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """At most ``limit`` values by key; whoever uses it keeps other threads away."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> T | None:
        """Return the value of ``key``, which counts as use, or None."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def put(self, key: str, value: T) -> None:
        """Remember ``value``, and forget what was used longest ago if that is one too many."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget the value of ``key``, if there is one."""
        self._values.pop(key, None)
