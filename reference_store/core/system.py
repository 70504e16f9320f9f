"""What a system has to have for a store to keep its promises, and what is said where it has not.

A store that cannot lock, or cannot hold on to its directory, would lose data in silence; so it is not opened there. It
can be imported, for its types and its messages.
"""

from __future__ import annotations

import os
from functools import cache

from reference_store.errors import StoreError


def _flock() -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    return hasattr(fcntl, "flock")


_NEEDED = (
    ("locks between processes (flock)", _flock),
    ("directories that are held open (O_DIRECTORY)", lambda: hasattr(os, "O_DIRECTORY")),
    ("refusing to follow planted links (O_NOFOLLOW)", lambda: hasattr(os, "O_NOFOLLOW")),
)


def flags(*names: str) -> int:
    """Return the flags of ``os.open`` of these names; one that the system has not is nothing."""
    made = 0
    for name in names:
        made |= getattr(os, name, 0)
    return made


def refuse_where_promises_cannot_be_kept() -> None:
    """Raise StoreError, with what is missing, on a system on which no store can keep its promises."""
    if missing := _missing():
        raise StoreError(
            f"this system does not offer {', '.join(missing)}, without which data would be lost in silence, so no file "
            "store is opened here; use Linux, macOS or WSL, or the PostgreSQL stores"
        )


@cache
def _missing() -> tuple[str, ...]:
    return tuple(what for what, there in _NEEDED if not there())
