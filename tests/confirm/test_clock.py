"""The clock of a recorded disk never goes back: what was left before a call would be taken for what it left."""

import mmap
import struct
from multiprocessing import get_context

import pytest

from pytest_tradestore.confirm.disk import Clock
from pytest_tradestore.confirm.rig import Course
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.crash.operations import Mark, MarkKind

TICKS = 50_000


def count_up(clock):
    for _ in range(TICKS):
        clock.tick()


def test_who_reads_the_clock_while_another_process_counts_never_sees_it_go_back():
    clock = Clock()
    counting = get_context("fork").Process(target=count_up, args=(clock,))
    counting.start()
    last = 0
    while last < TICKS and (counting.is_alive() or clock.now() > last):
        now = clock.now()
        assert now >= last
        last = now
    counting.join()

    assert clock.now() == TICKS


def test_control_a_number_that_is_packed_into_its_place_is_gone_for_a_moment():
    place = mmap.mmap(-1, mmap.PAGESIZE)
    struct.pack_into("<Q", place, 0, 300)

    class Looking:
        def __index__(self):
            self.found = struct.unpack_from("<Q", place)[0]
            return 301

    looking = Looking()
    struct.pack_into("<Q", place, 0, looking)

    assert looking.found == 0


def test_a_clock_that_has_gone_back_is_refused():
    course = Course()
    course.note(Mark(MarkKind.INVOKED, 0), 300)

    with pytest.raises(RuntimeError, match="went back from 300 to 44"):
        course.note(Mark(MarkKind.ACKNOWLEDGED, 0), 44)


def test_control_a_call_that_asks_nothing_of_the_disk_begins_and_returns_at_the_same_number():
    course = Course()
    course.note(Mark(MarkKind.INVOKED, 0), 300)
    course.note(Mark(MarkKind.ACKNOWLEDGED, 0), 300)

    assert course.window == Window(0, 0)
