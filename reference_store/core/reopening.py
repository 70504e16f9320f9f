"""A store that is pickled is opened again by whoever unpickles it: on the same root, with the same options.

What a store holds (descriptors, locks, what it remembers) stays where it is; only what it was opened with travels.
"""

from __future__ import annotations

import inspect
import os
import pickle
from contextlib import suppress
from typing import Any, TypeVar

from reference_store.core.atomic import Directory
from reference_store.core.signals import let_out

S = TypeVar("S", bound="Reopened")


class Reopened:
    """Base of all stores: pickling one gives a store on the same root, in another process too; ``copy`` does the same.

    Raises TypeError for a store with a clock, or another option, that cannot be pickled.
    """

    _opened_with: tuple[tuple[Any, ...], dict[str, Any], str]

    def __new__(cls: type[S], *args: Any, **options: Any) -> S:
        """Note what the store is opened with; a relative path means the directory of now, wherever the process goes."""
        here = ""
        with suppress(OSError):
            here = os.getcwd()
        store = object.__new__(cls)
        store._opened_with = (args, options, here)
        return store

    def __reduce__(self) -> tuple[Any, ...]:
        args, options, here = self._opened_with
        given = inspect.signature(type(self)).bind(*args, **options)
        root, place = next(iter(given.arguments.items()))
        given.arguments[root] = os.path.join(here, place.path if isinstance(place, Directory) else os.fspath(place))
        for name, value in given.arguments.items():
            try:
                pickle.dumps(value)
            except Exception as error:
                let_out(error)
                raise TypeError(
                    f"{type(self).__name__} cannot be pickled, because its {name} cannot ({error}); "
                    "give it a function of a module"
                ) from error
        return _open, (type(self), given.args, given.kwargs)


def _open(store: type[S], args: tuple[Any, ...], options: dict[str, Any]) -> S:
    return store(*args, **options)
