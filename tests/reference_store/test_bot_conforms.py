"""The suite, pointed at the stores of a trading bot, finds that they hold ``hardened``; a careless one does not."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.proof
TOP = Path(__file__).parents[2]


def verdict(target: str, *options: str) -> str:
    store = f"--tradestore-store={target}=tests.reference_store.conforming:{target}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    suite = ["--tradestore-conformance", store, "--tradestore-profile=hardened", "--tradestore-budget=quick"]
    done = subprocess.run([*command, *suite, *options], cwd=TOP, capture_output=True, text=True, check=False)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{target}: ")]
    return line.removeprefix(f"{target}: ")


STORES = ("Portfolio", "Paper", "Strategies", "Tasks", "StockState", "StrategyLog", "Cache")
TARGETS = [f"{face}Bot{store}" for store in STORES for face in ("", "Async")]


@pytest.mark.parametrize("target", TARGETS)
def test_a_store_of_a_bot_is_conformant(target: str) -> None:
    assert verdict(target) == "CONFORMANT hardened"


@pytest.mark.parametrize("target", ["CarelessPortfolio"])
def test_control_one_that_loads_changes_and_saves_is_not(target: str) -> None:
    assert verdict(target, "--tradestore-requirement=RACE-1") == "NOT CONFORMANT: RACE-1"
