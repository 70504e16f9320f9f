"""Whatever a run waits for, it says what that is, how far it is and how long that may take.

The clock of these runs goes on by a second whenever somebody looks at it, so that all of them are slow.
"""

import pytest

from tests.plugin.conftest import CHECKS

CLOCK = """
import itertools
import types

from pytest_tradestore.report import progress

progress.time = types.SimpleNamespace(monotonic=itertools.count(step=STEP).__next__)
"""
ROWS = [(requirement, "WAITS") for requirement in ("ATOM-1", "FAULT-1", "CORR-1", "PERM-1")]


@pytest.fixture
def slow(project):
    project.pytester.makeconftest(CHECKS + CLOCK.replace("STEP", "1"))
    project.checks(*ROWS)
    return project


def test_each_step_of_a_run_in_one_process_is_said(slow):
    result = slow.run_apart("--tradestore-workers=0")

    result.assert_outcomes(passed=len(ROWS))
    result.stdout.re_match_lines(
        [
            r"opening Acme \(\d+ s\)",
            r"trying documents of Acme \(\d+ s\)",
            "=+ test session starts =+",
            r"0% after \d+ s; now: crashes of Acme",
            r"\d\d% after \d+ s, about \d+ s to go; now: faults of Acme",
            r"\d\d% after \d+ s, about \d+ s to go; now: damage of Acme",
        ]
    )


@pytest.mark.proof
def test_so_it_is_where_workers_of_xdist_do_them(slow):
    pytest.importorskip("xdist")

    result = slow.run_apart("-n2")

    result.assert_outcomes(passed=len(ROWS))
    result.stdout.re_match_lines_random(
        [
            r"trying documents of Acme \(\d+ s\)",
            r"waiting for the workers to begin \(\d+ s\)",
            r"\.*\s*\d+% after \d+ s.*; now: .* of Acme",
        ]
    )


@pytest.mark.proof
def test_so_it_is_while_the_suite_of_a_test_module_is_collected(slow):
    slow.pytester.makepyfile(
        test_acme="from acme import Acme\nfrom pytest_tradestore import conformance_suite\n"
        "TestAcme = conformance_suite(Acme)\n"
    )

    result = slow.pytester.runpytest_subprocess("test_acme.py", "--tradestore-recorder=fake")

    result.assert_outcomes(passed=len(ROWS))
    result.stdout.re_match_lines([r"trying documents of Acme \(\d+ s\)"])


def test_control_where_no_time_goes_by_nothing_of_it_is_said(slow):
    slow.pytester.makeconftest(CHECKS + CLOCK.replace("STEP", "0"))

    result = slow.run_apart("--tradestore-workers=0")

    result.assert_outcomes(passed=len(ROWS))
    result.stdout.no_re_match_line(r".*(opening|trying|% after) .*")
