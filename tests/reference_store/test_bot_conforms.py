"""The suite, pointed at the stores of a trading bot, finds that they hold ``hardened``; a careless one does not."""

import faulthandler
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.deep
TOP = Path(__file__).parents[2]


MODULES = ("conforming", "conforming_files")
LONGEST = 900
"""Seconds that a suite may take on a busy machine."""


def verdict(target: str, *options: str) -> str:
    (module,) = [name for name in MODULES if f"class {target}(" in (Path(__file__).parent / f"{name}.py").read_text()]
    store = f"--tradestore-store={target}=tests.reference_store.{module}:{target}"
    # No item is held to the time that a test may take here: on a busy machine one that took longer ended the whole run.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=0"]
    suite = ["--tradestore-conformance", store, "--tradestore-profile=hardened", "--tradestore-budget=quick"]
    faulthandler.cancel_dump_traceback_later()  # nor is the suite as a whole: that ended the run of all tests with it
    told = [*command, *suite, *options]
    done = subprocess.run(told, cwd=TOP, capture_output=True, text=True, check=False, timeout=LONGEST)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{target}: ")]
    return line.removeprefix(f"{target}: ")


STORES = (
    "Portfolio", "Paper", "Strategies", "Tasks", "StockState", "StrategyLog", "Cache", "History", "Reports",
    "Backtests", "Dashboard", "Performance",
)  # fmt: skip
TARGETS = [f"{face}Bot{store}" for store in STORES for face in ("", "Async")]


@pytest.mark.parametrize("target", TARGETS)
def test_a_store_of_a_bot_is_conformant(target: str) -> None:
    assert verdict(target) == "CONFORMANT hardened"


@pytest.mark.parametrize(
    ("target", "requirement"),
    [
        ("CarelessPortfolio", "RACE-1"),
        ("CarelessPaper", "RACE-1"),
        ("CarelessReports", "RACE-1"),
        ("CarelessPerformance", "RACE-1"),
        ("BareHistory", "ATOM-1"),
    ],
)
def test_control_one_with_a_defect_of_its_own_is_not(target: str, requirement: str) -> None:
    assert verdict(target, f"--tradestore-requirement={requirement}") == f"NOT CONFORMANT: {requirement}"
