"""Which descriptors this process has open: a test asks which of them are new since it began, and those it has left.

What other tests left to the collector may be closed meanwhile, by a collection that happens to fall into this one; so
that a descriptor is gone, or that there are fewer, says nothing.
"""

import contextlib
import os


def opened(before: frozenset[tuple[str, str]] = frozenset()) -> frozenset[tuple[str, str]]:
    """Return the descriptors that are open and were not ``before``, each with what it leads to where that is told."""
    place = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    found = set()
    for name in os.listdir(place):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            path = os.path.join(place, name)
            found.add((name, os.readlink(path) if os.path.islink(path) else ""))
    return frozenset(found) - before
