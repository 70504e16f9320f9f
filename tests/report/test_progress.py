"""What is said while nothing else is."""

import pytest

from pytest_tradestore.ahead import Progress
from pytest_tradestore.report import progress
from pytest_tradestore.report.progress import ProgressLine, told

HALF = Progress(5, 10, 0.5, ("crashes of orders", "races of processes of orders"))


def test_it_says_how_far_the_work_is_how_long_it_may_take_and_what_is_being_done():
    assert told(HALF, 20.2) == (
        "50% after 20 s, about 20 s to go; now: crashes of orders, races of processes of orders"
    )


@pytest.mark.parametrize("share", [0.0, 0.09])
def test_control_nothing_is_foretold_before_a_tenth_is_done(share):
    assert told(Progress(0, 10, share, ("crashes of orders",)), 7) == f"{share:.0%} after 7 s; now: crashes of orders"


class Screen:
    """A reporter and its writer, which note what is written."""

    fullwidth = 80

    def __init__(self, *, isatty):
        self.isatty, self.lines = isatty, []
        self.option = self.pluginmanager = self

    def getplugin(self, name):
        return self if name == "terminalreporter" else None

    def get_terminal_writer(self):
        return self

    def get_verbosity(self):
        return 0

    def ensure_newline(self):
        pass

    flush = ensure_newline

    def write_line(self, line):
        self.lines.append(line)

    def write(self, text, *, flush):
        self.lines.append(text)


@pytest.mark.parametrize(("isatty", "lines"), [(False, 3), (True, 99)], ids=["in a file", "on a terminal"])
def test_each_line_stays_in_a_file_so_there_are_few_and_on_a_terminal_one_that_changes(isatty, lines, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    screen = Screen(isatty=isatty)
    line = ProgressLine(screen)

    for _ in range(100):
        clock[0] += 0.5
        line.show(HALF)

    assert len(screen.lines) == pytest.approx(lines, abs=2)
