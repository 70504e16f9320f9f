"""Keeps what a process of the tests has in memory in large pages, where Linux does that on request.

A process that has collected every test has 300 MiB of its own, and most tests fork it: page by page to copy the tables
and to take them down again costs 18 ms of processor time for a fork that only ends, in large pages 6. Nothing depends
on it: where the system has none, or has none left, a fork takes as long as it did.
"""

import ctypes
import sys
from collections.abc import Iterator

SIZE = 1 << 21
MADV_COLLAPSE = 25  # since Linux 6.1; the mmap module has no name for it


def collapse() -> None:
    """Put the private memory of this process together to large pages; where that cannot be done, do nothing."""
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    for first, last in _private():
        begin, end = -(-first // SIZE) * SIZE, last // SIZE * SIZE
        if begin < end:
            madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), MADV_COLLAPSE)


def _private() -> Iterator[tuple[int, int]]:
    with open("/proc/self/maps", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    for place, access, _, _, inode, *name in lines:
        if access == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            first, last = (int(bound, 16) for bound in place.split("-"))
            yield first, last
