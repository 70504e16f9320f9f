"""A fork of a process that has collected all tests copies few large pages, where the system has them."""

import ctypes
import mmap
from itertools import dropwhile

import pytest

from tests.large_pages import MADV_COLLAPSE, SIZE, collapse

PAGES = 4


def in_large_pages(place: int) -> int:
    """How much of the mapping around ``place`` is in large pages, in KiB."""
    with open("/proc/self/smaps", encoding="utf-8") as file:
        lines = file.read().splitlines()

    def is_elsewhere(line: str) -> bool:
        first, dash, last = line.partition(" ")[0].partition("-")
        return not dash or not int(first, 16) <= place < int(last, 16)

    return next(int(line.split()[1]) for line in dropwhile(is_elsewhere, lines) if line.startswith("AnonHugePages:"))


def written() -> mmap.mmap:
    """Return private memory in small pages, each with something in it."""
    try:
        memory = mmap.mmap(-1, PAGES * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        memory[:] = b"x" * len(memory)
        memory.madvise(mmap.MADV_HUGEPAGE)
    except (AttributeError, OSError) as error:
        pytest.skip(f"the system has no large pages to be asked for: {error}")
    return memory


def inside(memory: mmap.mmap) -> int:
    """Return a place whose large page is this memory's as a whole."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory)) + SIZE


def test_what_was_written_is_put_together_and_stays_as_it_was():
    asked_for, memory = written(), written()
    try:
        asked_for.madvise(MADV_COLLAPSE)
    except OSError as error:
        pytest.skip(f"the system puts no memory together to large pages: {error}")
    assert in_large_pages(inside(memory)) == 0

    collapse()

    assert in_large_pages(inside(memory)) >= (PAGES - 1) * SIZE >> 10
    assert memory[:] == b"x" * len(memory)
