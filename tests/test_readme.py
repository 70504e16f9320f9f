"""What the README prints is what a reader gets who does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tradestore.crash.recorders.strace import StraceRecorder

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = ROOT / "docs" / "examples"


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return found


def test_the_store_shown_is_the_one_in_the_examples():
    assert block("python", "class UsualStore") in (EXAMPLES / "usual_store.py").read_text()


RECORDED = pytest.mark.skipif(
    StraceRecorder().unavailable() is not None,
    reason="the output shown was recorded by strace, which cannot be used here",
)


@pytest.mark.proof
@pytest.mark.parametrize("requirement", [pytest.param("ATOM-2", marks=RECORDED), "RACE-1"])
def test_the_counterexample_shown_is_the_one_printed(requirement):
    command = "--tradestore-conformance --tradestore-store usual=usual_store:UsualStore --tradestore-requirement"

    printed = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *command.split(), requirement],
        cwd=EXAMPLES,
        env={**os.environ, "COLUMNS": "80", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert printed.returncode == 1
    assert block("text", f"{requirement} VIOLATED") in printed.stdout


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#:]+)\)", README)

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
