"""Which sets of writes a power loss can leave of a recorded disk, and when."""

import random

from pytest_tradestore.confirm.disk import Request
from pytest_tradestore.confirm.losses import Losses

BLOCK = b"x" * 4096


def write(number, arrived, answered):
    return Request(number * 4096, BLOCK, arrived, answered)


def flush(arrived, answered):
    return Request(0, None, arrived, answered)


def found(*log):
    return {loss.arrived: (loss.first, loss.last) for loss in Losses(log).some(1000, random.Random(0))}


def test_a_write_can_be_missing_until_a_flush_that_covers_it_is_answered():
    losses = found(write(0, 0, 1), flush(2, 3))

    assert losses == {(): (0, 3), (0,): (1, 1 << 60)}


def test_control_a_flush_that_arrived_before_the_write_was_answered_does_not_cover_it():
    losses = found(write(0, 0, 2), flush(1, 3))

    assert losses[()] == (0, 1 << 60)


def test_a_later_write_can_be_there_without_an_earlier_one():
    assert (1,) in found(write(0, 0, 1), write(1, 2, 3))


def test_control_not_once_the_earlier_one_is_durable():
    losses = found(write(0, 0, 1), flush(2, 3), write(1, 4, 5))

    assert (2,) not in losses
    assert losses[0, 2][0] == 5


def test_sets_that_leave_the_same_on_disk_are_one():
    losses = found(write(0, 0, 1), write(0, 2, 3))

    assert len(losses) == 3
