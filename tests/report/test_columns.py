"""The timeline of several callers: what a call gave is told to its end, and nothing but a token is too wide."""

import pytest

from pytest_tradestore.report.columns import columns
from pytest_tradestore.report.counterexample import render
from pytest_tradestore.verdict import Counterexample, Step, StepStatus

STEPS = (
    Step(
        1,
        StepStatus.NOTE,
        "write store.tmp: {'AAPL': {'version': 0, 'note': 'xxxxxx'}}",
        "/a/mystores.py:22",
        "",
        actor=0,
    ),
    Step(0, StepStatus.NOTE, "-- switch --", actor=-1),
    Step(
        2,
        StepStatus.NOTE,
        "replace store.tmp -> store.json: {'MSFT': {'version': 1}}",
        "/a/mystores.py:23",
        "",
        actor=1,
    ),
    Step(3, StepStatus.NOTE, "put('MSFT', {version: 1}) raises FileNotFoundError: no such file", actor=1),
)
ACTORS = ("writer A", "writer B")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_asked_for(width):
    assert max(map(len, columns(STEPS, ACTORS, width))) <= width


def test_what_a_call_gave_is_told_to_its_end_on_a_second_line():
    told = list(columns(STEPS, ACTORS, 80))

    assert " ".join(" ".join(line.split()) for line in told[-2:]) == f"3 {STEPS[-1].text}"


def test_a_row_goes_on_below_the_columns_of_others_as_far_as_its_source_line():
    written = next(line for line in columns(STEPS, ACTORS, 90) if line.startswith("  1"))

    assert STEPS[0].text in written
    assert written.endswith("mystores.py:22")


def test_control_where_it_meets_its_source_line_it_is_cut():
    written = next(line for line in columns(STEPS, ACTORS, 80) if line.startswith("  2"))

    assert "… " in written
    assert written.endswith("mystores.py:23")


def example(token):
    return Counterexample(headline="a save is lost", steps=STEPS, actors=ACTORS, token=token)


def test_a_token_is_printed_in_one_piece_so_that_it_can_be_copied():
    long = "acme/documents/i6.3.3/" + "3.10.resume.0-" * 8 + "9db1ed4e"

    assert render(example(long), "RACE-2", 80).splitlines()[-2:] == ["Replay:     --tradestore-replay \\", long]


def test_control_a_short_one_stands_behind_its_option():
    last = render(example("acme/documents/i0/plain-0bd6206e"), "RACE-2", 80).splitlines()[-1]

    assert last == "Replay:     --tradestore-replay acme/documents/i0/plain-0bd6206e"
