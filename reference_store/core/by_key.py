"""One object for each key that is in use: made when it is first asked for, gone with the last who holds it."""

from __future__ import annotations

import os
from collections.abc import Callable
from inspect import ismethod
from typing import Any, Generic, TypeVar
from weakref import WeakMethod, WeakSet, WeakValueDictionary

T = TypeVar("T")


class ByKey(Generic[T]):
    """One object for each key that is in use: made when it is first asked for, gone with the last who holds it.

    Two threads that ask for a key at the same moment may get one each, which must do no harm.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        # Weakly where it is a method: its object has this one, and has to go, and close its files, with its last user.
        self._make: Callable[[], Callable[[str], T] | None] = WeakMethod(make) if ismethod(make) else lambda: make
        self.forget()
        _alive.add(self)

    def forget(self) -> None:
        """Begin anew: what was made belongs to threads that are not there any more."""
        self._made: WeakValueDictionary[str, T] | None = None  # many stores are opened only to be read

    def __getitem__(self, key: str) -> T:
        # No lock for this: one that a signal's exception left taken would end all.
        made = self._made
        if made is None:
            made = self._made = WeakValueDictionary()
        found = made.get(key)
        if found is not None:
            return found
        make = self._make()
        assert make is not None, "whoever asks has the object"
        return made.setdefault(key, make(key))


_alive: WeakSet[ByKey[Any]] = WeakSet()


def _after_fork_in_child() -> None:
    """Whoever was writing when this process was forked writes in the parent: here nobody would ever wake the others."""
    for by_key in list(_alive):
        by_key.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
