"""One object for each key that is in use: made when it is first asked for, gone with the last who holds it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import ismethod
from typing import Generic, TypeVar
from weakref import WeakMethod, ref

from reference_store.core import forks

T = TypeVar("T")

_FEW = 64
"""So many keys are not worth looking which of them are in use."""


class ByKey(Generic[T]):
    """One object for each key that is in use: made when it is first asked for, gone with the last who holds it.

    Two threads that ask for a key at the same moment may get one each, which must do no harm. After a fork, what was
    made belongs to threads that are not there any more: whoever was writing writes in the parent, and here nobody would
    ever wake the others. So a child begins anew.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        # Weakly where it is a method: its object has this one, and has to go, and close its files, with its last user.
        self._make: Callable[[], Callable[[str], T] | None] = WeakMethod(make) if ismethod(make) else lambda: make
        self._forks = forks.count()
        # Plain references, and what is gone is cleared away now and then: a WeakValueDictionary does it in a callback,
        # which is Python code in the thread of the last user, and lets no exception of a signal's handler out.
        self._made: dict[str, ref[T]] = {}
        self._many = _FEW

    def __getitem__(self, key: str) -> T:
        # No lock for this: one that a signal's exception left taken would end all.
        if self._forks != forks.count():
            self._made, self._forks = {}, forks.count()
        made = self._made
        known = made.get(key)
        found = None if known is None else known()
        if found is not None:
            return found
        make = self._make()
        assert make is not None, "whoever asks has the object"
        new = make(key)
        if known is None and (other := made.setdefault(key, ref(new))()) is not None:
            new = other  # somebody else was faster, or nobody was
        else:
            made[key] = ref(new)
        if len(made) > self._many:
            self._clear_away()
        return new

    def _clear_away(self) -> None:
        kept = {key: known for key, known in list(self._made.items()) if known() is not None}
        self._many = 2 * len(kept) + _FEW
        self._made = kept
