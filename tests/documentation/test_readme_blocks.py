"""A reader who does what the README.md says, with a store of a team of their own: its blocks are written and run."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.documentation.pages import ROOT, Block, blocks

BLOCKS = tuple(blocks(ROOT / "README.md"))
ACME = """\
import json
import os


class AcmeError(ValueError):
    pass


class AcmeStore:
    def __init__(self, file):
        self.file = file

    def write(self, key, document):
        self.file.with_suffix(".new").write_text(json.dumps(self._all() | {key: document}))
        os.replace(self.file.with_suffix(".new"), self.file)

    def read(self, key):
        return self._all().get(key)

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}
"""
FIXED = """\
import json
import os

OLD, NEW = {"AAPL": 1}, {"AAPL": 2}


class Portfolio:
    def __init__(self, root):
        self.root, self.file = root, root / "portfolio.json"

    def save(self, data):
        with open(self.root / "new", "w") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.root / "new", self.file)
        directory = os.open(self.root, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def load(self):
        return json.loads(self.file.read_text())
"""


def the(language: str, words: str) -> Block:
    (found,) = [block for block in BLOCKS if block.language == language and words in block.text]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package of a team, with the adapter of the README in it."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").write_text(ACME)
    adapter = the("python", "# acme/testing.py").text
    (tmp_path / "acme" / "testing.py").write_text(f"from acme import AcmeError, AcmeStore\n\n\n{adapter}")
    return tmp_path


def run(project: Path, *words: str) -> tuple[int, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GITHUB_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=project,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


ONE = ("--tradestore-requirement", "DATA-MISSING")


@pytest.mark.proof
def test_the_command_for_a_store_of_ones_own_runs(project: Path) -> None:
    command = the("sh", "--tradestore-store portfolio=acme.testing:Portfolio").text.split()
    status, printed = run(project, *command[1:], *ONE)

    assert command[0] == "pytest"
    assert (status, "portfolio (documents)" in printed) == (0, True), printed


@pytest.mark.proof
def test_the_configuration_is_read_and_the_waiver_is_taken(project: Path) -> None:
    settings = the("toml", "tradestore_stores").text
    (project / "pyproject.toml").write_text(f'{settings}tradestore_waivers = "waivers.toml"\n')
    waiver = the("toml", "[[waiver]]").text
    (project / "waivers.toml").write_text(waiver)
    requirement = tomllib.loads(waiver)["waiver"][0]["requirement"]

    status, printed = run(
        project, "--tradestore-conformance", "--tradestore-budget", "quick", "--tradestore-requirement", requirement
    )

    assert (status, f"waived: {requirement}" in printed) == (0, True), printed


@pytest.mark.proof
def test_the_suite_in_a_test_module_runs(project: Path) -> None:
    (project / "test_portfolio.py").write_text(the("python", "conformance_suite(Portfolio)").text)

    status, printed = run(project, "test_portfolio.py", "-k", "DATA-MISSING")

    assert (status, "1 passed" in printed) == (0, True), printed


@pytest.mark.proof
def test_stores_that_are_made_at_run_time_are_found(project: Path) -> None:
    hook = the("python", "def pytest_tradestore_stores").text
    (project / "conftest.py").write_text(f"from acme import AcmeError\nfrom acme.testing import Portfolio\n\n{hook}")

    status, printed = run(project, "--tradestore-conformance", *ONE)

    assert (status, "portfolio (documents)" in printed) == (0, True), printed


@pytest.mark.proof
def test_the_test_with_a_fixture_runs(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(f"{FIXED}\n\n{the('python', 'tradestore_crash(Portfolio)').text}")

    status, printed = run(tmp_path, "test_mine.py")

    assert (status, "1 passed" in printed) == (0, True), printed


def test_every_block_of_a_program_is_among_them() -> None:
    told = [block for block in BLOCKS if block.language in ("python", "toml")]

    assert len(told) == 7, "a block was added: run it here"
