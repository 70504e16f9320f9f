"""The table and the plots of what the reference store costs, from costs that are known."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.reference_costs import report
from tests.benchmarks.reference_costs.measure import Cost, in_turn, peak_of

REPOSITORY = Path(__file__).parents[1]
MEASURED = [
    Cost("keys()", 1_000, "store", 4.0),
    Cost("keys()", 1_000, "sqlite3", 2.0),
    Cost("keys()", 100_000, "store", 400.0),
    Cost("keys()", 100_000, "sqlite3", 100.0),
    Cost("next bar of a month", 10, "store", 5.0),
    Cost("next bar of a month", 10, "deltalake", 20.0),
]


def test_the_table_has_ratios_and_growth_from_small_to_large() -> None:
    lines = report.markdown(MEASURED).splitlines()

    assert [line.split(" | ")[1:7] for line in lines[2:]] == [
        ["1,000", "4.00 ms", "2.00 ms", "2x", "", ""],
        ["100,000", "400 ms", "100 ms", "4x", "", "1e+02x"],
        ["10", "5.00 ms", "", "", "deltalake 20.0 ms", ""],
    ]


def test_there_is_a_plot_of_each_operation_that_was_measured_at_two_sizes() -> None:
    found = report.figures(MEASURED)

    assert list(found) == ["keys.svg"]
    lines = ElementTree.fromstring(found["keys.svg"]).findall("{http://www.w3.org/2000/svg}circle")
    assert len(lines) == 4


def test_table_and_links_go_between_the_marks_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")

    for _ in range(2):
        report.write(MEASURED, "Measured today.", page, tmp_path / "figures")

    text = page.read_text()
    assert text.startswith("before\n<!-- measured: begin -->\n\nMeasured today.\n\n| operation |")
    assert text.endswith("[keys](figures/keys.svg)\n\n<!-- measured: end -->\nafter\n")
    assert "old" not in text
    assert (tmp_path / "figures" / "keys.svg").exists()


def test_sides_are_measured_in_turn_and_the_first_turn_does_not_count() -> None:
    turns: list[tuple[str, int]] = []

    found = in_turn({side: lambda turn, s=side: turns.append((s, turn)) for side in ("a", "b")}, 2)

    assert turns == [(side, turn) for turn in range(3) for side in ("a", "b")]
    assert list(found) == ["a", "b"]


def test_memory_is_that_of_the_work_and_not_of_what_was_there_before() -> None:
    grown = peak_of("begin()\nheld = bytes(range(256)) * 200_000\n")

    assert 45 < grown < 60
    assert peak_of("begin()\n") < 2


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no tmpfs at /dev/shm")
def test_a_file_system_in_memory_is_refused_with_a_sentence() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.reference_costs", "--directory", "/dev/shm"]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "/dev/shm is on tmpfs, where a sync costs nothing" in ended.stderr
