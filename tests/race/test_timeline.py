"""Which steps a report shows where there are too many: what changed data, not what was locked for it."""

import pytest

from pytest_tradestore.race.execution import Ending, Execution, Step
from pytest_tradestore.race.timeline import MOST_LINES, shown_rows


def shown(steps):
    return [row.text for row in shown_rows(Execution((), tuple(steps), (), Ending.FINISHED))]


def texts(*operations):
    """Return what is shown of two callers who each do all of this, again and again."""
    return " ".join(shown(Step(number % 2, f"{op} {number}") for number, op in enumerate(operations * MOST_LINES)))


@pytest.mark.parametrize("operation", ["create need.lock", "unlink need.lock"])
def test_a_file_that_locks_by_being_there_is_left_out_before_what_it_protects(operation):
    told = texts(*[operation] * 9, "write state.json")

    assert "state.json" in told
    assert "need.lock" not in told


def test_control_another_file_that_is_removed_is_told_of():
    assert "need.json" in texts(*["unlink need.json"] * 9, "write state.json")


SELECTS = [Step(0, f"SELECT {number}", asked=True) for number in range(40)]


def test_of_many_statements_those_of_opening_are_left_out_first():
    opening = [Step(0, "open the store"), *SELECTS, Step(0, "return open the store")]
    statements = ["SELECT n FROM totals", "UPDATE totals SET n = 1"]

    told = shown([*opening, Step(0, "call put()"), *(Step(0, statement) for statement in statements)])

    assert told[-3:] == ["put() begins", *statements]
    assert not {step.operation for step in SELECTS} & set(told)


def test_control_of_too_many_statements_of_a_call_the_first_and_the_last_are_shown():
    told = shown([Step(0, "call put()"), *SELECTS])

    assert "SELECT 1" in told and "SELECT 39" in told
    assert any("more lines" in line for line in told)
