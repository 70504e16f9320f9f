"""What is said while nothing else is."""

import pytest

from pytest_tradestore.ahead import Progress
from pytest_tradestore.report.progress import told

HALF = Progress(5, 10, 0.5, ("crashes of orders", "races of processes of orders"))


def test_it_says_how_far_the_work_is_how_long_it_may_take_and_what_is_being_done():
    assert told(HALF, 20.2) == (
        "50% after 20 s, about 20 s to go; now: crashes of orders, races of processes of orders"
    )


@pytest.mark.parametrize("share", [0.0, 0.09])
def test_control_nothing_is_foretold_before_a_tenth_is_done(share):
    assert told(Progress(0, 10, share, ("crashes of orders",)), 7) == f"{share:.0%} after 7 s; now: crashes of orders"
