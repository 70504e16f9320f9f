"""A fork of a process that has collected all tests copies few large pages, where the system has them."""

import ctypes
import mmap
from itertools import dropwhile

import pytest

from tests.large_pages import SIZE, collapse

PAGES = 4


def in_large_pages(place: int) -> int:
    """How much of the mapping around ``place`` is in large pages, in KiB."""
    with open("/proc/self/smaps", encoding="utf-8") as file:
        lines = file.read().splitlines()

    def is_elsewhere(line: str) -> bool:
        first, dash, last = line.partition(" ")[0].partition("-")
        return not dash or not int(first, 16) <= place < int(last, 16)

    return next(int(line.split()[1]) for line in dropwhile(is_elsewhere, lines) if line.startswith("AnonHugePages:"))


@pytest.fixture
def written():
    """Small pages, each with something in it, and the place of one whose large page is private memory as a whole."""
    memory = mmap.mmap(-1, PAGES * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    memory[:] = b"x" * len(memory)
    memory.madvise(mmap.MADV_HUGEPAGE)
    held = ctypes.c_char.from_buffer(memory)
    yield memory, ctypes.addressof(held) + SIZE
    del held
    memory.close()


def test_what_was_written_is_put_together_and_stays_as_it_was(written):
    memory, place = written
    assert in_large_pages(place) == 0

    collapse()

    if not in_large_pages(place):
        pytest.skip("the system has no large pages to put memory together to")
    assert in_large_pages(place) >= (PAGES - 1) * SIZE >> 10
    assert memory[:] == b"x" * len(memory)
