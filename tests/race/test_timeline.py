"""Which steps a report shows where there are too many: what changed data, not what was locked for it."""

import pytest

from pytest_tradestore.race.execution import Ending, Execution, Step
from pytest_tradestore.race.timeline import MOST_LINES, shown_rows


def texts(*operations):
    """Return what is shown of two callers who each do all of this, again and again."""
    steps = tuple(Step(number % 2, f"{op} {number}") for number, op in enumerate(operations * MOST_LINES))
    return " ".join(row.text for row in shown_rows(Execution((), steps, (), Ending.FINISHED)))


@pytest.mark.parametrize("operation", ["create need.lock", "unlink need.lock"])
def test_a_file_that_locks_by_being_there_is_left_out_before_what_it_protects(operation):
    told = texts(*[operation] * 9, "write state.json")

    assert "state.json" in told
    assert "need.lock" not in told


def test_control_another_file_that_is_removed_is_told_of():
    assert "need.json" in texts(*["unlink need.json"] * 9, "write state.json")
