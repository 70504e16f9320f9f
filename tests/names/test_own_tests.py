"""The fixture for people's own tests: a root among canaries, and an example that runs as it is printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tradestore.names.own_tests import EscapeFound

TOP = Path(__file__).parents[2]


def test_the_documented_example_runs():
    example = TOP / "docs" / "examples" / "test_names_of_my_own.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", TOP / "pyproject.toml", example]

    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert "4 passed" in run.stdout


def test_what_is_written_outside_is_told_with_the_identifier(tradestore_names):
    with tradestore_names.surroundings() as around:
        (around.root.parent / "x.json").write_text("overwritten")

        with pytest.raises(EscapeFound, match=r"'\.\./x' led out of the root: \.\./x\.json was written to") as found:
            around.check("../x")

    assert (found.value.identifier, "refuse it" in str(found.value)) == ("../x", True)


def test_what_is_read_outside_is_told(tradestore_names):
    with tradestore_names.surroundings() as around:
        around.check("AAPL", {"cash": 1})
        with pytest.raises(EscapeFound, match="returned what stands in a file outside"):
            around.check("../x", (around.root.parent / "x.json").read_text())


def test_home_and_the_working_directory_are_as_before(tradestore_names):
    before = os.getcwd(), os.environ.get("HOME")
    with tradestore_names.surroundings() as around:
        assert (os.getcwd(), os.environ["HOME"]) != before
        place = around.root
    assert (os.getcwd(), os.environ.get("HOME")) == before
    assert not place.exists()


def test_rows_that_name_real_places_are_not_among_those_to_write(tradestore_names):
    with tradestore_names.surroundings() as around:
        values = [around.value(row) for row in tradestore_names.writable]

    assert "/dev/null" not in values
    assert {"AAPL", "BRK.B", "../x", "AAPL\n"} < set(values)
