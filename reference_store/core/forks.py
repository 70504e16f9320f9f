"""How many forks lie between this process and the one that it began as.

What belongs to threads compares that with what it was, and begins anew in a child. So nobody has to keep a list of all
that there is: an entry of such a list goes with its object, in code that runs wherever that happens to be, and in which
Python swallows what a signal's handler raises.
"""

from __future__ import annotations

import os


class _Forks:
    count = 0


def count() -> int:
    """Return how many forks led here."""
    return _Forks.count


def _after_fork_in_child() -> None:
    _Forks.count += 1


if hasattr(os, "register_at_fork"):  # elsewhere nothing forks
    os.register_at_fork(after_in_child=_after_fork_in_child)
