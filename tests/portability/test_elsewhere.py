"""The package on systems that lack what Linux has: what they lack is hidden here, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.portability.elsewhere import LACKING, TOP

STORE = """
import json
import os


class Plain:
    tradestore_claims = ("processes", "private-files")

    def __init__(self, root):
        self.file = root / "all.json"

    def save(self, data):
        with open(f"{self.file}.tmp", "w") as file:
            json.dump(data, file)
        os.replace(f"{self.file}.tmp", self.file)

    def load(self):
        try:
            with open(self.file) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}
"""
NEEDS = "what is handed to another interpreter is pickled with cloudpickle"
ASKED = ("--tradestore-requirement=ATOM-2", "--tradestore-requirement=DATA-ROUNDTRIP")


def on(system, *arguments, cwd=TOP):
    """Run this in a process that looks as on that system, without other plugins of this machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GITHUB_"))}
    return subprocess.run(
        [sys.executable, "-m", "tests.portability.elsewhere", system, *arguments],
        cwd=cwd,
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(TOP), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def conformance(system, place: Path, *asked: str):
    (place / "plain.py").write_text(STORE)
    named = ("-p", "pytest_tradestore.plugin", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={place}")
    run = ("--tradestore-conformance", "--tradestore-store=plain:Plain", "--tradestore-recorder=fake")
    return on(system, "run", *named, *run, "--tradestore-budget=quick", *(asked or ASKED), cwd=place)


@pytest.mark.proof
@pytest.mark.parametrize("system", list(LACKING))
def test_every_module_can_be_imported(system):
    done = on(system, "import")

    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.proof
def test_on_macos_the_suite_finds_on_a_disk_in_memory_what_it_finds_here(tmp_path):
    done = conformance("macos", tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "ATOM-2 VIOLATED" in done.stdout
    assert "errors" not in done.stdout


@pytest.mark.proof
def test_on_windows_it_does_so_in_interpreters_of_their_own(tmp_path):
    pytest.importorskip("cloudpickle", reason=NEEDS)
    done = conformance("windows", tmp_path, "--tradestore-requirement=ATOM-2")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "ATOM-2 VIOLATED" in done.stdout
    assert "fsync missing at plain.py" in done.stdout
    assert "errors" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_cannot_be_checked_without_forking_is_undecided_and_says_so(tmp_path):
    pytest.importorskip("cloudpickle", reason=NEEDS)
    done = conformance("windows", tmp_path, "--tradestore-requirement=PERM-1", "--tradestore-requirement=RACE-3", "-v")

    assert "Plain: INCOMPLETE" in done.stdout, done.stdout + done.stderr
    assert "this system has no modes and owners as POSIX has them" in done.stdout
    assert "this system cannot fork, and callers in several processes need that" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("system", "opens"), [("windows", False), ("macos", True)])
def test_the_reference_store_is_opened_only_where_it_can_keep_its_promises(system, opens, tmp_path):
    done = on(system, "open", str(tmp_path))

    assert done.stdout.startswith("{'cash': 1}" if opens else "StoreError: this system does not offer locks"), (
        done.stderr
    )
