"""The page of figures is made of what was measured, and asks for every figure by a command that there is."""

import json

import pytest

from tests.benchmarks.figures import FIGURES, KEPT, PAGE, main, page

MEASURED = json.loads(KEPT.read_text(encoding="utf-8"))


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(MEASURED), "python -m tests.benchmarks.figures --page"


def test_what_was_measured_is_a_figure_and_says_when():
    assert set(MEASURED) <= {figure.name for figure in FIGURES}
    assert [name for name, found in MEASURED.items() if not {"value", "on"} <= set(found)] == []


def test_control_another_value_is_another_page():
    assert page({}) != page({FIGURES[0].name: {"value": "1.0 s", "on": "a quiet day"}})


def test_a_figure_that_there_is_not_is_refused_in_one_line(capsys):
    with pytest.raises(SystemExit):
        main(["main-jib"])

    assert "there is no figure main-jib" in capsys.readouterr().err
